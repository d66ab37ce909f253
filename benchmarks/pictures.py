"""`make bench-report`: the pictures of docs/performance.md, drawn from benchmarks/report.json by matplotlib."""

from __future__ import annotations

import subprocess
import sys

from benchmarks import environments
from local.options import ROOT

_DRAWING = ROOT / "benchmarks" / "drawing"
_REPORT = ROOT / "benchmarks" / "report.json"
_PICTURES = ROOT / "docs" / "performance"


def main() -> int:
    """Draw them."""
    if not _REPORT.is_file():
        print("There is no report yet; run: make bench")
        return 2
    try:
        python = environments.python("drawing", _DRAWING / "requirements.txt")
    except environments.NotInstalledError as error:
        print(f"matplotlib cannot be installed: {error}")
        return 1
    return subprocess.call([str(python), str(_DRAWING / "draw.py"), str(_REPORT), str(_PICTURES)])  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
