"""Entry point of `python -m keywright_admin`."""

from __future__ import annotations

import sys

from keywright_admin.command_line import main

sys.exit(main())
