"""The endpoints of an identity provider: only plain https URLs are, since they become part of a page and its policy."""

from __future__ import annotations

import pytest

from keywright.domain import sign_in
from keywright.domain.sign_in import SignIn
from tests.support.depth import mostly_deep

CONFIGURATION = {
    "authorization_endpoint": "https://login.example.com/authorize",
    "token_endpoint": "https://login.example.com/oauth/token",
    "end_session_endpoint": "https://login.example.com/oidc/logout",
    "revocation_endpoint": "https://login.example.com/oauth/revoke",
}
REQUIRED = ("authorization_endpoint", "token_endpoint")
OPTIONAL = ("end_session_endpoint", "revocation_endpoint")


def test_all_endpoints() -> None:
    """A configuration with all endpoints has each in its place."""
    expected = SignIn(
        authorization_endpoint="https://login.example.com/authorize",
        token_endpoint="https://login.example.com/oauth/token",
        end_session_endpoint="https://login.example.com/oidc/logout",
        revocation_endpoint="https://login.example.com/oauth/revoke",
        names_issuer=False,
    )

    assert expected == sign_in.parse(CONFIGURATION, on_loopback=False)


@pytest.mark.parametrize("name", OPTIONAL)
def test_optional_endpoints(name: str) -> None:
    """A provider without an optional endpoint omits it, or names null."""
    without = {other: value for other, value in CONFIGURATION.items() if other != name}

    assert getattr(sign_in.parse(without, on_loopback=False), name) is None
    assert getattr(sign_in.parse({**CONFIGURATION, name: None}, on_loopback=False), name) is None


@pytest.mark.parametrize("name", REQUIRED)
def test_required_endpoints(name: str) -> None:
    """A configuration without a required endpoint is refused."""
    with pytest.raises(ValueError, match=f"{name} is missing"):
        sign_in.parse({**CONFIGURATION, name: None}, on_loopback=False)


@pytest.mark.parametrize(
    "value",
    [
        "https://login.example.com",
        "https://login.example.com/",
        "https://login.example.com:8443/a/b",
        "https://login.example.com/authorize?p=B2C_1_signin",  # Azure AD B2C
        "https://example.com/realms/main/protocol/openid-connect/auth",
        "https://example.com/%7Euser/a+b",
    ],
)
@pytest.mark.parametrize("name", CONFIGURATION)
def test_plain_addresses(name: str, value: str) -> None:
    """Addresses of real providers are accepted unchanged."""
    assert value == getattr(sign_in.parse({**CONFIGURATION, name: value}, on_loopback=False), name)


HOSTILE = [
    "",
    "/authorize",
    "//login.example.com/authorize",
    "javascript:alert(1)",
    "JavaScript://login.example.com/%0Aalert(1)",
    "data:text/html,x",
    "ftp://login.example.com/",
    "wss://login.example.com/",
    "http://login.example.com/authorize",
    "https:login.example.com",
    "https:///authorize",
    "https://",
    "https://user@login.example.com/",
    "https://user:password@login.example.com/",
    "https://login.example.com@evil.example.com/",
    "https://login.example.com/#fragment",
    "https://login.example.com/?a=#b",
    "https://*/",
    "https://*.example.com/",
    "https://evil.example.com;script-src/",
    "https://evil.example.com /",
    "https://evil.example.com, https://b.example.com",
    'https://login.example.com/"onload="alert(1)',
    "https://login.example.com/'x",
    "https://login.example.com/<script>",
    "https://login.example.com/a b",
    "https://login.example.com/a\\b",
    "https://login.example.com\\@evil.example.com/",
    "https://login.example.com/\n",
    "\nhttps://login.example.com/",
    "https://login.example.com/\r\nset-cookie: a=b",
    "https://login.example.com/ä",
    "https://lögin.example.com/",
    "https://login.example.com:port/",
    "https://login.example.com:123456/",
    "https://[::1]/",
    f"https://login.example.com/{'x' * 512}",
    1,
    True,
    ["https://login.example.com/"],
    {"href": "https://login.example.com/"},
]


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
@pytest.mark.parametrize("name", mostly_deep(CONFIGURATION, lambda name: name == next(iter(CONFIGURATION))))
def test_anything_else_is_refused(name: str, value: object) -> None:
    """Other schemes, user information, fragments, and characters of HTML and policies are refused, without an echo."""
    with pytest.raises(ValueError, match=f"^{name} is not an https URL of at most 512 characters$"):
        sign_in.parse({**CONFIGURATION, name: value}, on_loopback=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_plain_http_is_for_this_machine(host: str) -> None:
    """A provider for development on this machine can have plain http, of no other host."""
    local = dict.fromkeys(CONFIGURATION, f"http://{host}:8788/x")

    assert f"http://{host}:8788/x" == sign_in.parse(local, on_loopback=True).token_endpoint
    with pytest.raises(ValueError, match="authorization_endpoint is not an https URL"):
        sign_in.parse(local, on_loopback=False)
    with pytest.raises(ValueError, match="token_endpoint is not an https URL"):
        sign_in.parse({**local, "token_endpoint": "http://login.example.com/token"}, on_loopback=True)
