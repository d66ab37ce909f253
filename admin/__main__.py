"""`python -m admin`, from the root of the project."""

from __future__ import annotations

import sys

from admin.command_line import main

sys.exit(main(sys.argv[1:]))
