"""Creating a key in the console: the text is shown once, works, and is nowhere afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.browser.console import Visit


def create(visit: Visit, name: str = "Nightly import") -> str:
    """Create a key with one permission; return its text, which is still shown."""
    visit.fill("Name", name)
    visit.tick("sessions:read")
    visit.click("button", "Create key")
    return shown_text(visit)


def shown_text(visit: Visit) -> str:
    """Return the text of a key that is shown."""
    return visit.part("dialog", "Your API key").part("code").text()


def test_a_key_made_in_the_console_verifies(visit: Visit) -> None:
    """The text that is shown is accepted with the permission that was ticked, and with no other."""
    visit.open("/keys/new")
    text = create(visit)

    assert "VALID" == visit.organization.outcome(text, "sessions:read")
    assert "INSUFFICIENT_PERMISSIONS" == visit.organization.outcome(text, "reports:read")
