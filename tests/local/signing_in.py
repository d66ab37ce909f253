"""A client of the development identity provider, without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from local.demo import PERSONAS
from local.identity_provider import IdentityProvider
from local.sign_in.grants import Grants, challenge_of
from local.sign_in.requests import CLIENT_ID, Client
from local.sign_in.server import AuthorizationServer

if TYPE_CHECKING:
    from collections.abc import Mapping

ISSUER = "http://localhost:8788"
CONSOLE = "http://127.0.0.1:8787/v1/console"
ORIGIN = "http://127.0.0.1:8787"
VERIFIER = "a-verifier-of-at-least-43-characters-0123456789"
REQUEST = {
    "response_type": "code",
    "client_id": CLIENT_ID,
    "redirect_uri": CONSOLE,
    "scope": "openid offline_access",
    "state": "a-state",
    "nonce": "a-nonce",
    "code_challenge": challenge_of(VERIFIER),
    "code_challenge_method": "S256",
}
CODE = {
    "grant_type": "authorization_code",
    "client_id": CLIENT_ID,
    "redirect_uri": CONSOLE,
    "code_verifier": VERIFIER,
}
RENEWAL = {"grant_type": "refresh_token", "client_id": CLIENT_ID}


class Console:
    """The console in a browser that keeps cookies.

    Attributes:
        now: the clock of the provider's codes, in seconds.
        http: sends requests, and does not follow redirects.
    """

    def __init__(self, *, with_personas: bool = True) -> None:
        self.now = 0.0
        self.provider = IdentityProvider(ISSUER, "keywright", "org_id", ttl_seconds=600)
        server = AuthorizationServer(
            self.provider, Client(CONSOLE), PERSONAS if with_personas else (), Grants(lambda: self.now)
        )
        self.http = httpx.Client(transport=httpx.WSGITransport(app=server), base_url=ISSUER)

    def authorize(self, **changes: str | None) -> httpx.Response:
        """Send the authorization request with some parameters changed, or left out if None."""
        return self.http.get("/authorize", params=changed(REQUEST, changes))

    def choose(self, request: Mapping[str, str] = REQUEST, /, **choice: str) -> httpx.Response:
        """Send the form of the page."""
        return self.http.post("/authorize", data={**request, **choice}, headers={"origin": ISSUER})

    def code(self, persona: str = "admin", **changes: str | None) -> str:
        """Sign in as a persona; return the code."""
        return answer_of(self.choose(changed(REQUEST, changes), persona=persona))["code"]

    def ask(self, form: dict[str, str], **changes: str | None) -> httpx.Response:
        """Send a token request with some parameters changed, or left out if None."""
        return self.http.post("/token", data=changed(form, changes), headers={"origin": ORIGIN})

    def tokens(self, persona: str = "admin", **changes: str | None) -> dict[str, Any]:
        """Sign in as a persona; return the tokens."""
        response = self.ask(CODE, code=self.code(persona, **changes))
        assert response.is_success, response.text
        tokens: dict[str, Any] = response.json()
        return tokens

    def renew(self, refresh_token: str) -> httpx.Response:
        """Use a refresh token."""
        return self.ask(RENEWAL, refresh_token=refresh_token)


def changed(parameters: dict[str, str], changes: dict[str, str | None]) -> dict[str, str]:
    """Return parameters with some changed, or left out if None."""
    return {name: value for name, value in {**parameters, **changes}.items() if value is not None}


def answer_of(response: httpx.Response) -> dict[str, str]:
    """Return the parameters of an answer that was sent to the console."""
    location = response.headers["location"]
    assert location.startswith(f"{CONSOLE}?"), location
    return dict(parse_qsl(urlsplit(location).query))
