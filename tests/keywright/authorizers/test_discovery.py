"""The endpoints of the deployment's identity provider: asked once an hour, and served for a day if it fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from keywright.authorizers import discovery
from keywright.errors import ServiceError
from tests.support.environment import LOOPBACK
from tests.support.identity_provider import sign_in_endpoints

if TYPE_CHECKING:
    from tests.support.identity_provider import Issuer

pytestmark = pytest.mark.allow_hosts(LOOPBACK)

CONFIGURATION = "/.well-known/openid-configuration"
HOUR = 3600


@dataclass
class Clock:
    """A clock that only tests move."""

    now: float = 0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the cache."""
    clock = Clock()
    cache = discovery.cached_by(clock)
    monkeypatch.setattr(discovery, "sign_in_endpoints", lambda: cache)
    return clock


@pytest.fixture
def provider(trusted_issuer: Issuer) -> Issuer:
    """The provider that the deployment trusts, with all endpoints."""
    trusted_issuer.documents[CONFIGURATION] |= sign_in_endpoints(trusted_issuer.url)
    return trusted_issuer


def refusal() -> str:
    """Ask for the endpoints; return code and reason of the refusal."""
    with pytest.raises(ServiceError) as raised:
        discovery.sign_in()
    return f"{raised.value.error.code}: {raised.value.reason}"


def test_the_provider_is_asked_once_an_hour(provider: Issuer, clock: Clock) -> None:
    """The answer is kept for an hour, then a new one replaces it."""
    first = discovery.sign_in()
    clock.now = HOUR - 1
    assert first == discovery.sign_in()
    assert [CONFIGURATION] == provider.requests
    provider.documents[CONFIGURATION]["token_endpoint"] = f"{provider.url}/new"
    clock.now = HOUR

    assert f"{provider.url}/new" == discovery.sign_in().token_endpoint


def test_an_answer_outlives_a_failure(provider: Issuer, clock: Clock) -> None:
    """While the provider fails, its last answer is served for a day."""
    first = discovery.sign_in()
    provider.status = 500
    for clock.now in (HOUR, 12 * HOUR, 24 * HOUR - 1):
        assert first == discovery.sign_in()
    assert 4 == len(provider.requests)
    clock.now = 24 * HOUR

    assert refusal().startswith("SERVICE_UNAVAILABLE: ")


def test_a_failure_is_not_kept(provider: Issuer, clock: Clock) -> None:
    """The provider is asked again five seconds after a failure, and not before."""
    provider.status = 500
    assert f"SERVICE_UNAVAILABLE: {provider.url}{CONFIGURATION} answered 500 with" in refusal()
    provider.status = 200
    clock.now = 4.9
    refusal()
    clock.now = 5

    assert f"{provider.url}/token" == discovery.sign_in().token_endpoint
    assert [CONFIGURATION] * 2 == provider.requests


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("name", ["https://evil.example.com", None, "{url}/"])
def test_another_issuer_is_refused(provider: Issuer, name: str | None) -> None:
    """The configuration must be that of the configured issuer, to the character."""
    provider.documents[CONFIGURATION]["issuer"] = name and name.format(url=provider.url)

    assert "SERVICE_UNAVAILABLE: the provider calls itself " in refusal()


@pytest.mark.usefixtures("clock")
def test_an_invalid_endpoint_is_an_outage(provider: Issuer) -> None:
    """An endpoint that cannot be part of a page is refused, and the log names it without its value."""
    provider.documents[CONFIGURATION]["token_endpoint"] = "javascript:alert(1)"

    reason = "the provider's token_endpoint is not an https URL of at most 512 characters"
    assert f"SERVICE_UNAVAILABLE: {reason}" == refusal()
