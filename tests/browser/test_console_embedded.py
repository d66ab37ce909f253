"""The element that other applications embed (examples/embed), in a page with another policy, session and style."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from keywright.errors import CONFLICT, SESSION_EXPIRED
from tests.api.deployment import CREATE, KEY
from tests.browser import accessibility, faults

if TYPE_CHECKING:
    from tests.browser.console import Visit


@pytest.fixture
def embedded(visit: Visit) -> Visit:
    """The page of the application, signed in as an admin."""
    visit.console.application_tokens.update(visit.organization.tokens)
    visit.browser.open(visit.console.application)
    visit.click("button", "demo-admin")
    return visit


def events(visit: Visit) -> list[tuple[str, Any]]:
    """Return the events of the element, with their details."""
    texts = visit.browser.run("return [...document.querySelectorAll('#events li')].map((item) => item.textContent)")
    return [(name, json.loads(detail)) for name, _, detail in (text.partition(" ") for text in texts)]


def create(visit: Visit) -> str:
    """Create a key; return its text."""
    visit.click("button", "Create key")
    visit.fill("Name", "sample")
    visit.tick("sessions:read")
    visit.click("button", "Create key")
    return visit.shown_text()


def test_each_change_is_an_event(embedded: Visit) -> None:
    """The page hears of each change with id and name, and never sees the text of a key."""
    texts = [create(embedded)]
    embedded.dismiss_text()
    (key,) = embedded.organization.newest(CREATE)
    embedded.click("button", "Disable")
    embedded.part("dialog").click("button", "Disable")
    embedded.find("button", "Enable")
    embedded.click("button", "Rotate")
    embedded.part("dialog").click("button", "Rotate")
    texts.append(embedded.shown_text())
    embedded.dismiss_text()
    embedded.click("button", "Delete")
    dialog = embedded.part("dialog")
    dialog.fill("Type the name of the key: sample", "sample")
    dialog.click("button", "Delete")
    embedded.wait_for_text("There are no API keys yet.")

    changes = ["created", "updated", "rotated", "deleted"]
    about = {"id": key["id"], "name": "sample"}
    assert [(f"keywright-key-{change}", about) for change in changes] == events(embedded)
    assert [] == [text for text in texts if text in json.dumps(events(embedded))]


def test_a_key_made_in_an_embedded_element_verifies(embedded: Visit) -> None:
    """The text that is shown in the page of another application works."""
    assert "VALID" == embedded.organization.outcome(create(embedded))


def test_a_failure_is_an_event(embedded: Visit) -> None:
    """The page hears of a failed request with code, status and request id; the element shows it as well."""
    key = embedded.organization.create_key(name="sample")
    embedded.browser.reload()
    embedded.click("button", "sample")
    embedded.find("heading", "sample")
    with embedded.failing("PATCH", KEY, faults.refusal(CONFLICT, embedded.console.base_url, "request-1")):
        embedded.click("button", "Disable")
        embedded.part("dialog").click("button", "Disable")
        embedded.wait_for_text(CONFLICT.message)

    assert [("keywright-error", {"code": "CONFLICT", "status": 409, "requestId": "request-1"})] == events(embedded)
    assert embedded.organization.get_key(key["id"])["enabled"]


def test_the_page_is_asked_for_a_new_token(embedded: Visit) -> None:
    """After a token is refused as expired, tokenProvider is asked to refresh, once, and the request is repeated."""
    embedded.wait_for_text("There are no API keys yet.")
    refused = faults.once(faults.refusal(SESSION_EXPIRED, embedded.console.base_url))
    with embedded.failing("POST", CREATE, refused) as requests:
        create(embedded)

    assert 2 == len(requests)
    assert 1 == len([address for address in embedded.requested() if address.endswith("?refresh")])


def test_a_page_without_a_token_is_explained(embedded: Visit) -> None:
    """When the page has no token any more, its reason is shown, and what was typed stays."""
    embedded.click("button", "Create key")
    embedded.fill("Name", "sample")
    embedded.tick("sessions:read")
    embedded.browser.command("Network.clearBrowserCookies")
    embedded.refused.append("/keywright-token")
    embedded.click("button", "Create key")

    embedded.wait_for_text("You are signed out of this application")
    assert "sample" == embedded.value("Name")


def test_without_a_token_provider_nothing_is_shown(embedded: Visit) -> None:
    """Without its function, as after a sign-out, the element is empty; the next user starts with the list."""
    embedded.click("button", "Create key")
    embedded.find("heading", "Create an API key")
    element = "const element = document.querySelector('keywright-api-keys');"
    embedded.browser.run(f"{element} window.before = element.tokenProvider; element.tokenProvider = null;")
    embedded.wait_until(lambda: "Create an API key" not in embedded.text())
    embedded.browser.run(f"{element} element.tokenProvider = window.before;")

    embedded.wait_for_text("There are no API keys yet.")


def test_the_address_of_the_page_is_left_alone(embedded: Visit) -> None:
    """Views of the element are no entries of the page's history, and its title is the page's."""
    embedded.wait_for_text("There are no API keys yet.")
    title = embedded.browser.run("return document.title")
    before = embedded.browser.history()
    create(embedded)

    assert before == embedded.browser.history()
    assert f"{embedded.console.application}/" == embedded.browser.address()
    assert title == embedded.browser.run("return document.title")


def test_the_page_sets_colors_and_fonts(embedded: Visit) -> None:
    """The custom properties of the page are those of the element."""
    button = embedded.find("button", "Create key")
    style = "const style = getComputedStyle(arguments[0]); return [style.backgroundColor, style.fontFamily]"

    assert ["rgb(122, 62, 0)", "Georgia, serif"] == embedded.browser.run(style, button)


def test_the_embedded_element_has_keys_alone(embedded: Visit) -> None:
    """The audit log and the organization are parts of the console: nothing leads there."""
    create(embedded)
    embedded.dismiss_text()

    assert [] == [name for name in embedded.names("button") + embedded.names("link") if "udit" in name]


def test_the_embedded_element_fits_a_narrow_column(embedded: Visit) -> None:
    """In a column of a wide page, nothing is wider than the element, and words stay in one piece."""
    embedded.organization.create_key(name="Nightly import of the accounting department", permissions=["reports:write"])
    embedded.browser.reload()
    embedded.browser.run("document.querySelector('keywright-api-keys').style.width = '20rem'")
    embedded.find("button", "Nightly import of …")

    element = "const element = document.querySelector('keywright-api-keys');"
    assert embedded.browser.run(f"{element} return element.scrollWidth <= element.clientWidth")
    assert [] == accessibility.broken_words(embedded.browser)


def test_the_embedded_element_has_a_width_in_a_flex_container(embedded: Visit) -> None:
    """Where nothing gives it a width, it takes the one that there is."""
    embedded.wait_for_text("There are no API keys yet.")
    element = "const element = document.querySelector('keywright-api-keys');"
    embedded.browser.run(f"{element} element.parentElement.style.display = 'flex'")

    assert 300 < embedded.browser.run(f"{element} return element.clientWidth")
    assert [] == accessibility.too_wide(embedded.browser)
