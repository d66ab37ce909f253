"""Programs in the pages of the clients, to be run as they are pasted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.clients.commands import StepFailed

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS = "https://abc123.execute-api.us-east-1.amazonaws.com/v1"
"""The address of the deployment in the pages, which is replaced by that of the service."""


def code_blocks(page: Path, language: str) -> list[str]:
    """Return the code blocks of a page in a language, in order.

    Raises:
        StepFailed: the page has none.
    """
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    if not blocks:
        raise StepFailed(f"{page.name} has no code in {language}")
    return blocks
