"""Audit records: who did what to what, when and from where. Written in the transaction of the change."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

from keywright import clock
from keywright.clock import rfc3339
from keywright.ids import uuid7, uuid7_bounds
from keywright.immutable import immutable
from keywright.settings import table_settings
from keywright.store import layout
from keywright.store.table import Expression, Step, newest_first, put_new, scan, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from uuid import UUID

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from keywright.domain.audit_event import AuditEvent
    from keywright.domain.principals import Actor, ActorType, Origin
    from keywright.domain.revocation_reason import RevocationReason
    from keywright.store.layout import Item

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@immutable
class Change:
    """A change of one target.

    Attributes:
        target_type: "api_key", "organization" or "member".
        before: the old values of the fields that changed; None if the target is new.
        after: the new values of the same fields; None if the target is gone.
        knows_before: false for an event, which may be late: its `before` would depend on the order of arrival.
        reason: why a key was disabled, deleted or rotated, if the caller said so.
    """

    event: AuditEvent
    target_type: str
    target_id: str
    before: Mapping[str, object] | None
    after: Mapping[str, object] | None
    knows_before: bool = True
    reason: RevocationReason | None = None


@immutable
class AuditRecord:
    """An audit record as stored.

    Attributes:
        created_at: when the change was made, RFC 3339; of an event, by the identity provider's clock.
        received_at: when the record was written, RFC 3339.
        reason: why a key was disabled, deleted or rotated; None if the caller did not say.
    """

    record_id: str
    event: str
    actor_type: str
    actor_id: str
    target_type: str
    target_id: str
    changes: dict[str, object]
    source_ip: str | None
    request_id: str | None
    created_at: str
    received_at: str
    reason: str | None = None


@immutable
class AuditFilter:
    """Which records to list: all conditions together; empty and None mean all.

    Attributes:
        actor_id: of an actor of any type.
        created_from, created_to: both included.
    """

    events: Sequence[AuditEvent] = ()
    actor_types: Sequence[ActorType] = ()
    actor_user_id: str | None = None
    actor_api_key_id: str | None = None
    actor_id: str | None = None
    target_id: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None


def put(  # noqa: PLR0913 - the parts of a record
    organization_id: UUID,
    actor: Actor,
    origin: Origin | None,
    change: Change,
    at: datetime,
    *,
    record_id: UUID | None = None,
) -> Step:
    """Write the record of a change; refused if there is one with this id.

    Its retention begins now, not at `at`: even the record of a late event can be read.

    Args:
        organization_id: whose log.
        actor: who made the change.
        origin: of the request, if there was one.
        change: of one target.
        at: when the change was made.
        record_id: from `new_id` or `id_of_event` for the same time; a new one by default.
    """
    changes = {"before": change.before} if change.knows_before else {}
    received_at = clock.now()
    item: dict[str, AttributeValueTypeDef] = {
        **layout.in_organization(organization_id, layout.audit_sort_key(record_id or new_id(at))),
        "event": {"S": change.event},
        "actor_type": {"S": actor.type},
        "actor_id": {"S": actor.id},
        "target_type": {"S": change.target_type},
        "target_id": {"S": change.target_id},
        "changes": {"S": json.dumps({**changes, "after": change.after}, ensure_ascii=False)},
        "created_at": {"S": rfc3339(at)},
        "received_at": {"S": rfc3339(received_at)},
    }
    if origin is not None:
        item |= {"source_ip": {"S": origin.source_ip}, "request_id": {"S": origin.request_id}}
    if change.reason is not None:
        item["reason"] = {"S": change.reason}
    days = table_settings().audit_retention_days
    if days:
        item["ttl"] = {"N": str(int((received_at + timedelta(days=days)).timestamp()))}
    return put_new(item)


def new_id(at: datetime) -> UUID:
    """Draw a record's id for the time of its change, to the microsecond, so that records sort as their changes."""
    return uuid7(_nanoseconds(at))


def id_of_event(at: datetime, *parts: str) -> UUID:
    """Derive a record's id from an event's time and identity: an event that arrives twice finds its own record."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return uuid7(_nanoseconds(at), int.from_bytes(digest) >> 256 - 62)


def newest_records(
    organization_id: UUID, starting_after: UUID | None, records: AuditFilter, page_size: int, now: datetime
) -> Iterator[AuditRecord]:
    """Read an organization's records, newest first, as they are taken; none whose retention is over."""
    lowest, highest = layout.AUDIT_RECORDS
    if records.created_from is not None:
        lowest = layout.audit_sort_key(uuid7_bounds(_nanoseconds(records.created_from))[0])
    if records.created_to is not None:
        highest = layout.audit_sort_key(uuid7_bounds(_nanoseconds(records.created_to))[1])
    after = None if starting_after is None else layout.audit_sort_key(starting_after)
    if after is not None and after > highest:
        after = None
    # DynamoDB refuses a query whose start leaves nothing to be read.
    if lowest > highest or (after is not None and after <= lowest):
        return iter(())
    items = newest_first(organization_id, (lowest, highest), after, _filters(records, now), page_size)
    return (parse_audit_record(item) for item in items)


def parse_audit_record(item: Item) -> AuditRecord:
    """Parse a record's item.

    Raises:
        KeyError: an attribute is missing.
        ValueError: `changes` is not a JSON object.
    """
    changes = json.loads(item["changes"]["S"])
    if not isinstance(changes, dict):
        raise ValueError("changes is not a JSON object")  # noqa: TRY004 - a value, not a type of this program
    source_ip, request_id = item.get("source_ip"), item.get("request_id")
    return AuditRecord(
        record_id=layout.record_id_of(item),
        event=item["event"]["S"],
        actor_type=item["actor_type"]["S"],
        actor_id=item["actor_id"]["S"],
        target_type=item["target_type"]["S"],
        target_id=item["target_id"]["S"],
        changes=changes,
        source_ip=source_ip["S"] if source_ip else None,
        request_id=request_id["S"] if request_id else None,
        created_at=item["created_at"]["S"],
        received_at=item["received_at"]["S"],
        reason=text_of(item, "reason"),
    )


def digest(item: Item) -> str:
    """Return the SHA-256 of a record's item with all of its attributes, in hex: it changes if any of them does."""
    canonical = json.dumps(item, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=_base64)
    return hashlib.sha256(canonical.encode()).hexdigest()


def all_items(on_page: Callable[[int], object]) -> Iterator[Item]:
    """Read the item of every audit record of the table, as they are taken. For operators only.

    Args:
        on_page: called after each request with the number of items that were scanned.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
    """
    return scan(Expression("begins_with(sk, :audit)", {":audit": {"S": layout.AUDIT_RECORDS[0]}}), on_page)


def _base64(value: object) -> str:
    """Return a binary value, which no record has, as DynamoDB and its stream do in JSON."""
    return base64.b64encode(cast("bytes", value)).decode()


def _filters(records: AuditFilter, now: datetime) -> list[Expression]:
    # DynamoDB deletes expired items within days, not at once.
    is_retained = Expression(
        "(attribute_not_exists(#ttl) OR #ttl > :now)", {":now": {"N": str(int(now.timestamp()))}}, {"#ttl": "ttl"}
    )
    filters = [is_retained]
    filters += [
        _is_one_of(name, values)
        for name, values in (("event", records.events), ("actor_type", records.actor_types))
        if values
    ]
    actors = (("user", records.actor_user_id), ("api_key", records.actor_api_key_id))
    for kind, actor_id in actors:
        if actor_id is not None:
            is_actor = f"(actor_type = :{kind}_type AND actor_id = :{kind}_id)"
            filters.append(Expression(is_actor, {f":{kind}_type": {"S": kind}, f":{kind}_id": {"S": actor_id}}))
    for name, value in (("actor_id", records.actor_id), ("target_id", records.target_id)):
        if value is not None:
            filters.append(Expression(f"{name} = :{name}", {f":{name}": {"S": value}}))
    return filters


def _is_one_of(name: str, values: Sequence[str]) -> Expression:
    numbered: dict[str, AttributeValueTypeDef] = {f":{name}{index}": {"S": value} for index, value in enumerate(values)}
    return Expression(f"#{name} IN ({', '.join(numbered)})", numbered, {f"#{name}": name})


def _nanoseconds(moment: datetime) -> int:
    return max(0, (moment - _EPOCH) // _MICROSECOND) * 1000
