"""Write docs/openapi.json, and the copy of it that get_openapi serves: `make openapi`."""

from __future__ import annotations

import sys
from pathlib import Path

from openapi.document import describe, served, text

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "openapi.json"
SERVED = ROOT / "functions" / "get_openapi" / "openapi.json"


def main() -> int:
    """Write both files; 0."""
    document = describe(ROOT)
    DOCUMENT.write_text(text(document), encoding="utf-8")
    SERVED.write_text(served(document), encoding="utf-8")
    count = sum(len(operations) for operations in document["paths"].values())
    sys.stdout.write(f"{DOCUMENT.relative_to(ROOT)}: {count} operations\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
