"""The reference page in a browser, from the width of a desktop down to that of a phone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from keywright.errors import CATALOGUE
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.deployment import Deployment
    from tests.browser.webdriver import Browser

DESCRIPTION = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))
OPERATIONS = [(method.upper(), path) for path, methods in DESCRIPTION["paths"].items() for method in methods]
DESKTOP = (1280, 900)
PHONE = (390, 844)
NARROWEST = (320, 568)
"""WCAG 2.2, 1.4.10: content reflows down to 320 CSS pixels."""

SHOWN = """return [...document.querySelectorAll(".opblock-summary")].map((row) => [
    row.querySelector(".opblock-summary-method").textContent,
    row.querySelector(".opblock-summary-path").dataset.path])"""
DRAWN = "return document.querySelectorAll('.opblock-summary').length === arguments[0]"
ON_SCREEN = """const box = document.getElementById(arguments[0]).getBoundingClientRect();
    return box.top >= 0 && box.bottom <= innerHeight"""
TOO_WIDE = """return [...document.querySelectorAll("body *")].filter((element) =>
    !element.closest("[style*='display: none']") && element.getBoundingClientRect().right > innerWidth + 1
    && !element.closest("pre, .microlight, .highlight-code, .response-col_description, .opblock-body table, svg"))
    .slice(0, 5).map((element) => `${element.tagName}.${element.className}`)"""


UNREADABLE = """const parts = (color) => color.match(/[\\d.]+/g).map(Number);
    const light = ([red, green, blue]) => [red, green, blue].map((part) => part / 255)
      .map((part) => part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4)
      .reduce((sum, part, index) => sum + part * [.2126, .7152, .0722][index], 0);
    const behind = (element) => {
      for (; element; element = element.parentElement) {
        const color = parts(getComputedStyle(element).backgroundColor);
        if (color.length === 3) return color;
      }
      return [255, 255, 255];
    };
    return [...document.querySelectorAll("header *, #guide *, #errors *, .opblock-summary-description, .info p")]
      .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()))
      .filter((element) => {
        const ink = light(parts(getComputedStyle(element).color)), paper = light(behind(element));
        return (Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05) < 4.5;
      }).slice(0, 5).map((element) => `${element.tagName} ${element.textContent.slice(0, 40)}`)"""
"""WCAG 2.2, 1.4.3: a contrast of at least 4.5 to 1."""


@pytest.fixture
def page(browser: Browser, deployment: Deployment) -> Browser:
    """The page, loaded."""
    browser.open(f"{deployment.base_url}/docs")
    browser.wait_for(DRAWN, len(OPERATIONS))
    return browser


@dataclass(frozen=True, slots=True)
class Opened:
    """The page with every operation opened, and the browser's records of it.

    Attributes:
        shown: method and path of each operation.
        console: lines of the console.
        requested: addresses of all requests.
        too_wide: elements wider than the screen, by size of the screen.
        widths: width of the page, by size of the screen.
    """

    shown: list[tuple[str, str]]
    console: list[str]
    requested: list[str]
    too_wide: dict[tuple[int, int], list[str]]
    widths: dict[tuple[int, int], int]


@pytest.fixture(scope="module")
def opened(chromium: Browser, deployment: Deployment) -> Opened:
    """Open everything once: it is slow, and the tests below change nothing."""
    chromium.open("about:blank")
    chromium.resize(*DESKTOP)
    chromium.console()
    chromium.requested()
    chromium.open(f"{deployment.base_url}/docs")
    chromium.wait_for(DRAWN, len(OPERATIONS))
    chromium.run("for (const part of document.querySelectorAll('details')) part.open = true")
    shown = [(method, path) for method, path in chromium.run(SHOWN)]
    chromium.run(
        """for (const button of document.querySelectorAll(".opblock:not(.is-open) .opblock-summary-control"))
           button.click()"""
    )
    chromium.wait_for(
        "return document.querySelectorAll('.opblock .responses-table').length === arguments[0]", len(OPERATIONS)
    )
    console, requested = chromium.console(), chromium.requested()
    too_wide: dict[tuple[int, int], list[str]] = {}
    widths: dict[tuple[int, int], int] = {}
    for size in (PHONE, NARROWEST):
        chromium.resize(*size)
        too_wide[size] = chromium.run(TOO_WIDE)
        widths[size] = chromium.run("return document.documentElement.scrollWidth")
    return Opened(shown, console, requested, too_wide, widths)


def test_every_operation_is_there(opened: Opened) -> None:
    """The page shows every operation of the description and no other."""
    assert sorted(OPERATIONS) == sorted(opened.shown)


def test_the_console_is_empty(opened: Opened) -> None:
    """With every operation opened there is no error, no warning and no request refused by the page's policy."""
    assert [] == opened.console


def test_only_this_api_is_requested(opened: Opened, deployment: Deployment) -> None:
    """The browser requests the page and the description, both from this API, and nothing else."""
    asked = [url for url in opened.requested if not url.startswith(("data:", "about:"))]

    assert [f"{deployment.base_url}/docs", f"{deployment.base_url}/openapi.json"] == asked


@pytest.mark.parametrize("size", [PHONE, NARROWEST], ids=str)
def test_it_can_be_read_on_a_phone(opened: Opened, size: tuple[int, int]) -> None:
    """With every operation opened nothing is wider than the screen; code and tables scroll on their own."""
    assert [] == opened.too_wide[size]
    assert opened.widths[size] <= size[0]


def test_the_session_token_comes_first(page: Browser) -> None:
    """Authorize asks for the session token first, and the cursor is there; there is no field for an AWS signature."""
    page.click("button.authorize")
    page.wait_for("return document.activeElement === document.querySelector('.auth-container input')")

    assert [("bearerAuth", True), ("apiKey", False)] == [
        (name, focus)
        for name, focus in page.run(
            """return [...document.querySelectorAll(".auth-container")].map((part) => [
                part.querySelector("h4 code").textContent, part.contains(document.activeElement)])"""
        )
    ]


def test_verifying_is_a_call_of_a_backend(page: Browser) -> None:
    """Only operations that need an AWS signature cannot be tried out; they show the command of a backend instead."""
    page.run(
        """for (const button of document.querySelectorAll(".opblock:not(.is-open) .opblock-summary-control"))
           button.click()"""
    )
    page.wait_for(
        "return document.querySelectorAll('.opblock .responses-table').length === arguments[0]", len(OPERATIONS)
    )
    without = page.run(
        """return [...document.querySelectorAll(".opblock")].filter((block) => !block.querySelector(".try-out__btn"))
           .map((block) => block.id)"""
    )

    assert ["operations-API_Keys-verify_api_key", "operations-API_Keys-verify_api_keys"] == without
    for operation in without:
        assert "--aws-sigv4" in page.run("return document.getElementById(arguments[0]).textContent", operation)


def test_the_colors_are_those_that_the_reader_prefers(page: Browser) -> None:
    """Dark colors are used if the reader prefers them, also when that changes; text is readable in both."""
    for scheme in ("dark", "light"):
        page.prefer(scheme)
        page.wait_for(
            "return document.documentElement.classList.contains('dark-mode') === arguments[0]", scheme == "dark"
        )

        assert [] == page.run(UNREADABLE)


@pytest.mark.parametrize("code", [next(iter(CATALOGUE)), list(CATALOGUE)[-1]])
def test_the_link_of_an_error_opens_at_its_entry(browser: Browser, deployment: Deployment, code: str) -> None:
    """On a first visit the linked entry is on the screen once the operations are drawn."""
    browser.open(f"{deployment.base_url}/docs#{code}")
    browser.wait_for(DRAWN, len(OPERATIONS))

    browser.wait_for(ON_SCREEN, code)
    assert code == browser.run("return document.querySelector('article:target').id")


def test_the_link_of_every_error_leads_to_its_entry(page: Browser) -> None:
    """From anywhere on the page, the linked entry is on the screen, is highlighted and shows the hint."""
    for code, error in CATALOGUE.items():
        page.run("location.hash = arguments[0]", code)

        page.wait_for(ON_SCREEN, code)
        assert code == page.run("return document.querySelector('article:target').id")
        assert error.hint in page.run("return document.getElementById(arguments[0]).textContent", code)


def test_the_link_in_a_refusal_opens_its_entry(browser: Browser, deployment: Deployment) -> None:
    """The link in a refusal opens the entry of its code."""
    docs = deployment.create(persona="member").json()["error"]["docs"]

    browser.open(docs)

    assert "FORBIDDEN" == browser.wait_for("return document.querySelector('article:target')?.id")


def test_an_operation_can_be_tried_out(page: Browser, deployment: Deployment) -> None:
    """With a pasted token, the example of creating a key creates one."""
    page.click("button.authorize")
    page.type(".auth-container input", deployment.tokens["admin"])
    page.click(".auth-container button.authorize")
    page.click(".auth-container button.btn-done")
    page.click("#operations-API_Keys-create_api_key .opblock-summary-control")
    page.click("#operations-API_Keys-create_api_key .try-out__btn")
    page.click("#operations-API_Keys-create_api_key .execute")
    answer = page.wait_for("return document.querySelector('.live-responses-table pre code')?.textContent")

    created = json.loads(answer)["data"]
    assert "Nightly import" == deployment.get_key(created["id"])["name"]
    assert [] == page.console()


def test_pictures(page: Browser, request: pytest.FixtureRequest) -> None:
    """`--pictures DIRECTORY` saves screenshots of the page."""
    pictures = {"desktop": page.screenshot()}
    page.prefer("dark")
    pictures["dark"] = page.screenshot()
    page.prefer("light")
    page.resize(*PHONE)
    pictures["phone"] = page.screenshot()
    directory: Path | None = request.config.getoption("--pictures")
    for name, content in pictures.items():
        assert content.startswith(b"\x89PNG")
        if directory is not None:
            (directory / f"reference-{name}.png").write_bytes(content)
