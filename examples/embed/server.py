"""A web application that embeds the API keys of its users' organizations, with its own session.

usage: python examples/embed/server.py

Environment variables:
  KEYWRIGHT_URL  address of the deployment (default http://127.0.0.1:8787/v1). Its parameter AllowedOrigins must have
                 the origin of this application
  TOKEN_URL      where this demonstration gets session tokens: /token of the development identity provider (default
                 http://localhost:8788/token)
  PORT           port to listen on, on 127.0.0.1 (default 9787)

The page gets a session token for Keywright from its own backend, for the signed-in user. Here the backend asks
the development identity provider, which issues a token for any user. In your application it returns the token that your
identity provider issued when the user signed in, and renews it.
"""

from __future__ import annotations

import html
import json
import os
import secrets
import sys
from http import cookies
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import urlopen
from wsgiref.simple_server import make_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

HERE = Path(__file__).parent
COOKIE = "embed-example-session"
ORGANIZATION = "5f0c2c0e-9a3d-4b6e-8f57-0d6f2b8a1c01"
"""The demo organization of the local service."""
USERS = ("demo-owner", "demo-admin", "demo-member")

Answer = tuple[str, str, str, list[tuple[str, str]]]
"""Status, content type, body and further headers."""


class Application:
    """The application: a page, a sign-in, and a token for the page.

    Args:
        keywright_url: address of the deployment.
        token: returns a session token for a user.
    """

    def __init__(self, keywright_url: str, token: Callable[[str], str]) -> None:
        self._keywright_url = keywright_url
        self._token = token
        self._users: dict[str, str] = {}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        status, media_type, body, headers = self._answer(environ)
        content = body.encode()
        start_response(
            status,
            [
                ("content-type", media_type),
                ("content-length", str(len(content))),
                ("cache-control", "no-store"),
                *headers,
            ],
        )
        return [content]

    def _answer(self, environ: WSGIEnvironment) -> Answer:
        session = cookies.SimpleCookie(environ.get("HTTP_COOKIE", "")).get(COOKIE)
        user = self._users.get(session.value) if session else None
        match environ["REQUEST_METHOD"], environ["PATH_INFO"]:
            case "GET", "/":
                answer = self._page(user)
            case "GET", ("/page.js" | "/page.css") as path:
                media_type = "text/javascript" if path.endswith("js") else "text/css"
                answer = "200 OK", media_type, (HERE / path[1:]).read_text(encoding="utf-8"), []
            case "GET", "/keywright-token":  # with ?refresh: Keywright has refused the last token; renew it here
                answer = self._keywright_token(user)
            case "POST", "/sign-in":
                answer = self._sign_in(environ)
            case "POST", "/sign-out":
                self._users.pop(session.value if session else "", None)
                answer = _home(f"{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict")
            case _:
                answer = "404 Not Found", "text/plain", "Not found", []
        return answer

    def _keywright_token(self, user: str | None) -> Answer:
        if user is None:
            return "401 Unauthorized", "application/json", '{"error": "signed out"}', []
        return "200 OK", "application/json", json.dumps({"token": self._token(user)}), []

    def _sign_in(self, environ: WSGIEnvironment) -> Answer:
        size = int(environ.get("CONTENT_LENGTH") or 0)
        (name,) = parse_qs(environ["wsgi.input"].read(size).decode()).get("user", [""])
        if name not in USERS:
            return "400 Bad Request", "text/plain", "There is no such user", []
        secret = secrets.token_urlsafe()
        self._users[secret] = name
        return _home(f"{COOKIE}={secret}; Path=/; HttpOnly; SameSite=Strict")

    def _page(self, user: str | None) -> Answer:
        part = "signed-in.html" if user else "sign-in.html"
        values = {
            "user": html.escape(user or ""),
            "keywright_url": html.escape(self._keywright_url),
            "users": "".join(f'<button name="user" value="{name}">{name}</button>\n' for name in USERS),
        }
        body = Template((HERE / part).read_text(encoding="utf-8")).substitute(values)
        api = urlsplit(self._keywright_url)
        policy = (
            "default-src 'none'; "
            f"script-src 'self' {self._keywright_url}/console/keywright.js; style-src 'self'; "
            f"connect-src 'self' {api.scheme}://{api.netloc}; img-src data:; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'"
        )
        return "200 OK", "text/html; charset=utf-8", body, [("content-security-policy", policy)]


def _home(cookie: str) -> Answer:
    return "303 See Other", "text/plain", "", [("location", "/"), ("set-cookie", cookie)]


def development_token(url: str) -> Callable[[str], str]:
    """Return a function that asks the development identity provider for a token."""

    def token(user: str) -> str:
        with urlopen(f"{url}?{urlencode({'user': user, 'organization': ORGANIZATION})}", timeout=10) as answer:  # noqa: S310
            text: str = answer.read().decode()
            return text

    return token


def main() -> None:
    """Serve until Ctrl-C."""
    keywright_url = os.environ.get("KEYWRIGHT_URL", "http://127.0.0.1:8787/v1").rstrip("/")
    token = development_token(os.environ.get("TOKEN_URL", "http://localhost:8788/token"))
    with make_server("127.0.0.1", int(os.environ.get("PORT", "9787")), Application(keywright_url, token)) as server:
        sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
        sys.stdout.flush()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            sys.exit(0)


if __name__ == "__main__":
    main()
