"""Items as files of events/ write them, and the changes of a table."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, SupportsBytes, cast

from boto3.dynamodb.types import Binary

if TYPE_CHECKING:
    from collections.abc import Mapping

Key = tuple[str, str]
"""Partition key and sort key."""
Item = dict[str, Any]
UNTOUCHED: dict[str, list[Item]] = {"added": [], "changed": [], "removed": []}
"""The changes of a table that is as before."""


def written(before: Mapping[Key, Item], after: Mapping[Key, Item]) -> dict[str, list[Item]]:
    """Return the difference between two states of the table: added items, changed items, keys of removed items."""
    return {
        "added": [item for key, item in after.items() if key not in before],
        "changed": [item for key, item in after.items() if key in before and item != before[key]],
        "removed": [{"pk": pk, "sk": sk} for pk, sk in before if (pk, sk) not in after],
    }


def to_json(value: object) -> object:
    """Return an attribute as the files write it: JSON has no bytes."""
    return (
        {"base64": base64.b64encode(bytes(cast("SupportsBytes", value))).decode()}
        if isinstance(value, Binary)
        else value
    )


def from_json(value: object) -> object:
    """Return the value of an attribute that a file writes."""
    match value:
        case {"base64": str(text)}:
            return base64.b64decode(text, validate=True)
        case _:
            return value
