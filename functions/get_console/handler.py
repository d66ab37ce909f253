"""GET /v1/console: get the console."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from keywright.api import documents
from keywright.api.endpoint import document
from keywright.authorizers import discovery
from keywright.errors import NO_CONSOLE, ServiceError
from keywright.settings import console_settings

if TYPE_CHECKING:
    from keywright.api.documents import Page

PAGE = Path(__file__).parent / "page.html"


@document("get_console", raises=(NO_CONSOLE,))
def handler(base_url: str) -> Page:
    """Return the console as a web page, where members of an organization manage its API keys after they sign in."""
    client = console_settings()
    if not client.console_client_id:
        raise ServiceError(NO_CONSOLE)
    return documents.console(PAGE, base_url, client, discovery.sign_in())
