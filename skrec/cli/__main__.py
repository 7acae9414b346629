"""Run the command with ``python -m skrec.cli``."""

import sys

from . import main

sys.exit(main())
