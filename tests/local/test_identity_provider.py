"""The development identity provider: its discovery, keys and tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import jwt
import pytest

from local import demo
from local.identity_provider import IdentityProvider
from local.server import Server, port_of, reserve
from tests.local.serving import ANSWER_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    """Serve a provider."""
    listener = reserve(0)
    provider = IdentityProvider(f"http://127.0.0.1:{port_of(listener)}", "keywright", "org_id")
    server = Server(provider, listener, threads=2)
    yield provider
    server.stop()


def verify(token: str, provider: IdentityProvider, audience: str = "keywright") -> dict[str, object]:
    """Verify a token through discovery, and return its claims."""
    discovery = httpx.get(
        f"{provider.issuer}/.well-known/openid-configuration", timeout=ANSWER_SECONDS, trust_env=False
    ).json()
    keys = jwt.PyJWKSet.from_dict(httpx.get(discovery["jwks_uri"], timeout=ANSWER_SECONDS, trust_env=False).json())
    claims: dict[str, object] = jwt.decode(
        token,
        keys[jwt.get_unverified_header(token)["kid"]],
        algorithms=["EdDSA"],
        issuer=discovery["issuer"],
        audience=audience,
    )
    return claims


def test_token_verifies(provider: IdentityProvider) -> None:
    """A token can be verified through discovery, and names user and organization."""
    claims = verify(provider.mint("u-1", "o-1", ttl_seconds=60), provider)

    assert "u-1" == claims["sub"]
    assert "o-1" == claims["org_id"]


def test_lifetime(provider: IdentityProvider) -> None:
    """A token has the requested lifetime."""
    claims = jwt.decode(provider.mint("u", "o", ttl_seconds=60), options={"verify_signature": False})

    assert 60 == claims["exp"] - claims["iat"]


def test_expired_persona(provider: IdentityProvider) -> None:
    """The persona "expired" has an expired token that is valid otherwise."""
    with pytest.raises(jwt.ExpiredSignatureError):
        verify(demo.tokens(provider, 60)["expired"], provider)


def test_wrong_audience_persona(provider: IdentityProvider) -> None:
    """The persona "wrong_audience" has a token for another service that is valid otherwise."""
    claims = verify(demo.tokens(provider, 60)["wrong_audience"], provider, "https://another-service.example")

    assert demo.ACTIVE_ORGANIZATION_ID == claims["org_id"]


def test_outsider_persona(provider: IdentityProvider) -> None:
    """The persona "outsider" has a valid token for the active organization."""
    assert demo.ACTIVE_ORGANIZATION_ID == verify(demo.tokens(provider, 60)["outsider"], provider)["org_id"]


def test_tokens_outlive_a_restart(provider: IdentityProvider) -> None:
    """A token is valid after a restart: the key does not change."""
    token = IdentityProvider(provider.issuer, "keywright", "org_id").mint("u", "o", ttl_seconds=60)

    assert "u" == verify(token, provider)["sub"]


def test_unknown_path(provider: IdentityProvider) -> None:
    """Paths other than those of the documents and tokens are 404."""
    assert 404 == httpx.get(f"{provider.issuer}/private-key", timeout=ANSWER_SECONDS, trust_env=False).status_code


def ask(provider: IdentityProvider, query: str) -> httpx.Response:
    """Request a token."""
    return httpx.get(f"{provider.issuer}/token{query}", timeout=ANSWER_SECONDS, trust_env=False)


def test_token_endpoint(provider: IdentityProvider) -> None:
    """The token endpoint returns a valid token for any user and organization, as plain text for `$(curl ...)`."""
    answer = ask(provider, "?user=ada%40example.com&organization=org_2abc")

    claims = verify(answer.text, provider)
    assert "ada@example.com" == claims["sub"]
    assert "org_2abc" == claims["org_id"]
    assert 28800 == int(str(claims["exp"])) - int(str(claims["iat"]))
    assert 200 == answer.status_code
    assert "text/plain" == answer.headers["content-type"]


@pytest.mark.parametrize("query", ["", "?user=ada", "?organization=acme", "?user=ada&user=bob&organization=acme"])
def test_token_endpoint_usage(provider: IdentityProvider, query: str) -> None:
    """Without exactly one user and one organization, the answer shows the usage."""
    answer = ask(provider, query)

    assert 400 == answer.status_code
    assert f"{provider.issuer}/token?user=ada&organization=acme" in answer.text
