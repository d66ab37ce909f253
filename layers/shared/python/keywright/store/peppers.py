"""The pepper: fetched from Secrets Manager once in a container's life."""

from __future__ import annotations

import json
import threading

from keywright.hashing import MINIMUM_PEPPER_BYTES, Keyring, derive
from keywright.settings import ConfigurationError, settings
from keywright.store.aws import secrets_manager, with_retries

_MAXIMUM_VERSION = 255

_lock = threading.Lock()
_keyring: Keyring | None = None


def keyring() -> Keyring:
    """Give the keys of every pepper version.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if Secrets Manager does not answer; asked again on the next call.
        ConfigurationError: the secret does not hold what it must.
    """
    global _keyring  # noqa: PLW0603 - one per container is the point
    if _keyring is None:
        with _lock:
            if _keyring is None:
                _keyring = _fetch()
    return _keyring


def forget() -> None:
    """Make the next call fetch the secret again."""
    global _keyring  # noqa: PLW0603 - see keyring
    _keyring = None


def _fetch() -> Keyring:
    secret_id = settings().pepper_secret_id
    secret = with_retries(lambda: secrets_manager().get_secret_value(SecretId=secret_id))
    return read(secret["SecretString"])


def read(secret: str) -> Keyring:
    """Read the secret's text: `{"current": 1, "1": "<pepper>", "2": ...}`, versions from 1 to 255.

    Raises:
        ConfigurationError: it says something else; the message never repeats any of it.
    """
    # `from None` throughout: a parser's exception carries the text that it could not read.
    try:
        content = json.loads(secret)
        current = content.pop("current")
        peppers = {_version(name): pepper.encode() for name, pepper in content.items()}
    except (ValueError, KeyError, AttributeError, TypeError):
        raise ConfigurationError(
            'the pepper secret must be a JSON object like {"current": 1, "1": "<64 random characters>"}'
        ) from None
    if not isinstance(current, int) or current not in peppers:
        raise ConfigurationError('the pepper secret\'s "current" must be the number of one of its versions')
    if any(len(pepper) < MINIMUM_PEPPER_BYTES for pepper in peppers.values()):
        raise ConfigurationError(f"every pepper must have at least {MINIMUM_PEPPER_BYTES} characters")
    return Keyring(current, {version: derive(pepper) for version, pepper in peppers.items()})


def _version(name: str) -> int:
    version = int(name)
    if str(version) != name or not 1 <= version <= _MAXIMUM_VERSION:
        raise ValueError(name)
    return version
