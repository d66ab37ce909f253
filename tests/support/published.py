"""Every audit record that functions leave in a table becomes an event, at full depth one as its schema says."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

import jsonschema

from keywright.organizations.publish import event_of
from keywright.store.event_bus import SOURCE
from tests.support.depth import FULL
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from keywright.store.layout import Item

SCHEMAS = ROOT / "docs" / "schemas" / "events"
DELIVERED = {
    "version": "0",
    "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "source": SOURCE,
    "account": "123456789012",
    "time": "2026-03-01T12:00:00Z",
    "region": "us-east-1",
    "resources": [],
}
"""What EventBridge adds to an event, and the source."""


def check(items: Iterable[Item]) -> None:
    """Check that each audit record among the items of a table can be published.

    Raises:
        Exception: it cannot, or its event is not as its schema says.
    """
    for item in items:
        if item["sk"]["S"].startswith("AUDIT#"):
            event = event_of(item)
            if FULL and SCHEMAS.is_dir():
                detail = json.loads(event.detail)
                _schema(event.kind).validate({**DELIVERED, "detail-type": event.kind, "detail": detail})


@functools.cache
def _schema(kind: str) -> Any:
    schema = json.loads((SCHEMAS / f"{kind}.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
