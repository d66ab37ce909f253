"""What is asked for a request, and what is not an answer to its caller."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from keywright_client import AsyncKeywright, ConfigurationError, Keywright, Valid
from keywright_client.admission import Requirements, admit, admit_async
from tests.clients.integrations.answers import KEY
from tests.clients.integrations.applications import arguments, asynchronous, blocking

if TYPE_CHECKING:
    from tests.clients.integrations.answers import Service

NOTHING = Requirements.of((), 1)


@pytest.mark.parametrize(
    ("client_ip", "asked"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("testclient", None),
        ("unix:/run/backend.sock", None),
        ("192.0.2.7:1234", None),
        ("192.0.2.7, 192.0.2.8", None),
        ("", None),
        (None, None),
    ],
)
def test_only_an_address_is_sent_as_one(service: Service, client_ip: str | None, asked: str | None) -> None:
    """A text that is not an address counts as unknown: Keywright would refuse the request, not only restricted keys."""
    assert isinstance(admit(blocking(service), KEY, client_ip, NOTHING), Valid)
    assert isinstance(asyncio.run(admit_async(asynchronous(service), KEY, client_ip, NOTHING)), Valid)
    assert [asked, asked] == [body.get("clientIp") for body in service.asked]


def test_a_client_without_a_region_is_an_error_of_the_backend(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that is not configured raises, so that the deployment of the backend fails and not its callers."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    options = {**arguments(service), "region": None, "http": None}

    with pytest.raises(ConfigurationError, match="region"):
        admit(Keywright(**options), KEY, None, NOTHING)
    with pytest.raises(ConfigurationError, match="region"):
        asyncio.run(admit_async(AsyncKeywright(**options), KEY, None, NOTHING))


def test_what_is_not_a_result_is_an_error_of_the_backend() -> None:
    """Whatever else a client returns raises: its caller is not told that a key is not valid."""

    class Other:
        def verify(self, *_: object, **__: object) -> dict[str, bool]:
            return {"valid": True}

    class AsyncOther:
        async def verify(self, *_: object, **__: object) -> dict[str, bool]:
            return {"valid": True}

    with pytest.raises(TypeError, match="not dict"):
        admit(cast("Keywright", Other()), KEY, None, NOTHING)
    with pytest.raises(TypeError, match="not dict"):
        asyncio.run(admit_async(cast("AsyncKeywright", AsyncOther()), KEY, None, NOTHING))


@pytest.mark.parametrize("permissions", ["analytics:read", [1], None], ids=str)
def test_permissions_are_a_list_of_texts(permissions: Any) -> None:
    """Anything else is refused at once; the characters of a text are not taken for permissions."""
    with pytest.raises(TypeError, match="permissions"):
        Requirements.of(permissions, 1)


@pytest.mark.parametrize(
    ("cost", "error"), [(-1, ValueError), (1_000_001, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_a_cost_that_no_request_can_have(cost: Any, error: type[Exception]) -> None:
    """A cost that Keywright would refuse is refused at once, and not by a 503 for every request."""
    with pytest.raises(error, match="cost"):
        Requirements.of((), cost)


@pytest.mark.parametrize("cost", [0, 1_000_000])
def test_the_least_and_the_highest_cost(cost: int) -> None:
    """A request may take nothing of the limits, or as much as Keywright allows."""
    assert cost == Requirements.of((), cost).cost
