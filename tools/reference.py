"""Parts of the reference page, from docs/using.md and docs/errors.md; `make generate` writes them."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

from keywright.errors import CATALOGUE

if TYPE_CHECKING:
    from keywright.errors import ErrorType

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "using.md"
ERRORS = ROOT / "docs" / "errors.md"
GUIDE_HTML = ROOT / "functions" / "get_reference" / "guide.html"
ERRORS_HTML = ROOT / "functions" / "get_reference" / "errors.html"

_ENTRY = re.compile(r"(?<=^## )(\w+)\n.*?(?=^\| cause)", re.DOTALL | re.MULTILINE)
_SECTION = re.compile(r"^## (.+)\n", re.MULTILINE)
_COMMENT = re.compile(r"^<!--.*?-->\n", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[([^\]]*)\]\(([^)]+)\)")
_SERVED = {"openapi.json": "openapi.json"}
"""The files of docs that a deployment serves beside the page."""


def with_entries(page: str) -> str:
    """Return docs/errors.md with the status, message and hint of every code."""
    return _ENTRY.sub(lambda match: f"{match[1]}\n\n{_head(CATALOGUE[match[1]])}\n\n", page)


def _head(error: ErrorType) -> str:
    return f"{error.status}. {error.message}.\n{error.hint}".replace("<", "\\<")


def guide(text: str) -> str:
    """Return the guide as HTML: its beginning, and one part to open for each section but that of errors."""
    beginning, sections = _sections(text)
    _, _, responses = beginning.split("\n\n", 2)  # the page has a title and an introduction
    return _html(responses) + "".join(
        f"<details><summary>{html.escape(title)}</summary>\n"
        f'<div id="{_anchor(title)}">\n{_html(content)}</div></details>\n'
        for title, content in sections
        if title != "Errors"
    )


def errors(text: str) -> str:
    """Return the causes and remedies of every code as HTML, each under its code."""
    beginning, sections = _sections(text)
    return _html(beginning.partition("\n")[2]) + "".join(_entry(CATALOGUE[code], content) for code, content in sections)


def _entry(error: ErrorType, content: str) -> str:
    without_status = content.replace(f"{error.status}. ", "", 1)
    return (
        f'<article id="{error.code}" tabindex="-1">'
        f'<h3><a href="#{error.code}">{error.code}</a> <span>{error.status}</span></h3>\n'
        f"{_html(without_status)}</article>\n"
    )


def _sections(text: str) -> tuple[str, list[tuple[str, str]]]:
    """Return what is before the first section, and the title and content of each section."""
    beginning, *sections = _SECTION.split(_COMMENT.sub("", text))
    return beginning, list(zip(sections[::2], sections[1::2], strict=True))


def _html(text: str) -> str:
    return str(MarkdownIt("commonmark", {"html": False}).enable("table").render(_LINK.sub(_link, text)))


def _link(match: re.Match[str]) -> str:
    """Return a link that leads somewhere on the page, or else its text: the page has no other documents."""
    text, target = match[1], match[2]
    file, _, anchor = target.partition("#")
    if file in _SERVED:
        return f"[{text}]({_SERVED[file]})"
    if file in {"", GUIDE.name} and anchor:
        return f"[{text}](#{anchor})"
    if file == ERRORS.name:
        return f"[{text}](#{anchor.upper() or 'errors'})"
    return text


def _anchor(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
