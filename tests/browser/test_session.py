"""The session of the tab, in Chromium, with the development identity provider and its real redirects."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import jwt
import pytest

from local.identity_provider import IdentityProvider, issuer_at, sign
from local.server import HOST, Server, port_of, reserve
from local.sign_in.requests import CLIENT_ID, Client
from local.sign_in.server import AuthorizationServer
from tests.browser.accessibility import too_wide, violations
from tests.browser.webdriver import wait
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIEnvironment

    from tests.browser.webdriver import Browser

    Exchange = Callable[[dict[str, object]], dict[str, Any]]
    Fault = Callable[["Tab", WSGIEnvironment, StartResponse], Iterable[bytes]]

MODULE = ROOT / "functions" / "get_console_script" / "modules" / "session.js"
AUDIENCE = "keywright"
HOUR = 3_600_000
PAGE = """<!DOCTYPE html>
<html lang="en"><title>Console</title><link rel="icon" href="data:,">
<button id="sign-in" onclick="outcome = null; session.signIn()">Sign in</button>
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
  window.createSession = createSession;
  window.session = createSession(CONFIG);
  window.described = (error) => ({ error: error.message, hint: error.hint, known: error instanceof SessionError,
    isTransient: error.isTransient });
  session.onEnd = () => { window.ends += 1; };
  session.start().then((state) => { window.outcome = { state }; }, (error) => { window.outcome = described(error); });
</script>"""
EXCHANGE = """return (async ([config, { claims, answer, ahead }]) => {
  const stored = {};
  let left = null;
  const platform = {
    href: () => left ? `${config.redirectUri}?code=c&state=${left.get("state")}` : config.redirectUri,
    replaceState: () => {},
    leave: (url) => { left = new URL(url).searchParams; },
    storage: () => ({
      getItem: (name) => stored[name] ?? null,
      setItem: (name, value) => { stored[name] = value; },
      removeItem: (name) => { delete stored[name]; },
    }),
    random: () => crypto.randomUUID(),
    digest: (bytes) => crypto.subtle.digest("SHA-256", bytes),
    monotonic: () => performance.now(),
    wall: () => Date.now() + ahead * 1000,
    fetch: async () => Response.json({ access_token: jwt({ aud: config.audience }), id_token: idToken(), ...answer }),
  };
  const jwt = (content) => {
    const text = btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(content))));
    return `e30.${text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}.c2ln`;
  };
  const idToken = () => {
    const now = Math.floor(Date.now() / 1000);
    const times = { iat: now, exp: now + 3600 };
    const right = { iss: config.issuer, aud: config.clientId, sub: "u", nonce: left.get("nonce"), ...times };
    return jwt(Object.fromEntries(Object.entries({ ...right, ...claims }).filter(([, value]) => value !== null)));
  };
  void createSession(config, platform).signIn();
  while (!left) await new Promise((resolve) => setTimeout(resolve));
  const session = createSession(config, platform);
  const outcome = await session.start().then((state) => ({ state }), described);
  return { ...outcome, user: session.user };
})(arguments)"""
LATE_DIGEST = """const digest = crypto.subtle.digest.bind(crypto.subtle);
    crypto.subtle.digest = async (...values) => {
      while (document.readyState !== "complete") await new Promise((resolve) => setTimeout(resolve, 50));
      return digest(...values);
    };"""
"""Without it, the browser itself adds no entry: the page is still loading."""
TOKEN = "return session.token(arguments[0]).then((token) => ({ token }), described)"


@dataclass(slots=True)
class Tab:
    """A page with a session, its provider, and the browser that shows it.

    Attributes:
        config: the configuration of the page.
        preamble: a script that runs before the session.
        stays: whether the provider keeps the browser on the page, as a user does who stops loading.
        faults: changes the next answers of the token endpoint: returns an answer for the form, or None.
        requests: method, path and parameters of each request to the provider.
    """

    browser: Browser
    provider: IdentityProvider
    server: AuthorizationServer
    url: str
    config: dict[str, object]
    preamble: str = ""
    stays: bool = False
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
        if path == "/authorize" and self.stays:
            start_response("204 No Content", [])
            return []
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
        """Call a method after which the browser leaves the page.

        The page has loaded before, as for a user: otherwise the browser's history would have no entry of it.
        """
        self.browser.wait_for("return performance.getEntriesByType('navigation')[0].loadEventEnd > 0")
        self.browser.run(f"window.outcome = null; void session.{method}()")

    def reload(self) -> dict[str, Any]:
        """Reload the page; return the outcome of its start."""
        self.browser.run("window.outcome = null; location.reload()")
        return self.outcome()

    def reload_into(self, path: str) -> None:
        """Reload the page, and wait until the browser is at a path of the provider."""
        self.browser.run("location.reload()")
        self.browser.wait_for("return location.pathname === arguments[0]", path)

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

    def answer(tab: Tab, _environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        headers = [("content-type", "application/json"), ("access-control-allow-origin", tab.url[:-11])]
        start_response(text, headers)
        return [json.dumps(document).encode()]

    return answer


def silence(_tab: Tab, _environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer as if the network were down: to a page, an answer without CORS headers is none."""
    start_response("502 Bad Gateway", [])
    return []


def changed(**claims: object) -> Fault:
    """Return a fault: the provider's answer, with other claims in the ID token; None removes one."""

    def rewrite(answer: dict[str, Any]) -> dict[str, Any]:
        after = {**claims_of(answer["id_token"]), **claims}
        token = sign({"alg": "EdDSA"}, {name: value for name, value in after.items() if value is not None})
        return {**answer, "id_token": token}

    return rewritten(rewrite)


def rewritten(rewrite: Callable[[dict[str, Any]], dict[str, Any]]) -> Fault:
    """Return a fault: the provider's answer, rewritten."""

    def answer(tab: Tab, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        started: list[Any] = []

        def start(status_line: str, headers: list[tuple[str, str]], _error: object = None) -> Callable[[bytes], object]:
            started.extend([status_line, [pair for pair in headers if pair[0] != "content-length"]])
            return lambda _: None

        content = json.loads(b"".join(tab.server(environ, start)))
        start_response(*started)
        return [json.dumps(rewrite(content)).encode()]

    return answer


def configuration(issuer: str, url: str) -> dict[str, object]:
    """Return the configuration of a page at an address."""
    return {
        "issuer": issuer,
        "clientId": CLIENT_ID,
        "audience": AUDIENCE,
        "scope": "openid offline_access",
        "redirectUri": url,
        "authorizationEndpoint": f"{issuer}/authorize",
        "tokenEndpoint": f"{issuer}/token",
        "endSessionEndpoint": f"{issuer}/logout",
        "revocationEndpoint": f"{issuer}/revoke",
    }


@pytest.fixture(scope="module")
def exchange(chromium: Browser) -> Iterator[Exchange]:
    """Return a function that finishes a sign-in in a page, with made-up answers, and returns its outcome."""
    with reserve(0) as site:
        url = f"http://{HOST}:{port_of(site)}/v1/console"
        config = configuration("https://issuer.example", url)
        provider = IdentityProvider("https://issuer.example", AUDIENCE, "org_id")
        page = Tab(chromium, provider, AuthorizationServer(provider, Client(url)), url, config)
        server = Server(page.site, site.dup(), threads=4)
        page.open()

        def run(case: dict[str, object]) -> dict[str, Any]:
            if chromium.run("return location.href") != url:  # another test was in between
                page.open()
            outcome: dict[str, Any] = chromium.run(EXCHANGE, config, {"claims": {}, "answer": {}, "ahead": 0, **case})
            return outcome

        yield run
        server.stop()


@pytest.fixture
def tab(browser: Browser) -> Iterator[Tab]:
    """Serve a page with a session, signed out, and its provider."""
    site, issuer = reserve(0), reserve(0)
    url = f"http://{HOST}:{port_of(site)}/v1/console"
    provider = IdentityProvider(issuer_at(port_of(issuer)), AUDIENCE, "org_id", ttl_seconds=3600)
    config = configuration(provider.issuer, url)
    tab = Tab(browser, provider, AuthorizationServer(provider, Client(url)), url, config)
    servers = [
        Server(tab.site, site, threads=4),
        Server(tab.identity_provider, issuer, threads=4),
    ]
    yield tab
    browser.open("about:blank")
    for server in servers:
        server.stop()


def claims_of(token: str) -> dict[str, Any]:
    """Return the claims of a token."""
    decoded: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return decoded


class TestSigningIn:
    """From signed out to signed in."""

    def test_user(self, tab: Tab) -> None:
        """WHEN a user signs in THEN the session names the user."""
        tab.sign_in("admin")

        assert {
            "id": "demo-admin",
            "name": "Admin",
            "email": None,
        } == tab.browser.run("return session.user")

    def test_token_is_for_the_api(self, tab: Tab) -> None:
        """WHEN a user has signed in THEN the token has the audience of the API."""
        tab.sign_in()

        assert AUDIENCE == claims_of(tab.token()["token"])["aud"]

    def test_deep_link(self, tab: Tab) -> None:
        """GIVEN a deep link WHEN the user signs in THEN the page is at the link, without parameters of the sign-in."""
        tab.sign_in(fragment="#/keys/01a20a38")

        assert f"{tab.url}#/keys/01a20a38" == tab.browser.run("return location.href")

    def test_tokens_are_in_memory_only(self, tab: Tab) -> None:
        """WHEN a user has signed in THEN the tab keeps one mark, and no token, verifier or code."""
        tab.sign_in()

        stored = tab.browser.run("return { ...sessionStorage, ...localStorage }")
        assert ["true"] == list(stored.values())

    def test_nothing_is_asked_without_the_user(self, tab: Tab) -> None:
        """WHEN the page is opened in a new tab THEN it does not redirect."""
        tab.open()

        assert [] == tab.requests


class TestAnswers:
    """Answers of the provider that the browser brings back."""

    def pending(self, tab: Tab) -> dict[str, str]:
        """Begin a sign-in; return the parameters of its request, with which an answer can be made up."""
        tab.open()
        tab.leave("signIn")
        tab.browser.wait_for("return document.querySelector('button[value=admin]')")
        return tab.authorizations()[-1]

    def answered(self, tab: Tab, **answer: str) -> dict[str, Any]:
        """Open the page with an answer; return the outcome."""
        return tab.open(query=f"?{urlencode(answer)}")

    def test_request(self, tab: Tab) -> None:
        """A request has PKCE with S256, a state and a nonce, each 256 random bits, and the audience of the API."""
        request = self.pending(tab)

        assert "S256" == request["code_challenge_method"]
        assert [43, 43, 43] == [len(request[name]) for name in ("state", "nonce", "code_challenge")]
        assert AUDIENCE == request["audience"]

    def test_each_sign_in_has_other_values(self, tab: Tab) -> None:
        """State, nonce and challenge are not used twice."""
        first, second = self.pending(tab), self.pending(tab)

        assert [] == [name for name in ("state", "nonce", "code_challenge") if first[name] == second[name]]

    def test_canceled(self, tab: Tab) -> None:
        """WHEN the user cancels THEN the page says so, and the address has no answer left."""
        self.pending(tab)
        tab.browser.click("button[value='1']")
        outcome = tab.outcome()

        assert "access_denied" in outcome["error"]
        assert "It says: the user canceled the sign-in" == outcome["hint"]
        assert tab.url == tab.browser.run("return location.href")

    def test_another_user_after_a_failure(self, tab: Tab) -> None:
        """GIVEN a sign-in that was refused WHEN the user tries again THEN the provider asks who it is."""
        tab.sign_in("wrong_audience")
        tab.leave("signIn")
        tab.browser.click("button[value=admin]")

        assert {"state": "signed-in"} == tab.outcome()
        assert [None, "login"] == [request.get("prompt") for request in tab.authorizations()]

    def test_login_required_by_a_prompt(self, tab: Tab) -> None:
        """An error that would be expected without a prompt is shown if the user was asked."""
        request = self.pending(tab)

        assert "login_required" in self.answered(tab, state=request["state"], error="login_required")["error"]

    @pytest.mark.parametrize(
        ("state", "iss"), [("another", None), ("", None), (None, "https://evil.example"), (None, "")]
    )
    def test_forged(self, tab: Tab, state: str | None, iss: str | None) -> None:
        """An answer with another state or issuer is refused, and its code is not used."""
        request = self.pending(tab)
        forged = {
            "code": "stolen",
            "state": request["state"] if state is None else state,
            "iss": tab.provider.issuer if iss is None else iss,
        }

        assert self.answered(tab, **forged)["known"]
        assert [] == tab.grants()

    def test_forged_state_uses_the_request_up(self, tab: Tab) -> None:
        """A verifier is not used after an answer with another state."""
        request = self.pending(tab)
        self.answered(tab, code="stolen", state="another")

        assert {"state": "signed-out"} == self.answered(tab, code="stolen", state=request["state"])
        assert [] == tab.grants()

    def test_missing_issuer(self, tab: Tab) -> None:
        """GIVEN a provider that names itself in answers WHEN an answer does not THEN it is refused (RFC 9207)."""
        tab.config["issParameterSupported"] = True
        request = self.pending(tab)

        assert "another identity provider" in self.answered(tab, code="c", state=request["state"])["error"]

    def test_issuer_is_optional(self, tab: Tab) -> None:
        """GIVEN a provider that does not name itself in answers THEN its code is used."""
        request = self.pending(tab)
        outcome = self.answered(tab, code="unknown", state=request["state"])

        assert ["authorization_code"] == tab.grants()
        assert "invalid_grant" in outcome["error"]

    def test_answer_without_a_request(self, tab: Tab) -> None:
        """An answer that this tab has not asked for is ignored, and removed from the address."""
        outcome = tab.open("#/audit-log", query="?code=stolen&state=s")

        assert {"state": "signed-out"} == outcome
        assert f"{tab.url}#/audit-log" == tab.browser.run("return location.href")
        assert [] == tab.grants()

    def test_back_into_an_answer(self, tab: Tab) -> None:
        """GIVEN an answer that was used WHEN it is opened again THEN the user is still signed in, by a new request."""
        tab.sign_in()
        code = next(form["code"] for method, path, form in tab.requests if path == "/token")
        outcome = tab.open(query=f"?code={code}&state=old")

        assert {"state": "signed-in"} == outcome
        assert ["authorization_code"] * 2 == tab.grants()

    @pytest.mark.parametrize(
        "preamble",
        ["", "addEventListener('pagehide', () => dispatchEvent(new PageTransitionEvent('pageshow')));"],
        ids=["loaded", "loading"],
    )
    def test_back_from_the_provider(self, tab: Tab, preamble: str) -> None:
        """WHEN the user goes back, even to a page that was still loading THEN the page is there, and can sign in."""
        tab.preamble = preamble
        tab.open()
        tab.browser.click("#sign-in")  # as a user: browsers replace a page that leaves by itself
        tab.browser.wait_for("return document.querySelector('button[value=admin]')")
        tab.browser.run("history.back()")
        assert {"state": "signed-out"} == tab.outcome()
        tab.leave("signIn")
        tab.browser.click("button[value=admin]")

        assert {"state": "signed-in"} == tab.outcome()


class TestTokenEndpoint:
    """Failures of the exchange of a code."""

    @pytest.mark.parametrize(
        ("fault", "message"),
        [
            (status("400 Bad Request", error="invalid_grant"), "refused the request (400): invalid_grant."),
            (status("401 Unauthorized", error="<b>no</b>"), "refused the request (401)."),
            (status("500 Internal Server Error"), "failed (500)."),
            (silence, "does not answer."),
        ],
    )
    def test_failure(self, tab: Tab, fault: Fault, message: str) -> None:
        """WHEN the code cannot be exchanged THEN the page says so; the code is not sent again."""
        tab.faults = [fault]
        outcome = tab.sign_in()

        assert outcome["error"].endswith(message)
        assert outcome["hint"]
        assert ["authorization_code"] == tab.grants()


class TestIdTokens:
    """Checks of the ID token, on one page that does not leave: the provider's answers are made up."""

    @pytest.mark.parametrize(
        ("claims", "message"),
        [
            ({"iss": "https://evil.example"}, "iss is wrong"),
            ({"aud": "another"}, "aud is wrong"),
            ({"aud": [CLIENT_ID, "another"]}, "azp is wrong"),
            ({"azp": "another"}, "azp is wrong"),
            ({"exp": 0}, "has expired"),
            ({"exp": None}, "has expired"),
            ({"nonce": "another"}, "nonce is wrong"),
            ({"nonce": None}, "nonce is wrong"),
            ({"sub": None}, "sub is wrong"),
            ({"sub": ""}, "sub is wrong"),
        ],
    )
    def test_wrong(self, exchange: Exchange, claims: dict[str, object], message: str) -> None:
        """An ID token that is not for this sign-in is refused."""
        outcome = exchange({"claims": claims})

        assert message in outcome["error"]
        assert outcome["user"] is None

    @pytest.mark.parametrize("claims", [{}, {"aud": [CLIENT_ID]}, {"aud": [CLIENT_ID, "api"], "azp": CLIENT_ID}])
    def test_right(self, exchange: Exchange, claims: dict[str, object]) -> None:
        """An ID token with several audiences is accepted if it was issued to this client."""
        assert "signed-in" == exchange({"claims": claims})["state"]

    @pytest.mark.parametrize(("seconds", "outcome"), [(-3600, "state"), (3630, "state"), (3690, "error")])
    def test_clock(self, exchange: Exchange, seconds: int, outcome: str) -> None:
        """The clock of the device may be a minute ahead of an ID token's end."""
        assert outcome in exchange({"ahead": seconds})

    @pytest.mark.parametrize("token", [None, "", "a.b", "a.b.c", "a.e30", "a.W10.c", "a.bnVsbA.c", ["a.e30.c"]])
    def test_none(self, exchange: Exchange, token: object) -> None:
        """An answer without a usable ID token is refused."""
        assert "no ID token" in exchange({"answer": {"id_token": token}})["error"]

    def test_name(self, exchange: Exchange) -> None:
        """A name in any script is read as it is."""
        outcome = exchange({"claims": {"name": "Zoë Łukasz 王", "email": "zoe@example.com"}})

        assert "Zoë Łukasz 王" == outcome["user"]["name"]
        assert "zoe@example.com" == outcome["user"]["email"]


class TestTokenForTheApi:
    """Which token is sent to the API."""

    def test_id_token(self, tab: Tab) -> None:
        """GIVEN an API whose audience is the client THEN the ID token is used, and no audience is asked for."""
        tab.config["audience"] = CLIENT_ID
        tab.sign_in()

        assert "Admin" == claims_of(tab.token()["token"])["name"]
        assert "audience" not in tab.authorizations()[0]

    def test_lifetime_of_the_id_token(self, tab: Tab) -> None:
        """GIVEN an API that takes the ID token THEN its lifetime counts, not that of the access token."""
        tab.config["audience"] = CLIENT_ID
        tab.faults = [rewritten(lambda answer: {**answer, "expires_in": 7200})]
        tab.sign_in()
        tab.browser.run("pass(arguments[0])", HOUR - 50_000)
        tab.token()

        assert ["authorization_code", "refresh_token"] == tab.grants()

    def test_opaque_access_token(self, tab: Tab) -> None:
        """GIVEN an access token that is no JWT, and an ID token of another audience THEN an administrator is told."""
        tab.faults = [rewritten(lambda answer: {**answer, "access_token": "opaque"})]
        outcome = tab.sign_in()

        assert f"audience is {AUDIENCE}" in outcome["error"]
        assert "The access token is not a JWT; the ID token has the audience keywright-console." in outcome["hint"]

    def test_wrong_audience(self, tab: Tab) -> None:
        """GIVEN tokens for another service THEN the failure names the audiences."""
        outcome = tab.sign_in("wrong_audience")

        assert f"audience is {AUDIENCE}" in outcome["error"]
        assert "has the audience https://another-service.example;" in outcome["hint"]

    def test_expired_persona(self, tab: Tab) -> None:
        """GIVEN an access token that has expired THEN the user is signed in, and the API refuses the token."""
        assert {"state": "signed-in"} == tab.sign_in("expired")
        assert "token" in tab.token()


class TestRenewal:
    """The token over time."""

    def test_kept(self, tab: Tab) -> None:
        """A token is used again until a minute before it expires."""
        tab.sign_in()
        first = tab.token()
        tab.browser.run("pass(arguments[0])", HOUR - 70_000)

        assert first == tab.token()
        assert ["authorization_code"] == tab.grants()

    def test_before_the_end(self, tab: Tab) -> None:
        """A token is renewed in its last minute."""
        tab.sign_in()
        tab.browser.run("pass(arguments[0])", HOUR - 50_000)
        tab.token()

        assert ["authorization_code", "refresh_token"] == tab.grants()

    @pytest.mark.parametrize("seconds", [600, "600"], ids=["number", "text"])
    def test_stated_lifetime(self, tab: Tab, seconds: object) -> None:
        """The lifetime that the provider states counts, not that in the token, which is not for the client to read."""
        tab.faults = [rewritten(lambda answer: {**answer, "expires_in": seconds})]
        tab.sign_in()
        tab.browser.run("pass(arguments[0])", 550_000)
        tab.token()

        assert ["authorization_code", "refresh_token"] == tab.grants()

    @pytest.mark.parametrize("clock", ["Date.now = () => wall() + 3600000", "performance.now = () => 3600000"])
    def test_either_clock(self, tab: Tab, clock: str) -> None:
        """A token is renewed if either clock says so: one stops while the device sleeps, the other can be set."""
        tab.sign_in()
        tab.browser.run(clock)
        tab.token()

        assert ["authorization_code", "refresh_token"] == tab.grants()

    def test_concurrent(self, tab: Tab) -> None:
        """Concurrent callers share one renewal, also those whom the API has not refused."""
        tab.sign_in()
        tab.faults = [rewritten(lambda answer: {**answer, "access_token": sign({}, {"aud": AUDIENCE, "jti": "new"})})]
        tokens = tab.browser.run("return Promise.all([true, true, false].map((refresh) => session.token({ refresh })))")

        assert ["new"] * 3 == [claims_of(token).get("jti") for token in tokens]
        assert ["authorization_code", "refresh_token"] == tab.grants()

    def test_rotation(self, tab: Tab) -> None:
        """Each refresh token is used once."""
        tab.sign_in()
        for _ in range(3):
            assert "token" in tab.token(refresh=True)

        used = [form["refresh_token"] for _, path, form in tab.requests if "refresh_token" in form]
        assert 3 == len(set(used))

    def test_no_new_refresh_token(self, tab: Tab) -> None:
        """GIVEN a renewal without a new refresh token WHEN that token has expired THEN the session has ended."""
        tab.faults = []
        tab.sign_in()
        tab.faults = [rewritten(lambda answer: {**answer, "refresh_token": None})]
        tab.token(refresh=True)
        tab.browser.run("pass(arguments[0])", HOUR)

        assert "Your session has ended." == tab.token()["error"]
        assert ["authorization_code", "refresh_token"] == tab.grants()

    @pytest.mark.parametrize(
        "fault",
        [status("503 Service Unavailable"), status("429 Too Many Requests"), silence],
        ids=["unavailable", "throttled", "silent"],
    )
    def test_passing_failure(self, tab: Tab, fault: Fault) -> None:
        """A renewal that fails once is sent again."""
        tab.sign_in()
        tab.faults = [fault]

        assert "token" in tab.token(refresh=True)

    def test_failure_while_the_token_works(self, tab: Tab) -> None:
        """GIVEN a token that still works WHEN it cannot be renewed THEN it is used, and others do not wait."""
        tab.sign_in()
        first = tab.token()
        tab.browser.run("pass(arguments[0])", HOUR - 50_000)
        tab.faults = [silence, silence]

        assert [first, first] == [tab.token(), tab.token()]
        assert ["authorization_code", "refresh_token", "refresh_token"] == tab.grants()

    def test_failure_after_the_end(self, tab: Tab) -> None:
        """GIVEN an expired token WHEN the provider fails THEN the session stays, and is renewed later."""
        tab.sign_in()
        tab.browser.run("pass(arguments[0])", HOUR)
        tab.faults = [status("500 Internal Server Error"), status("500 Internal Server Error")]

        answer = tab.token()
        assert "failed (500)" in answer["error"]
        assert answer["isTransient"]
        assert tab.browser.run("return session.user !== null")
        assert "token" in tab.token()

    def test_revoked(self, tab: Tab) -> None:
        """WHEN the refresh token is revoked THEN the session ends, once."""
        tab.sign_in()
        tab.faults = [status("400 Bad Request", error="invalid_grant")]
        answers = [tab.token(refresh=True), tab.token(), tab.token(refresh=True)]

        assert ["Your session has ended."] * 3 == [answer["error"] for answer in answers]
        assert [False] * 3 == [answer["isTransient"] for answer in answers]
        assert 1 == tab.browser.run("return ends")
        assert tab.browser.run("return session.user") is None

    def test_reload_after_the_end(self, tab: Tab) -> None:
        """GIVEN a session that has ended WHEN the page is loaded again THEN it does not redirect."""
        tab.sign_in()
        tab.faults = [status("400 Bad Request", error="invalid_grant")]
        tab.token(refresh=True)

        assert {"state": "signed-out"} == tab.reload()
        assert 1 == len(tab.authorizations())

    def test_without_refresh_tokens(self, tab: Tab) -> None:
        """GIVEN no refresh token THEN the token is used until it expires; then the session has ended."""
        tab.config["scope"] = "openid"
        tab.sign_in()
        first = tab.token()
        tab.browser.run("pass(arguments[0])", HOUR - 10_000)

        assert first == tab.token()
        tab.browser.run("pass(arguments[0])", 10_000)
        assert "Your session has ended." == tab.token()["error"]
        assert 1 == tab.browser.run("return ends")

    @pytest.mark.parametrize(
        "claims", [{"sub": "another"}, {"iss": "https://evil.example"}, {"aud": "another"}, {"nonce": "another"}]
    )
    def test_renewal_for_another_user(self, tab: Tab, claims: dict[str, object]) -> None:
        """A renewed ID token of another user, issuer or client ends the session."""
        tab.sign_in()
        tab.faults = [changed(**claims)]

        assert "is wrong" in tab.token(refresh=True)["error"]
        assert tab.browser.run("return session.user") is None

    def test_renewal_without_an_id_token(self, tab: Tab) -> None:
        """A renewal may have no ID token: the user stays."""
        tab.sign_in()
        tab.faults = [rewritten(lambda answer: {**answer, "id_token": None})]

        assert "token" in tab.token(refresh=True)
        assert "Admin" == tab.browser.run("return session.user.name")

    def test_errors_have_no_token(self, tab: Tab) -> None:
        """No message has a token, not even if the provider sends one back."""
        tab.sign_in()
        refresh_token = tab.browser.run("return session.token()")
        tab.faults = [status("400 Bad Request", error="invalid_grant", error_description=refresh_token)]

        assert refresh_token not in json.dumps(tab.token(refresh=True))


class TestReload:
    """The page after a reload, which forgets the tokens."""

    def test_still_signed_in(self, tab: Tab) -> None:
        """GIVEN a user who is signed in WHEN the page is loaded again THEN the user is, without a prompt."""
        tab.sign_in(fragment="#/keys")
        tab.browser.run("location.hash = '#/audit-log'")

        assert {"state": "signed-in"} == tab.reload()
        assert "none" == tab.authorizations()[-1]["prompt"]
        assert f"{tab.url}#/audit-log" == tab.browser.run("return location.href")

    def test_provider_without_silent_answers(self, tab: Tab) -> None:
        """GIVEN a provider that refuses `prompt=none` WHEN the page is loaded again THEN it shows no error."""
        tab.sign_in()
        tab.config["scope"] = "unknown"

        assert {"state": "signed-out"} == tab.reload()

    def test_no_entry_in_the_history(self, tab: Tab) -> None:
        """A reload adds nothing to the history, so that Back leads where it led before."""
        tab.preamble = LATE_DIGEST
        tab.sign_in()
        before = tab.browser.run("return history.length")
        tab.reload()

        assert before == tab.browser.run("return history.length")

    def test_signed_out_at_the_provider(self, tab: Tab) -> None:
        """GIVEN a user who signed out at the provider THEN the page is signed out after a reload, without a loop."""
        tab.sign_in()
        tab.browser.open(f"{tab.provider.issuer}/logout")

        assert {"state": "signed-out"} == tab.open()
        assert {"state": "signed-out"} == tab.reload()
        assert 2 == len(tab.authorizations())

    def test_provider_that_keeps_the_browser(self, tab: Tab) -> None:
        """GIVEN a provider that ignores `prompt=none` WHEN the user comes back THEN the page stays."""
        tab.sign_in()
        tab.config["authorizationEndpoint"] = f"{tab.provider.issuer}/jwks.json"
        tab.reload_into("/jwks.json")

        assert {"state": "signed-out"} == tab.open()

    def test_other_tabs(self, tab: Tab) -> None:
        """Each tab has its own session: a new tab is signed out, and the first one stays signed in."""
        tab.sign_in()
        first = tab.browser._post("/window/new", {"type": "tab"})["handle"]
        handles = tab.browser.client.get(f"{tab.browser.session}/window/handles").json()["value"]
        tab.browser._post("/window", {"handle": first})
        assert {"state": "signed-out"} == tab.open()
        tab.browser.client.delete(f"{tab.browser.session}/window")
        tab.browser._post("/window", {"handle": next(handle for handle in handles if handle != first)})

        assert "token" in tab.token(refresh=True)


class TestSigningOut:
    """From signed in to signed out."""

    def test_everywhere(self, tab: Tab) -> None:
        """WHEN a user signs out THEN the refresh token is revoked, and the provider forgets the user."""
        tab.sign_in()
        tab.leave("signOut")
        assert {"state": "signed-out"} == tab.outcome()

        paths = [path for _, path, _ in tab.requests]
        assert ["/revoke", "/logout"] == paths[-2:]
        assert "Set-Cookie" not in paths

    def test_no_token_in_an_address(self, tab: Tab) -> None:
        """The address of the sign-out names the client, the place to return to and the session. It has no token."""
        tab.sign_in()
        tab.leave("signOut")
        tab.outcome()

        parameters = dict(tab.requests[-1][2])
        assert re.fullmatch(r"[0-9a-f-]{36}", parameters.pop("logout_hint"))
        assert {
            "client_id": CLIENT_ID,
            "post_logout_redirect_uri": tab.url,
            "logout_uri": tab.url,
        } == parameters

    def test_reload(self, tab: Tab) -> None:
        """After a sign-out, a reload does not redirect."""
        tab.sign_in()
        tab.leave("signOut")
        tab.outcome()

        assert {"state": "signed-out"} == tab.reload()
        assert 1 == len(tab.authorizations())

    def test_provider_without_endpoints(self, tab: Tab) -> None:
        """GIVEN a provider without endpoints for it THEN the page forgets the session."""
        del tab.config["endSessionEndpoint"], tab.config["revocationEndpoint"]
        tab.sign_in()
        tab.browser.run("return session.signOut()")

        assert "Your session has ended." == tab.token()["error"]
        assert tab.browser.run("return session.user") is None
        assert 0 == tab.browser.run("return ends")
        assert {} == tab.browser.run("return { ...sessionStorage }")

    def test_failing_revocation(self, tab: Tab) -> None:
        """A revocation that fails does not stop the sign-out."""
        tab.config["revocationEndpoint"] = "http://127.0.0.1:9/revoke"
        tab.sign_in()
        tab.leave("signOut")

        assert {"state": "signed-out"} == tab.outcome()

    def test_during_a_renewal(self, tab: Tab) -> None:
        """GIVEN a renewal under way WHEN the user signs out THEN its tokens are revoked and not used."""
        del tab.config["endSessionEndpoint"]
        tab.sign_in()
        answer = tab.browser.run(
            """const renewal = session.token({ refresh: true }).then((token) => ({ token }), described);
            return session.signOut().then(() => renewal)"""
        )

        assert "Your session has ended." == answer["error"]
        assert tab.browser.run("return session.user") is None

    def test_during_a_renewal_that_fails(self, tab: Tab) -> None:
        """GIVEN a renewal under way WHEN the user signs out, and it fails THEN the old token is not used."""
        del tab.config["endSessionEndpoint"]
        tab.sign_in()
        tab.browser.run("pass(arguments[0])", HOUR - 50_000)
        tab.faults = [silence, silence]
        answer = tab.browser.run(
            """const renewal = session.token().then((token) => ({ token }), described);
            return session.signOut().then(() => renewal)"""
        )

        assert "Your session has ended." == answer["error"]


class TestSurroundings:
    """Unusual surroundings of the page."""

    def test_no_storage(self, tab: Tab) -> None:
        """GIVEN a browser that keeps nothing for the page WHEN the user signs in THEN the page says what to allow."""
        tab.preamble = """Object.defineProperty(window, "sessionStorage", {
            get() { throw new DOMException("denied", "SecurityError"); } });"""
        assert {"state": "signed-out"} == tab.open()
        answer = tab.browser.run("return session.signIn().catch(described)")

        assert "The browser does not let this page keep what a sign-in needs." == answer["error"]
        assert "Allow this site to save data" in answer["hint"]

    def test_no_encryption(self, tab: Tab) -> None:
        """GIVEN a page without TLS, where browsers have no SHA-256 THEN the page says that it needs https."""
        tab.preamble = 'Object.defineProperty(crypto, "subtle", { value: undefined });'
        tab.open()
        answer = tab.browser.run("return session.signIn().catch(described)")

        assert "Open it with https." == answer["hint"]

    def test_stopped(self, tab: Tab) -> None:
        """GIVEN a sign-in after which the browser stayed on the page WHEN the user tries again THEN it continues."""
        tab.stays = True
        tab.open()
        tab.leave("signIn")
        wait(tab.authorizations, "the provider is asked")
        tab.stays = False
        tab.leave("signIn")
        tab.browser.click("button[value=admin]")

        assert {"state": "signed-in"} == tab.outcome()

    def test_two_clicks(self, tab: Tab) -> None:
        """Two clicks on the button are one sign-in."""
        tab.open()
        tab.browser.run("void session.signIn(); void session.signIn()")
        tab.browser.click("button[value=admin]")

        assert {"state": "signed-in"} == tab.outcome()
        assert 1 == len(tab.authorizations())


class TestPage:
    """The sign-in page of the development identity provider."""

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_accessible(self, tab: Tab, scheme: str) -> None:
        """The page has no barriers that axe finds, and fits into 320 CSS pixels."""
        tab.browser.resize(320, 640)
        tab.browser.prefer(scheme)
        tab.open()
        tab.leave("signIn")
        tab.browser.wait_for("return document.querySelector('button[value=admin]')")

        assert [] == violations(tab.browser)
        assert [] == too_wide(tab.browser)

    def test_another_user(self, tab: Tab) -> None:
        """Any user of any organization can sign in with the fields."""
        tab.open()
        tab.leave("signIn")
        tab.browser.type("input[name=user]", "ada@example.com")
        tab.browser.type("input[name=organization]", "acme")
        tab.browser.click("h2 + form button")
        tab.outcome()

        assert "ada@example.com" == tab.browser.run("return session.user.id")

    def test_console_is_silent(self, tab: Tab) -> None:
        """A sign-in, a reload and a sign-out write nothing to the browser's console: no policy is violated."""
        tab.sign_in()
        tab.reload()
        tab.leave("signOut")
        tab.outcome()

        assert [] == tab.browser.console()
