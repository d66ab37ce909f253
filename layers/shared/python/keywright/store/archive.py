"""The archive of the audit log: numbered objects of a bucket, each naming the digest of the one before.

The first line of an object is its header, each further one an audit record (docs/archive.md).
"""

from __future__ import annotations

import hashlib
import json
import re
from bisect import bisect_left
from typing import TYPE_CHECKING, Any, TypeVar

from keywright.aws.client import AwsError
from keywright.aws.retries import (
    ATTEMPTS,
    OBJECT_ATTEMPT_SECONDS,
    archive_bucket,
    dynamodb,
    require_genuine,
    with_retries,
)
from keywright.immutable import immutable
from keywright.settings import table_settings
from keywright.store import layout
from keywright.store.table import Expression, update_item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Result = TypeVar("Result")

PREFIX = "audit/"
LAST_NUMBER = 10**12 - 1
"""Keys have 12 digits."""
MAXIMUM_BYTES = 32 * 2**20
"""More than an object can have: Lambda ends a batch at 6 MB, and JSON has up to three bytes for one beyond ASCII."""
UNREADABLE = "unreadable"
"""In place of the digest of an object that cannot be read."""

_NUMBER = re.compile(r"[1-9][0-9]{0,11}")
_DIGEST = re.compile(rf"[0-9a-f]{{64}}|{UNREADABLE}")
_NO_OBJECT = "NoSuchKey"
_UNREADABLE_CODES = ("InvalidObjectState", "InvalidRequest", "KMS.")
"""Amazon S3 API Reference, "GetObject", "Error responses": the storage class has to be restored first, or the object is
encrypted with a key that is unknown, disabled, or not for the function. Not AccessDenied: the role may be wrong."""


@immutable
class Head:
    """The last object of the chain.

    Attributes:
        number: 0 before the first object.
        digest: SHA-256 of its bytes, in hex, or UNREADABLE; None before the first object.
    """

    number: int = 0
    digest: str | None = None

    def followed_by(self, body: bytes) -> Head:
        """Return the head after one more object."""
        return Head(self.number + 1, hashlib.sha256(body).hexdigest())


@immutable
class Found:
    """An object as it is in the bucket.

    Attributes:
        digest: SHA-256 of its bytes, in hex, or UNREADABLE.
        body: its bytes; None if it cannot be read.
    """

    digest: str = UNREADABLE
    body: bytes | None = None


@immutable
class Header:
    """The first line of an object.

    Attributes:
        number: of the object, from 1.
        previous: digest of the object before, or UNREADABLE; None in the first.
        written_at: when it was composed, RFC 3339.
        source: "stream", or "file" if an operator invoked the function.
        replaced_head: NUMBER:DIGEST of a head in the table whose object was not in the bucket when it was composed:
            the head was changed, or the object removed.
    """

    number: int
    previous: str | None
    written_at: str
    source: str
    replaced_head: str | None = None


def object_key(number: int) -> str:
    """Return the key of an object."""
    return f"{PREFIX}{number:012}.jsonl"


def compose(header: Header, lines: Iterable[str]) -> bytes:
    """Return the bytes of an object.

    Args:
        header: its first line.
        lines: JSON texts without line breaks, ASCII.
    """
    first = {
        "number": header.number,
        "previous": header.previous,
        "writtenAt": header.written_at,
        "source": header.source,
    }
    if header.replaced_head is not None:
        first["replacedHead"] = header.replaced_head
    return "".join(f"{line}\n" for line in (json.dumps(first), *lines)).encode("ascii")


def parse_header(body: bytes) -> Header | None:
    """Parse the first line of an object; None if it is no header."""
    try:
        fields = json.loads(body.partition(b"\n")[0])
    except (ValueError, RecursionError):  # the latter: `[[[[...`
        return None
    match fields:
        case {"number": int(number), "previous": str() | None as previous, "writtenAt": str(at), "source": str(source)}:
            replaced = fields.get("replacedHead")
            return Header(number, previous, at, source, None if replaced is None else str(replaced))
    return None


def write(number: int, body: bytes) -> bool:
    """Write an object unless there is one with this number; after a lost answer, that may be this one.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE; whether it was written is then unknown.
        AwsError: the function may not write, or the bucket does not exist.
        OverflowError: there are no more numbers.
    """
    if number > LAST_NUMBER:
        raise OverflowError("the archive has no number after its last object's")
    return _with_retries(lambda: archive_bucket().put_new(object_key(number), body))


def read(number: int) -> Found | None:
    """Read an object; None if there is none.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
        AwsError: the bucket does not exist.
    """
    try:
        body = _with_retries(lambda: archive_bucket().get(object_key(number), MAXIMUM_BYTES + 1))
    except AwsError as error:
        if error.code == _NO_OBJECT:
            return None
        if error.code.startswith(_UNREADABLE_CODES):
            return Found()
        raise
    return Found(hashlib.sha256(body).hexdigest(), body) if len(body) <= MAXIMUM_BYTES else Found()


def find_last() -> Head:
    """Find the object with the highest number, in about forty requests. Missing ones before it do not matter.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
        AwsError: the function may not list the objects, or the bucket does not exist.
    """
    if _is_last(0):
        return Head()
    number = bisect_left(range(LAST_NUMBER), 1, key=_is_last)
    found = read(number)
    return Head(number, found.digest if found else UNREADABLE)


def _is_last(number: int) -> bool:
    """Return whether no object has a higher number."""
    following = _with_retries(lambda: archive_bucket().first_key_after(object_key(number), PREFIX))
    return following is None or following > object_key(LAST_NUMBER)


def _with_retries(call: Callable[[], Result]) -> Result:
    return with_retries(call, attempt_seconds=OBJECT_ATTEMPT_SECONDS)


def head(bucket: str) -> Head:
    """Read the head of the archive in a bucket: by itself behind the last object, or at it, never ahead of it.

    Before the first object, and if the item was not written by `move_head`, it is number 0.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
    """
    request = {
        "TableName": table_settings().table_name,
        "Key": layout.archive_head_key(bucket),
        "ConsistentRead": True,
    }

    def attempt() -> Mapping[str, Any]:
        answer = dynamodb().call("GetItem", request)
        require_genuine(answer)
        return answer.content

    match with_retries(attempt).get("Item"):
        case {"number": {"N": str(number)}, "digest": {"S": str(digest)}} if _NUMBER.fullmatch(
            number
        ) and _DIGEST.fullmatch(digest):
            return Head(int(number), digest)
    return Head()


def move_head(bucket: str, to: Head) -> None:
    """Move the head forward, unless it is there or further.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE; the next invocation finds the objects after the head.
    """
    _set_head(bucket, to, Expression("attribute_not_exists(pk) OR #number < :number"))


def correct_head(bucket: str, to: Head) -> None:
    """Replace a head that is false or absent. It is behind if another invocation has moved it further meanwhile.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
    """
    _set_head(bucket, to, Expression(""))


def _set_head(bucket: str, to: Head, condition: Expression) -> None:
    change = Expression(
        "SET #number = :number, #digest = :digest",
        {":number": {"N": str(to.number)}, ":digest": {"S": str(to.digest)}},
        {"#number": "number", "#digest": "digest"},
    )
    update_item(layout.archive_head_key(bucket), change, condition, ATTEMPTS)
