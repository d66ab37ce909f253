"""Audit records: who did what to what, when and from where. Written in the transaction of the change itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from keywright.clock import rfc3339
from keywright.ids import uuid7
from keywright.store.table import Step, key, put_new

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from keywright.principal import Member, Origin

AUDIT = "AUDIT#"


class AuditEvent(StrEnum):
    """What can happen."""

    API_KEY_CREATED = "api_key.created"


@dataclass(frozen=True, slots=True)
class Change:
    """What was done to one thing.

    Attributes:
        target_type: "api_key".
        before: the fields that changed, as they were; None if the thing is new.
        after: the same fields, as they are now.
    """

    event: AuditEvent
    target_type: str
    target_id: str
    before: Mapping[str, object] | None
    after: Mapping[str, object] | None


def put(member: Member, origin: Origin, change: Change, at: datetime) -> Step:
    """Write the record of a change made by a member."""
    return put_new(
        {
            **key(member.organization_id, f"{AUDIT}{uuid7()}"),
            "event": {"S": change.event},
            "actor_type": {"S": "user"},
            "actor_id": {"S": member.user_id},
            "target_type": {"S": change.target_type},
            "target_id": {"S": change.target_id},
            "changes": {"S": json.dumps({"before": change.before, "after": change.after}, ensure_ascii=False)},
            "source_ip": {"S": origin.source_ip},
            "request_id": {"S": origin.request_id},
            "created_at": {"S": rfc3339(at)},
        }
    )
