"""The tools of the tests of pages find what is there, through shadow roots, and what is wrong with it."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from keywright.errors import CONFLICT, TOO_MANY_REQUESTS
from tests.browser import accessibility
from tests.browser.faults import failing, refusal
from tests.browser.screen import Screen
from tests.support import network_faults
from tests.support.fault_proxy import FaultProxy

if TYPE_CHECKING:
    from tests.api.deployment import Deployment
    from tests.browser.webdriver import Browser

PAGE = """<!doctype html><html lang="en"><title>Sample</title><main><h1>Sample</h1><button id="outside">Open</button>
<div id="host"></div></main><script>
host.attachShadow({ mode: "open" }).innerHTML = `
  <style>small { color: #bbb; background: #fff }</style>
  <dialog aria-label="New"><form method="dialog"><label>Name <input></label><label>Until <input type="date"></label>
  <label>Kind <select><option>One</option><option>Two</option></select></label>
  <label><input type="checkbox"> Read</label><button>Save it</button></form></dialog><small>Faint</small>`;
outside.onclick = () => host.shadowRoot.querySelector("dialog").showModal();
</script>"""


@pytest.fixture
def screen(browser: Browser) -> Screen:
    """A page with a dialog in a shadow root, opened."""
    browser.open(f"data:text/html,{quote(PAGE)}")
    screen = Screen(browser)
    screen.click("button", "Open")
    return screen.part("dialog", "New")


def test_fields_in_a_shadow_root_are_filled_by_their_labels(screen: Screen) -> None:
    """Texts, dates, lists and check boxes are found by their labels and take a value."""
    screen.fill("Name", "first")
    screen.fill("Name", "second")
    screen.set("Until", "2027-01-31")
    screen.choose("Kind", "Two")
    screen.tick("Read")

    assert ["second", "2027-01-31", "Two", True] == [screen.value(label) for label in ("Name", "Until", "Kind", "Read")]


def test_only_a_modal_dialog_is_there_while_it_is_open(screen: Screen) -> None:
    """Elements behind a modal dialog are hidden, as from assistive technology; Escape brings them back."""
    page = Screen(screen.browser)

    assert page.shows("button", "Save …")
    assert not page.shows("button", "Open")
    screen.browser.press("Escape")
    page.wait_gone("dialog")
    assert page.shows("button", "Open")
    assert ("button", "Open") == page.focused()


def test_the_keyboard_reaches_a_shadow_root(screen: Screen) -> None:
    """Tab leads through the fields, and the focused element is the innermost one."""
    assert ("textbox", "Name") == screen.focused()
    screen.tab_to("button", "Save it")
    screen.browser.press("Enter")
    Screen(screen.browser).wait_gone("dialog")


def test_a_barrier_in_a_shadow_root_is_found(screen: Screen) -> None:
    """Text of little contrast inside of a shadow root is a violation."""
    screen.browser.press("Escape")

    (violation,) = accessibility.violations(screen.browser)
    assert violation.startswith("color-contrast: #host small")


def test_what_is_too_wide_in_a_shadow_root_is_found(screen: Screen) -> None:
    """An element in a shadow root that is wider than the screen is found."""
    assert [] == accessibility.too_wide(screen.browser)
    screen.browser.run("host.shadowRoot.querySelector('small').style = 'display: block; width: 4000px'")

    assert accessibility.too_wide(screen.browser)


def test_what_a_page_keeps_is_found(browser: Browser, deployment: Deployment) -> None:
    """Texts are found in fields of shadow roots, in storage, in the history, in databases and in the address."""
    browser.open(f"{deployment.base_url}/openapi.json")
    browser.run(
        """document.body.attachShadow({ mode: "open" }).innerHTML = "<input>";
        document.body.shadowRoot.firstChild.value = "in-a-field";
        sessionStorage.setItem("a", "in-the-session");
        localStorage.setItem("a", "in-the-origin");
        history.pushState("in-the-state", "", "#in-the-address");
        return new Promise((resolve) => { indexedDB.open("in-a-database").onsuccess = resolve; }).then(() => 0)"""
    )

    kept = json.dumps(Screen(browser).kept())
    places = ("in-a-field", "in-the-session", "in-the-origin", "in-the-state", "in-the-address", "in-a-database")
    assert [] == [place for place in places if place not in kept]


def test_a_new_tab_has_no_history_and_no_session(browser: Browser, deployment: Deployment) -> None:
    """The storage of the tab, its cookies and its history are gone."""
    browser.open(f"{deployment.base_url}/openapi.json")
    browser.run("sessionStorage.setItem('a', 'of-the-tab'); document.cookie = 'a=of-the-origin'")
    browser.begin_anew()
    browser.open(f"{deployment.base_url}/openapi.json")

    kept = Screen(browser).kept()
    assert "{}" == kept["sessionStorage"]
    assert "" == kept["cookies"]
    assert f"about:blank\n{deployment.base_url}/openapi.json" == kept["history"].replace("data:,", "about:blank")


def test_what_was_copied_and_downloaded_is_read(browser: Browser, deployment: Deployment) -> None:
    """The clipboard is read, and files that were downloaded are found."""
    browser.open(f"{deployment.base_url}/openapi.json")
    browser.run(
        """const link = Object.assign(document.createElement("a"), { download: "sample.env" });
        link.href = URL.createObjectURL(new Blob(["A=1"]));
        document.body.innerHTML = "<button>Copy</button>";
        document.body.firstChild.onclick = () => {
          link.click();
          navigator.clipboard.writeText("copied").then(() => document.body.replaceChildren());
        };"""
    )
    Screen(browser).click("button", "Copy")
    Screen(browser).wait_gone("button")

    assert "copied" == browser.clipboard()
    assert "A=1" == browser.downloaded("sample.env")


def test_a_browser_that_is_offline_gets_no_answer(browser: Browser, deployment: Deployment) -> None:
    """While the browser is offline, requests fail at once."""
    browser.open(f"{deployment.base_url}/docs")
    asked = "return fetch('openapi.json', { cache: 'no-store' }).then(({ status }) => status, () => 'offline')"
    browser.set_offline(True)
    assert "offline" == browser.run(asked)
    browser.set_offline(False)
    assert 200 == browser.run(asked)


def test_the_service_fails_as_it_is_told(deployment: Deployment) -> None:
    """A refusal comes in the service's envelope with its headers, or no answer comes; other requests pass."""
    base_url = deployment.base_url
    with closing(FaultProxy(base_url)) as proxy:
        address = base_url.replace(base_url.split("/v1")[0], proxy.url)
        with failing(proxy, "POST", "/auth/api-keys", refusal(TOO_MANY_REQUESTS, address)) as requests:
            answer = deployment.client.post(f"{address}/auth/api-keys", headers={"idempotency-key": "one"})
            assert 200 == deployment.client.get(f"{address}/openapi.json").status_code
        assert ["one"] == [request.header("idempotency-key") for request in requests]
        assert 429 == answer.status_code
        assert "1" == answer.headers["retry-after"]
        assert f"{address}/docs#TOO_MANY_REQUESTS" == answer.json()["error"]["docs"]
        with (
            failing(proxy, "GET", "/openapi.json", network_faults.lost_answer),
            pytest.raises(Exception, match="disconnected"),
        ):
            deployment.client.get(f"{address}/openapi.json")
        with failing(proxy, "GET", "/openapi.json", refusal(CONFLICT, address)):
            assert 409 == deployment.client.get(f"{address}/openapi.json?x=1").status_code
        assert 200 == deployment.client.get(f"{address}/openapi.json").status_code
