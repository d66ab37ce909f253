"""Every view and dialog of the console: no barriers, no horizontal scrolling, nothing that moves while it loads."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from keywright import clock
from keywright.errors import SERVICE_UNAVAILABLE
from tests.api.deployment import CREATE, LEAKS, data
from tests.browser import accessibility, faults
from tests.browser import console as consoles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.browser.console import Console, Visit
    from tests.browser.webdriver import Browser

DESKTOP = (1280, 900)
PHONE = (390, 844)
NARROWEST = (320, 568)
"""WCAG 2.2, 1.4.10: content reflows down to 320 CSS pixels."""

MOVED = """return new Promise((resolve) => {
    const box = ({ x, y, width, height }) => [x, y, width, height].map(Math.round).join(" ");
    const places = ({ sources }) => sources.map(({ node, previousRect, currentRect }) =>
      `${node?.nodeName} ${node?.className} from ${box(previousRect)} to ${box(currentRect)}`);
    const entries = [];
    const observer = new PerformanceObserver((list) => entries.push(...list.getEntries()));
    observer.observe({ type: "layout-shift", buffered: true });
    if (!PerformanceObserver.supportedEntryTypes.includes("layout-shift")) throw new Error("not measured");
    // Buffered entries are delivered in a task after the next frame.
    requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => {
      entries.push(...observer.takeRecords());
      observer.disconnect();
      resolve(entries.filter(({ hadRecentInput }) => !hadRecentInput)
        .map((entry) => [entry.value, `at ${Math.round(entry.startTime)} ms: ${places(entry)}`]));
    }, 20)));
  })"""
"""Returns how far parts have moved without the reader's doing, and which (Layout Instability API)."""
LARGEST_SHIFT = 0.01
"""A tenth of what counts as good (web.dev, Cumulative Layout Shift)."""
SHOWN_AFTER = """return new Promise((resolve) => {
    new PerformanceObserver((list, observer) => {
      observer.disconnect();
      resolve(Math.max(...list.getEntries().map(({ startTime }) => startTime)));
    }).observe({ type: "largest-contentful-paint", buffered: true });
    setTimeout(() => resolve(null), 1000);
  })"""


@dataclass(slots=True)
class Seen:
    """A view or a dialog, and what was found on it.

    Attributes:
        barriers: by color scheme, and on the narrowest screen.
        too_wide: elements that need horizontal scrolling on the narrowest screen.
        broken: words that a line ends within, by width of the screen.
        moved: how far parts moved while it was loaded, and which.
        shown_after: milliseconds from the request of the page to its largest part; None if the browser does not say.
    """

    barriers: dict[str, list[str]] = field(default_factory=dict)
    too_wide: list[str] = field(default_factory=list)
    broken: dict[int, list[str]] = field(default_factory=dict)
    moved: list[tuple[float, str]] = field(default_factory=list)
    shown_after: float | None = None


def full_key(visit: Visit) -> str:
    """Make a key with everything that a view can show, and some records; return its id."""
    organization = visit.organization
    made = organization.create_key(
        name="Nightly import of the accounting department",
        permissions=["sessions:write", "reports:read"],
        expiresAt=(clock.now() + timedelta(days=9)).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        metadata={"plan": "pro", "seats": 12, "a_long_name_" + "x" * 40: "y" * 80},
        rateLimit={"limit": 100, "windowSeconds": 3600},
        quota={"limit": 3, "period": "day"},
        allowedIps=["192.0.2.1", "198.51.100.0/24", "2001:db8::/32"],
    )
    organization.create_key(name="Deployments")
    data(organization.update(organization.create_key(name="x" * 120)["id"], {"enabled": False, "reason": "other"}))
    organization.use({"key": made["key"], "clientIp": "192.0.2.1"})
    key = data(organization.rotate(made["id"], {"gracePeriodSeconds": 3600}))["key"]
    for _ in range(2):
        organization.use({"key": key, "clientIp": "192.0.2.1"})
    report = {"keys": [key], "url": "https://example.com/" + "pasted/" * 20}
    data(organization.request("POST", LEAKS, persona=None, json=report))
    identifier: str = made["id"]
    return identifier


def at(place: str, role: str = "admin") -> Callable[[Visit], None]:
    """Return a function that opens a place; ID is the id of a key."""

    def open_place(visit: Visit) -> None:
        visit.open(place.replace("ID", full_key(visit)), role=role)

    return open_place


def unknown(visit: Visit) -> None:
    """Open an organization whose name is not known yet."""
    replace(visit, organization=visit.console.organization(name=None)).open("/organization", role="owner")


def dialog(place: str, button: str, role: str = "admin") -> Callable[[Visit], None]:
    """Return a function that opens a dialog of a place."""

    def open_dialog(visit: Visit) -> None:
        at(place, role)(visit)
        visit.wait_loaded()
        visit.browser.click_element(visit.all("button", button)[0])
        visit.find("dialog")

    return open_dialog


def signed_out(visit: Visit) -> None:
    """Open the page without signing in."""
    visit.browser.open(visit.address("/keys"))
    visit.find("button", "Sign in")


def provider(visit: Visit) -> None:
    """Open the page of the development identity provider."""
    signed_out(visit)
    visit.click("button", "Sign in")
    visit.find("field", "Organization")


def embedded(visit: Visit) -> None:
    """Open the page of an application that embeds the keys."""
    full_key(visit)
    visit.console.application_tokens.update(visit.organization.tokens)
    visit.browser.open(visit.console.application)
    visit.click("button", "demo-admin")
    visit.find("button", "Deployments")


def empty(visit: Visit) -> None:
    """Open the list of an organization without keys."""
    visit.open()
    visit.wait_for_text("There are no API keys yet.")


def searched(visit: Visit) -> None:
    """Search in the list."""
    at("/keys")(visit)
    visit.fill("Search", "i")
    visit.wait_for_text("keys match")


def form(visit: Visit) -> None:
    """Open the form for a key with all of its fields."""
    visit.open("/keys/new")
    visit.choose("Expires", "At a time of your choice")
    visit.tick("sessions:write", "Limit how fast the key can be used", "Limit how often the key can be used")
    visit.click("button", "Add a field")
    visit.click("button", "Add a field")


def secret(visit: Visit) -> None:
    """Create a key."""
    visit.open("/keys/new")
    visit.fill("Name", "Nightly import")
    visit.tick("sessions:read")
    visit.click("button", "Create key")
    visit.shown_text()


def asked(visit: Visit) -> None:
    """Create a key, and begin to dismiss its text."""
    secret(visit)
    visit.click("button", "Done")
    visit.find("dialog", "Have you stored the key?")


def failed(visit: Visit) -> None:
    """Fail to load the list."""
    with visit.failing("GET", CREATE, faults.refusal(SERVICE_UNAVAILABLE, visit.console.base_url)):
        visit.open()
        visit.find("alert")


def failed_dialog(visit: Visit) -> None:
    """Fail in a dialog."""
    dialog("/keys/ID", "Enable")(visit)
    with visit.failing("PATCH", "/auth/api-keys/{id}", faults.refusal(SERVICE_UNAVAILABLE, visit.console.base_url)):
        visit.part("dialog").click("button", "Enable")
        visit.find("alert")


def frozen(visit: Visit) -> None:
    """Open the list of an organization that is scheduled for deletion."""
    full_key(visit)
    data(visit.organization.delete_organization())
    visit.open(role="owner")
    visit.wait_for_text("scheduled for deletion")


def canceling(visit: Visit) -> None:
    """Open the dialog that cancels a deletion."""
    data(visit.organization.delete_organization())
    visit.open("/organization", role="owner")
    visit.click("button", "Cancel the deletion")
    visit.find("dialog")


VIEWS: dict[str, Callable[[Visit], None]] = {
    "signed-out": signed_out,
    "keys": at("/keys"),
    "keys-empty": empty,
    "keys-failed": failed,
    "key": at("/keys/ID"),
    "key-create": at("/keys/new"),
    "key-edit": at("/keys/ID/edit"),
    "audit-log": at("/audit-log"),
    "organization": at("/organization"),
    "organization-unknown": unknown,
    "not-allowed": at("/keys", role="member"),
    "frozen": frozen,
}
USED: dict[str, Callable[[Visit], None]] = {
    "provider": provider,
    "embedded": embedded,
    "keys-searched": searched,
    "key-create-filled": form,
    "dialog-secret": secret,
    "dialog-asked": asked,
    "dialog-rotate": dialog("/keys/ID", "Rotate"),
    "dialog-enable": dialog("/keys/ID", "Enable"),
    "dialog-dismiss": dialog("/keys/ID", "Dismiss the report"),
    "dialog-delete": dialog("/keys/ID", "Delete"),
    "dialog-failed": failed_dialog,
    "dialog-schedule": dialog("/organization", "Schedule the deletion", role="owner"),
    "dialog-cancel": canceling,
}


@pytest.fixture(scope="module")
def seen(request: pytest.FixtureRequest, chromium: Browser, console: Console) -> Iterator[Seen]:
    """A view as it is loaded, or as it is used, looked at in all ways at once: to open it takes longer."""
    pictures: Path | None = request.config.getoption("--pictures")
    with consoles.visiting(chromium, console, console.organization()) as visit:
        chromium.resize(*DESKTOP)
        (VIEWS | USED)[request.param](visit)
        visit.wait_loaded()
        seen = Seen(moved=chromium.run(MOVED), shown_after=chromium.run(SHOWN_AFTER) if pictures else None)
        seen.broken[DESKTOP[0]] = accessibility.broken_words(chromium)
        for scheme in ("dark", "light"):
            chromium.prefer(scheme)
            seen.barriers[scheme] = accessibility.violations(chromium)
            _save(pictures, chromium, f"console-{request.param}-{scheme}")
        if pictures:
            chromium.resize(*PHONE)
            _save(pictures, chromium, f"console-{request.param}-phone")
        chromium.resize(*NARROWEST)
        seen.broken[NARROWEST[0]] = accessibility.broken_words(chromium)
        seen.too_wide = accessibility.too_wide(chromium)
        seen.barriers["narrow"] = accessibility.violations(chromium)
        yield seen
    if seen.shown_after is not None:
        request.config.stash[consoles.TIMES][request.param] = seen.shown_after


def _save(pictures: Path | None, browser: Browser, name: str) -> None:
    if pictures is not None:
        is_dialog = "-dialog-" in name  # in the middle of the screen, not of the page
        (pictures / f"{name}.png").write_bytes(browser.screenshot() if is_dialog else browser.picture())


@pytest.mark.parametrize("seen", VIEWS | USED, indirect=True)
def test_there_are_no_barriers(seen: Seen) -> None:
    """In light and dark colors and on a narrow screen, nothing breaks a rule of WCAG 2.2 AA that can be computed."""
    none: dict[str, Any] = {"dark": [], "light": [], "narrow": []}

    assert none == seen.barriers


@pytest.mark.parametrize("seen", VIEWS | USED, indirect=True)
def test_nothing_scrolls_sideways_on_a_narrow_screen(seen: Seen) -> None:
    """At 320 pixels, everything fits or scrolls inside of a part that is made for it."""
    assert [] == seen.too_wide


@pytest.mark.parametrize("seen", VIEWS | USED, indirect=True)
def test_words_stay_in_one_piece(seen: Seen) -> None:
    """No line ends within a word of ordinary length, on a desktop and on a narrow screen."""
    assert {DESKTOP[0]: [], NARROWEST[0]: []} == seen.broken


@pytest.mark.parametrize("seen", VIEWS, indirect=True)
def test_nothing_moves_while_it_loads(seen: Seen) -> None:
    """From the first paint to the whole view, its parts stay where they are."""
    assert sum(far for far, _ in seen.moved) < LARGEST_SHIFT, seen.moved
