"""The archive of the audit log: numbered objects of a bucket, each naming the digest of the one before.

The first line of an object is its header, each further one an audit record (docs/archive.md).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keywright.aws.retries import ATTEMPTS, archive, dynamodb, require_genuine, with_retries
from keywright.settings import table_settings
from keywright.store import layout
from keywright.store.table import Expression, update_item

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PREFIX = "audit/"


@dataclass(frozen=True, slots=True)
class Head:
    """The last object of the chain.

    Attributes:
        number: 0 before the first object.
        digest: SHA-256 of its bytes, in hex; None before the first object.
    """

    number: int = 0
    digest: str | None = None

    def followed_by(self, body: bytes) -> Head:
        """Return the head after one more object."""
        return Head(self.number + 1, hashlib.sha256(body).hexdigest())


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of an object.

    Attributes:
        number: of the object, from 1.
        previous: digest of the object before; None in the first.
        written_at: when it was composed, RFC 3339.
        source: "stream", or "file" if an operator invoked the function.
    """

    number: int
    previous: str | None
    written_at: str
    source: str


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
    return "".join(f"{line}\n" for line in (json.dumps(first), *lines)).encode("ascii")


def parse_header(body: bytes) -> Header | None:
    """Parse the first line of an object; None if it is no header."""
    try:
        fields = json.loads(body.partition(b"\n")[0])
    except ValueError:
        return None
    match fields:
        case {"number": int(number), "previous": str() | None as previous, "writtenAt": str(at), "source": str(source)}:
            return Header(number, previous, at, source)
    return None


def write(number: int, body: bytes) -> bool:
    """Write an object unless there is one with this number; return whether the object is this one.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE; whether it was written is then unknown.
        AwsError: the function may not write, or the bucket does not exist.
    """
    # After a lost answer, the object that is there may be this one.
    return with_retries(lambda: archive().put_new(object_key(number), body)) or read(number) == body


def read(number: int) -> bytes:
    """Read an object.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
        AwsError: there is no such object, or the function may not read it.
    """
    return with_retries(lambda: archive().get(object_key(number)))


def head(bucket: str) -> Head:
    """Read the head of the archive in a bucket. It may be behind the last object, never ahead of it.

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

    item = with_retries(attempt).get("Item")
    return Head(int(item["number"]["N"]), item["digest"]["S"]) if item else Head()


def move_head(bucket: str, to: Head) -> None:
    """Move the head forward, unless it is there or further.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE; the next invocation finds the objects after the head.
    """
    change = Expression(
        "SET #number = :number, #digest = :digest",
        {":number": {"N": str(to.number)}, ":digest": {"S": str(to.digest)}},
        {"#number": "number", "#digest": "digest"},
    )
    is_forward = Expression("attribute_not_exists(pk) OR #number < :number")
    update_item(layout.archive_head_key(bucket), change, is_forward, ATTEMPTS)
