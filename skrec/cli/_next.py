"""The commands that use a saved model, printed where it was made or used."""

from pathlib import Path

from ..utils._commands import command_line, log_arguments
from ..utils._containers import row_ids
from ..utils._histories import read_histories
from ._dates import has_dates
from ._large_log import is_store
from ._options import Log
from ._screen import Screen

_TRIED = 1_000  # users among whom one for an example is searched
_TAKEN = ("", "all")  # ids that --users cannot name
_SOME = range(3, 51)  # events of a user for an example


def say_next(screen: Screen, log: Log, model_file: Path, histories, *, incremental: bool = False) -> None:
    """Print the commands that recommend with a model, serve it, and let it learn what came since."""
    user = example_user(histories)
    words = ["skrec", "recommend", *log_arguments([str(model_file), *log.paths], {}, {})]
    screen.say("Next, to recommend with it:")
    screen.say("  " + command_line([*words, "--users", "all" if user is None else user]))
    say_serve(screen, log, model_file, histories)
    if incremental:
        words = ["skrec", "update", *log_arguments([str(model_file), *log.paths], {}, {})]
        screen.say("To let it learn what came since:")
        screen.say("  " + command_line(words))


def say_serve(screen: Screen, log: Log, model_file: Path, histories) -> None:
    """Print the command that serves a model, with the log where the service can read it."""
    words = ["skrec", "serve", *log_arguments([str(model_file)], {}, {})]
    reason = ""
    if "-" in log.paths or is_store(log):
        reason = " (the users begin without a history, since the log is no file of events)"
    elif "time" not in histories.columns or not has_dates(histories):
        reason = " (the users begin without a history, since the times of the log are no dates)"
    else:
        words += [word for path in log_arguments(log.paths, {}, {}) for word in ("--log", path)]
    screen.say(f"To serve it over HTTP, with a page to look at{reason}:")
    screen.say("  " + command_line(words))


def example_user(histories) -> str | None:
    """Return the id of a user with some events, as an option takes it; None where no id can be typed."""
    some = histories[:_TRIED]
    lengths, ids = read_histories(some).lengths, [str(one) for one in row_ids(some)]
    able = [row for row, text in enumerate(ids) if text.isprintable() and text.strip() == text and text not in _TAKEN]
    if not able:
        return None
    return ids[next((row for row in able if lengths[row] in _SOME), max(able, key=lambda row: lengths[row]))]
