"""Creating a key in the console: the text is shown once, works, and is nowhere afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support import network_faults

if TYPE_CHECKING:
    from tests.browser.console import Visit


def create(visit: Visit, name: str = "Nightly import") -> str:
    """Create a key with one permission; return its text, which is still shown."""
    visit.fill("Name", name)
    visit.tick("sessions:read")
    visit.click("button", "Create key")
    return visit.shown_text()


def test_a_key_made_in_the_console_verifies(visit: Visit) -> None:
    """The text that is shown is accepted with the permission that was ticked, and with no other."""
    visit.open("/keys/new")
    text = create(visit)

    assert "VALID" == visit.organization.outcome(text, "sessions:read")
    assert "INSUFFICIENT_PERMISSIONS" == visit.organization.outcome(text, "reports:read")


def test_the_text_of_a_key_is_nowhere_once_it_is_dismissed(visit: Visit) -> None:
    """Page, storage, history, databases, performance entries, console and log have nothing of the text."""
    visit.open("/keys/new")
    text = create(visit)
    assert text in visit.kept()["document"]
    visit.click("button", "Done")
    visit.click("button", "I have stored it")
    visit.wait_gone("dialog")
    visit.find("heading", "Nightly import")

    secret = text.removeprefix("kk_")[:-8]  # the page shows the last characters

    def places() -> list[str]:
        return [place for place, content in visit.kept().items() if secret in content]

    assert [] == places()
    visit.browser.back()
    visit.find("heading", "Create an API key")
    assert [] == places()
    visit.browser.forward()
    visit.find("heading", "Nightly import")
    assert [] == places()
    assert [] == [line for line in visit.lines() if secret in line]
    assert secret not in visit.console.log_file.read_text(encoding="utf-8")


def test_the_text_is_shown_until_it_is_confirmed_to_be_stored(visit: Visit) -> None:
    """Done and Escape ask first; whoever has not stored the key sees it again."""
    visit.open("/keys/new")
    text = create(visit)

    for leave in ("Enter", "Escape"):
        visit.tab_to("button", "Done")
        visit.browser.press(leave)
        visit.find("dialog", "Have you stored the key?")
        assert text not in visit.text()
        visit.click("button", "Show the key")
        assert text == visit.shown_text()


def test_the_text_is_not_lost_by_leaving(visit: Visit) -> None:
    """While the text is shown, Back keeps it on the screen, and the browser asks before the page is left."""
    leave = "return dispatchEvent(new Event('beforeunload', { cancelable: true }))"
    visit.open("/keys/new")
    text = create(visit)
    visit.browser.back()
    assert text == visit.shown_text()
    assert not visit.browser.run(leave)
    visit.dismiss_text()

    assert visit.browser.run(leave)


def test_the_text_is_copied(visit: Visit) -> None:
    """Copy puts the text of the key into the clipboard, and says so."""
    visit.open("/keys/new")
    text = create(visit)
    visit.click("button", "Copy")
    visit.wait_for_text("Copied")

    assert text == visit.browser.clipboard()


def test_the_text_is_downloaded_as_an_environment_file(visit: Visit) -> None:
    """The file is named after the key and sets a variable to its text, below a comment with name and id."""
    visit.open("/keys/new")
    text = create(visit, "CI: deploy & test")
    visit.click("button", "Download .env")

    comment, line, rest = visit.browser.downloaded("ci-deploy-test.env").split("\n")
    assert f"# CI: deploy & test ({visit.shown_id()})" == comment
    assert f"API_KEY={text}" == line
    assert "" == rest


def test_every_field_of_a_key_is_set(visit: Visit) -> None:
    """Permissions, expiry, limits, addresses and metadata of all types become those of the key."""
    visit.browser.command("Emulation.setTimezoneOverride", timezoneId="UTC")
    visit.open("/keys/new")
    visit.fill("Name", "Everything")
    visit.tick("sessions:write", "reports:read")
    visit.choose("Expires", "At a time of your choice")
    visit.set("Expires at", "2031-05-06T07:08")
    visit.tick("Limit how fast the key can be used")
    visit.fill("Uses", "120")
    visit.fill("Window in seconds", "30")
    visit.fill("Burst (optional)", "20")
    visit.tick("Limit how often the key can be used")
    visit.fill("Uses in the period", "5000")
    visit.choose("Period", "a week (UTC, from Monday)")
    visit.fill("Allowed addresses", "192.0.2.1\n198.51.100.0/24")
    for name, kind, value in (("plan", "text", "pro"), ("seats", "number", "12"), ("beta", "true/false", None)):
        visit.click("button", "Add a field")
        visit.browser.type_into(visit.all("field", "Field")[-1], name)
        visit.choose_in(visit.all("field", "Type")[-1], kind)
        if value is not None:
            visit.browser.type_into(visit.all("field", "Value")[-1], value)
    visit.click("button", "Create key")
    visit.shown_text()

    key = visit.organization.get_key(visit.shown_id())
    assert ["sessions:write", "reports:read"] == key["permissions"]
    assert "2031-05-06T07:08:00.000Z" == key["expiresAt"]
    assert {"limit": 120, "windowSeconds": 30, "burst": 20} == key["rateLimit"]
    assert {"limit": 5000, "period": "week"} == key["quota"]
    assert ["192.0.2.1", "198.51.100.0/24"] == key["allowedIps"]
    assert {"plan": "pro", "seats": 12, "beta": True} == key["metadata"]


def test_an_expiry_is_in_the_time_zone_of_the_reader(visit: Visit) -> None:
    """A time is typed and shown in the zone of the reader, and is stored as the moment that it names."""
    visit.browser.command("Emulation.setTimezoneOverride", timezoneId="America/St_Johns")
    visit.open("/keys/new")
    visit.fill("Name", "sample")
    visit.tick("sessions:read")
    visit.choose("Expires", "At a time of your choice")
    visit.wait_for_text("In your time zone, America/St_Johns.")
    visit.set("Expires at", "2031-05-06T22:08")
    visit.click("button", "Create key")
    visit.shown_text()
    visit.dismiss_text()

    assert "2031-05-07T00:38:00.000Z" == visit.organization.get_key(visit.shown_id())["expiresAt"]
    visit.wait_for_text("May 6, 2031, 10:08 PM")


def test_a_create_without_an_answer_can_be_repeated(visit: Visit) -> None:
    """When the answer is lost, creating again makes no second key: the request has the same Idempotency-Key."""
    visit.open("/keys/new")
    visit.fill("Name", "Only once")
    visit.tick("sessions:read")
    with visit.failing("POST", "/auth/api-keys", network_faults.lost_answer) as requests:
        visit.click("button", "Create key")
        visit.wait_for_text("The service does not answer")
    visit.click("button", "Create key")
    text = visit.shown_text()

    assert 1 == len({request.header("idempotency-key") for request in requests})
    assert ["Only once"] == [key["name"] for key in visit.organization.newest("/auth/api-keys")]
    assert "VALID" == visit.organization.outcome(text, "sessions:read")


def test_a_changed_form_is_another_request(visit: Visit) -> None:
    """A form that is changed after a lost answer makes a key as it says, not the answer to the first request."""
    visit.open("/keys/new")
    visit.fill("Name", "First")
    visit.tick("sessions:read")
    with visit.failing("POST", "/auth/api-keys", network_faults.lost_answer):
        visit.click("button", "Create key")
        visit.wait_for_text("The service does not answer")
    visit.fill("Name", "Second")
    visit.click("button", "Create key")
    visit.shown_text()

    assert "Second" == visit.organization.get_key(visit.shown_id())["name"]


def test_a_key_needs_a_permission(visit: Visit) -> None:
    """Without a ticked box the form says what is missing, and no request is sent."""
    visit.open("/keys/new")
    visit.fill("Name", "Nothing")
    visit.click("button", "Create key")

    visit.wait_for_text("Check at least one box below Permissions.")
    assert "Nothing" == visit.value("Name")
    assert [] == visit.organization.newest("/auth/api-keys")
