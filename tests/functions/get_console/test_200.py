"""The console's page that get_console serves: one element, one script, and a policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import pytest

from tests.support.client import calling
from tests.support.identity_provider import sign_in_endpoints

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import Call
    from tests.support.identity_provider import Issuer

call = calling("get_console")

API = "https://abc.execute-api.eu-central-1.amazonaws.com"
CONFIGURATION = "/.well-known/openid-configuration"


class Page(HTMLParser):
    """The page as a browser reads it.

    Attributes:
        elements: name and attributes of each element, in order.
    """

    def __init__(self, answer: dict[str, str]) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(answer["body"])
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record an element."""
        self.elements.append((tag, dict(attrs)))

    def attributes(self, name: str) -> dict[str, str | None]:
        """Return the attributes of the only element with a name."""
        (attributes,) = [found for tag, found in self.elements if tag == name]
        return attributes


@pytest.fixture(autouse=True)
def provider(trusted_issuer: Issuer, setting: Callable[[str, str], None]) -> Issuer:
    """An identity provider with all endpoints, where the console is registered."""
    setting("CONSOLE_CLIENT_ID", "keywright-console")
    setting("CONSOLE_SCOPE", "openid offline_access")
    trusted_issuer.documents[CONFIGURATION] |= sign_in_endpoints(trusted_issuer.url)
    return trusted_issuer


def policy(answer: dict[str, dict[str, str]]) -> dict[str, str]:
    """Return the directives of the content security policy."""
    parts = [part.strip().partition(" ") for part in answer["headers"]["content-security-policy"].split(";")]
    return {name: value for name, _, value in parts}


def test_its_element_says_what_it_talks_to(call: Call, provider: Issuer) -> None:
    """The attributes name the API, the identity provider and the client."""
    assert {
        "base-url": f"{API}/v1",
        "issuer": provider.url,
        "client-id": "keywright-console",
        "audience": "keywright",
        "scope": "openid offline_access",
        "authorization-endpoint": f"{provider.url}/authorize",
        "token-endpoint": f"{provider.url}/token",
        "end-session-endpoint": f"{provider.url}/logout",
        "revocation-endpoint": f"{provider.url}/revoke",
    } == Page(call()).attributes("keywright-console")


@pytest.mark.parametrize("absent", [None, "missing"])
def test_a_provider_may_have_no_way_to_sign_out(call: Call, provider: Issuer, absent: str | None) -> None:
    """The attributes of optional endpoints are left out if the provider has none, or names null."""
    for name in ("end_session_endpoint", "revocation_endpoint"):
        provider.documents[CONFIGURATION][name] = None
        if absent == "missing":
            del provider.documents[CONFIGURATION][name]

    answer = call()

    attributes = Page(answer).attributes("keywright-console")
    assert not {"end-session-endpoint", "revocation-endpoint"} & attributes.keys()
    assert f"{API} {provider.url}" == policy(answer)["connect-src"]


@pytest.mark.parametrize(("announced", "attribute"), [(True, "true"), (False, None), ("yes", None), (None, None)])
def test_it_says_whether_answers_name_their_issuer(
    call: Call, provider: Issuer, announced: object, attribute: str | None
) -> None:
    """Where the provider announces it (RFC 9207), the page refuses answers that do not name the issuer."""
    provider.documents[CONFIGURATION]["authorization_response_iss_parameter_supported"] = announced

    assert attribute == Page(call()).attributes("keywright-console").get("iss-parameter-supported")


def test_its_script_is_the_only_one(call: Call) -> None:
    """The page refers to itself, its script and an empty icon, and the policy allows that one script."""
    answer = call()
    page = Page(answer)

    addresses = {
        value for _, attributes in page.elements for name, value in attributes.items() if name in {"src", "href"}
    }
    assert {f"{API}/v1/console", "console/keywright.js", "data:,"} == addresses
    assert {"type": "module", "src": "console/keywright.js"} == page.attributes("script")
    assert urljoin(f"{API}/v1/console", "console/keywright.js") == policy(answer)["script-src"]


def test_the_policy_allows_nothing_else(call: Call, provider: Issuer) -> None:
    """Every directive is as narrow as it can be; others fall back to nothing."""
    answer = call()
    (style,) = re.findall(r"<style>(.*?)</style>", answer["body"], re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    assert {
        "default-src": "'none'",
        "script-src": f"{API}/v1/console/keywright.js",
        "style-src": f"'sha256-{digest}'",
        "img-src": "data:",
        "connect-src": f"{API} {provider.url}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    } == policy(answer)


def test_the_policy_names_the_origins_that_tokens_come_from(call: Call, provider: Issuer) -> None:
    """The endpoints of tokens can have other origins than the issuer; that of the authorization is not connected to."""
    provider.documents[CONFIGURATION] |= {
        "authorization_endpoint": "https://login.example.com/authorize",
        "token_endpoint": "https://tokens.example.com:8443/oauth2/token",
        "revocation_endpoint": "https://revoke.example.com/r",
    }

    allowed = f"{API} https://tokens.example.com:8443 https://revoke.example.com"
    assert allowed == policy(call())["connect-src"]


def test_it_is_not_kept(call: Call) -> None:
    """No cache keeps the page: the address after a sign-in has a code, and the policy follows the provider."""
    headers = call(query={"code": "x", "state": "y"})["headers"]

    assert "no-store" == headers["cache-control"]
    assert "no-referrer" == headers["referrer-policy"]


def test_the_code_of_a_sign_in_is_not_logged(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    """The query of the redirect back is neither in the log nor in the page."""
    answer = call(query={"code": "SECRET-CODE", "state": "SECRET-STATE"})

    assert "SECRET" not in capsys.readouterr().out
    assert "SECRET" not in repr(answer)


def test_it_follows_the_public_address(call: Call, setting: Callable[[str, str], None]) -> None:
    """Behind a custom domain, element and policy name its address with the base path."""
    setting("PUBLIC_URL", "https://api.example.com/keys/v1")

    answer = call()

    assert "https://api.example.com/keys/v1" == Page(answer).attributes("keywright-console")["base-url"]
    assert "https://api.example.com/keys/v1/console/keywright.js" == policy(answer)["script-src"]
    assert "https://api.example.com" == policy(answer)["connect-src"].split()[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OIDC_AUDIENCE", "a'b<script>&amp;"),
        ("CONSOLE_CLIENT_ID", '"><script>alert(1)</script>'),
        ("CONSOLE_SCOPE", 'openid "onload="alert(1)'),
    ],
)
def test_attributes_are_escaped(call: Call, setting: Callable[[str, str], None], name: str, value: str) -> None:
    """A value stays in its attribute with any characters."""
    setting(name, value)

    page = Page(call())

    assert value in page.attributes("keywright-console").values()
    assert 9 == len(page.attributes("keywright-console"))
    assert ["script"] == [tag for tag, _ in page.elements if tag == "script"]


def test_the_provider_is_asked_once_an_hour(call: Call, provider: Issuer) -> None:
    """The second page needs no request to the provider."""
    call()
    asked = len(provider.requests)
    call()

    assert [CONFIGURATION] == provider.requests
    assert 1 == asked
