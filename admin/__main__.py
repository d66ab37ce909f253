"""Entry point of `python -m admin`, run from the root of the repository."""

from __future__ import annotations

import sys

from admin.command_line import main

sys.exit(main(sys.argv[1:]))
