"""Public keys that a signer publishes: cached, and fetched again when they change."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import urlsplit

from keywright.aws.transport import Host, NoAnswerError
from keywright.immutable import immutable
from keywright.settings import is_trusted_address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAXIMUM_AGE_SECONDS = 3600
"""Age at which keys are fetched again, so that a withdrawn one stops being trusted."""
TRUSTED_SECONDS = 24 * 3600
"""Age at which keys stop being trusted, even if every fetch fails: an attacker who keeps the signer from answering
cannot keep a withdrawn key alive for longer."""
REFETCH_SECONDS = 30
"""Shortest time between two fetches, so that made-up key ids do not flood the signer."""
RETRY_SECONDS = 5
"""Shortest time between a failed fetch and the next one."""

CONNECT_TIMEOUT_SECONDS = 1
READ_TIMEOUT_SECONDS = 2
REFRESH_SECONDS = 5
"""Time limit for all documents of a fetch together: half of a function's timeout."""
DOCUMENT_BYTES = 512 * 1024

_HEADERS = {"accept": "application/json", "user-agent": "keywright"}
"""GitHub refuses requests without a user agent (GitHub Docs, "Getting started with the REST API")."""
_OK = 200

Key = TypeVar("Key")
Result = TypeVar("Result")


class KeysUnavailable(Exception):  # noqa: N818 - a subclass has its name in the log
    """A key is not known, and its signer could not be asked."""


def fetch_document(url: str, outage: type[KeysUnavailable] = KeysUnavailable) -> Mapping[str, object]:
    """Fetch a JSON object of at most 512 KiB, following no redirects.

    Raises:
        KeysUnavailable: `outage`: there is no answer in time, or it is not such a document.
    """
    if not is_trusted_address(url):
        raise outage(f"{url} is neither https nor on this machine")
    # A host for each fetch: they are rare, and a connection kept for an hour would be closed by the next one.
    host = Host(url, connect_timeout_seconds=CONNECT_TIMEOUT_SECONDS, read_timeout_seconds=READ_TIMEOUT_SECONDS)
    address = urlsplit(url)
    target = f"{address.path or '/'}?{address.query}" if address.query else address.path or "/"
    try:
        response = host.send("GET", target, _HEADERS, maximum_bytes=DOCUMENT_BYTES + 1)
    except NoAnswerError as error:
        raise outage(f"{url} did not answer: {error}") from None
    if response.status != _OK or len(response.body) > DOCUMENT_BYTES:
        raise outage(f"{url} answered {response.status} with {len(response.body)} bytes")
    try:
        document = json.loads(response.body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise outage(f"{url} did not answer with a JSON object")
    return document


@immutable
class Pauses:
    """Shortest times between two fetches, and between a failed one and the next."""

    seconds: float = REFETCH_SECONDS
    after_failure_seconds: float = RETRY_SECONDS


class PublishedKeys(Generic[Key]):
    """The keys of a signer, kept for the container's life.

    Args:
        download: fetches all keys, by their ids.
        outage: the exception for a key that is not cached while the signer cannot be asked.
        clock: seconds, monotonic.
        refresh_seconds: time limit for fetching the keys.
        pauses: shortest times between fetches.
    """

    def __init__(
        self,
        download: Callable[[], Mapping[str | None, Key]],
        outage: type[KeysUnavailable],
        clock: Callable[[], float] = time.monotonic,
        *,
        refresh_seconds: float = REFRESH_SECONDS,
        pauses: Pauses | None = None,
    ) -> None:
        self._download = download
        self._outage = outage
        self._clock = clock
        self._refresh_seconds = refresh_seconds
        self._pauses = pauses or Pauses()
        self._lock = threading.Lock()
        self._keys: Mapping[str | None, Key] = {}
        self._fetched_at = float("-inf")
        self._next_fetch_at = float("-inf")
        self._failure: KeysUnavailable | None = None

    def find(self, key_id: str | None) -> Key | None:
        """Return the key with an id, or the only key for the id None.

        Cached keys work for up to a day while the signer does not answer, and while they are fetched again: one caller
        fetches, and others wait only if their key is not cached.

        Returns:
            The key, or None if the signer has no such key.

        Raises:
            KeysUnavailable: `outage`: the key is not cached and the signer could not be asked.
        """
        key = self._cached(key_id)
        if key and self._clock() < self._fetched_at + MAXIMUM_AGE_SECONDS:
            return key
        self._refresh(wait=key is None)
        key = self._cached(key_id)
        if key is None and self._failure:
            raise self._outage(str(self._failure))
        return key

    def _cached(self, key_id: str | None) -> Key | None:
        if self._clock() >= self._fetched_at + TRUSTED_SECONDS:
            return None
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(key_id)

    def _refresh(self, *, wait: bool) -> None:
        # The holder of the lock is done within refresh_seconds, so the wait for it is bounded.
        if not self._lock.acquire(blocking=wait):
            return
        try:
            if self._clock() < self._next_fetch_at:
                return
            try:
                self._keys = within(self._refresh_seconds, self._download)
            except Exception as error:  # noqa: BLE001 - any failure of a signer is an outage
                self._failure = self._as_outage(error)
                self._next_fetch_at = self._clock() + self._pauses.after_failure_seconds
            else:
                self._failure = None
                self._fetched_at = self._clock()
                self._next_fetch_at = self._fetched_at + self._pauses.seconds
        finally:
            self._lock.release()

    def _as_outage(self, error: Exception) -> KeysUnavailable:
        if isinstance(error, KeysUnavailable):
            return error
        return self._outage(f"its keys could not be fetched: {type(error).__name__}")


def within(seconds: float, call: Callable[[], Result]) -> Result:
    """Return the result of a call that is limited in time. A call that takes longer ends in the background.

    Socket timeouts bound each single wait, so a signer that sends a byte a second could go on for hours.

    Raises:
        TimeoutError: the call took longer.
    """
    outcome: Future[Result] = Future()

    def run() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:  # noqa: BLE001 - the waiting thread raises it
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return outcome.result(timeout=seconds)
