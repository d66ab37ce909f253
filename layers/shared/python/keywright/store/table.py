"""Reads and writes of the one table. Every change goes through `commit`."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast
from uuid import uuid4

from keywright.aws.client import AwsError
from keywright.aws.retries import ATTEMPTS, Retryable, Throttled, dynamodb, require_genuine, with_retries
from keywright.errors import CONFLICT, ServiceError
from keywright.settings import table_settings
from keywright.store import layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from uuid import UUID

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, QueryInputTypeDef, ScanInputTypeDef

    from keywright.store.layout import Item, Key, Range

LARGEST_PAGE = 1000
"""Items that one Query looks at, at most."""

_MOST_READ_AT_ONCE = 100  # Amazon DynamoDB API Reference, BatchGetItem
_CONDITION_FAILED = "ConditionalCheckFailed"
_THROTTLING_REASONS = frozenset({"ThrottlingError", "ProvisionedThroughputExceeded"})
_PASSING_REASONS = _THROTTLING_REASONS | {"TransactionConflict"}

Result = TypeVar("Result")
Record = TypeVar("Record")


class Conflict(Exception):  # noqa: N818 - the name of what happened, as `retry_on_conflict` says
    """An item is not as it was read: another request changed it since. Read again and retry."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition, filter or update, with its values and names."""

    text: str
    values: Mapping[str, AttributeValueTypeDef] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


EXISTS = Expression("attribute_exists(pk)")
IS_NEW = Expression("attribute_not_exists(pk)")


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a transaction.

    Attributes:
        kind: of the part.
        request: the part without its table's name.
        refused: returns the exception for a failed condition, given the item as it was (None if there was none).
    """

    kind: Literal["ConditionCheck", "Put", "Update", "Delete"]
    request: Mapping[str, object]
    refused: Callable[[Item | None], Exception]


def _unconditional(_: Item | None) -> Exception:
    return ServiceError(CONFLICT, reason="a step without condition was refused")


def check(key: Key, condition: Expression, refused: Callable[[Item | None], Exception]) -> Step:
    """Require a condition of an item that the transaction does not change."""
    return Step("ConditionCheck", {"Key": key, **_conditional(condition)}, refused)


def put(
    item: Item, condition: Expression | None = None, refused: Callable[[Item | None], Exception] = _unconditional
) -> Step:
    """Write a whole item."""
    return Step("Put", {"Item": item, **(_conditional(condition) if condition else {})}, refused)


def put_new(item: Item) -> Step:
    """Write an item that must not exist yet."""
    return put(item, IS_NEW, lambda _: ServiceError(CONFLICT, reason="an item that was to be new exists"))


def delete(
    key: Key, condition: Expression | None = None, refused: Callable[[Item | None], Exception] = _unconditional
) -> Step:
    """Delete an item."""
    return Step("Delete", {"Key": key, **(_conditional(condition) if condition else {})}, refused)


def update(key: Key, change: Expression, condition: Expression, refused: Callable[[Item | None], Exception]) -> Step:
    """Change attributes of an item."""
    both = Expression(condition.text, {**change.values, **condition.values}, {**change.names, **condition.names})
    return Step("Update", {"Key": key, "UpdateExpression": change.text, **_conditional(both)}, refused)


def _conditional(condition: Expression) -> dict[str, object]:
    # DynamoDB refuses values and names that are given but empty.
    parts = {
        "ConditionExpression": condition.text,
        "ExpressionAttributeValues": condition.values,
        "ExpressionAttributeNames": condition.names,
    }
    return {name: part for name, part in parts.items() if part}


def set_texts(key: Key, before: Item | None, attributes: Mapping[str, str | None], refused: Exception) -> list[Step]:
    """Set attributes of an item, provided that they are as they were read.

    Attributes that are not named are neither changed nor compared.

    Args:
        key: of the item.
        before: the item as it was read; None if there was none, and then there must still be none.
        attributes: the new texts; None removes an attribute.
        refused: raised if the item is not as it was read.

    Returns:
        One step; none if nothing changes.
    """
    if all(text_of(before, name) == text for name, text in attributes.items()):
        return []
    to_set = {name: text for name, text in attributes.items() if text is not None}
    to_remove = attributes.keys() - to_set.keys()
    clauses = ["SET " + ", ".join(f"#{name} = :new_{name}" for name in to_set)] if to_set else []
    clauses += ["REMOVE " + ", ".join(f"#{name}" for name in attributes if name in to_remove)] if to_remove else []
    change = Expression(
        " ".join(clauses),
        {f":new_{name}": {"S": text} for name, text in to_set.items()},
        {f"#{name}": name for name in attributes},
    )
    return [update(key, change, _unchanged(before, attributes), lambda _: refused)]


def _unchanged(before: Item | None, names: Iterable[str]) -> Expression:
    if before is None:
        return IS_NEW
    conditions = [f"#{name} = :old_{name}" if name in before else f"attribute_not_exists(#{name})" for name in names]
    return Expression(" AND ".join(conditions), {f":old_{name}": before[name] for name in names if name in before})


def text_of(item: Item | None, name: str) -> str | None:
    """Return a text attribute of an item that may be missing; None if there is none."""
    return item[name]["S"] if item and name in item else None


# When a failed condition is not believed: an earlier step of the same transaction met another transaction.
#
#     repeated create, by a member           operator                        member's item
#     ----------------------------------     ----------------------------    -----------------
#                                            remove: prepare                 role: owner
#     commit [member, ORG, IDEMPOTENCY, ...]                                 (being written)
#       canceled: TransactionConflict for
#       the member, ConditionalCheckFailed
#       for the kept answer
#                                            remove: done                    no role
#     answers the kept secret: too late
#
# The conflict says that the member's condition was not evaluated. Steps are in the order in which refusals are
# explained, the caller's authorization first, so a refusal counts only if every earlier step held. The next attempt
# decides: 403 here, or the kept answer if the other transaction changed nothing that matters. A conflict of a later
# step changes nothing about a refusal.
#
# CancellationReasons has one entry for each item, in the order of the request, with the code None for those that are
# all right (Amazon DynamoDB API Reference, TransactWriteItems).


def commit(steps: Sequence[Step], record: Step, attempts: int = ATTEMPTS) -> None:
    """Carry out all steps and write their audit record in one TransactWriteItems, or change nothing.

    No other change writes a record with this id. So if an attempt finds it after one whose answer was lost, that one
    went through: the change is done.

    Args:
        steps: in the order in which refusals are explained.
        record: the audit record's.
        attempts: at most.

    Raises:
        Exception: as `refused` of the first step whose condition failed, if every step before it held.
        ServiceError: SERVICE_UNAVAILABLE if DynamoDB throttles, keeps reporting conflicts or does not answer.
        ThrottledError: the same, if DynamoDB throttled the last attempt.
    """
    every = (*steps, record)
    request = {
        "TransactItems": [_with_table(step) for step in every],
        "ClientRequestToken": str(uuid4()),  # one for all attempts: DynamoDB recognizes a repeat for ten minutes
    }
    may_be_done = False

    def attempt() -> None:
        nonlocal may_be_done
        could_be_done, may_be_done = may_be_done, True
        try:
            answer = dynamodb().call("TransactWriteItems", request)
        except AwsError as error:
            if error.code != "TransactionCanceledException":
                raise
            may_be_done = could_be_done  # this attempt did nothing
            reasons = error.content["CancellationReasons"]
            codes = [reason.get("Code", "None") for reason in reasons]
            is_record_there = codes[-1] == _CONDITION_FAILED
            if could_be_done and is_record_there:
                return
            for step, reason, code in zip(every, reasons, codes, strict=True):
                if code in _PASSING_REASONS:
                    break
                if code == _CONDITION_FAILED:
                    raise step.refused(_decoded(reason["Item"]) if "Item" in reason else None) from None
            failures = set(codes) - {"None", _CONDITION_FAILED}
            if failures <= _PASSING_REASONS:
                is_throttled = not _THROTTLING_REASONS.isdisjoint(failures)
                raise (Throttled if is_throttled else Retryable)(", ".join(codes)) from None
            raise
        require_genuine(answer)

    with_retries(attempt, attempts)


def _with_table(step: Step) -> dict[str, dict[str, object]]:
    request = {"TableName": table_settings().table_name, **step.request}
    if "ConditionExpression" in request:
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    return {step.kind: request}


@dataclass(frozen=True, slots=True)
class Updated:
    """Result of `update_item`.

    Attributes:
        is_done: whether the condition held.
        item: as it is now if the condition held, or else as it was; None if there is none.
    """

    is_done: bool
    item: Item | None


def update_item(key: Key, change: Expression, condition: Expression, attempts: int) -> Updated:
    """Change attributes of one item without a transaction. A condition that fails costs as many write units.

    Args:
        key: of the item.
        change: of its attributes.
        condition: of the change.
        attempts: at most. After a lost answer, the next attempt makes the change a second time.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE; whether the item has changed is then unknown.
    """
    step = update(key, change, condition, _unconditional)
    request = {
        "TableName": table_settings().table_name,
        **step.request,
        "ReturnValues": "ALL_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }

    def attempt() -> Updated:
        try:
            answer = dynamodb().call("UpdateItem", request)
        except AwsError as error:
            if error.code == "TransactionConflictException":  # Amazon DynamoDB API Reference, UpdateItem
                raise Retryable("a transaction is changing the item") from None
            if error.code != "ConditionalCheckFailedException":
                raise
            before = error.content.get("Item")
            return Updated(is_done=False, item=_decoded(before) if before else None)
        require_genuine(answer, "Attributes")
        return Updated(is_done=True, item=_decoded(answer.content["Attributes"]))

    return with_retries(attempt, attempts)


def update_now(key: Key, change: Expression, condition: Expression) -> bool:
    """Change attributes of one item as `update_item` does, in one attempt; return whether the condition held.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE; whether the item has changed is then unknown.
    """
    return update_item(key, change, condition, attempts=1).is_done


def retry_on_conflict(act: Callable[[], Result], attempts: int) -> Result:
    """Read, change and commit, again if another request was faster.

    Args:
        act: does all of it; raises Conflict if an item is not as it was read.
        attempts: at most.

    Raises:
        ServiceError: CONFLICT after the last attempt.
    """
    for _ in range(attempts):
        try:
            return act()
        except Conflict:
            continue
    raise ServiceError(CONFLICT)


def read(organization_id: UUID, sort_keys: Iterable[str]) -> dict[str, Item]:
    """Read items of an organization, up to 100, strongly consistent, in one BatchGetItem.

    Returns:
        The items that exist, by sort key.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if DynamoDB throttles or does not answer.
    """
    return read_keys([layout.in_organization(organization_id, sort_key) for sort_key in sort_keys])


def read_keys(keys: Sequence[Key]) -> dict[str, Item]:
    """Read items of different sort keys, as `read` does."""
    return {layout.sort_key_of(item): item for item in _read_at_once(keys)}


def read_all(keys: Sequence[Key]) -> Iterator[Item]:
    """Read any number of items, strongly consistent, in one BatchGetItem for 100 of them.

    Args:
        keys: without duplicates, which DynamoDB refuses.

    Yields:
        The items that exist, in no order.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if DynamoDB throttles or does not answer.
    """
    for start in range(0, len(keys), _MOST_READ_AT_ONCE):
        yield from _read_at_once(keys[start : start + _MOST_READ_AT_ONCE])


def _read_at_once(keys: Sequence[Key]) -> list[Item]:
    name = table_settings().table_name
    items: list[Item] = []

    def attempt() -> None:
        nonlocal keys
        request = {"RequestItems": {name: {"Keys": keys, "ConsistentRead": True}}}
        answer = dynamodb().call("BatchGetItem", request)
        require_genuine(answer, "Responses")
        items.extend(map(_decoded, answer.content["Responses"].get(name, [])))
        unprocessed = answer.content.get("UnprocessedKeys", {}).get(name)
        if unprocessed:
            keys = unprocessed["Keys"]
            raise Retryable("not all keys were processed")

    if keys:
        with_retries(attempt)
    return items


def _decoded(item: Mapping[str, AttributeValueTypeDef]) -> Item:
    """Return an item as boto3's client does: over HTTP, binary values are base64 text."""
    return {
        name: {"B": base64.b64decode(cast("str", value["B"]))} if "B" in value else value
        for name, value in item.items()
    }


def newest_first(
    organization_id: UUID,
    between: Range,
    starting_after: str | None,
    filters: Sequence[Expression],
    page_size: int,
) -> Iterator[Item]:
    """Read the items of an organization between two sort keys, from the last to the first, strongly consistent.

    Items are fetched as they are taken, so that a filter that matches little still gives full pages.

    Args:
        organization_id: whose partition.
        between: the lowest and the highest sort key, both included.
        starting_after: the sort key that the items come after; it need not exist (any more).
        filters: all must match.
        page_size: how many items DynamoDB is first asked for, before the filters; more, if that is not enough.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if DynamoDB throttles, does not answer, or if time runs out.
    """
    request: QueryInputTypeDef = {
        "TableName": table_settings().table_name,
        "KeyConditionExpression": "pk = :pk AND sk BETWEEN :lowest AND :highest",
        "ExpressionAttributeValues": {
            ":pk": {"S": layout.organization_partition(organization_id)},
            ":lowest": {"S": between[0]},
            ":highest": {"S": between[1]},
            **{name: value for filter_ in filters for name, value in filter_.values.items()},
        },
        "ConsistentRead": True,
        "ScanIndexForward": False,
        "Limit": page_size,
    }
    if filters:
        request["FilterExpression"] = " AND ".join(filter_.text for filter_ in filters)
    names = {name: value for filter_ in filters for name, value in filter_.names.items()}
    if names:
        request["ExpressionAttributeNames"] = names
    if starting_after is not None:
        request["ExclusiveStartKey"] = layout.in_organization(organization_id, starting_after)

    for answer in _pages("Query", request):
        yield from answer["Items"]
        # The less a filter lets through, the more is looked at together.
        request["Limit"] = min(4 * request["Limit"], LARGEST_PAGE)


def page_of(records: Iterator[Record], limit: int, cursor: Callable[[Record], str]) -> tuple[list[Record], str | None]:
    """Take a page of records.

    Args:
        records: fetched as they are taken.
        limit: of the page.
        cursor: returns what names a record.

    Returns:
        The page, and the cursor of its last record if there is another page.
    """
    page = list(islice(records, limit))
    has_more = next(records, None) is not None
    return page, cursor(page[-1]) if has_more else None


def scan(filter_: Expression, on_page: Callable[[int], object]) -> Iterator[Item]:
    """Read the whole table, strongly consistent, as items are taken. For operators only: it costs what the table holds.

    Args:
        filter_: must match.
        on_page: called after each request with the number of items that were scanned.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if DynamoDB throttles or does not answer.
    """
    request: ScanInputTypeDef = {
        "TableName": table_settings().table_name,
        "FilterExpression": filter_.text,
        "ExpressionAttributeValues": filter_.values,
        "ConsistentRead": True,
    }
    for answer in _pages("Scan", request):
        on_page(answer["ScannedCount"])
        yield from answer["Items"]


def query(request: Mapping[str, object]) -> Iterator[Item]:
    """Read the items of a query, strongly consistent, as they are taken.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if DynamoDB throttles or does not answer.
    """
    request = {"TableName": table_settings().table_name, "ConsistentRead": True, **request}
    return (item for answer in _pages("Query", request) for item in answer["Items"])


def _pages(operation: Literal["Query", "Scan"], request: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Read page by page; the caller may change the request between two of them."""
    position: Mapping[str, object] = {}

    def attempt() -> Mapping[str, Any]:
        answer = dynamodb().call(operation, {**request, **position})
        require_genuine(answer, "Items")
        return {**answer.content, "Items": [_decoded(item) for item in answer.content["Items"]]}

    while True:
        answer = with_retries(attempt)
        yield answer
        if "LastEvaluatedKey" not in answer:
            return
        position = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
