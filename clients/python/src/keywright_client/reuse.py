"""Keeps valid answers for a short time, so that a key that is used often is not verified each time."""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keywright_client.processes import PerProcess

if TYPE_CHECKING:
    from collections.abc import Callable

    from keywright_client.results import Valid

_DIGEST_BYTES = 32
MAXIMUM_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time, by two clocks.

    The monotonic clock is right when the other one is set. The wall clock is right after a machine or container has
    slept, which the monotonic one may not count.
    """

    monotonic: float
    wall: float

    @classmethod
    def now(cls) -> Moment:
        """Return the current time."""
        return cls(time.monotonic(), time.time())

    def seconds_since(self, earlier: Moment) -> float:
        """Return the seconds since an earlier moment: the larger figure of the two clocks."""
        return max(self.monotonic - earlier.monotonic, self.wall - earlier.wall)


@dataclass(frozen=True, slots=True)
class _Entry:
    answer: Valid
    sent: Moment


class ReusableAnswers:
    """Valid answers by keyed digests of what was asked. The texts of keys are not kept. Safe for threads.

    Args:
        seconds: how long an answer is used after its request was sent.
        entries: number of answers to keep. The oldest is dropped first.
        now: the clock.
    """

    def __init__(self, seconds: float, entries: int, now: Callable[[], Moment] = Moment.now) -> None:
        self._seconds = seconds
        self._entries = entries
        self.now = now
        self._key = secrets.token_bytes(_DIGEST_BYTES)
        self._answers: dict[bytes, _Entry] = {}
        self._lock = PerProcess(threading.Lock)

    def digest(self, text: str, permissions: tuple[str, ...], client_ip: str | None, cost: int) -> bytes:
        """Return the digest of a question. The order of permissions does not matter."""
        question = json.dumps([text, sorted(set(permissions)), client_ip, cost]).encode("ascii")
        return hashlib.blake2b(question, key=self._key, digest_size=_DIGEST_BYTES).digest()

    def get(self, digest: bytes) -> Valid | None:
        """Return the answer to a question, or None if it must be asked."""
        entry = self._answers.get(digest)
        if entry is None:
            return None
        now = self.now()
        expires_at = entry.answer.expires_at
        is_expired = expires_at is not None and expires_at.timestamp() <= now.wall
        if is_expired or now.seconds_since(entry.sent) >= self._seconds:
            with self._lock.get():
                if self._answers.get(digest) is entry:
                    del self._answers[digest]
            return None
        return _copied(entry.answer)

    def put(self, digest: bytes, answer: Valid, sent: Moment) -> None:
        """Keep an answer, unless the key has a limit, which counts each use."""
        if answer.rate_limit is not None or answer.quota is not None:
            return
        entry = _Entry(_copied(answer), sent)
        with self._lock.get():
            self._answers.pop(digest, None)  # a new answer becomes the youngest
            self._answers[digest] = entry
            while len(self._answers) > self._entries:
                del self._answers[next(iter(self._answers))]


def _copied(answer: Valid) -> Valid:
    """Return an answer whose metadata can be changed without changing the original's."""
    return replace(answer, metadata=dict(answer.metadata))
