"""The sign-in of the development identity provider: authorization requests, the page, signing out."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from local import demo
from tests.local.signing_in import CODE, CONSOLE, ISSUER, ORIGIN, REQUEST, Console, answer_of


@pytest.fixture
def console() -> Console:
    """Return a console before the first sign-in."""
    return Console()


class TestDiscovery:
    """The discovery document."""

    def test_endpoints(self, console: Console) -> None:
        """Discovery names every endpoint below the issuer."""
        document = console.http.get("/.well-known/openid-configuration").json()

        assert {
            "jwks_uri": f"{ISSUER}/jwks.json",
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "revocation_endpoint": f"{ISSUER}/revoke",
            "end_session_endpoint": f"{ISSUER}/logout",
        } == {name: value for name, value in document.items() if name.endswith(("_endpoint", "_uri"))}

    def test_abilities(self, console: Console) -> None:
        """Discovery names the code flow with S256 alone, refresh tokens, and `iss` in answers."""
        document = console.http.get("/.well-known/openid-configuration").json()

        assert ["code"] == document["response_types_supported"]
        assert ["S256"] == document["code_challenge_methods_supported"]
        assert ["authorization_code", "refresh_token"] == document["grant_types_supported"]
        assert ["openid", "offline_access", "profile"] == document["scopes_supported"]
        assert document["authorization_response_iss_parameter_supported"] is True

    def test_keys_and_tokens_of_the_provider_are_still_served(self, console: Console) -> None:
        """Keys, and tokens for curl, are answered as without a sign-in."""
        assert console.http.get("/jwks.json").json()["keys"]
        assert console.http.get("/token?user=ada&organization=acme").text.count(".") == 2


class TestRequests:
    """Authorization requests."""

    def test_choice_of_a_user(self, console: Console) -> None:
        """WHEN a user is chosen THEN the console gets a code, its state, and the issuer."""
        answer = answer_of(console.choose(persona="admin"))

        assert {"code", "state", "iss"} == answer.keys()
        assert "a-state" == answer["state"]
        assert ISSUER == answer["iss"]

    def test_answer_is_sent_by_303(self, console: Console) -> None:
        """The redirect after the form is a 303, by which a browser sends no form on."""
        assert 303 == console.choose(persona="admin").status_code

    @pytest.mark.parametrize(
        "changes",
        [
            {"client_id": None},
            {"client_id": "another"},
            {"redirect_uri": None},
            {"redirect_uri": "https://evil.example/v1/console"},
            {"redirect_uri": f"{CONSOLE}/"},
            {"redirect_uri": f"{CONSOLE}?next=1"},
            {"redirect_uri": "http://localhost:8787/v1/console"},
        ],
    )
    def test_untrusted(self, console: Console, changes: dict[str, str | None]) -> None:
        """A request that is not known to be of the console is refused on a page, without a redirect."""
        response = console.authorize(**changes)

        assert 400 == response.status_code
        assert "location" not in response.headers
        assert "must be" in response.text

    @pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
    def test_repeated_client(self, console: Console, name: str) -> None:
        """A request that names the client or the redirect URI twice is refused on a page."""
        response = console.http.get("/authorize", params=[*REQUEST.items(), (name, REQUEST[name])])

        assert 400 == response.status_code
        assert f"{name} is there more than once" in response.text

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"response_type": None}, "invalid_request"),
            ({"response_type": "token"}, "unsupported_response_type"),
            ({"response_type": "code id_token"}, "unsupported_response_type"),
            ({"response_mode": "fragment"}, "invalid_request"),
            ({"scope": None}, "invalid_request"),
            ({"scope": "offline_access"}, "invalid_scope"),
            ({"nonce": None}, "invalid_request"),
            ({"nonce": ""}, "invalid_request"),
            ({"code_challenge": None}, "invalid_request"),
            ({"code_challenge": "short"}, "invalid_request"),
            ({"code_challenge_method": None}, "invalid_request"),
            ({"code_challenge_method": "plain"}, "invalid_request"),
            ({"prompt": "guess"}, "invalid_request"),
            ({"prompt": "none login"}, "invalid_request"),
            ({"prompt": "none"}, "login_required"),
            ({"request": "e30"}, "request_not_supported"),
            ({"request_uri": "https://evil.example"}, "request_uri_not_supported"),
            ({"registration": "{}"}, "registration_not_supported"),
        ],
    )
    def test_refused(self, console: Console, changes: dict[str, str | None], error: str) -> None:
        """A request of the console that is refused is answered with error, state and issuer."""
        answer = answer_of(console.authorize(**changes))

        assert error == answer["error"]
        assert "a-state" == answer["state"]
        assert ISSUER == answer["iss"]
        assert "code" not in answer

    def test_no_state(self, console: Console) -> None:
        """A request without a state is refused."""
        answer = answer_of(console.authorize(state=None))

        assert "invalid_request" == answer["error"]
        assert "state" not in answer

    def test_repeated_parameter(self, console: Console) -> None:
        """A parameter that is there twice is refused."""
        response = console.http.get("/authorize", params=[*REQUEST.items(), ("nonce", "another")])

        assert "nonce is there more than once" == answer_of(response)["error_description"]

    def test_unknown_parameters_and_scopes_are_ignored(self, console: Console) -> None:
        """Parameters and scopes of other providers are ignored, as OpenID Connect demands."""
        response = console.authorize(audience="keywright", organization_hint="acme", scope="openid email")

        assert 200 == response.status_code

    def test_request_by_post(self, console: Console) -> None:
        """A request can be sent as a form, which OpenID Connect demands."""
        assert 200 == console.http.post("/authorize", data=REQUEST, headers={"origin": ORIGIN}).status_code

    def test_form_of_another_site(self, console: Console) -> None:
        """A choice that another site sends is refused."""
        response = console.http.post(
            "/authorize", data={**REQUEST, "persona": "owner"}, headers={"origin": "https://evil.example"}
        )

        assert 400 == response.status_code
        assert "set-cookie" not in response.headers

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS"])
    def test_other_methods(self, console: Console, method: str) -> None:
        """Only GET and POST are allowed."""
        response = console.http.request(method, "/authorize", params=REQUEST)

        assert 405 == response.status_code
        assert "GET, POST" == response.headers["allow"]

    def test_large_form(self, console: Console) -> None:
        """A form of more than 64 KiB is refused."""
        response = console.choose(persona="a" * 70_000)

        assert 400 == response.status_code
        assert "more than 65536 bytes" in response.text

    def test_canceled(self, console: Console) -> None:
        """WHEN the user cancels THEN the console is told that access was denied."""
        assert "access_denied" == answer_of(console.choose(cancel="1"))["error"]


class Buttons(HTMLParser):
    """Collects the buttons and fields of a page.

    Attributes:
        buttons: value of each button with a name.
        fields: name of each field that is not hidden.
        hidden: the hidden fields of all forms.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.buttons: list[str] = []
        self.fields: list[str] = []
        self.hidden: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect an element."""
        attributes = {name: value or "" for name, value in attrs}
        if tag == "button" and "name" in attributes:
            self.buttons.append(attributes["value"])
        if tag == "input" and attributes.get("type") == "hidden":
            self.hidden.append((attributes["name"], attributes["value"]))
        elif tag == "input":
            self.fields.append(attributes["name"])


class TestPage:
    """The page on which a user is chosen."""

    def test_personas(self, console: Console) -> None:
        """The page has a button for each persona, and one to cancel."""
        page = Buttons(console.authorize().text)

        assert [*(persona.name for persona in demo.PERSONAS), "1"] == page.buttons
        assert ["user", "organization"] == page.fields

    def test_what_personas_can_do(self, console: Console) -> None:
        """The page has what creating a key answers to each persona."""
        page = console.authorize().text

        assert [] == [persona.name for persona in demo.PERSONAS if f"answers {persona.expectation}." not in page]

    def test_no_personas(self) -> None:
        """Without demo data, the page has the fields only."""
        page = Buttons(Console(with_personas=False).authorize().text)

        assert ["1"] == page.buttons
        assert ["user", "organization"] == page.fields

    def test_personas_of_no_demo(self) -> None:
        """Without demo data, a persona cannot be chosen."""
        assert 400 == Console(with_personas=False).choose(persona="owner").status_code

    def test_the_form_sends_the_request_again(self, console: Console) -> None:
        """The forms have every parameter of the request, escaped."""
        page = Buttons(console.authorize(state='"><script>alert(1)</script>').text)

        assert set({**REQUEST, "state": '"><script>alert(1)</script>'}.items()) == set(page.hidden)

    def test_hostile_state_is_text(self, console: Console) -> None:
        """A state that is HTML adds no element."""
        assert "<script" not in console.authorize(state='"><script>alert(1)</script>').text

    def test_another_user(self, console: Console) -> None:
        """Any user of any organization can sign in."""
        code = answer_of(console.choose(user="ada@example.com", organization="org_2abc"))["code"]

        assert 200 == console.ask(CODE, code=code).status_code

    @pytest.mark.parametrize(
        "choice",
        [
            {"user": "ada"},
            {"persona": "root"},
            {"user": "a\nb", "organization": "o"},
            {"user": "a" * 256, "organization": "o"},
        ],
    )
    def test_wrong_choice(self, console: Console, choice: dict[str, str]) -> None:
        """WHEN no user is named THEN the page is shown again and says so."""
        response = console.choose(**choice)

        assert 400 == response.status_code
        assert "Name a user and an organization." in response.text
        assert set(REQUEST.items()) == set(Buttons(response.text).hidden)

    def test_policy(self, console: Console) -> None:
        """The page runs no script, has one style, and its form reaches the provider and the console alone."""
        policy = console.authorize().headers["content-security-policy"]

        assert re.fullmatch(
            r"default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]{44}'; img-src data:; "
            r"form-action 'self' http://127\.0\.0\.1:8787; base-uri 'none'; frame-ancestors 'none'",
            policy,
        )

    def test_pages_are_not_cached(self, console: Console) -> None:
        """No answer of the sign-in is cached."""
        assert "no-store" == console.authorize().headers["cache-control"]
        assert "no-store" == console.choose(persona="owner").headers["cache-control"]


class TestSilence:
    """`prompt=none`, by which the console asks after a reload whether the user is still signed in."""

    def test_remembered(self, console: Console) -> None:
        """GIVEN a user who signed in WHEN the console asks without a prompt THEN it gets a code."""
        console.choose(persona="member")

        assert "code" in answer_of(console.authorize(prompt="none"))

    def test_other_user_remembered(self, console: Console) -> None:
        """GIVEN another user WHEN the console asks without a prompt THEN the tokens are that user's."""
        console.choose(user="ada lovelace; x=1", organization="Łódź & co")

        code = answer_of(console.authorize(prompt="none"))["code"]
        assert 200 == console.ask(CODE, code=code).status_code

    def test_page_is_shown_though_remembered(self, console: Console) -> None:
        """GIVEN a user who signed in WHEN the console asks without `prompt` THEN the page is shown."""
        console.choose(persona="member")

        assert "Sign in" in console.authorize().text

    def test_cookie(self, console: Console) -> None:
        """The cookie is out of reach of scripts and other sites' forms, and belongs to one service of this machine."""
        cookie = console.choose(persona="member").headers["set-cookie"]

        assert "keywright-sign-in-8788=persona=member; Path=/; HttpOnly; SameSite=Lax" == cookie

    def test_cookies_of_other_programs(self, console: Console) -> None:
        """Cookies of other programs on this host, in any form, do not sign in, and do not disturb."""
        console.choose(persona="member")
        remembered = console.http.cookies["keywright-sign-in-8788"]
        console.http.cookies.clear()

        headers = {"cookie": f'other="{{x}}"; =; keywright-sign-in-8788={remembered}; broken'}
        response = console.http.get("/authorize", params={**REQUEST, "prompt": "none"}, headers=headers)
        assert "code" in answer_of(response)


class TestSigningOut:
    """The end session endpoint."""

    def test_forgets_the_user(self, console: Console) -> None:
        """WHEN the console signs out THEN the user is forgotten."""
        console.choose(persona="member")
        console.http.get("/logout", params={"client_id": "keywright-console", "post_logout_redirect_uri": CONSOLE})

        assert "login_required" == answer_of(console.authorize(prompt="none"))["error"]

    def test_removes_the_cookie(self, console: Console) -> None:
        """WHEN the console signs out THEN the browser removes the cookie."""
        assert console.http.get("/logout").headers["set-cookie"].endswith("; Max-Age=0")

    def test_returns(self, console: Console) -> None:
        """After a sign-out the browser is at the console again, with the state."""
        parameters = {"client_id": "keywright-console", "post_logout_redirect_uri": CONSOLE, "state": "s&1"}
        response = console.http.get("/logout", params=parameters)

        assert 303 == response.status_code
        assert f"{CONSOLE}?state=s%261" == response.headers["location"]

    def test_without_a_target(self, console: Console) -> None:
        """Without an address to return to, a page says that the user is signed out."""
        response = console.http.post("/logout", data={})

        assert 200 == response.status_code
        assert "You are signed out" in response.text

    @pytest.mark.parametrize(
        "parameters",
        [
            {"post_logout_redirect_uri": CONSOLE},
            {"client_id": "another"},
            {"client_id": "another", "post_logout_redirect_uri": CONSOLE},
            {"client_id": "keywright-console", "post_logout_redirect_uri": "https://evil.example"},
            {"client_id": "keywright-console", "post_logout_redirect_uri": f"{CONSOLE}#/keys"},
        ],
    )
    def test_refused(self, console: Console, parameters: dict[str, str]) -> None:
        """A sign-out of another client, or to another address, is refused on a page."""
        response = console.http.get("/logout", params=parameters)

        assert 400 == response.status_code
        assert "location" not in response.headers
