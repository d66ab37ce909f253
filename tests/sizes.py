"""How much of what can be repeated at will is repeated.

For the full proofs: RACES=200 INTERLEAVINGS=1000 MUTATIONS=1000000 POLICIES=20000 make test
"""

from __future__ import annotations

import os


def size(name: str, default: int) -> int:
    """Give a number of repetitions: a few by default, as many as an environment variable says for the full proof."""
    return int(os.environ.get(name, default))
