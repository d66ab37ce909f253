"""The console as a page: links to places, history, sign-out, sessions that end, and what the browser may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keywright.errors import SESSION_EXPIRED
from tests.api.deployment import CREATE
from tests.browser import faults
from tests.support import network_faults

if TYPE_CHECKING:
    from tests.browser.console import Console, Visit


def test_a_link_to_a_place_survives_signing_in(visit: Visit) -> None:
    """A user who follows a link signed out is at its place after signing in, filters included."""
    visit.open("/audit-log?event=api_key.created")

    visit.find("heading", "Audit log")
    assert visit.address("/audit-log?event=api_key.created") == visit.browser.address()
    assert "api_key.created" == visit.value("Event")


def test_a_place_stays_after_the_page_is_loaded_again(visit: Visit) -> None:
    """A user who reloads the page is signed in without a question, at the same place."""
    visit.open("/organization")
    visit.browser.reload()

    visit.find("heading", "Organization")
    assert visit.address("/organization") == visit.browser.address()


def test_back_and_forward_lead_through_the_views(visit: Visit) -> None:
    """Each view is an entry of the history, with its title and the focus on its heading."""
    key = visit.organization.create_key(name="sample")
    visit.open()
    visit.click("link", "sample")
    visit.find("heading", "sample")
    visit.click("link", "Audit log")
    visit.find("heading", "Audit log")
    assert ("heading", "Audit log") == visit.focused()
    visit.browser.back()
    visit.find("heading", "sample")
    assert f"/keys/{key['id']}" == visit.place()
    assert visit.browser.run("return document.title").startswith("sample · Example organization")
    visit.browser.back()
    visit.find("heading", "API keys")
    visit.browser.forward()

    visit.find("heading", "sample")


def test_an_unknown_place_leads_to_the_keys(visit: Visit) -> None:
    """A link to a place that is not there says so, and leads on."""
    visit.open("/nothing/here")
    visit.find("heading", "There is no such page")
    visit.part("main").click("link", "API keys")

    visit.find("heading", "API keys")


def test_a_key_of_another_organization_is_not_shown(visit: Visit) -> None:
    """A link to a key of another organization says that there is no such key."""
    other = visit.console.organization().create_key(name="Of others")
    visit.refused.append("/auth/api-keys/{id}")
    visit.open(f"/keys/{other['id']}")

    visit.wait_for_text("The organization has no API key with this id")
    assert "Of others" not in visit.text()


def test_signing_out_ends_the_session(visit: Visit) -> None:
    """After signing out nothing of the organization is shown, neither by Back nor by loading the page again."""
    visit.organization.create_key(name="sample")
    visit.open()
    visit.find("link", "sample")
    visit.click("button", "Sign out")
    visit.find("button", "Sign in")
    visit.browser.reload()
    visit.find("button", "Sign in")
    assert "sample" not in visit.text()
    visit.browser.back()

    visit.find("button", "Sign in")
    assert "sample" not in visit.text()


def test_a_canceled_sign_in_is_explained(visit: Visit) -> None:
    """A user who cancels on the identity provider's page is told so, and can sign in after all, at the same place."""
    visit.browser.open(visit.address("/organization"))
    visit.click("button", "Sign in")
    visit.click("button", "Cancel")
    visit.find("alert")
    visit.click("button", "Sign in")
    visit.choose_user("admin")

    visit.find("heading", "Organization")


def test_a_user_can_change(visit: Visit) -> None:
    """After signing out, another user signs in and sees an own role."""
    visit.open("/organization")
    visit.wait_for_text("Your role admin")
    visit.click("button", "Sign out")
    visit.click("button", "Sign in")
    visit.choose_user("owner")
    visit.click("link", "Organization")

    visit.wait_for_text("Your role owner")


def test_an_expired_token_is_renewed_within_a_request(visit: Visit) -> None:
    """When the service refuses a token as expired, the request is sent again with a new one: nothing is lost."""
    visit.open("/keys/new")
    visit.fill("Name", "sample")
    visit.tick("sessions:read")
    refused = faults.once(faults.refusal(SESSION_EXPIRED, visit.console.base_url))
    with visit.failing("POST", CREATE, refused) as requests:
        visit.click("button", "Create key")
        visit.shown_text()

    token_endpoint = f"{visit.console.stack['issuer']}/token"
    assert 2 == len([address for address in visit.requested() if address == token_endpoint])
    assert 2 == len(requests)
    assert 1 == len({request.header("idempotency-key") for request in requests})


def test_a_session_that_ended_keeps_what_was_typed(visit: Visit) -> None:
    """When new tokens are refused too, the page says that the session has ended, and the form stays to be copied."""
    visit.open("/keys/new")
    visit.fill("Name", "sample")
    visit.tick("sessions:read")
    with visit.failing("POST", CREATE, faults.refusal(SESSION_EXPIRED, visit.console.base_url)):
        visit.click("button", "Create key")
        visit.wait_for_text("Your session has ended.")

    assert "sample" == visit.value("Name")
    visit.click("button", "Sign in again")
    visit.choose_user("admin")
    visit.find("heading", "Create an API key")


def test_tokens_are_in_the_memory_of_the_page_alone(visit: Visit) -> None:
    """Neither storage nor addresses nor the page have a token."""
    visit.open()
    visit.wait_for_text("There are no API keys yet.")
    with visit.failing("GET", CREATE, network_faults.duplicated) as requests:
        visit.choose("State", "Enabled")
        visit.wait_for_text("No key matches")
    token = (requests[-1].header("authorization") or "").removeprefix("Bearer ")

    assert token.count(".") == 2
    assert [] == [place for place, content in visit.kept().items() if token[-20:] in content]


def test_the_policy_allows_the_script_and_the_endpoints_alone(console: Console) -> None:
    """The policy has no unsafe source; it names the script, this API and the identity provider's endpoints."""
    answer = console.service.client.get(f"{console.base_url}/console")
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))

    assert "'none'" == policy["default-src"]
    assert f"{console.base_url}/console/keywright.js" == policy["script-src"]
    assert {console.proxy.url, console.stack["issuer"]} == set(policy["connect-src"].split()) - {"'self'"}
    assert "unsafe" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "${alert(1)} {{1}}", "'\"`</code><script>1</script>"])
def test_names_are_shown_as_they_are(visit: Visit, name: str) -> None:
    """Names with markup are text everywhere: in the list, on the page of the key, in dialogs and in the audit log."""
    key = visit.organization.create_key(name=name, metadata={"note": name})
    visit.open()
    visit.click("link", name)
    visit.find("heading", name)
    visit.click("button", "Delete")
    visit.part("dialog", f"Delete “{name}”").click("button", "Cancel")
    visit.browser.run("location.hash = arguments[0]", f"/audit-log?target={key['id']}")

    visit.wait_for_text(f"name: after: {name}")


def test_a_key_is_created_and_deleted_without_a_mouse(visit: Visit) -> None:
    """Everything is reached by Tab; the focus follows the views and returns from dialogs."""
    press = visit.browser.press
    visit.open()
    visit.wait_loaded()
    visit.tab_to("link", "Create key")
    press("Enter")
    visit.find("heading", "Create an API key")
    assert ("heading", "Create an API key") == visit.focused()
    press("Tab", *"sample")
    visit.tab_to("checkbox", "sessions:read")
    press("Space")
    visit.tab_to("button", "Create key")
    press("Enter")
    visit.shown_text()
    visit.tab_to("button", "Done")
    press("Enter")
    visit.find("dialog", "Have you stored the key?")
    visit.tab_to("button", "I have stored it")
    press("Enter")
    visit.wait_gone("dialog")
    visit.find("heading", "sample")
    visit.tab_to("button", "Delete")
    press("Enter")
    visit.find("dialog")
    press("Escape")
    visit.wait_gone("dialog")
    assert ("button", "Delete") == visit.focused()
    press("Enter")
    visit.find("dialog")
    visit.tab_to("textbox", "Type the name of the key: sample")
    press(*"sample")
    visit.tab_to("button", "Delete")
    press("Enter")

    visit.wait_for_text("There are no API keys yet.")
    assert ("heading", "API keys") == visit.focused()


def test_the_focus_stays_in_a_dialog(visit: Visit) -> None:
    """Tab and Shift+Tab lead to the parts of an open dialog alone, and to the browser's own."""
    key = visit.organization.create_key(name="sample")
    visit.open(f"/keys/{key['id']}")
    visit.click("button", "Rotate")
    dialog = visit.part("dialog")
    inside = {("button", name) for name in dialog.names("button")} | {
        ("combobox", name) for name in dialog.names("field")
    }
    reached = set()
    for step in ["Tab"] * 8 + ["Shift+Tab"] * 8:
        visit.browser.press(step)
        reached.add(visit.focused())

    assert inside <= reached
    assert {role for role, _ in reached - inside} <= {"generic", "dialog", "RootWebArea", "BODY"}


def test_the_content_is_one_key_away(visit: Visit) -> None:
    """The first Tab leads to a button that skips the bar."""
    visit.open()
    visit.wait_loaded()
    visit.browser.run("document.activeElement.blur()")
    visit.tab_to("button", "Skip to the content", limit=2)
    visit.browser.press("Enter")

    assert "main" == visit.focused()[0]
