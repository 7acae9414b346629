"""The `skrec` command.

Its parts: `_app` holds the commands and their options, `_models` what `--model` can name, `_data` reads logs and
writes tables, `_screen` prints, `_demo` is the tour. Heavy packages load inside the commands, so that
``skrec --help`` is quick.
"""

from ._app import main

__all__ = ["main"]
