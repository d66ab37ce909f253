"""The costs of a verification: requests to DynamoDB, fetches of the pepper, hashes."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from unittest.mock import patch

from keywright.domain import argon2id
from keywright.store import pepper
from tests.support import faults

if TYPE_CHECKING:
    from collections.abc import Iterator
    from unittest.mock import MagicMock


@dataclass(slots=True)
class Costs:
    """The costs so far.

    Attributes:
        requests: DynamoDB operations requested, in order.
    """

    requests: list[str] = field(default_factory=list)
    _hashing: list[MagicMock] = field(default_factory=list)
    _fetching: list[MagicMock] = field(default_factory=list)

    @property
    def hashes(self) -> int:
        """Return the number of Argon2id hashes."""
        return sum(mock.call_count for mock in self._hashing)

    @property
    def fetches(self) -> int:
        """Return the number of requests to Secrets Manager for the pepper."""
        return sum(mock.call_count for mock in self._fetching)

    def spent(self) -> tuple[list[str], int, int]:
        """Return requests, hashes and fetches since the last call, and start again."""
        spent = list(self.requests), self.hashes, self.fetches
        self.requests.clear()
        for mock in (*self._hashing, *self._fetching):
            mock.reset_mock()
        return spent


@contextmanager
def counted() -> Iterator[Costs]:
    """Count the costs in this container; start before its first verification to count the pepper's fetch."""
    with ExitStack() as opened:
        operations = opened.enter_context(faults.injected())
        yield Costs(
            operations,
            [
                opened.enter_context(patch.object(argon2id, name, wraps=getattr(argon2id, name)))
                for name in ("matches", "hash_digest")
            ],
            [opened.enter_context(patch.object(pepper, "_fetch", wraps=pepper._fetch))],
        )
