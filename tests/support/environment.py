"""The repository, the addresses and the settings that tests share."""

from __future__ import annotations

from pathlib import Path

from keywright import cache

ROOT = Path(__file__).parents[2]
"""The root of the repository."""
LOOPBACK = ["127.0.0.1"]
"""The hosts that tests may connect to."""
CHEAP_ARGON2 = {"Argon2MemoryKib": "8", "Argon2Iterations": "1"}
"""For testing only: cheap hashes."""


def new_container() -> None:
    """Forget everything that a container remembers between invocations."""
    cache.clear_all()
