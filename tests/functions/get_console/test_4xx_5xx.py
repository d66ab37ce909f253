"""Answers of get_console without a page: it is not enabled, or the identity provider cannot be asked or trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.client import calling
from tests.support.identity_provider import sign_in_endpoints

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import Call
    from tests.support.identity_provider import Issuer

call = calling("get_console")

CONFIGURATION = "/.well-known/openid-configuration"


@pytest.fixture(autouse=True)
def provider(trusted_issuer: Issuer, setting: Callable[[str, str], None]) -> Issuer:
    """An identity provider where the console is registered."""
    setting("CONSOLE_CLIENT_ID", "keywright-console")
    setting("CONSOLE_SCOPE", "openid")
    trusted_issuer.documents[CONFIGURATION] |= sign_in_endpoints(trusted_issuer.url)
    return trusted_issuer


def test_404_without_a_client(call: Call, provider: Issuer, setting: Callable[[str, str], None]) -> None:
    """A deployment without a client id has no console, says how to get one, and asks no provider."""
    setting("CONSOLE_CLIENT_ID", "")

    refusal = call.refused()

    assert 404 == refusal.status
    assert "NOT_FOUND" == refusal.code
    assert "This deployment has no console. Set the parameter ConsoleClientId to enable it." == refusal.hint
    assert [] == provider.requests


def test_503_the_provider_does_not_answer(call: Call, provider: Issuer) -> None:
    """Without an earlier answer of the provider, the page cannot be made; the client is asked to come back."""
    provider.status = 500

    answer = call()

    assert 503 == answer["statusCode"]
    assert "1" == answer["headers"]["retry-after"]
    assert "no-store" == answer["headers"]["cache-control"]
    assert "SERVICE_UNAVAILABLE" in answer["body"]


@pytest.mark.parametrize(
    "endpoint", ["authorization_endpoint", "token_endpoint", "end_session_endpoint", "revocation_endpoint"]
)
def test_503_an_endpoint_is_hostile(
    call: Call, provider: Issuer, endpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An endpoint that would be more than an address is in no page, and the log names it."""
    provider.documents[CONFIGURATION][endpoint] = 'https://a.example.com/"><script>alert(1)</script>'

    refusal = call.refused()

    assert 503 == refusal.status
    assert "SERVICE_UNAVAILABLE" == refusal.code
    assert endpoint in capsys.readouterr().out


def test_503_the_provider_is_another(call: Call, provider: Issuer) -> None:
    """A configuration with the name of another issuer is refused."""
    provider.documents[CONFIGURATION]["issuer"] = "https://evil.example.com"

    assert 503 == call.refused().status


def test_500_no_scope(call: Call, setting: Callable[[str, str], None]) -> None:
    """A missing setting is answered in the envelope."""
    setting("CONSOLE_SCOPE", "")

    assert 500 == call.refused().status
    assert "INTERNAL_SERVER_ERROR" == call.refused().code
