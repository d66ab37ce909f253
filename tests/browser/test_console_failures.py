"""The console while the service fails: it says what happened, keeps what was typed and tries again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from keywright.errors import (
    CONFLICT,
    IDEMPOTENCY_KEY_REUSED,
    INTERNAL_SERVER_ERROR,
    SERVICE_UNAVAILABLE,
    TOO_MANY_REQUESTS,
)
from tests.api.deployment import AUDIT_LOGS, CANCEL_DELETE, CREATE, KEY, LEAKS, REQUEST_DELETE, ROTATE, USAGE, data
from tests.browser import faults
from tests.support import network_faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.console import Visit

REFUSALS = (CONFLICT, IDEMPOTENCY_KEY_REUSED, TOO_MANY_REQUESTS, INTERNAL_SERVER_ERROR, SERVICE_UNAVAILABLE)
CURRENT_ORGANIZATION = "/auth/orgs/current"


@dataclass(frozen=True, slots=True)
class Act:
    """Something that can be done in the console.

    Attributes:
        method, path: of its request.
        begin: opens the form and fills it in.
        submit: name of the button that sends it.
        typed: values of fields that have to stay, by label.
        is_done: returns whether the service has done it.
    """

    method: str
    path: str
    begin: Callable[[Visit], None]
    submit: str
    typed: dict[str, Any]
    is_done: Callable[[Visit], bool]
    role: str = "admin"


REASON = "Reason, for the audit log"
NAME = "Example organization"


def begin_create(visit: Visit) -> None:
    """Fill in the form for a key."""
    visit.open("/keys/new")
    visit.fill("Name", "sample")
    visit.tick("reports:read")
    visit.choose("Expires", "In 90 days")
    visit.fill("Allowed addresses", "192.0.2.1")


def begin_edit(visit: Visit) -> None:
    """Change the name of a key in its form."""
    visit.open(f"/keys/{only_key(visit)['id']}/edit")
    visit.fill("Name", "sample renamed")


def begin_dialog(button: str, **choices: str) -> Callable[[Visit], None]:
    """Return a function that opens a dialog of a key."""

    def begin(visit: Visit) -> None:
        visit.open(f"/keys/{only_key(visit)['id']}")
        visit.click("button", button)
        visit.find("dialog")
        for label, option in choices.items():
            visit.choose(LABELS[label], option)

    return begin


LABELS = {"grace": "The previous secret", "reason": REASON}


def begin_delete(visit: Visit) -> None:
    """Open the dialog that deletes a key, and type its name."""
    begin_dialog("Delete", reason="Compromised: others may know the key")(visit)
    visit.fill("Type the name of the key: sample", "sample")


def begin_schedule(visit: Visit) -> None:
    """Open the dialog that schedules the deletion, and type the name of the organization."""
    visit.open("/organization", role="owner")
    visit.click("button", "Schedule the deletion")
    visit.fill(f"Type the name of the organization: {NAME}", NAME)


def begin_cancel(visit: Visit) -> None:
    """Open the dialog that cancels a deletion."""
    data(visit.organization.delete_organization())
    visit.open("/organization", role="owner")
    visit.click("button", "Cancel the deletion")
    visit.find("dialog")


def begin_enable(visit: Visit) -> None:
    """Open the dialog that enables a key."""
    data(visit.organization.update(only_key(visit)["id"], {"enabled": False}))
    begin_dialog("Enable")(visit)


def begin_dismiss(visit: Visit) -> None:
    """Open the dialog that dismisses a report."""
    text = visit.organization.create_key(name="sample")["key"]
    data(visit.organization.request("POST", LEAKS, persona=None, json={"keys": [text]}))
    begin_dialog("Dismiss the report")(visit)


def only_key(visit: Visit) -> dict[str, Any]:
    """Return the organization's key, which is made if there is none."""
    keys = visit.organization.newest(CREATE)
    return keys[0] if keys else visit.organization.create_key(name="sample")


def is_frozen(visit: Visit) -> bool:
    """Return whether the organization is scheduled for deletion."""
    return bool(data(visit.organization.request("GET", CURRENT_ORGANIZATION))["pendingDeletionAt"])


ACTS = {
    "create": Act(
        "POST",
        CREATE,
        begin_create,
        "Create key",
        {"Name": "sample", "reports:read": True, "Expires": "90", "Allowed addresses": "192.0.2.1"},
        lambda visit: len(visit.organization.newest(CREATE)) == 1,
    ),
    "edit": Act(
        "PATCH",
        KEY,
        begin_edit,
        "Save",
        {"Name": "sample renamed"},
        lambda visit: only_key(visit)["name"] == "sample renamed",
    ),
    "rotate": Act(
        "POST",
        ROTATE,
        begin_dialog("Rotate", grace="It works for another day", reason="Superseded by another key"),
        "Rotate",
        {LABELS["grace"]: "86400", REASON: "superseded"},
        lambda visit: visit.organization.get_key(only_key(visit)["id"])["previousKeyExpiresAt"] is not None,
    ),
    "disable": Act(
        "PATCH",
        KEY,
        begin_dialog("Disable", reason="Another reason"),
        "Disable",
        {REASON: "other"},
        lambda visit: not only_key(visit)["enabled"],
    ),
    "enable": Act("PATCH", KEY, begin_enable, "Enable", {}, lambda visit: only_key(visit)["enabled"]),
    "dismiss": Act("PATCH", KEY, begin_dismiss, "Dismiss", {}, lambda visit: only_key(visit)["leak"] is None),
    "delete": Act(
        "DELETE",
        KEY,
        begin_delete,
        "Delete",
        {"Type the name of the key: sample": "sample", REASON: "compromised"},
        lambda visit: visit.organization.newest(CREATE) == [],
    ),
    "schedule": Act(
        "POST",
        REQUEST_DELETE,
        begin_schedule,
        "Schedule the deletion",
        {f"Type the name of the organization: {NAME}": NAME},
        is_frozen,
        role="owner",
    ),
    "cancel": Act(
        "POST",
        CANCEL_DELETE,
        begin_cancel,
        "Keep the organization",
        {},
        lambda visit: not is_frozen(visit),
        role="owner",
    ),
}


@pytest.mark.parametrize("name", ACTS)
def test_a_failed_change_is_explained_and_can_be_repeated(visit: Visit, name: str) -> None:
    """Refusals are shown with message, hint and request id, and a lost answer as such; what was typed stays."""
    act = ACTS[name]
    act.begin(visit)
    for error in REFUSALS:
        fault = faults.refusal(error, visit.console.base_url, f"request-{error.status}")
        with visit.failing(act.method, act.path, fault):
            visit.click("button", act.submit)
            visit.wait_for_text(error.message, error.hint, f"Request id: request-{error.status}")
        assert act.typed == {label: visit.value(label) for label in act.typed}
    with visit.failing(act.method, act.path, network_faults.lost_request):
        visit.click("button", act.submit)
        visit.wait_for_text("The service does not answer", "Check your connection and try again.")
    assert act.typed == {label: visit.value(label) for label in act.typed}
    assert not act.is_done(visit)
    visit.click("button", act.submit)

    visit.wait_until(lambda: act.is_done(visit))
    visit.wait_until(lambda: "The service does not answer" not in visit.text())


@pytest.mark.parametrize("name", ACTS)
def test_a_change_whose_answer_is_lost_can_be_repeated(visit: Visit, name: str) -> None:
    """The change took effect, but its answer is lost: the page finds out, or the same button leads on."""
    act = ACTS[name]
    act.begin(visit)
    with visit.failing(act.method, act.path, network_faults.lost_answer):
        visit.click("button", act.submit)
        visit.wait_until(lambda: visit.shows("alert") or not visit.shows("button", act.submit))
    if visit.shows("alert"):
        visit.click("button", act.submit)

    visit.wait_until(lambda: not visit.shows("alert") and not visit.shows("button", act.submit))
    assert act.is_done(visit)


VIEWS: dict[str, tuple[str, Callable[[dict[str, Any]], str], str]] = {
    "keys": (CREATE, lambda _: "/keys", "sample"),
    "key": (KEY, lambda key: f"/keys/{key['id']}", "Details"),
    "usage": (USAGE, lambda key: f"/keys/{key['id']}", "0 uses from"),
    "edit": (KEY, lambda key: f"/keys/{key['id']}/edit", "Allowed addresses"),
    "audit log": (AUDIT_LOGS, lambda _: "/audit-log", "API key created"),
    "organization": (CURRENT_ORGANIZATION, lambda _: "/organization", "Your role"),
}


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_that_fails_to_load_can_be_loaded_again(visit: Visit, name: str) -> None:
    """Each refusal is shown with message, hint and request id, no answer as such; Try again loads the view."""
    path, place, shown = VIEWS[name]
    first, *others = REFUSALS
    with visit.failing("GET", path, faults.refusal(first, visit.console.base_url, f"request-{first.status}")):
        visit.open(place(only_key(visit)))
        visit.wait_for_text(first.message, first.hint, f"Request id: request-{first.status}")
    for error in others:
        with visit.failing("GET", path, faults.refusal(error, visit.console.base_url, f"request-{error.status}")):
            visit.click("button", "Try again")
            visit.wait_for_text(error.message, error.hint, f"Request id: request-{error.status}")
    with visit.failing("GET", path, network_faults.lost_request):
        visit.click("button", "Try again")
        visit.wait_for_text("The service does not answer")
    visit.click("button", "Try again")

    visit.wait_for_text(shown)
    assert not visit.shows("alert")


def test_a_silent_service_is_not_waited_for_forever(visit: Visit) -> None:
    """A request without an answer ends after a time, which this test shortens, and says so."""
    visit.browser.command(
        "Page.addScriptToEvaluateOnNewDocument",
        source="const after = AbortSignal.timeout; AbortSignal.timeout = (time) => after.call(AbortSignal, time / 50);",
    )
    visit.open(f"/keys/{only_key(visit)['id']}")
    visit.click("button", "Disable")
    with visit.failing("PATCH", KEY, network_faults.silent):
        visit.part("dialog").click("button", "Disable")
        visit.wait_for_text("The service does not answer")
    visit.part("dialog").click("button", "Disable")

    visit.wait_until(lambda: not only_key(visit)["enabled"])


def test_a_browser_without_network_keeps_the_form(visit: Visit) -> None:
    """Offline, the form says that there is no answer; back online, the same button creates one key."""
    begin_create(visit)
    visit.refused.append(CREATE)
    visit.browser.set_offline(True)
    visit.click("button", "Create key")
    visit.wait_for_text("The service does not answer")
    visit.browser.set_offline(False)
    visit.click("button", "Create key")
    visit.shown_text()

    assert ["sample"] == [key["name"] for key in visit.organization.newest(CREATE)]


def test_a_second_click_does_nothing(visit: Visit) -> None:
    """While a request is under way, its button does nothing, however fast it is clicked again: there is one request."""
    begin_create(visit)
    with visit.failing("POST", CREATE, network_faults.delayed) as requests:
        visit.browser.run("arguments[0].click(); arguments[0].click()", visit.find("button", "Create key"))
        visit.click("button", "Create key")
        visit.browser.press("Enter")
        visit.shown_text()

    assert 1 == len(requests)


def test_a_late_answer_does_not_replace_a_newer_one(visit: Visit) -> None:
    """When the answer to an earlier choice comes after that to a later one, the list is that of the later one."""
    data(visit.organization.update(visit.organization.create_key(name="sample off")["id"], {"enabled": False}))
    visit.organization.create_key(name="sample on")
    visit.open()
    visit.find("link", "sample on")
    with visit.failing("GET", CREATE, faults.once(network_faults.delayed)):
        visit.choose("State", "Disabled")
        visit.choose("State", "Enabled")
        visit.wait_gone("link", "sample off")
    visit.find("link", "sample on")

    assert not visit.shows("link", "sample off")
