"""Files of keys to import: CSV with a line for each key. Messages name lines and columns, never what is in them.

A file may hold the texts of keys. If it has no header, its first line does.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from keywright import clock
from keywright.api.schemas import CreateApiKey, spelling
from keywright.api.validation import not_in_future, validate
from keywright.domain.imported_text import Algorithm
from keywright.domain.limits import Quota, RateLimit
from keywright.errors import BAD_REQUEST, ServiceError
from keywright.keys.views import stored_fields
from keywright.operators.imports import Line, Result, source_of_text
from keywright.operators.imports import Source as KeySource
from keywright.operators.refusals import RefusedError
from keywright_admin.arguments import parse_user_id
from keywright_admin.failures import UsageError
from keywright_admin.limits import NONE, parse_quota, parse_rate_limit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

STANDARD_INPUT = "-"

_KEY = "key"
_COLUMNS = (
    *(_KEY, *Algorithm),
    *("name", "permissions", "enabled", "expiresAt", "metadata", "createdBy"),
    *("rateLimit", "quota", "allowedIps"),
)
_API_GATEWAY_COLUMNS = (_KEY, "name", "description", "enabled")
"""Amazon API Gateway Developer Guide, "API Gateway API key file format": names in any case, others ignored."""
_HASH_PREFIX = "sha512$$"
"""What djangorestframework-api-key puts before the hexadecimal hash."""
_SEPARATORS = re.compile(r"[,;\s]+")
_BOOLEANS = dict.fromkeys(("true", "t", "yes", "1", ""), True) | dict.fromkeys(("false", "f", "no", "0"), False)
"""As spreadsheets, PostgreSQL and MySQL write them."""


class Format(StrEnum):
    """Formats of files."""

    CSV = "csv"
    API_GATEWAY = "api-gateway"


def read(file: str) -> str:
    """Return the content of a file, or of standard input.

    Raises:
        UsageError: it cannot be read, or is not UTF-8. The message does not repeat its name, which may be a key.
    """
    try:
        content = sys.stdin.buffer.read() if file == STANDARD_INPUT else Path(file).read_bytes()
        return content.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"FILE cannot be read: {error.strerror}") from None
    except ValueError:
        raise UsageError("the file is not UTF-8 text") from None


def parse(content: str, format_: Format, permissions: Sequence[str]) -> Iterator[KeySource | Line]:
    """Parse a file; yield the key of each line, or why it is refused.

    Args:
        content: of the file.
        format_: of the file.
        permissions: of keys whose line has none.

    Raises:
        UsageError: the file has no usable header, or is not CSV.
    """
    rows = _rows(content)
    _, header = next(rows, (0, []))
    columns = _columns(header, format_)
    for line, cells in rows:
        if len(cells) != len(columns):
            yield Line(line, Result.REFUSED, reason=f"it has {len(cells)} fields, and the header has {len(columns)}")
            continue
        row = {name: cell.strip() for name, cell in zip(columns, cells, strict=True) if name is not None}
        try:
            yield _source(line, row, permissions)
        except (RefusedError, typer.BadParameter) as error:
            yield Line(line, Result.REFUSED, reason=str(error))
        except ServiceError as error:
            if error.error is not BAD_REQUEST:
                raise
            yield Line(line, Result.REFUSED, reason=f"{error.message}. {error.hint}")


def _rows(content: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not empty, each with the number of its first line."""
    reader = csv.reader(io.StringIO(content, newline=""), strict=True)
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error:  # its message may repeat a part of the line
        raise UsageError(f"line {line} is not CSV (RFC 4180)") from None


def _columns(header: Sequence[str], format_: Format) -> list[str | None]:
    """Return the name of each column; None for one that is ignored."""
    known = {spelling(name): name for name in (_COLUMNS if format_ is Format.CSV else _API_GATEWAY_COLUMNS)}
    columns = [known.get(spelling(name.strip())) for name in header]
    if format_ is Format.CSV:
        for number, name in enumerate(columns, 1):
            if name is None:
                raise UsageError(f"column {number} of the first line is unknown; the columns are {', '.join(_COLUMNS)}")
    named = [name for name in columns if name is not None]
    if len(named) != len(set(named)):
        raise UsageError("the first line names a column twice")
    required = [_KEY] if format_ is Format.API_GATEWAY else [_KEY, *Algorithm]
    if "name" not in named or not set(required).intersection(named):
        raise UsageError(f"the first line must name the columns: name, and {' or '.join(required)}")
    return columns


def _source(line: int, row: Mapping[str, str], permissions: Sequence[str]) -> KeySource:
    """Return the key of a row.

    Raises:
        RefusedError, BadParameter, ServiceError: a field breaks a rule.
    """
    fields = _fields(row, permissions)
    given = [name for name in (_KEY, *Algorithm) if row.get(name)]
    if len(given) != 1:
        raise RefusedError(f"it must have exactly one of {', '.join((_KEY, *Algorithm))}")
    if given == [_KEY]:
        return source_of_text(line, row[_KEY], fields)
    algorithm = Algorithm(given[0])
    return KeySource(line, None, {algorithm: _hash(row[algorithm], algorithm)}, fields)


def _fields(row: Mapping[str, str], permissions: Sequence[str]) -> dict[str, object]:
    """Return the fields of a key as they are stored, checked by the rules of the API."""
    body: dict[str, object] = {
        "name": row.get("name", ""),
        "permissions": words(row.get("permissions", "")) or list(permissions),
        "metadata": _metadata(row),
    }
    if row.get("expiresAt"):
        body["expiresAt"] = row["expiresAt"]
    if row.get("allowedIps"):
        body["allowedIps"] = words(row["allowedIps"])
    rate, quota = (parse(row.get(name) or NONE).stored for parse, name in _LIMITS)
    if rate is not None:
        body["rateLimit"] = RateLimit.parse(rate).as_json()
    if quota is not None:
        body["quota"] = Quota.parse(quota).as_json()
    key = validate(CreateApiKey, body)
    if key.expires_at is not None and key.expires_at <= clock.now():
        raise not_in_future("expiresAt")
    enabled = _BOOLEANS.get(row.get("enabled", "").lower())
    if enabled is None:
        raise RefusedError("enabled must be true or false")
    creator = {"created_by": parse_user_id(row["createdBy"])} if row.get("createdBy") else {}
    return stored_fields(key.model_dump()) | {"enabled": enabled} | creator


_LIMITS = ((parse_rate_limit, "rateLimit"), (parse_quota, "quota"))


def _metadata(row: Mapping[str, str]) -> object:
    if row.get("description"):
        return {"description": row["description"]}
    try:
        return json.loads(row.get("metadata") or "{}")
    except (ValueError, RecursionError):
        raise RefusedError("metadata must be a JSON object") from None


def words(text: str) -> list[str]:
    """Return the words of a list that is separated by commas, semicolons or spaces."""
    return [word for word in _SEPARATORS.split(text) if word]


def _hash(cell: str, algorithm: Algorithm) -> bytes:
    """Parse a hash in hexadecimal, base64 or base64url, with or without padding.

    Raises:
        RefusedError: the cell is none of these, or has another length.
    """
    hexadecimal = cell.removeprefix(_HASH_PREFIX) if algorithm is Algorithm.SHA512 else cell
    standard = cell.rstrip("=").replace("-", "+").replace("_", "/")
    is_hexadecimal = len(hexadecimal) == 2 * algorithm.hash_bytes
    try:
        decoded = (
            binascii.unhexlify(hexadecimal) if is_hexadecimal else base64.b64decode(_padded(standard), validate=True)
        )
    except ValueError:
        decoded = b""
    is_exact = is_hexadecimal or base64.b64encode(decoded).decode() == _padded(standard)
    if len(decoded) != algorithm.hash_bytes or not is_exact:
        raise RefusedError(f"{algorithm} must be {algorithm.hash_bytes} bytes in hexadecimal, base64 or base64url")
    return decoded


def _padded(text: str) -> str:
    return text + "=" * (-len(text) % 4)
