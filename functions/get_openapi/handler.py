"""GET /v1/openapi.json: give the OpenAPI description of this API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from keywright.api import documents
from keywright.api.endpoint import document

if TYPE_CHECKING:
    from keywright.api.documents import JsonDocument

DESCRIPTION = Path(__file__).with_name("openapi.json")


@document("get_openapi")
def handler(base_url: str) -> JsonDocument:
    """Give the description, with this API's own address and its catalogue of permissions."""
    return documents.description(DESCRIPTION, base_url)
