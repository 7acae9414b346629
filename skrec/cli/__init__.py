"""The `skrec` command.

`_app` parses; each command has a module (`_fit`, `_evaluate`, `_recommend`, `_similar`, `_demo`). They share `_options`
(what is given, checked), `_log` (reads and checks a log), `_dates`, `_ids`, `_users`, `_request` and `_item_columns`
(what options and logs mean), `_model_files`, and `_screen`, which prints. Heavy packages load inside the commands, so
that ``skrec --help`` is quick.
"""

from ._app import main

__all__ = ["main"]
