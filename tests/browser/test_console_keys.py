"""The list of keys in the console, and what can be done with one."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from keywright import clock
from tests.api.deployment import LEAKS, ROTATE, USAGE, data
from tests.browser.webdriver import wait
from tests.support import network_faults

if TYPE_CHECKING:
    from tests.browser.console import Visit


def wait_for_names(visit: Visit, *expected: str) -> None:
    """Wait until the list has these keys."""
    wait(lambda: list(expected) == visit.names("link", "sample …"), str(expected), visit.text)


def in_days(days: int) -> str:
    """Return a time, as the API writes it."""
    return (clock.now() + timedelta(days=days)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_keys_are_filtered(visit: Visit) -> None:
    """State, permission and expiry select keys, and the filters are in the address."""
    organization = visit.organization
    disabled = organization.create_key(name="sample disabled")
    organization.update(disabled["id"], {"enabled": False})
    organization.create_key(name="sample reports", permissions=["reports:read"])
    organization.create_key(name="sample expiring", expiresAt=in_days(3))
    visit.open()
    wait_for_names(visit, "sample expiring", "sample reports", "sample disabled")

    visit.choose("State", "Disabled")
    wait_for_names(visit, "sample disabled")
    assert "/keys?enabled=false" == visit.place()
    visit.choose("State", "All")
    visit.choose("Permission", "reports:read")
    wait_for_names(visit, "sample reports")
    visit.choose("Permission", "All")
    visit.choose("Expires", "within 7 days, or expired")
    wait_for_names(visit, "sample expiring")


def test_keys_are_searched_by_name_and_by_text(visit: Visit) -> None:
    """A part of the name, the id or the text of a key finds it; the text is not sent anywhere."""
    sought = visit.organization.create_key(name="sample of the accountants")
    visit.organization.create_key(name="sample of the testers")
    visit.open()

    for query in ("ACCOUNT", sought["id"], sought["key"], sought["key"][-4:]):
        visit.fill("Search", query)
        wait_for_names(visit, "sample of the accountants")
        visit.wait_for_text("1 of 2 keys match")
        visit.fill("Search", "")
        wait_for_names(visit, "sample of the testers", "sample of the accountants")
    assert [] == [address for address in visit.requested() if sought["key"][-8:] in address]


def test_many_keys_are_on_pages(visit: Visit) -> None:
    """The next page has the rest, the first page is a click away, and Back leads there as well."""
    for number in range(22):
        visit.organization.create_key(name=f"sample {number}")
    visit.open()
    wait_for_names(visit, *(f"sample {number}" for number in range(21, 1, -1)))
    visit.click("link", "Next page")

    wait_for_names(visit, "sample 1", "sample 0")
    visit.browser.back()
    wait_for_names(visit, *(f"sample {number}" for number in range(21, 1, -1)))
    visit.browser.forward()
    wait_for_names(visit, "sample 1", "sample 0")
    visit.click("link", "First page")
    wait_for_names(visit, *(f"sample {number}" for number in range(21, 1, -1)))


def test_an_organization_without_keys_is_led_to_the_first(visit: Visit) -> None:
    """The empty list says what a key is for and leads to the form."""
    visit.open()
    visit.click("link", "Create the first key")

    visit.find("heading", "Create an API key")


def test_a_key_is_rotated_with_a_grace_period(visit: Visit) -> None:
    """The new text is shown once, both work, and the page says whether the old one is still used."""
    made = visit.organization.create_key()
    visit.open(f"/keys/{made['id']}")
    visit.click("button", "Rotate")
    dialog = visit.part("dialog")
    dialog.choose("The previous secret", "It works for another hour")
    dialog.choose("Reason, for the audit log", "Superseded by another key")
    dialog.click("button", "Rotate")
    text = visit.shown_text()
    visit.dismiss_text()
    visit.wait_for_text("It has not been used since the rotation")

    assert "VALID" == visit.organization.outcome(text)
    visit.organization.use({"key": made["key"], "clientIp": "192.0.2.7"})
    visit.browser.reload()
    visit.wait_for_text("A program still uses it")
    assert re.search(r"it was last used [^.]* from 192\.0\.2\.7", visit.text())
    assert "superseded" == visit.organization.records(made["id"], event="api_key.rotated")[0]["reason"]


def test_a_rotation_without_an_answer_can_be_repeated(visit: Visit) -> None:
    """When the answer is lost, rotating again shows the new text of one rotation, also after the dialog was closed."""
    made = visit.organization.create_key()
    visit.open(f"/keys/{made['id']}")
    visit.click("button", "Rotate")
    with visit.failing("POST", ROTATE, network_faults.lost_answer):
        visit.part("dialog").click("button", "Rotate")
        visit.wait_for_text("The service does not answer")
    visit.part("dialog").click("button", "Cancel")
    visit.wait_gone("dialog")
    visit.click("button", "Rotate")
    visit.part("dialog").click("button", "Rotate")
    text = visit.shown_text()

    assert "VALID" == visit.organization.outcome(text)
    assert 1 == len(visit.organization.records(made["id"], event="api_key.rotated"))


def test_a_key_is_disabled_and_enabled(visit: Visit) -> None:
    """The next verification refuses the key, and accepts it again; the page shows the state."""
    made = visit.organization.create_key()
    visit.open(f"/keys/{made['id']}")
    visit.click("button", "Disable")
    visit.part("dialog").click("button", "Disable")
    visit.find("button", "Enable")

    assert "DISABLED" == visit.organization.outcome(made["key"])
    visit.click("button", "Enable")
    visit.part("dialog").click("button", "Enable")
    visit.find("button", "Disable")
    assert "VALID" == visit.organization.outcome(made["key"])


def test_a_key_is_edited(visit: Visit) -> None:
    """Only the fields that were changed are sent: what another administrator changed in between stays."""
    made = visit.organization.create_key(name="Old name")
    visit.open(f"/keys/{made['id']}/edit")
    visit.find("field", "Name")
    visit.organization.update(made["id"], {"allowedIps": ["192.0.2.1"]})
    visit.fill("Name", "New name")
    visit.tick("reports:write")
    visit.click("button", "Save")
    visit.find("heading", "New name")

    key = visit.organization.get_key(made["id"])
    assert ["sessions:read", "reports:write"] == key["permissions"]
    assert ["192.0.2.1"] == key["allowedIps"]


def test_editing_keeps_every_digit(visit: Visit) -> None:
    """Seconds of the expiry and integers that JavaScript cannot hold stay as they were, next to a changed field."""
    metadata = {"id": 9007199254740993, "share": 0.1, "plan": "pro", "beta": False}
    made = visit.organization.create_key(name="sample", expiresAt="2031-05-06T07:08:09.123Z", metadata=metadata)
    visit.open(f"/keys/{made['id']}/edit")
    visit.click("button", "Remove plan")
    visit.click("button", "Save")
    visit.find("heading", "sample")

    key = visit.organization.get_key(made["id"])
    assert "2031-05-06T07:08:09.123Z" == key["expiresAt"]
    assert {"id": 9007199254740993, "share": 0.1, "beta": False} == key["metadata"]


def test_two_fields_of_metadata_with_one_name_are_refused(visit: Visit) -> None:
    """None of the two is lost silently: the form says which name there is twice."""
    made = visit.organization.create_key(name="sample", metadata={"plan": "pro"})
    visit.open(f"/keys/{made['id']}/edit")
    visit.click("button", "Add a field")
    visit.browser.type_into(visit.all("field", "Field")[-1], "plan")
    visit.click("button", "Save")

    visit.wait_for_text("The metadata has two fields plan")
    assert {"plan": "pro"} == visit.organization.get_key(made["id"])["metadata"]


def test_a_key_is_deleted_by_typing_its_name(visit: Visit) -> None:
    """Nothing happens before the whole name is typed; then the key is refused and is gone from the list."""
    made = visit.organization.create_key(name="sample to delete")
    visit.organization.create_key(name="sample to keep")
    visit.open(f"/keys/{made['id']}")
    visit.click("button", "Delete")
    dialog = visit.part("dialog")
    dialog.fill("Type the name of the key: sample to delete", "sample to")
    dialog.click("button", "Delete")
    assert "VALID" == visit.organization.outcome(made["key"])
    dialog.fill("Type the name of the key: sample to delete", "sample to delete")
    dialog.choose("Reason, for the audit log", "No longer used")
    dialog.click("button", "Delete")

    wait_for_names(visit, "sample to keep")
    assert "NOT_FOUND" == visit.organization.outcome(made["key"])
    assert "no_longer_used" == visit.organization.records(made["id"], event="api_key.deleted")[0]["reason"]


def test_a_leaked_key_has_a_banner_until_it_is_rotated(visit: Visit) -> None:
    """The banner says where the text was found; rotating without a grace period ends it, and the key can be enabled."""
    made = visit.organization.create_key()
    url = "https://example.com/paste/1"
    data(visit.organization.request("POST", LEAKS, persona=None, json={"keys": [made["key"]], "url": url}))
    visit.open(f"/keys/{made['id']}")
    visit.wait_for_text("The text of this key was found in public.", url)
    visit.browser.click_element(visit.all("button", "Rotate")[-1])  # that of the banner
    visit.part("dialog").click("button", "Rotate")
    text = visit.shown_text()
    visit.dismiss_text()
    assert "was found in public" not in visit.text()
    visit.click("button", "Enable")
    visit.part("dialog").click("button", "Enable")
    visit.find("button", "Disable")

    assert "VALID" == visit.organization.outcome(text)
    assert "NOT_FOUND" == visit.organization.outcome(made["key"])


def test_a_wrong_report_of_a_leak_is_dismissed(visit: Visit) -> None:
    """Dismissing the report ends the banner; the key stays disabled until it is enabled."""
    made = visit.organization.create_key()
    data(visit.organization.request("POST", LEAKS, persona=None, json={"keys": [made["key"]]}))
    visit.open(f"/keys/{made['id']}")
    visit.click("button", "Dismiss the report")
    visit.part("dialog").click("button", "Dismiss")
    visit.wait_gone("dialog")

    assert "was found in public" not in visit.text()
    assert "DISABLED" == visit.organization.outcome(made["key"])


def test_usage_and_limits_are_shown(visit: Visit) -> None:
    """The plot, its table and the bars say how often the key was used and what is left of its limits."""
    made = visit.organization.create_key(
        rateLimit={"limit": 100, "windowSeconds": 3600}, quota={"limit": 8, "period": "day"}
    )
    for _ in range(3):
        assert "VALID" == visit.organization.outcome(made["key"])
    wait(
        lambda: data(visit.organization.request("GET", USAGE.format(id=made["id"])))["requestCount"] == 3,
        "three uses are counted",
    )
    visit.open(f"/keys/{made['id']}")
    visit.wait_for_text("3 uses from", "3 of 8 used.", "97 left now.")

    assert "3" == visit.attribute(visit.find("meter", "Quota"), "aria-valuenow")
    assert "8" == visit.attribute(visit.find("meter", "Quota"), "aria-valuemax")
    visit.choose("Show", "7 days")
    visit.click("button", "Uses of each day")
    assert 8 == len(visit.part("table").all("row"))  # with the header


@pytest.mark.parametrize(
    ("role", "told"),
    [
        ("member", "You cannot manage the API keys of this organization. Your role is member"),
        ("suspended", "You are not allowed to do this"),
        ("outsider", "You are not allowed to do this"),
    ],
)
def test_who_may_not_manage_keys_is_told_why(visit: Visit, role: str, told: str) -> None:
    """A member is told the role and whom to ask; the suspended and strangers see the refusal and its hint."""
    visit.refused.append("/auth/orgs/current")
    visit.open(role=role)

    visit.wait_for_text(told)
    assert not visit.shows("link", "Create key")
