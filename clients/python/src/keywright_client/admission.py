"""Admits a request with a valid API key, or returns the answer that refuses it. Blocking, and for asyncio."""

from __future__ import annotations

import inspect
import ipaddress
import logging
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from keywright_client import requests
from keywright_client.errors import ApiConnectionError, ApiError
from keywright_client.refusals import NO_KEY, Refusal, refusal, unavailable
from keywright_client.results import Refused, Valid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import TypeIs

    from keywright_client import AsyncKeywright, Keywright

_logger = logging.getLogger("keywright_client")


@dataclass(frozen=True, slots=True)
class Requirements:
    """The requirements of a request for its key. Create them with `of`.

    Attributes:
        permissions: the permissions that the key must have.
        cost: how much the request takes of the key's limits, 0 to 1,000,000.
    """

    permissions: tuple[str, ...]
    cost: int

    @classmethod
    def of(cls, permissions: Iterable[str], cost: int) -> Requirements:
        """Return what a request needs, from the arguments of an integration.

        Raises:
            TypeError: the permissions are not a list of strings, or the cost is not a whole number.
            ValueError: the cost is not from 0 to 1,000,000.
        """
        return cls(requests.texts("permissions", permissions), requests.cost(cost))


def is_async(keywright: Keywright | AsyncKeywright) -> TypeIs[AsyncKeywright]:
    """Return whether a client verifies keys without blocking: an `AsyncKeywright`, or an object in its place."""
    return inspect.iscoroutinefunction(keywright.verify)


def admit(keywright: Keywright, key: str | None, client_ip: str | None, needed: Requirements) -> Valid | Refusal:
    """Verify the key of a request; return the result, or the answer that refuses the request.

    Args:
        keywright: the client to verify the key with.
        key: the key that the caller presented; None if there was none.
        client_ip: the caller's address. A text that is not an address counts as an unknown address.
        needed: what the request needs of the key.

    Raises:
        ConfigurationError: the client has no region or no credentials.
        TypeError: the client returned something else than the result of a verification.
    """
    if not key:
        return NO_KEY
    try:
        verification = keywright.verify(
            key, permissions=needed.permissions, client_ip=_address(client_ip), cost=needed.cost
        )
    except (ApiError, ApiConnectionError) as error:
        return _unavailable(error)
    return _answer(verification, needed)


async def admit_async(
    keywright: AsyncKeywright, key: str | None, client_ip: str | None, needed: Requirements
) -> Valid | Refusal:
    """Verify the key of a request as `admit` does, without blocking the event loop."""
    if not key:
        return NO_KEY
    try:
        verification = await keywright.verify(
            key, permissions=needed.permissions, client_ip=_address(client_ip), cost=needed.cost
        )
    except (ApiError, ApiConnectionError) as error:
        return _unavailable(error)
    return _answer(verification, needed)


def _address(client_ip: str | None) -> str | None:
    """Return an address without its IPv6 zone; None if it is not known.

    A server on a Unix socket has no address of its caller, and test clients have a name instead. Keywright refuses
    such a text as a request that is not valid.
    """
    address = (client_ip or "").partition("%")[0]
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return None
    return address


def _unavailable(error: ApiError | ApiConnectionError) -> Refusal:
    """Log why a key could not be verified, without the key; return the answer."""
    _logger.error("API key not verified: %s", error)
    return unavailable(error)


def _answer(verification: object, needed: Requirements) -> Valid | Refusal:
    if isinstance(verification, Valid):
        return verification
    if isinstance(verification, Refused):
        return refusal(verification, needed.permissions, datetime.now(timezone.utc))
    raise TypeError(f"verify must return a Valid or a Refused, not {type(verification).__name__}")
