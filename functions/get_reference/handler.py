"""GET /v1/docs: get the reference page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from keywright.api import documents
from keywright.api.endpoint import document

if TYPE_CHECKING:
    from keywright.api.documents import Page

HERE = Path(__file__).parent


@document("get_reference")
def handler(base_url: str) -> Page:
    """Return the reference as a web page, with every operation, which you can try out, and every error."""
    return documents.page(HERE, base_url)
