"""The ways in which servers and frameworks are known to read a request's path."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_CHAIN = 6
"""Maximum number of readings in a row: three decodings, each followed by another reading."""


def decoded(path: str) -> str:
    """Decode once, as UTF-8; invalid encodings stay (WHATWG URL, "percent-decode")."""
    return unquote_to_bytes(path).decode("utf-8", "replace")


def decoded_leniently(path: str) -> str:
    """Decode once, and accept overlong UTF-8: two bytes for an ASCII character."""
    content = unquote_to_bytes(path)
    short = re.sub(rb"[\xc0\xc1][\x80-\xbf]", lambda two: bytes([(two[0][0] & 3) << 6 | two[0][1] & 63]), content)
    return short.decode("utf-8", "replace")


def decoded_as_iis(path: str) -> str:
    """Decode %u0061 (IIS)."""
    return re.sub("%[uU]([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), path)


def merged(path: str) -> str:
    """Merge slashes (nginx, merge_slashes)."""
    return re.sub("/{2,}", "/", path)


def without_dots(path: str) -> str:
    """Remove dot segments (RFC 3986, section 5.2.4)."""
    normal = posixpath.normpath(path)
    return normal.replace("//", "/", 1) if normal.startswith("//") else normal


def with_slashes(path: str) -> str:
    """Read a backslash as a slash (WHATWG URL)."""
    return path.replace("\\", "/")


def without_parameters(path: str) -> str:
    """Cut each segment at its semicolon (Servlet, path parameters)."""
    return re.sub(";[^/]*", "", path)


def cut(path: str) -> str:
    """Cut at a query, a fragment, or the end of a C string."""
    return re.split("[?#\0]", path, maxsplit=1)[0]


def without_slash(path: str) -> str:
    """Drop a slash at the end."""
    return path.removesuffix("/")


WAYS: tuple[Callable[[str], str], ...] = (
    *(decoded, decoded_leniently, decoded_as_iis, merged),
    *(without_dots, with_slashes, without_parameters, cut, without_slash),
)


def readings(path: str) -> frozenset[str]:
    """Return the path and all its readings, in any order and combination."""
    known, fresh = {path}, {path}
    for _ in range(LONGEST_CHAIN):
        fresh = {way(one) for one in fresh for way in WAYS} - known
        known |= fresh
    return frozenset(known)
