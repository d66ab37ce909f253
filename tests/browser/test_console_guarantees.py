"""The console when answers are late, lost or refused, addresses are odd, and names are unusual."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING

from keywright.errors import SERVICE_UNAVAILABLE, SESSION_EXPIRED
from tests.api.deployment import AUDIT_LOGS, CANCEL_DELETE, CREATE, KEY, LEAKS, ROTATE, data
from tests.browser import faults
from tests.browser.webdriver import wait
from tests.support import network_faults
from tests.support.fault_proxy import passed_on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser.console import Visit
    from tests.support.fault_proxy import Exchange
    from tests.support.network_faults import Fault

CURRENT_ORGANIZATION = "/auth/orgs/current"
ORGANIZATION_NAME = "Example organization"
LONGEST_HOLD_SECONDS = 20
ESCAPE = {"key": "Escape", "code": "Escape", "windowsVirtualKeyCode": 27}
OUTSIDE_THE_BMP = "\U0001d4b3"

NO_ROTATION = """const real = window.fetch;
    window.renewals = 0;
    window.fetch = async (url, options) => {
      const name = new URL(url).pathname.split("/").at(-1);
      if (name === "revoke") sessionStorage.setItem("revoked", options.body.get("token") === window.used);
      const response = await real(url, options);
      if (name !== "token") return response;
      window.renewals += 1;
      window.used = options.body.get("refresh_token");
      return Response.json({ ...(await response.json()), refresh_token: undefined });
    };"""
"""Makes the identity provider one that does not replace a refresh token that is used."""
NO_PROVIDER = """const real = window.fetch;
    window.fetch = (url, ...rest) =>
      new URL(url).pathname.endsWith("/token") ? Promise.reject(new TypeError("no network")) : real(url, ...rest);
    window.reconnect = () => { window.fetch = real; };"""
LISTEN = """window.heard = [];
    for (const name of ["key-updated", "error"]) {
      document.addEventListener(`keywright-${name}`, ({ type }) => window.heard.push(type));
    }"""


def go(visit: Visit, place: str) -> None:
    """Go to a place, as a link does."""
    visit.browser.run("location.hash = arguments[0]", place)


def begin_create(visit: Visit, name: str) -> None:
    """Fill in the form for a key and send it."""
    visit.fill("Name", name)
    visit.tick("sessions:read")
    visit.click("button", "Create key")


@contextmanager
def holding(visit: Visit, method: str, path: str) -> Iterator[list[Exchange]]:
    """Hold back the answers to requests until the context ends; yield the requests."""
    release = Event()

    def fault(exchange: Exchange) -> None:
        reply = exchange.forward()
        release.wait(LONGEST_HOLD_SECONDS)
        exchange.answer(reply)

    with visit.failing(method, path, fault) as requests:
        try:
            yield requests
        finally:
            release.set()


def refusing_first_token(visit: Visit, release: Event | None = None) -> Fault:
    """Refuse the session token of the first request from then on; to POST requests only once they are released."""
    refuse = faults.refusal(SESSION_EXPIRED, visit.console.base_url)
    tokens: list[str] = []

    def fault(exchange: Exchange) -> None:
        token = exchange.header("authorization")
        if token:
            tokens.append(token)
        if token is None or token != tokens[0]:
            return passed_on(exchange)
        if release is not None and exchange.method == "POST":
            release.wait(LONGEST_HOLD_SECONDS)
        return refuse(exchange)

    return fault


def test_a_rotation_repeated_in_a_new_dialog_happens_once(visit: Visit) -> None:
    """After a lost answer the dialog repeats the request as it was: the grace period stays, and cannot be changed."""
    made = visit.organization.create_key()
    visit.open(f"/keys/{made['id']}")
    visit.click("button", "Rotate")
    visit.choose("The previous secret", "It works for another day")
    with visit.failing("POST", ROTATE, network_faults.lost_answer) as lost:
        visit.part("dialog").click("button", "Rotate")
        visit.wait_for_text("The service does not answer")
    visit.part("dialog").click("button", "Cancel")
    visit.wait_gone("dialog")
    visit.click("button", "Rotate")
    visit.wait_for_text("The last attempt may have succeeded.")
    assert "86400" == visit.value("The previous secret")
    fields = visit.part("dialog").all("field")
    assert [True, True] == [visit.browser.run("return arguments[0].disabled", field) for field in fields]
    with visit.failing("POST", ROTATE, passed_on) as repeated:
        visit.part("dialog").click("button", "Rotate")
        text = visit.shown_text()

    assert 1 == len({request.header("idempotency-key") for request in lost + repeated})
    assert ["VALID", "VALID"] == [visit.organization.outcome(key) for key in (text, made["key"])]


def test_an_odd_address_breaks_no_view(visit: Visit) -> None:
    """Values that are no times are refused or ignored, and links lead on."""
    visit.organization.create_key(name="sample")
    visit.refused.append(AUDIT_LOGS)
    visit.open("/audit-log?from=garbage")
    visit.find("alert")
    visit.find("field", "Event")
    go(visit, "/keys?expires=toString")
    visit.find("link", "sample")
    visit.click("link", "Organization")

    visit.wait_for_text("Your role admin")


def test_a_failed_renewal_does_not_end_the_session(visit: Visit) -> None:
    """While the identity provider does not answer, requests fail and say so; afterwards they work without a sign-in."""
    visit.open("/keys/new")
    visit.browser.run(NO_PROVIDER)
    with visit.failing("POST", CREATE, refusing_first_token(visit)):
        begin_create(visit, "sample")
        visit.wait_for_text("The identity provider does not answer.")
        assert "Your session has ended" not in visit.text()
        visit.browser.run("window.reconnect()")
        visit.click("button", "Create key")

        assert "VALID" == visit.organization.outcome(visit.shown_text())


def test_two_texts_that_come_late_are_shown_one_after_the_other(visit: Visit) -> None:
    """Neither of two keys, whose answers come after the form was left, is lost."""
    visit.open("/keys/new")
    with holding(visit, "POST", CREATE):
        begin_create(visit, "first")
        go(visit, "/keys")
        visit.find("heading", "API keys")
        go(visit, "/keys/new")
        begin_create(visit, "second")
    texts = [visit.shown_text()]
    visit.click("button", "Done")
    visit.click("button", "I have stored it")
    texts.append(visit.shown_text())

    assert 2 == len(set(texts))
    assert ["VALID", "VALID"] == [visit.organization.outcome(text) for text in texts]


def test_a_slow_save_does_not_change_the_view(visit: Visit) -> None:
    """A user who went elsewhere while a form was saved stays there."""
    made = visit.organization.create_key(name="sample")
    visit.open(f"/keys/{made['id']}/edit")
    visit.fill("Name", "renamed")
    visit.browser.run(LISTEN)
    with holding(visit, "PATCH", KEY):
        visit.click("button", "Save")
        visit.click("link", "Organization")
        visit.find("heading", "Organization")
    visit.browser.wait_for("return window.heard.length")
    visit.find("heading", "Organization")

    assert "/organization" == visit.place()


def test_a_rotation_under_way_is_not_called_repeated(visit: Visit) -> None:
    """While the first request runs, the dialog does not say that an earlier one may have succeeded."""
    made = visit.organization.create_key()
    visit.open(f"/keys/{made['id']}")
    visit.click("button", "Rotate")
    with holding(visit, "POST", ROTATE) as requests:
        visit.part("dialog").click("button", "Rotate")
        wait(lambda: requests, "the request")
        assert "may have succeeded" not in visit.text()

    visit.shown_text()


def test_the_deletion_of_an_unnamed_organization_is_scheduled(visit: Visit) -> None:
    """An organization whose name is not known yet is deleted by typing its id."""
    organization = visit.console.organization(name=None)
    unnamed = replace(visit, organization=organization)
    unnamed.open("/organization", role="owner")
    unnamed.wait_for_text("not known yet")
    unnamed.click("button", "Schedule the deletion")
    dialog = unnamed.part("dialog")
    dialog.fill("Type the id of the organization: …", organization.organization_id)
    dialog.click("button", "Schedule the deletion")

    unnamed.find("button", "Cancel the deletion")


def test_text_typed_while_the_audit_log_loads_stays(visit: Visit) -> None:
    """The filters are there before the log is, and its answer does not empty them."""
    visit.organization.create_key()
    with holding(visit, "GET", AUDIT_LOGS):
        visit.open("/audit-log")
        visit.fill("Key, member or organization (id)", "abc")
        assert not visit.shows("table")
    visit.find("table")

    assert "abc" == visit.value("Key, member or organization (id)")


def test_a_time_is_typed_by_keyboard(visit: Visit) -> None:
    """The filter takes effect once, when the field is left, not with the first digit of the year."""
    visit.open("/audit-log?from=2024-01-02T03:04:00Z")
    visit.wait_for_text("No record matches.")
    before, shown = visit.browser.history(), visit.value("From …")
    visit.browser.run("arguments[0].focus()", visit.field("From …"))
    visit.browser.press("Tab", "Tab", *"2035", "Shift+Tab", "Shift+Tab", "Shift+Tab")
    visit.wait_until(lambda: visit.place().startswith("/audit-log?from=2035-01-02"))

    assert len(before) + 1 == len(visit.browser.history())
    assert shown.replace("2024", "2035") == visit.value("From …")


def test_a_limit_that_was_removed_meanwhile_breaks_nothing(visit: Visit) -> None:
    """A key whose limits another person removed while it was shown can be disabled, and its view is whole."""
    made = visit.organization.create_key(
        rateLimit={"limit": 100, "windowSeconds": 60}, quota={"limit": 9, "period": "day"}
    )
    visit.open(f"/keys/{made['id']}")
    visit.wait_for_text("100 left now.")
    data(visit.organization.update(made["id"], {"rateLimit": None, "quota": None}))
    with holding(visit, "GET", "/auth/api-keys/{id}/usage"):
        visit.click("button", "Disable")
        visit.part("dialog").click("button", "Disable")
        visit.find("button", "Enable")
        visit.wait_for_text("Rate limit none Quota none", "0 uses from")
    visit.wait_until(lambda: not visit.shows("meter"))

    visit.wait_for_text("Details", "0 uses from")


def test_two_refused_requests_cost_one_renewal(visit: Visit) -> None:
    """A token that is refused twice is renewed once: a provider may let a refresh token be used once."""
    visit.open("/keys/new")
    visit.browser.run(NO_ROTATION)
    visit.refused.append(CREATE)
    release = Event()
    with visit.console.proxy.inflicting(refusing_first_token(visit, release)):
        try:
            begin_create(visit, "sample")
            go(visit, "/keys")
            visit.wait_for_text("There are no API keys yet.")
        finally:
            release.set()
        text = visit.shown_text()

    assert 1 == visit.browser.run("return window.renewals")
    assert "VALID" == visit.organization.outcome(text)


def test_signing_out_revokes_a_token_that_was_not_replaced(visit: Visit) -> None:
    """A refresh token that was used and not replaced still works, so signing out ends it."""
    visit.open()
    visit.wait_for_text("There are no API keys yet.")
    visit.browser.run(NO_ROTATION)
    with visit.failing("GET", CREATE, faults.once(faults.refusal(SESSION_EXPIRED, visit.console.base_url))):
        visit.choose("State", "Enabled")
        visit.wait_for_text("No key matches these filters.")
    visit.click("button", "Sign out")
    visit.find("button", "Sign in")

    assert "true" == visit.browser.run("return sessionStorage.getItem('revoked')")


def test_a_key_is_deleted_by_typing_what_is_seen(visit: Visit) -> None:
    """Two spaces look like one, and an accent has two forms."""
    for name in ("two  spaces", "cafe\u0301"):
        visit.organization.create_key(name=name)
    visit.open()
    for seen in ("cafe\u0301", "two spaces"):
        visit.click("link", seen)
        visit.click("button", "Delete")
        visit.part("dialog").fill("Type the name of the key: …", seen.replace("e\u0301", "\u00e9"))
        visit.part("dialog").click("button", "Delete")
        visit.find("heading", "API keys")

    visit.wait_for_text("There are no API keys yet.")


def test_a_repeated_deletion_of_a_key_ends_well(visit: Visit) -> None:
    """After a lost answer the key may be gone; browsers repeat some requests themselves, and get the second answer."""

    def repeated(exchange: Exchange) -> None:
        exchange.forward()
        exchange.answer(exchange.forward())

    made = visit.organization.create_key(name="sample")
    visit.open(f"/keys/{made['id']}")
    visit.click("button", "Delete")
    visit.fill("Type the name of the key: sample", "sample")
    with visit.failing("DELETE", KEY, network_faults.lost_request):
        visit.part("dialog").click("button", "Delete")
        visit.wait_for_text("The service does not answer")
    with visit.failing("DELETE", KEY, repeated):
        visit.part("dialog").click("button", "Delete")

        visit.wait_for_text("There are no API keys yet.")


def test_a_deletion_ends_well_without_answers(visit: Visit) -> None:
    """After a deletion was scheduled, a failed answer can be loaded again, and a repeated request ends well."""
    visit.open("/organization", role="owner")
    visit.click("button", "Schedule the deletion")
    dialog = visit.part("dialog")
    dialog.fill("Type the name of the organization: …", ORGANIZATION_NAME)
    with visit.failing("GET", CURRENT_ORGANIZATION, faults.refusal(SERVICE_UNAVAILABLE, visit.console.base_url)):
        dialog.click("button", "Schedule the deletion")
        visit.wait_gone("dialog")
        visit.wait_for_text(SERVICE_UNAVAILABLE.message)
    visit.click("button", "Try again")
    visit.wait_for_text("This organization is scheduled for deletion.")
    assert not visit.shows("alert")

    def unanswered(exchange: Exchange) -> None:
        is_change = exchange.method == "POST"
        (network_faults.lost_answer if is_change else network_faults.lost_request)(exchange)

    visit.refused.append(CANCEL_DELETE)
    visit.click("button", "Cancel the deletion")
    with visit.console.proxy.inflicting(unanswered):
        visit.part("dialog").click("button", "Keep the organization")
        visit.part("dialog").find("alert")
    visit.part("dialog").click("button", "Keep the organization")
    visit.wait_gone("dialog")

    visit.find("button", "Schedule the deletion")
    assert not visit.shows("alert")


def test_a_search_that_is_typed_fast_shows_no_error(visit: Visit) -> None:
    """A request that was given up is no failure; one that failed is shown, and is an event."""
    visit.organization.create_key(name="sample")
    visit.open()
    visit.find("link", "sample")
    visit.browser.run(LISTEN)
    with holding(visit, "GET", CREATE) as requests:
        visit.fill("Search", "s")
        visit.wait_until(lambda: requests)
        visit.fill("Search", "sa")
        visit.wait_until(lambda: len(requests) == 2)
        assert not visit.shows("alert")
    visit.wait_for_text("1 of 1 keys match")
    assert [] == visit.browser.run("return window.heard")
    with visit.failing("GET", CREATE, faults.refusal(SERVICE_UNAVAILABLE, visit.console.base_url)):
        visit.fill("Search", "sam")
        visit.wait_for_text("The search has failed", SERVICE_UNAVAILABLE.message)

    assert ["keywright-error"] == visit.browser.run("return window.heard")


def test_the_focus_is_never_lost(visit: Visit) -> None:
    """A control that goes away when it is used leaves the focus at the heading, or at the next control."""
    for number in range(21):
        visit.organization.create_key(name=f"sample {number}")
    visit.open()
    visit.click("link", "Next page")
    visit.find("link", "sample 0")
    focused = [visit.focused()]
    visit.choose("State", "Disabled")
    visit.click("button", "Show all keys")
    visit.find("link", "sample 20")
    focused.append(visit.focused())
    with visit.failing("GET", CREATE, faults.refusal(SERVICE_UNAVAILABLE, visit.console.base_url)):
        visit.choose("State", "Enabled")
        visit.find("alert")
    visit.click("button", "Try again")
    visit.find("link", "sample 20")
    focused.append(visit.focused())
    leaked = visit.organization.create_key(name="leaked")
    data(visit.organization.request("POST", LEAKS, persona=None, json={"keys": [leaked["key"]]}))
    go(visit, f"/keys/{leaked['id']}")
    visit.click("button", "Dismiss the report")
    visit.part("dialog").click("button", "Dismiss")
    visit.wait_gone("dialog")
    visit.wait_gone("button", "Dismiss the report")
    focused.append(visit.focused())
    go(visit, "/audit-log?actor=operator")
    visit.click("button", "Clear filters")
    visit.wait_gone("button", "Clear filters")
    focused.append(visit.focused())
    go(visit, "/keys/new")
    visit.click("button", "Add a field")
    visit.click("button", "Remove this field")
    visit.wait_gone("button", "Remove this field")
    focused.append(visit.focused())

    headings = [("heading", name) for name in ("API keys", "API keys", "API keys", "leaked", "Audit log")]
    assert [*headings, ("button", "Add a field")] == focused


def test_a_frozen_organization_has_no_form(visit: Visit) -> None:
    """A link to the form for a key leads to the reason why there is none."""
    data(visit.organization.delete_organization())
    visit.open("/keys/new")

    visit.wait_for_text("This organization is scheduled for deletion.")
    assert not visit.shows("field", "Name")


def test_a_long_name_of_rare_characters_can_be_typed(visit: Visit) -> None:
    """A name has 120 characters, also of those that JavaScript counts as two."""
    name = OUTSIDE_THE_BMP * 120
    visit.open("/keys/new")
    visit.browser.run("arguments[0].focus()", visit.field("Name"))
    visit.browser.command("Input.insertText", text=name)
    visit.tick("sessions:read")
    visit.click("button", "Create key")
    visit.shown_text()

    assert [name] == [key["name"] for key in visit.organization.newest(CREATE)]


def test_escape_while_composing_closes_no_dialog(visit: Visit) -> None:
    """Escape ends what an input method composes; pressed again it closes the dialog."""
    made = visit.organization.create_key(name="sample")
    visit.open(f"/keys/{made['id']}")
    visit.click("button", "Delete")
    visit.browser.run("arguments[0].focus()", visit.part("dialog").field("Type the name of the key: …"))
    visit.browser.command("Input.imeSetComposition", text="sa", selectionStart=2, selectionEnd=2)
    visit.browser.command("Input.dispatchKeyEvent", type="rawKeyDown", **ESCAPE)
    visit.browser.command("Input.dispatchKeyEvent", type="keyUp", **ESCAPE)
    visit.browser.command("Input.insertText", text="sample")
    assert visit.shows("dialog")
    visit.browser.press("Escape")

    visit.wait_gone("dialog")
