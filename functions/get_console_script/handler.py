"""GET /v1/console/keywright.js: get the script of the console."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from keywright.api import documents
from keywright.api.endpoint import document

if TYPE_CHECKING:
    from keywright.api.documents import Script

HERE = Path(__file__).parent


@document("get_console_script")
def handler(_base_url: str) -> Script:
    """Return the console's components as one JavaScript module, for the console and for pages that embed them."""
    return documents.script(HERE)
