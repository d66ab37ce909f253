"""The documents that a deployment serves: the OpenAPI description, the reference page and the console."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import re
from functools import cache, lru_cache
from string import Template
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from keywright.api import javascript
from keywright.immutable import field, immutable
from keywright.settings import settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from keywright.domain.sign_in import SignIn
    from keywright.settings import ConsoleSettings

Json = Any

_ADDRESS = "http://127.0.0.1:8787/v1"
"""The address in the file, which the API's own address replaces."""

_HERE = "{{address}}"
"""The address in the pages, which the API's own address replaces."""

_ATTRIBUTES = "{{attributes}}"
"""The place of the console's attributes in its page."""

_LIBRARIES = {"preact": "preact.mjs", "preact/hooks": "hooks.mjs", "htm": "htm.module.js"}
"""The libraries of the console, by the names that modules import them by."""

_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_STAGE = "/v1"
_CACHED_ADDRESSES = 4
"""An API has few addresses: API Gateway's, and those of custom domains."""


@immutable
class Document:
    """A response outside of the envelope.

    Attributes:
        headers: its own headers, besides those of every document.
    """

    media_type: ClassVar[str]

    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


class JsonDocument(Document):
    """A document for programs."""

    media_type = "application/json"


class Page(Document):
    """A document for browsers."""

    media_type = "text/html; charset=utf-8"


class Script(Document):
    """A script for browsers."""

    media_type = "text/javascript; charset=utf-8"


def description(file: Path, base_url: str) -> JsonDocument:
    """Return the OpenAPI description with this deployment's address and permissions.

    Args:
        file: the description with the default permissions.
        base_url: the address of the API, stage or base path included.
    """
    return JsonDocument(_description(file, base_url, settings().permissions))


@lru_cache(_CACHED_ADDRESSES)
def _description(file: Path, base_url: str, permissions: tuple[str, ...]) -> str:
    text = file.read_text(encoding="utf-8").replace(f"{_ADDRESS}/docs#", f"{base_url}/docs#")
    document = json.loads(text)
    if base_url.endswith(_STAGE):
        document["servers"][0]["url"] = base_url.removesuffix(_STAGE)
    else:  # behind a custom domain, paths need not begin with the stage
        document["servers"][0]["url"] = base_url
        document["paths"] = {path.removeprefix(_STAGE): methods for path, methods in document["paths"].items()}
    catalogue = document["components"]["schemas"]["Permission"]
    if tuple(catalogue["enum"]) != permissions:
        last = len(permissions) - 1
        names = {name: permissions[min(index, last)] for index, name in enumerate(catalogue["enum"])}
        document["paths"] = _renamed(document["paths"], names)
        catalogue["enum"] = list(permissions)
    return json.dumps(document, separators=(",", ":"))


def _renamed(value: Json, names: Mapping[str, str]) -> Json:
    """Replace the default permissions in the examples by those of the deployment."""
    match value:
        case dict():
            return {name: _renamed(item, names) for name, item in value.items()}
        case list():
            items = [_renamed(item, names) for item in value]
            # Several default permissions can become the same one.
            return [item for index, item in enumerate(items) if not isinstance(item, str) or item not in items[:index]]
        case str():
            return names.get(value, value)
        case _:
            return value


def page(directory: Path, base_url: str) -> Page:
    """Return the reference page: one file that loads only the OpenAPI description.

    Args:
        directory: holds page.html with its parts and the library that renders the description.
        base_url: the address of the API, which the page sends requests to.
    """
    text, script_sources = _page(directory)
    policy = (
        "default-src 'none'",
        f"script-src {script_sources}",
        "style-src 'unsafe-inline'",  # the library sets styles on elements; styles cannot send data
        "img-src data:",
        f"connect-src 'self' {_origin(base_url)}",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return Page(
        text.replace(_HERE, html.escape(base_url)),
        {"content-security-policy": "; ".join(policy), "referrer-policy": "no-referrer"},
    )


def console(file: Path, base_url: str, client: ConsoleSettings, endpoints: SignIn) -> Page:
    """Return the console: a page of one element, whose attributes say which API and identity provider it talks to.

    Args:
        file: the page, with a place for the attributes.
        base_url: the address of the API.
        client: the console's client at the identity provider.
        endpoints: those of the identity provider.
    """
    attributes = {
        "base-url": base_url,
        "issuer": settings().oidc_issuer,
        "client-id": client.console_client_id,
        "audience": settings().oidc_audience,
        "scope": client.console_scope,
        "authorization-endpoint": endpoints.authorization_endpoint,
        "token-endpoint": endpoints.token_endpoint,
        "end-session-endpoint": endpoints.end_session_endpoint,
        "revocation-endpoint": endpoints.revocation_endpoint,
        "iss-parameter-supported": "true" if endpoints.names_issuer else None,
    }
    text = file.read_text(encoding="utf-8")
    destinations = (base_url, endpoints.token_endpoint, endpoints.revocation_endpoint)
    policy = (
        "default-src 'none'",
        f"script-src {base_url}/console/keywright.js",
        " ".join(["style-src", *(f"'sha256-{_digest(style)}'" for style in _STYLE.findall(text))]),
        "img-src data:",  # the empty icon
        " ".join(["connect-src", *dict.fromkeys(_origin(address) for address in destinations if address)]),
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",  # no text becomes markup or code
        "trusted-types 'none'",
    )
    element = " ".join(f'{name}="{html.escape(value)}"' for name, value in attributes.items() if value is not None)
    return Page(
        text.replace(_HERE, html.escape(base_url)).replace(_ATTRIBUTES, element),
        {
            "content-security-policy": "; ".join(policy),
            "referrer-policy": "no-referrer",
            # The address that the provider leads back to has a code, and a policy must not outlive its endpoints.
            "cache-control": "no-store",
        },
    )


@cache
def script(directory: Path) -> Script:
    """Return the script of the console: its modules and libraries in one file.

    Args:
        directory: holds modules/ and vendor/.
    """
    vendor = directory / "vendor"
    libraries = {name: vendor / file for name, file in _LIBRARIES.items()}
    return Script(javascript.join(directory / "modules", libraries, sorted(vendor.glob("*.LICENSE"))))


@cache
def _page(directory: Path) -> tuple[str, str]:
    """Return the page, and the CSP sources of its scripts, the only ones that can run."""
    library = _decompressed(directory / "swagger-ui" / "swagger-ui-bundle.js.gz")
    script = (directory / "page.js").read_text(encoding="utf-8")
    parts = {
        "library": library,
        "library_style": _decompressed(directory / "swagger-ui" / "swagger-ui.css.gz"),
        "script": script,
        "style": (directory / "page.css").read_text(encoding="utf-8"),
        "guide": (directory / "guide.html").read_text(encoding="utf-8"),
        "errors": (directory / "errors.html").read_text(encoding="utf-8"),
    }
    text = Template((directory / "page.html").read_text(encoding="utf-8")).substitute(parts)
    return text, " ".join(f"'sha256-{_digest(content)}'" for content in (library, script))


def _decompressed(file: Path) -> str:
    return gzip.decompress(file.read_bytes()).decode()


def _digest(content: str) -> str:
    return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _origin(base_url: str) -> str:
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc}"
