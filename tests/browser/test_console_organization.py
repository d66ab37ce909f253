"""The organization in the console: its deletion, its frozen state, and its audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.api.deployment import data
from tests.browser.webdriver import wait

if TYPE_CHECKING:
    from tests.browser.console import Visit

NAME = "Example organization"


def test_an_owner_schedules_the_deletion_and_cancels_it(visit: Visit) -> None:
    """Nothing happens before the whole name is typed; then keys stop working until the deletion is canceled."""
    made = visit.organization.create_key()
    visit.open("/organization", role="owner")
    visit.click("button", "Schedule the deletion")
    dialog = visit.part("dialog")
    dialog.fill(f"Type the name of the organization: {NAME}", "Example")
    dialog.click("button", "Schedule the deletion")
    assert "VALID" == visit.organization.outcome(made["key"])
    dialog.fill(f"Type the name of the organization: {NAME}", NAME)
    dialog.click("button", "Schedule the deletion")
    visit.find("button", "Cancel the deletion")
    visit.wait_for_text("This organization is scheduled for deletion.")

    assert "ORGANIZATION_FROZEN" == visit.organization.outcome(made["key"])
    visit.click("button", "Cancel the deletion")
    visit.part("dialog").click("button", "Keep the organization")
    visit.find("button", "Schedule the deletion")
    assert "VALID" == visit.organization.outcome(made["key"])


def test_an_admin_cannot_schedule_the_deletion(visit: Visit) -> None:
    """An admin is told that only owners can, and has no button."""
    visit.open("/organization")

    visit.wait_for_text("Only owners can schedule or cancel the deletion.", "Your role is admin.")
    assert not visit.shows("button", "Schedule the deletion")


def test_a_frozen_organization_shows_its_keys_and_changes_nothing(visit: Visit) -> None:
    """Every view says why nothing can be changed; keys are shown, and no button changes them."""
    made = visit.organization.create_key(name="sample frozen")
    data(visit.organization.delete_organization())
    visit.open()
    visit.wait_for_text("This organization is scheduled for deletion.", "nothing can be changed")
    visit.find("link", "sample frozen")
    assert not visit.shows("link", "Create key")
    visit.click("link", "sample frozen")
    visit.click("button", "Delete")

    assert not visit.shows("dialog")
    assert "true" == visit.attribute(visit.find("button", "Delete"), "aria-disabled")
    assert "sample frozen" == visit.organization.get_key(made["id"])["name"]


def test_the_audit_log_is_filtered_and_shows_what_changed(visit: Visit) -> None:
    """Filters select records and are in the address; a record shows each changed field before and after."""
    made = visit.organization.create_key(name="Before")
    data(visit.organization.update(made["id"], {"name": "After"}))
    visit.organization.create_key(name="Another")
    visit.open("/audit-log")
    visit.wait_for_text("API key created", "API key changed")
    visit.choose("Event", "API key changed")
    wait(lambda: 2 == len(visit.part("table").all("row")), "one record", visit.text)
    visit.wait_for_text("name: before: Before after: After")

    assert "/audit-log?event=api_key.updated" == visit.place()
    visit.browser.back()
    wait(lambda: 4 == len(visit.part("table").all("row")), "three records", visit.text)
    visit.fill("Key, member or organization (id)", made["id"])
    visit.browser.press("Enter")
    wait(lambda: 3 == len(visit.part("table").all("row")), "two records", visit.text)
    visit.choose("By", "Operator")
    visit.wait_for_text("No record matches.")
    visit.click("button", "Clear filters")
    wait(lambda: 4 == len(visit.part("table").all("row")), "three records", visit.text)


def test_a_key_leads_to_its_records_and_back(visit: Visit) -> None:
    """The page of a key links to its own records, and a record to its key."""
    made = visit.organization.create_key(name="sample")
    visit.organization.create_key(name="Another")
    visit.open(f"/keys/{made['id']}")
    visit.click("link", "Audit log of this key")
    visit.find("heading", "Audit log")
    wait(lambda: 2 == len(visit.part("table").all("row")), "one record", visit.text)
    visit.part("table").click("link", "sample")

    visit.find("heading", "sample")
    assert f"/keys/{made['id']}" == visit.place()


def test_the_audit_log_is_limited_to_a_time(visit: Visit) -> None:
    """From and To select records by their time."""
    visit.organization.create_key(name="Now")
    visit.open("/audit-log")
    visit.wait_for_text("API key created")
    visit.set("From …", "2035-01-01T00:00")
    visit.wait_for_text("No record matches.")
    visit.set("From …", "2025-01-01T00:00")

    visit.wait_for_text("API key created")
