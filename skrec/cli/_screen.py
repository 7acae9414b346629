"""What the command prints: results to standard output, progress and errors to standard error."""

import contextlib
import io
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..utils._commands import printable

_PACKAGE = str(Path(__file__).parents[1])
_CHECKS = ("_param_validation.py", "validation.py")  # scikit-learn's checks of parameters and input


class UserError(Exception):
    """Something that the user can put right; its message is one sentence."""


class Screen:
    """The two consoles, and how much to say."""

    def __init__(self) -> None:
        self.verbose = False
        self.quiet = False
        self.notes = _Notes(self)
        self._warned: set[str] = set()

    def say(self, text: str = "") -> None:
        """Print a line of explanation, unless quiet."""
        if not self.quiet:
            self.show(text)

    def show(self, text: str) -> None:
        """Print a line that is a result; the terminal breaks it, so that it can be copied."""
        print(_lines(text), flush=True)

    def table(self, header, rows, *, numbers=(), bold: int | None = None, sections=(), title: str = "") -> None:
        """Print a table; `numbers` are the columns set flush right, `bold` a row, `sections` the last row of each."""
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        look: dict[str, Any] = {"box": box.SIMPLE_HEAD, "padding": (0, 1, 0, 0), "pad_edge": False}
        table = Table(title=Text(printable(title), style="bold") if title else None, title_justify="left", **look)
        for column, name in enumerate(header):
            is_number = column in numbers  # a number is never broken
            table.add_column(
                Text(_lines(name)), justify="right" if is_number else "left", overflow="fold", no_wrap=is_number
            )
        for number, row in enumerate(rows):
            style = "bold" if number == bold else None
            table.add_row(*(Text(printable(cell)) for cell in row), style=style, end_section=number in sections)
        Console(highlight=False).print(table)

    @contextlib.contextmanager
    def working(self, text: str) -> Iterator[io.TextIOBase | None]:
        """Show that work goes on; what is written to the value replaces the text. None where nobody looks."""
        if self.quiet or not sys.stderr.isatty():
            yield None
            return
        from rich.console import Console
        from rich.markup import escape

        console = Console(stderr=True)
        with console.status(escape(text)) as status:
            yield _Updates(lambda line: status.update(escape(f"{text} {line}")))

    def fail(self, error: Exception) -> int:
        """Print an error as one line and return the exit code: 2 for what the user can put right, else 1."""
        if self.verbose:
            import traceback

            traceback.print_exception(error)
        usage = getattr(error, "format_message", None)  # the class has moved between versions of typer
        if usage is not None:
            message, code = usage(), 2
            if not message.strip():  # no arguments: the help is printed already
                return code
        elif _is_expected(error):
            message, code = str(error) or type(error).__name__, 2
        else:
            hint = "" if self.verbose else "; --verbose shows where"
            message, code = f"unexpected {type(error).__name__}: {error}{hint}", 1
        self.error(message)
        return code

    def error(self, message: str) -> None:
        """Print one line that says what went wrong."""
        print("skrec:", printable(" ".join(message.split())), file=sys.stderr)

    def warn(self, message, category, filename, lineno, file=None, line=None) -> None:
        """Print a warning as one line, once; takes the place of `warnings.showwarning`."""
        text = printable(" ".join(str(message).split()))
        if not self.quiet and text not in self._warned:
            self._warned.add(text)
            print("skrec: warning:", text, file=sys.stderr)


def _lines(text) -> str:
    """Return text that prints as it is read, its own line breaks kept."""
    return "\n".join(map(printable, str(text).split("\n")))


class _Notes(logging.Handler):
    """Prints what the library logs, each text once: a unit that was recognised, times that do not count."""

    def __init__(self, screen: Screen):
        super().__init__(logging.INFO)
        self._screen = screen
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        text = f"{record.getMessage().rstrip('.').replace('time_unit=', '--time-unit')}."
        if text not in self._said:
            self._said.add(text)
            self._screen.say(text[:1].upper() + text[1:])


class _Updates(io.TextIOBase):
    """A text stream that hands on each line."""

    def __init__(self, update):
        self._update = update

    def write(self, text: str) -> int:
        if text.strip():
            self._update(text.strip())
        return len(text)


def _is_expected(error: Exception) -> bool:
    """Tell errors that explain themselves, raised by checks, from those of broken code further down."""
    if isinstance(error, (UserError, OSError, ImportError)):
        return True
    if not isinstance(error, (ValueError, TypeError)) or error.__traceback__ is None:
        return False
    trace = error.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    file = trace.tb_frame.f_code.co_filename
    return file.startswith(_PACKAGE) or ("sklearn" in file and file.endswith(_CHECKS))
