"""The operator's command line: organizations, members and keys, with the operator's own AWS credentials."""

from __future__ import annotations

import sys
from pathlib import Path

_LAYER = str(Path(__file__).parents[1] / "layers/shared/python")

if _LAYER not in sys.path:
    sys.path.insert(0, _LAYER)
