"""The one table: its keys, and the one way to change anything in it."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast
from uuid import uuid4

from keywright import deadline
from keywright.aws.client import AwsError
from keywright.aws.retries import ATTEMPT_SECONDS, Retryable, Throttled, dynamodb, require_genuine, with_retries
from keywright.errors import CONFLICT, SERVICE_UNAVAILABLE, ServiceError
from keywright.settings import table_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from uuid import UUID

    from mypy_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        QueryInputTypeDef,
        ScanInputTypeDef,
        TransactWriteItemTypeDef,
    )

    Item = Mapping[str, AttributeValueTypeDef]

CONDITION_FAILED = "ConditionalCheckFailed"
"""The reason that a cancelled transaction gives for an item whose condition is not fulfilled."""

_LARGEST_PAGE = 1000
_THROTTLING_REASONS = frozenset({"ThrottlingError", "ProvisionedThroughputExceeded"})
_PASSING_REASONS = _THROTTLING_REASONS | {"TransactionConflict"}


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a transaction.

    Attributes:
        operation: an entry of TransactWriteItems, without its table name.
        refused: explains why its condition failed, given the item as it was (None if there was none).
    """

    operation: TransactWriteItemTypeDef
    refused: Callable[[Item | None], Exception]


def key(organization_id: UUID, sort_key: str) -> dict[str, AttributeValueTypeDef]:
    """Give the primary key of an item; everything of an organization lies in its one partition."""
    return {"pk": {"S": partition(organization_id)}, "sk": {"S": sort_key}}


def partition(organization_id: UUID) -> str:
    """Give the partition of an organization."""
    return f"ORG#{organization_id}"


def put_new(item: Item) -> Step:
    """Write an item that must not exist yet."""
    return Step(
        {
            "Put": {
                "TableName": table_settings().table_name,
                "Item": item,
                "ConditionExpression": "attribute_not_exists(pk)",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        },
        lambda _: ServiceError(CONFLICT, reason="an item that was to be new exists"),
    )


def change(key: Item, found: Item | None, attributes: Mapping[str, str | None], refused: Exception) -> Step | None:
    """Bring attributes of an item to what they shall be, provided that they still are what was read.

    Attributes that are not named stay as they are, and are not looked at.

    Args:
        key: of the item.
        found: the item as it was read; None if there was none, and then there must be none still.
        attributes: the texts that the named attributes shall have; None for none.
        refused: raised if it is not as it was read.

    Returns:
        None if there is nothing to change.
    """
    if all(_text(found, name) == text for name, text in attributes.items()):
        return None
    wanted = [name for name, text in attributes.items() if text is not None]
    unwanted = [name for name, text in attributes.items() if text is None]
    values: dict[str, AttributeValueTypeDef] = {f":new_{name}": {"S": attributes[name] or ""} for name in wanted}
    if found is None:
        conditions = ["attribute_not_exists(pk)"]
    else:
        known = [name for name in attributes if name in found]
        values |= {f":old_{name}": found[name] for name in known}
        conditions = [
            f"#{name} = :old_{name}" if name in known else f"attribute_not_exists(#{name})" for name in attributes
        ]
    update = []
    if wanted:
        update.append("SET " + ", ".join(f"#{name} = :new_{name}" for name in wanted))
    if unwanted:
        update.append("REMOVE " + ", ".join(f"#{name}" for name in unwanted))
    return Step(
        {
            "Update": {
                "TableName": table_settings().table_name,
                "Key": key,
                "UpdateExpression": " ".join(update),
                "ConditionExpression": " AND ".join(conditions),
                "ExpressionAttributeNames": {f"#{name}": name for name in attributes},
                "ExpressionAttributeValues": values,
            }
        },
        lambda _: refused,
    )


def _text(item: Item | None, name: str) -> str | None:
    return item[name].get("S") if item and name in item else None


# Why a condition that failed is not believed if an earlier item of the same cancellation met another transaction:
#
#     repeat of a create, by a member        operator                        member's item
#     ----------------------------------     ----------------------------    -----------------
#                                            remove: prepare                 role: owner
#     commit [member, ORG, IDEMPOTENCY, ...]                                 (being written)
#       canceled: TransactionConflict for the
#       member, a failed condition for the
#       kept answer
#                                            remove: done                    no role
#     answers the kept secret: too late
#
# The conflict says that the member's condition was not evaluated. Steps stand in the order in which they are to be
# explained, the caller's authorization first, so a refusal counts only if every earlier step was found to hold. The
# next attempt finds out: 403 here, or the kept answer if the other transaction changed nothing that matters. A conflict
# of a later item changes nothing about a refusal.
#
# CancellationReasons has one entry for each item, in the order of the request, with the code None for those that are
# all right (Amazon DynamoDB API Reference, TransactWriteItems).


def commit(steps: Sequence[Step], record: Step) -> None:
    """Carry out all steps and their audit record in one TransactWriteItems, or none of them.

    No other change writes a record with this id. So if an attempt finds it after one whose answer was lost, that one
    went through: the change is done, whatever else the table says by now.

    Raises:
        ServiceError: what the first step whose condition failed says, if every step before it was found to hold;
            SERVICE_UNAVAILABLE if DynamoDB throttles, keeps reporting conflicts or does not answer.
        ThrottledError: the same, if DynamoDB has throttled the last attempt.
    """
    every = (*steps, record)
    may_be_done = False
    token = str(uuid4())  # One for all attempts: DynamoDB then takes a repeat for what it is, for ten minutes.

    def attempt() -> None:
        nonlocal may_be_done
        could_be_done, may_be_done = may_be_done, True
        request = {"TransactItems": [step.operation for step in every], "ClientRequestToken": token}
        try:
            answer = dynamodb().call("TransactWriteItems", request)
        except AwsError as error:
            if error.code != "TransactionCanceledException":
                raise
            may_be_done = could_be_done  # this attempt is known to have done nothing
            reasons = error.content["CancellationReasons"]
            codes = [reason.get("Code", "None") for reason in reasons]
            if could_be_done and codes[-1] == CONDITION_FAILED:
                return
            for step, reason, reason_code in zip(every, reasons, codes, strict=True):
                if reason_code in _PASSING_REASONS:
                    break
                if reason_code == CONDITION_FAILED:
                    # The stubs have a type of their own for the same item.
                    item = cast("Item | None", reason.get("Item"))
                    raise step.refused(item and _decoded(item)) from None
            if _PASSING_REASONS.issuperset(code for code in codes if code not in {"None", CONDITION_FAILED}):
                retryable = Retryable if _THROTTLING_REASONS.isdisjoint(codes) else Throttled
                raise retryable(", ".join(codes)) from None
            raise
        require_genuine(answer)

    with_retries(attempt)


def read(organization_id: UUID, sort_keys: Iterable[str]) -> dict[str, Item]:
    """Read items of an organization, up to 100, strongly consistent, in one BatchGetItem.

    Returns:
        The items that exist, by sort key.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if DynamoDB throttles or does not answer.
    """
    name = table_settings().table_name
    wanted = [key(organization_id, sort_key) for sort_key in sort_keys]
    found: dict[str, Item] = {}

    def attempt() -> None:
        nonlocal wanted
        request = {"RequestItems": {name: {"Keys": wanted, "ConsistentRead": True}}}
        answer = dynamodb().call("BatchGetItem", request)
        require_genuine(answer, "Responses")
        found.update((item["sk"]["S"], _decoded(item)) for item in answer.content["Responses"].get(name, []))
        unprocessed = answer.content.get("UnprocessedKeys", {}).get(name)
        if unprocessed:
            wanted = unprocessed["Keys"]
            raise Retryable("not all keys were processed")

    if wanted:
        with_retries(attempt)
    return found


def _decoded(item: Mapping[str, AttributeValueTypeDef]) -> Item:
    """Give an item as boto3's client does: over HTTP, binary values are base64 text."""
    return {
        name: {"B": base64.b64decode(cast("str", value["B"]))} if "B" in value else value
        for name, value in item.items()
    }


@dataclass(frozen=True, slots=True)
class Condition:
    """A filter of a query: an expression, and the names and values in it."""

    expression: str
    values: Mapping[str, AttributeValueTypeDef]
    names: Mapping[str, str] = field(default_factory=dict)


def newest_first(
    organization_id: UUID,
    between: tuple[str, str],
    starting_after: str | None,
    conditions: Sequence[Condition],
    page_size: int,
) -> Iterator[Item]:
    """Read the items of an organization between two sort keys, from the last to the first, strongly consistent.

    Items are fetched as they are taken, so that a caller who filters much out still gets a full page.

    Args:
        organization_id: whose partition.
        between: the lowest and the highest sort key, both included.
        starting_after: the sort key that the items come after; it need not exist (any more).
        conditions: what the items must fulfil, all of it.
        page_size: how many items DynamoDB is asked for at first, before the conditions; more, if that is not enough.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if DynamoDB throttles, does not answer, or if time runs out.
    """
    request: QueryInputTypeDef = {
        "TableName": table_settings().table_name,
        "KeyConditionExpression": "pk = :pk AND sk BETWEEN :lowest AND :highest",
        "ExpressionAttributeValues": {
            ":pk": {"S": partition(organization_id)},
            ":lowest": {"S": between[0]},
            ":highest": {"S": between[1]},
            **{name: value for condition in conditions for name, value in condition.values.items()},
        },
        "ConsistentRead": True,
        "ScanIndexForward": False,
        "Limit": page_size,
    }
    if conditions:
        request["FilterExpression"] = " AND ".join(condition.expression for condition in conditions)
    names = {name: value for condition in conditions for name, value in condition.names.items()}
    if names:
        request["ExpressionAttributeNames"] = names
    if starting_after is not None:
        request["ExclusiveStartKey"] = key(organization_id, starting_after)

    while True:
        answer = page("Query", request)
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        if deadline.remaining_seconds() < ATTEMPT_SECONDS:
            raise ServiceError(SERVICE_UNAVAILABLE, reason="too much was filtered out for the time of one invocation")
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        # The less a filter lets through, the more is looked at together.
        request["Limit"] = min(4 * request["Limit"], _LARGEST_PAGE)


def everything(condition: Condition, looked_at: Callable[[int], object]) -> Iterator[Item]:
    """Read the whole table and give the items that fulfil a condition, strongly consistent, as they are taken.

    It costs what the table's size costs: for operators, never for a request.

    Args:
        condition: what the items must fulfil.
        looked_at: told after each request how many items it has looked at.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if DynamoDB throttles or does not answer.
    """
    request: ScanInputTypeDef = {
        "TableName": table_settings().table_name,
        "FilterExpression": condition.expression,
        "ExpressionAttributeValues": condition.values,
        "ConsistentRead": True,
    }

    while True:
        answer = page("Scan", request)
        looked_at(answer["ScannedCount"])
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def page(operation: Literal["Query", "Scan"], request: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read one page of items.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if DynamoDB throttles or does not answer.
    """

    def attempt() -> Mapping[str, Any]:
        answer = dynamodb().call(operation, request)
        require_genuine(answer, "Items")
        return {**answer.content, "Items": [_decoded(item) for item in answer.content["Items"]]}

    return with_retries(attempt)
