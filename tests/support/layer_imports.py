"""Import every function with a built layer and nothing else.

Usage: `python -ISB tests/support/layer_imports.py <layer>/python`.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

FUNCTIONS = Path(__file__).parents[2] / "functions"
LARGEST_BYTES = 40 * 1000 * 1000
"""Limit for the layer, which each cold start downloads and unpacks."""


def main(layer: Path) -> int:
    """Return 0 if all functions can be imported and every module comes from the layer or from Python itself."""
    sys.path.insert(0, str(layer))
    size = sum(path.stat().st_size for path in layer.rglob("*") if path.is_file())
    names = sorted(path.parent.name for path in FUNCTIONS.glob("*/handler.py"))
    for name in names:
        spec = importlib.util.spec_from_file_location(name, FUNCTIONS / name / "handler.py")
        if spec is None or spec.loader is None:
            raise ImportError(name)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        if not callable(module.handler):
            raise TypeError(f"{name} has no handler")
    sys.stdout.write(f"{len(names)} functions import with the layer, which has {size / 1e6:.1f} MB\n")
    return 0 if names and size < LARGEST_BYTES else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
