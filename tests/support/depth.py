"""The number of repetitions of tests that can be repeated at will.

For the full proofs: RACES=200 INTERLEAVINGS=1000 MUTATIONS=1000000 POLICIES=20000 make test
"""

from __future__ import annotations

import os


def size(name: str, default: int) -> int:
    """Return a number of repetitions: by default a few, for the full proof that of an environment variable."""
    return int(os.environ.get(name, default))
