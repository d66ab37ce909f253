"""The session of the console, in Chromium, with the development identity provider and its real redirects."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import jwt
import pytest

from local.identity_provider import IdentityProvider, issuer_at
from local.server import HOST, Server, port_of, reserve
from local.sign_in.requests import CLIENT_ID, Client
from local.sign_in.server import AuthorizationServer
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIEnvironment

    from tests.browser.webdriver import Browser

    Fault = Callable[["Console", WSGIEnvironment, StartResponse], Iterable[bytes]]

MODULE = ROOT / "functions" / "get_console_script" / "modules" / "session.js"
AUDIENCE = "keywright"
HOUR = 3_600_000
PAGE = """<!DOCTYPE html>
<html lang="en"><title>Console</title><link rel="icon" href="data:,">
<script>
  let skipped = 0;
  const [monotonic, wall] = [performance.now.bind(performance), Date.now];
  performance.now = () => monotonic() + skipped;
  Date.now = () => wall() + skipped;
  window.pass = (milliseconds) => { skipped += milliseconds; };
  PREAMBLE
</script>
<script type="module">
  import { createSession, SessionError } from "./console/session.js";
  window.ends = 0;
  window.session = createSession(CONFIG);
  window.described = (error) => ({ error: error.message, hint: error.hint, known: error instanceof SessionError });
  session.onEnd = () => { window.ends += 1; };
  session.start().then((state) => { window.outcome = { state }; }, (error) => { window.outcome = described(error); });
</script>"""
TOKEN = "return session.token(arguments[0]).then((token) => ({ token }), described)"


@dataclass(slots=True)
class Console:
    """A page with a session, its provider, and the browser that shows it.

    Attributes:
        config: the configuration of the page.
        preamble: a script that runs before the session.
        faults: changes the next answers of the token endpoint: returns an answer for the form, or None.
        requests: method, path and parameters of each request to the provider.
    """

    browser: Browser
    provider: IdentityProvider
    server: AuthorizationServer
    url: str
    config: dict[str, object]
    preamble: str = ""
    faults: list[Fault] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def site(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve the page and the module."""
        path = environ["PATH_INFO"]
        if path == "/v1/back":  # an address that leads back to another host name
            start_response("302 Found", [("location", self.url.replace(HOST, "localhost"))])
            return []
        if path == "/v1/console/session.js":
            start_response("200 OK", [("content-type", "text/javascript; charset=utf-8")])
            return [MODULE.read_bytes()]
        page = PAGE.replace("CONFIG", json.dumps(self.config)).replace("PREAMBLE", self.preamble)
        start_response("200 OK", [("content-type", "text/html; charset=utf-8"), ("cache-control", "no-store")])
        return [page.encode()]

    def identity_provider(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve the provider, with faults."""
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) if method == "POST" else b""
        parameters = dict(parse_qsl(body.decode() or environ.get("QUERY_STRING", "")))
        self.requests.append((method, path, parameters))
        environ["wsgi.input"] = Body(body)
        if path == "/token" and self.faults:
            return self.faults.pop(0)(self, environ, start_response)
        return self.server(environ, start_response)

    def open(self, fragment: str = "", query: str = "") -> dict[str, Any]:
        """Open the page; return the outcome of its start."""
        self.browser.open(self.url + query + fragment)
        return self.outcome()

    def outcome(self) -> dict[str, Any]:
        """Wait for a page that has started; return the outcome."""
        outcome: dict[str, Any] = self.browser.wait_for("return window.outcome")
        return outcome

    def sign_in(self, persona: str = "admin", fragment: str = "") -> dict[str, Any]:
        """Open the page and sign in as a persona; return the outcome."""
        assert {"state": "signed-out"} == self.open(fragment)
        self.leave("signIn")
        self.browser.click(f"button[value={persona}]")
        return self.outcome()

    def leave(self, method: str) -> None:
        """Call a method after which the browser leaves the page."""
        self.browser.run(f"window.outcome = null; void session.{method}()")

    def reload(self) -> dict[str, Any]:
        """Reload the page; return the outcome of its start."""
        self.browser.run("window.outcome = null; location.reload()")
        return self.outcome()

    def token(self, *, refresh: bool = False) -> dict[str, Any]:
        """Ask for the token; return it, or the error."""
        answer: dict[str, Any] = self.browser.run(TOKEN, {"refresh": refresh})
        return answer

    def grants(self) -> list[str]:
        """Return the grant types of the token requests so far."""
        return [form["grant_type"] for method, path, form in self.requests if (method, path) == ("POST", "/token")]

    def authorizations(self) -> list[dict[str, str]]:
        """Return the authorization requests so far, without the choices on the page."""
        return [form for method, path, form in self.requests if (method, path) == ("GET", "/authorize")]


class Body:
    """A request body that was read before."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def read(self, _size: int = -1) -> bytes:
        """Return all of it."""
        return self.content


def status(text: str, **document: object) -> Fault:
    """Return a fault: an answer with a status, instead of that of the provider."""

    def answer(console: Console, _environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        headers = [("content-type", "application/json"), ("access-control-allow-origin", console.url[:-11])]
        start_response(text, headers)
        return [json.dumps(document).encode()]

    return answer


def silence(_console: Console, _environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer as if the network were down: to a page, an answer without CORS headers is none."""
    start_response("502 Bad Gateway", [])
    return []


def changed(**claims: object) -> Fault:
    """Return a fault: the provider's answer, with other claims in the ID token; None removes one."""
    return rewritten(lambda console, answer: {**answer, "id_token": resigned(console, answer["id_token"], claims)})


def resigned(console: Console, token: str, claims: dict[str, object]) -> str:
    """Return an ID token with other claims. The session does not check signatures."""
    before = jwt.decode(token, options={"verify_signature": False})
    after = {name: value for name, value in {**before, **claims}.items() if value is not None}
    audience, ttl_seconds = str(after.pop("aud")), int(after.pop("exp")) - int(before["iat"])
    organization = after.pop(console.provider.organization_claim)
    subject = after.pop("sub", None)
    extra = {**after, "aud": claims.get("aud", audience), "sub": subject}
    return console.provider.mint("u", organization, ttl_seconds=ttl_seconds, **extra)


def rewritten(rewrite: Callable[[Console, dict[str, Any]], dict[str, Any]]) -> Fault:
    """Return a fault: the provider's answer, rewritten."""

    def answer(console: Console, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        started: list[Any] = []

        def start(status_line: str, headers: list[tuple[str, str]], _error: object = None) -> Callable[[bytes], object]:
            started.extend([status_line, [pair for pair in headers if pair[0] != "content-length"]])
            return lambda _: None

        content = json.loads(b"".join(console.server(environ, start)))
        start_response(*started)
        return [json.dumps(rewrite(console, content)).encode()]

    return answer


@pytest.fixture
def console(browser: Browser) -> Iterator[Console]:
    """Serve a page with a session and its provider; nobody is signed in."""
    site, issuer = reserve(0), reserve(0)
    url = f"http://{HOST}:{port_of(site)}/v1/console"
    provider = IdentityProvider(issuer_at(port_of(issuer)), AUDIENCE, "org_id", ttl_seconds=3600)
    config: dict[str, object] = {
        "issuer": provider.issuer,
        "clientId": CLIENT_ID,
        "audience": AUDIENCE,
        "scope": "openid offline_access",
        "redirectUri": url,
        "authorizationEndpoint": f"{provider.issuer}/authorize",
        "tokenEndpoint": f"{provider.issuer}/token",
        "endSessionEndpoint": f"{provider.issuer}/logout",
        "revocationEndpoint": f"{provider.issuer}/revoke",
    }
    console = Console(browser, provider, AuthorizationServer(provider, Client(url)), url, config)
    servers = [
        Server(console.site, site, threads=4),
        Server(console.identity_provider, issuer, threads=4),
    ]
    yield console
    browser.open("about:blank")
    for server in servers:
        server.stop()


def claims(token: str) -> dict[str, Any]:
    """Return the claims of a token."""
    decoded: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return decoded


class TestSigningIn:
    """From signed out to signed in."""

    def test_user(self, console: Console) -> None:
        """WHEN a user signs in THEN the session names the user and the organization."""
        console.sign_in("admin")

        assert {
            "id": "demo-admin",
            "name": "Admin",
            "email": None,
            "organization": "5f0c2c0e-9a3d-4b6e-8f57-0d6f2b8a1c01",
        } == console.browser.run("return session.user")

    def test_token_is_for_the_api(self, console: Console) -> None:
        """WHEN a user has signed in THEN the token has the audience of the API."""
        console.sign_in()

        assert AUDIENCE == claims(console.token()["token"])["aud"]

    def test_deep_link(self, console: Console) -> None:
        """GIVEN a deep link WHEN the user signs in THEN the page is at the link, without parameters of the sign-in."""
        console.sign_in(fragment="#/keys/01a20a38")

        assert f"{console.url}#/keys/01a20a38" == console.browser.run("return location.href")

    def test_tokens_are_in_memory_only(self, console: Console) -> None:
        """WHEN a user has signed in THEN the tab keeps one mark, and no token, verifier or code."""
        console.sign_in()

        stored = console.browser.run("return { ...sessionStorage, ...localStorage }")
        assert ["true"] == list(stored.values())

    def test_nothing_is_asked_without_the_user(self, console: Console) -> None:
        """WHEN the page is opened in a new tab THEN it does not redirect."""
        console.open()

        assert [] == console.requests
