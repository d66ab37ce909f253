"""Organizations that are deleted for good: which are due, what is left of them, and the record of their deletion."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from keywright.aws.retries import dynamodb, require_genuine, with_retries
from keywright.clock import rfc3339, stored
from keywright.settings import table_settings
from keywright.store.api_keys import API_KEY
from keywright.store.audit import AUDIT
from keywright.store.organizations import DELETIONS, MEMBER, ORGANIZATION, pointer_key, purged_key
from keywright.store.table import Step, commit, key, page, partition, put_new

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, QueryInputTypeDef

    from keywright.domain.principals import Actor
    from keywright.store.table import Item

BATCH_ITEMS = 50
"""The largest batch. A transaction takes 100 operations and 4 MB; an item has 45 KB at the most, an audit record of
much metadata. Fifty of those need 4,500 write units, twice what a plain write takes, where a partition has 1,000 a
second: so a batch that is throttled has to become smaller.
"""

LEAST_RECORD_DAYS = 30
"""Longer than any event can be on its way: a day with EventBridge, and 14 days in each of the two queues."""

_JUST_AFTER = "$"  # the character after #
_KINDS = {API_KEY: "api_keys", MEMBER: "members", AUDIT: "audit_records"}
_OTHERS = "others"


class NotDueError(Exception):
    """The organization is not to be deleted at that time: the deletion was cancelled, or is scheduled for another."""


class HasBegunError(Exception):
    """The purge has begun already."""


class OvertakenError(Exception):
    """Something that was to be deleted is gone, or was counted by another invocation."""


class IsOverError(Exception):
    """The purge was completed by another invocation."""


class StoppedError(Exception):
    """There is no record of the purge: it has not begun, or somebody has taken the record away."""


@dataclass(frozen=True, slots=True)
class Appointment:
    """The time at which an organization is to be deleted.

    Attributes:
        at: RFC 3339, exactly as the organization's item has it.
    """

    organization_id: UUID
    at: str


def due(now: datetime) -> Iterator[Appointment]:
    """Read the appointments whose time has come, the earliest first, strongly consistent, as they are taken.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
    """
    request: QueryInputTypeDef = {
        "TableName": table_settings().table_name,
        "KeyConditionExpression": "pk = :pk AND sk < :end",
        "ExpressionAttributeValues": {":pk": {"S": DELETIONS}, ":end": {"S": rfc3339(now) + _JUST_AFTER}},
        "ConsistentRead": True,
    }
    while True:
        answer = page("Query", request)
        for item in answer["Items"]:
            at, _, organization_id = item["sk"]["S"].partition("#")
            yield Appointment(UUID(organization_id), at)
        if "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def begin(appointment: Appointment, requested_by: Actor | None, request_id: str, now: datetime) -> None:
    """Begin the purge, provided that the organization is still to be deleted at that time.

    From here on the deletion cannot be cancelled, and nothing can be written to the organization.

    Args:
        appointment: whose time has come.
        requested_by: who has requested the deletion, if that is known.
        request_id: of the invocation.
        now: when it begins.

    Raises:
        NotDueError: it is not.
        HasBegunError: it has begun before.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    item: dict[str, AttributeValueTypeDef] = {
        **purged_key(appointment.organization_id),
        "event": {"S": "organization.purged"},
        "actor_type": {"S": "system"},
        "actor_id": {"S": "purge_organizations"},
        "target_type": {"S": "organization"},
        "target_id": {"S": str(appointment.organization_id)},
        "request_id": {"S": request_id},
        "pending_deletion_at": {"S": appointment.at},
        "created_at": {"S": rfc3339(now)},
        **{_counter(kind): {"N": "0"} for kind in (*_KINDS.values(), _OTHERS)},
    }
    if requested_by is not None:
        item |= {"requested_by_type": {"S": requested_by.type}, "requested_by_id": {"S": requested_by.id}}
    still = Step(
        {
            "ConditionCheck": {
                "TableName": table_settings().table_name,
                "Key": key(appointment.organization_id, ORGANIZATION),
                "ConditionExpression": "pending_deletion_at = :at",
                "ExpressionAttributeValues": {":at": {"S": appointment.at}},
            }
        },
        lambda _: NotDueError(),
    )
    commit([still], replace(put_new(item), refused=lambda _: HasBegunError()))


def began_at(organization_id: UUID) -> datetime | None:
    """Give the time at which the purge of an organization began; None if it has not.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
    """
    name, wanted = table_settings().table_name, purged_key(organization_id)
    request = {"TableName": name, "Key": wanted, "ConsistentRead": True}

    def attempt() -> Mapping[str, Any]:
        answer = dynamodb().call("GetItem", request)
        require_genuine(answer)
        return answer.content

    answer = with_retries(attempt)
    return stored(answer["Item"]["created_at"]["S"]) if "Item" in answer else None


def forget(appointment: Appointment) -> None:
    """Delete an appointment that the organization's item does not know (any more).

    Raises:
        OvertakenError: it does.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    unknown = Step(
        {
            "ConditionCheck": {
                "TableName": table_settings().table_name,
                "Key": key(appointment.organization_id, ORGANIZATION),
                "ConditionExpression": "attribute_not_exists(pending_deletion_at) OR pending_deletion_at <> :at",
                "ExpressionAttributeValues": {":at": {"S": appointment.at}},
            }
        },
        lambda _: OvertakenError(),
    )
    commit([unknown], _delete(pointer_key(appointment.organization_id, appointment.at)))


def remaining(organization_id: UUID, batch_items: int) -> list[str]:
    """Read sort keys of what is left of an organization but for its own item, `batch_items` at the most.

    From the last to the first: audit records come first in the order, and whatever is deleted elsewhere at the same
    time leaves one. So if nothing is found, nothing is there.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
    """
    answer = page(
        "Query",
        {
            "TableName": table_settings().table_name,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": partition(organization_id)}},
            "ProjectionExpression": "sk",
            "ConsistentRead": True,
            "ScanIndexForward": False,
            "Limit": batch_items + 1,  # one of them may be the organization's own
        },
    )
    return [item["sk"]["S"] for item in answer["Items"] if item["sk"]["S"] != ORGANIZATION][:batch_items]


def delete(organization_id: UUID, sort_keys: Sequence[str]) -> None:
    """Delete a batch and count it in the record of the purge, all or nothing.

    Raises:
        OvertakenError: something of it is gone; what is left has to be read anew.
        IsOverError, StoppedError: nothing more can be counted.
        ServiceError: SERVICE_UNAVAILABLE.
        ThrottledError: the same, where a smaller batch may pass.
    """
    counts = Counter(_KINDS.get(sort_key.partition("#")[0] + "#", _OTHERS) for sort_key in sort_keys)
    commit(
        [_delete_existing(key(organization_id, sort_key)) for sort_key in sort_keys],
        _update_record(
            organization_id,
            "ADD " + ", ".join(f"{_counter(kind)} :{kind}" for kind in counts),
            {f":{kind}": {"N": str(count)} for kind, count in counts.items()},
            {},
        ),
    )


def finish(appointment: Appointment, now: datetime) -> None:
    """Delete the organization's own item and its appointment, and complete the record of the purge.

    Raises:
        IsOverError, StoppedError: as `delete`.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    organization_id = appointment.organization_id
    update = "SET #completed_at = :now"
    values: dict[str, AttributeValueTypeDef] = {":now": {"S": rfc3339(now)}}
    names = {}
    days = table_settings().audit_retention_days
    if days:
        kept_until = now + timedelta(days=max(days, LEAST_RECORD_DAYS))
        update += ", #ttl = :ttl"
        values[":ttl"] = {"N": str(int(kept_until.timestamp()))}
        names["#ttl"] = "ttl"  # a reserved word
    commit(
        [
            _delete(key(organization_id, ORGANIZATION)),
            _delete(pointer_key(organization_id, appointment.at)),
        ],
        _update_record(organization_id, update, values, names),
    )


def _delete(item_key: Item) -> Step:
    return Step({"Delete": {"TableName": table_settings().table_name, "Key": item_key}}, lambda _: OvertakenError())


def _delete_existing(item_key: Item) -> Step:
    return Step(
        {
            "Delete": {
                "TableName": table_settings().table_name,
                "Key": item_key,
                "ConditionExpression": "attribute_exists(pk)",
            }
        },
        lambda _: OvertakenError(),
    )


def _update_record(
    organization_id: UUID, update: str, values: Mapping[str, AttributeValueTypeDef], names: Mapping[str, str]
) -> Step:
    return Step(
        {
            "Update": {
                "TableName": table_settings().table_name,
                "Key": purged_key(organization_id),
                "UpdateExpression": update,
                "ConditionExpression": "attribute_exists(pk) AND attribute_not_exists(#completed_at)",
                "ExpressionAttributeValues": values,
                "ExpressionAttributeNames": {"#completed_at": "completed_at", **names},
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        },
        lambda item: IsOverError() if item else StoppedError(),
    )


def _counter(kind: str) -> str:
    return f"deleted_{kind}"
