"""The repository, the addresses and the settings that tests share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from keywright import cache
from local import backend

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[2]
"""The root of the repository."""
LOOPBACK = ["127.0.0.1"]
"""The hosts that tests may connect to."""
CHEAP_ARGON2 = {"Argon2MemoryKib": "8", "Argon2Iterations": "1"}
"""For testing only: cheap hashes."""


def new_container() -> None:
    """Forget everything that a container remembers between invocations."""
    cache.clear_all()


def isolate(patch: pytest.MonkeyPatch) -> None:
    """Change the environment so that no AWS account can be reached, and no DynamoDB outside of this process."""
    isolated = dict(os.environ)
    backend.isolate(isolated)
    isolated.pop(backend.DYNAMODB_ENDPOINT, None)
    for name in os.environ.keys() - isolated.keys():
        patch.delenv(name)
    for name, value in isolated.items():
        if os.environ.get(name) != value:
            patch.setenv(name, value)
