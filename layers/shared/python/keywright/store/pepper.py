"""The pepper: fetched from Secrets Manager once per container, and again for an unknown version."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

from keywright import deadline
from keywright.aws.retries import require_genuine, secrets_manager, with_retries
from keywright.cache import once
from keywright.domain.keyring import MINIMUM_PEPPER_BYTES, Keyring, derive
from keywright.errors import SERVICE_UNAVAILABLE, ServiceError
from keywright.settings import ConfigurationError, secret_settings

if TYPE_CHECKING:
    from collections.abc import Callable

REFETCH_SECONDS = 60
"""The shortest time between two fetches for an unknown version: a forged key can name any."""

_MAXIMUM_VERSION = 255
_LONGEST_WAIT_SECONDS = 60.0


class Peppers:
    """The keys of every pepper version, kept for this container's life.

    Args:
        fetch: returns the current keyring.
        clock: seconds, monotonic.
    """

    def __init__(self, fetch: Callable[[], Keyring], clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._keyring: Keyring | None = None
        self._fetched_at = float("-inf")
        self._failed_at = float("-inf")

    def keyring(self) -> Keyring:
        """Return the keys of every version.

        Raises:
            ServiceError: SERVICE_UNAVAILABLE if Secrets Manager does not answer; the next call fetches again.
            ConfigurationError: the secret is invalid.
        """
        return self._keyring or self._refresh()

    def prepare(self) -> None:
        """Fetch the keys before a request needs them. A request meanwhile does not wait for it, nor for its failure.

        Raises:
            ServiceError: as `keyring`.
            ConfigurationError: as `keyring`.
        """
        keyring = self._fetch()
        with self._lock:
            if self._keyring is None:
                self._keyring, self._fetched_at = keyring, self._clock()

    def tag_key(self, version: int) -> bytes | None:
        """Return the tag key of a version; None if there is no such version.

        An unknown version may be new: the secret is fetched again, at most once in 60 seconds.

        Raises:
            ServiceError: as `keyring`; also in the 60 seconds after such a fetch has failed, since the version may
                exist.
            ConfigurationError: as `keyring`.
        """
        tag_key = self.keyring().tag_key(version)
        if tag_key is not None:
            return tag_key
        if self._clock() < self._failed_at + REFETCH_SECONDS:
            raise ServiceError(SERVICE_UNAVAILABLE, reason=f"pepper version {version} is not known yet")
        if self._clock() < self._fetched_at + REFETCH_SECONDS:
            return None
        return self._refresh().tag_key(version)

    def _refresh(self) -> Keyring:
        """Fetch the secret; threads that ask at the same time share one fetch and its result."""
        asked_at = self._clock()
        if not self._lock.acquire(timeout=max(0, min(deadline.remaining_seconds(), _LONGEST_WAIT_SECONDS))):
            raise ServiceError(SERVICE_UNAVAILABLE, reason="the pepper is still being fetched")
        try:
            if self._keyring and self._fetched_at >= asked_at:
                return self._keyring
            if self._failed_at >= asked_at:
                raise ServiceError(SERVICE_UNAVAILABLE, reason="the pepper could not be fetched a moment ago")
            try:
                self._keyring = self._fetch()
            except BaseException:
                self._failed_at = self._clock()
                raise
            self._fetched_at, self._failed_at = self._clock(), float("-inf")
            return self._keyring
        finally:
            self._lock.release()


@once
def peppers() -> Peppers:
    """Return this container's peppers."""
    return Peppers(_fetch)


def keyring() -> Keyring:
    """Return the keys of every pepper version; see Peppers."""
    return peppers().keyring()


def _fetch() -> Keyring:
    secret_id = secret_settings().pepper_secret_id

    def attempt() -> str:
        answer = secrets_manager().call("GetSecretValue", {"SecretId": secret_id})
        require_genuine(answer, "SecretString")
        return str(answer.content["SecretString"])

    return read(with_retries(attempt))


def read(secret: str) -> Keyring:
    """Parse the secret's text: `{"current": 1, "1": "<pepper>", "2": ...}`, versions from 1 to 255.

    Raises:
        ConfigurationError: the text is anything else; the message never repeats any of it.
    """
    # `from None` throughout: a parser's exception carries the text that it could not parse.
    try:
        content = json.loads(secret)
        current = content.pop("current")
        peppers_by_version = {_version(name): pepper.encode() for name, pepper in content.items()}
    except (ValueError, KeyError, AttributeError, TypeError):
        raise ConfigurationError(
            'the pepper secret must be a JSON object like {"current": 1, "1": "<64 random characters>"}'
        ) from None
    if type(current) is not int or current not in peppers_by_version:
        raise ConfigurationError('the pepper secret\'s "current" must be the number of one of its versions')
    if any(len(pepper) < MINIMUM_PEPPER_BYTES for pepper in peppers_by_version.values()):
        raise ConfigurationError(f"every pepper must have at least {MINIMUM_PEPPER_BYTES} characters")
    return Keyring(current, {version: derive(pepper) for version, pepper in peppers_by_version.items()})


def _version(name: str) -> int:
    version = int(name)
    if str(version) != name or not 1 <= version <= _MAXIMUM_VERSION:
        raise ValueError(name)
    return version
