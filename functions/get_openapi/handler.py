"""GET /v1/openapi.json: get the OpenAPI description."""

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
    """Return the OpenAPI description of this deployment, with its own address and permissions."""
    return documents.description(DESCRIPTION, base_url)
