"""The embedded element in pages that move it, restyle it, and change the function that returns a token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.console import Visit

ELEMENT = "const element = document.querySelector('keywright-api-keys');"


@pytest.fixture
def embedded(visit: Visit) -> Visit:
    """The page of an application with the list of keys, without any, signed in as an admin."""
    visit.console.application_tokens.update(visit.organization.tokens)
    visit.browser.open(visit.console.application)
    visit.click("button", "demo-admin")
    visit.wait_for_text("There are no API keys yet.")
    return visit


def api_requests(visit: Visit) -> list[str]:
    """Return the addresses of new requests to the service."""
    return [address for address in visit.requested() if address.startswith(f"{visit.console.base_url}/auth")]


def test_a_text_survives_moves_and_styles_of_the_page(embedded: Visit) -> None:
    """The text of a key is shown as it is in a page of capitals, and stays, in front, when the element is moved."""
    embedded.browser.run("document.body.style.textTransform = 'uppercase'")
    embedded.click("button", "Create key")
    embedded.fill("Name", "sample")
    embedded.tick("sessions:read")
    embedded.click("button", "Create key")
    text = embedded.shown_text()
    embedded.browser.run(f"{ELEMENT} document.body.prepend(element)")

    code = embedded.part("dialog", "Your API key").find("code")
    assert text == embedded.browser.run("return arguments[0].innerText", code)
    assert embedded.browser.run("return arguments[0].closest('dialog').matches(':modal')", code)
    assert "VALID" == embedded.organization.outcome(text)
    embedded.dismiss_text()


def test_a_new_token_provider_sends_no_request(embedded: Visit) -> None:
    """A page may set a new function each time that it is drawn; the next request asks it."""
    api_requests(embedded)
    embedded.browser.run(
        f"""{ELEMENT} const before = element.tokenProvider;
        window.asked = 0;
        element.tokenProvider = (options) => {{ window.asked += 1; return before(options); }};"""
    )
    embedded.choose("State", "Enabled")
    embedded.wait_for_text("No key matches these filters.")

    assert 1 == embedded.browser.run("return window.asked")
    assert [] == [address for address in api_requests(embedded) if "enabled=true" not in address]


def test_a_token_provider_without_a_token_sends_no_request(embedded: Visit) -> None:
    """A function that returns nothing is explained; the service is not asked with a token that is none."""
    embedded.browser.run(f"{ELEMENT} element.tokenProvider = async () => undefined")
    api_requests(embedded)
    embedded.choose("State", "Enabled")
    embedded.wait_for_text("There is no session token")
    assert [] == api_requests(embedded)
    embedded.browser.run(f"{ELEMENT} element.tokenProvider = null")

    embedded.wait_until(lambda: embedded.browser.run(f"{ELEMENT} return element.shadowRoot.childElementCount") == 0)
