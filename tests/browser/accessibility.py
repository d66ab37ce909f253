"""Barriers on a page, found by axe-core (axe/README.md): WCAG 2.2 A and AA, and its best practices."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.browser.webdriver import Browser

_AXE = Path(__file__).parent / "axe" / "axe.min.js.gz"
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_RUN = """return axe.run(document, {
    runOnly: { type: "tag", values: arguments[0] },
    resultTypes: ["violations"],
    preload: false,
  }).then(({ violations }) => violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, html, failureSummary: why }) => `${id}: ${target.flat().join(" ")} ${html}\\n${why}`)))"""
_WIDER = """const wide = [];
    const look = (root) => {
      for (const element of root.querySelectorAll("*")) {
        const box = element.getBoundingClientRect();
        if (box.width && box.right > document.documentElement.clientWidth + 1 && !scrolls(element)) {
          wide.push(`${element.tagName}.${element.className} ${element.textContent.trim().slice(0, 40)}`);
        }
        if (element.shadowRoot) look(element.shadowRoot);
      }
    };
    const scrolls = (element) => {
      for (; element; element = element.parentElement ?? element.getRootNode().host) {
        if (element !== document.documentElement && ["auto", "scroll"].includes(getComputedStyle(element).overflowX)) {
          return true;
        }
      }
      return false;
    };
    look(document);
    const page = document.documentElement.scrollWidth;
    if (page > innerWidth) wide.push(`the page: ${page}`);
    return wide.slice(0, 8);"""

_BROKEN = """const broken = new Set();
    const look = (root) => {
      for (const element of root.querySelectorAll("*")) {
        if (element.shadowRoot) look(element.shadowRoot);
        if (element.getBoundingClientRect().width < 8 || element.matches("code, option")) continue;
        for (const node of element.childNodes) {
          if (node.nodeType !== Node.TEXT_NODE) continue;
          for (const { 0: word, index } of node.data.matchAll(/\\S+/g)) {
            const range = document.createRange();
            range.setStart(node, index);
            range.setEnd(node, index + word.length);
            const lines = new Set([...range.getClientRects()].map(({ top }) => Math.round(top)));
            if (word.length <= arguments[0] && lines.size > 1 && !/[-/]/.test(word)) broken.add(word);
          }
        }
      }
    };
    look(document);
    return [...broken];"""
_LONGEST_WORD = 16


def violations(browser: Browser) -> list[str]:
    """Return what breaks a rule, with the place and the reason; through shadow roots."""
    if not browser.run("return 'axe' in window"):
        browser.run(gzip.decompress(_AXE.read_bytes()).decode())
    barriers: list[Any] = browser.run(_RUN, _RULES)
    return [str(barrier) for barrier in barriers]


def too_wide(browser: Browser) -> list[str]:
    """Return what needs horizontal scrolling, without what scrolls by itself (WCAG 2.2, 1.4.10)."""
    wide: list[str] = browser.run(_WIDER)
    return wide


def broken_words(browser: Browser) -> list[str]:
    """Return short words that are cut by the end of a line."""
    words: list[str] = browser.run(_BROKEN, _LONGEST_WORD)
    return words
