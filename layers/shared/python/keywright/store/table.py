"""The one table: its keys, and the one way to change anything in it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from uuid import uuid4

from keywright.errors import CONFLICT, ServiceError
from keywright.settings import settings
from keywright.store.aws import Retryable, dynamodb, with_retries

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from mypy_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        TransactWriteItemTypeDef,
    )

    Item = Mapping[str, AttributeValueTypeDef]

_REQUEST_ID_HEADER = "x-amzn-requestid"
_CONDITION_FAILED = "ConditionalCheckFailed"
_PASSING_REASONS = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a transaction.

    Attributes:
        operation: an entry of TransactWriteItems, without its table name.
        refused: explains why its condition failed, given the item as it was (None if there was none).
    """

    operation: TransactWriteItemTypeDef
    refused: Callable[[Item | None], ServiceError]


def key(organization_id: UUID, sort_key: str) -> dict[str, AttributeValueTypeDef]:
    """Give the primary key of an item; everything of an organization lies in its one partition."""
    return {"pk": {"S": f"ORG#{organization_id}"}, "sk": {"S": sort_key}}


def put_new(item: Item, refused: Callable[[Item | None], ServiceError] | None = None) -> Step:
    """Write an item that must not exist yet."""
    return Step(
        {
            "Put": {
                "TableName": settings().table_name,
                "Item": item,
                "ConditionExpression": "attribute_not_exists(pk)",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        },
        refused or (lambda _: ServiceError(CONFLICT, reason="an item that was to be new exists")),
    )


def commit(steps: Sequence[Step], record: Step) -> None:
    """Carry out all steps and their audit record in one TransactWriteItems, or none of them.

    The record's id is drawn for this change alone. So if a second attempt finds it there, the first one went through
    and only its answer was lost: the change is done, whatever else the table says by now.

    Raises:
        ServiceError: what the first step whose condition failed says; SERVICE_UNAVAILABLE if DynamoDB throttles,
            keeps reporting conflicts or does not answer.
    """
    every = (*steps, record)
    attempts = itertools.count()
    token = str(uuid4())  # One for all attempts: DynamoDB then takes a repeat for what it is, for ten minutes.

    def attempt() -> None:
        is_repeated = next(attempts) > 0
        try:
            answer = dynamodb().transact_write_items(
                TransactItems=[step.operation for step in every], ClientRequestToken=token
            )
        except dynamodb().exceptions.TransactionCanceledException as error:
            reasons = error.response["CancellationReasons"]
            codes = [reason.get("Code", "None") for reason in reasons]
            if is_repeated and codes[-1] == _CONDITION_FAILED:
                return
            for step, reason, code in zip(every, reasons, codes, strict=True):
                if code == _CONDITION_FAILED:
                    # The stubs have a type of their own for the same item.
                    raise step.refused(cast("Item | None", reason.get("Item"))) from None
            if _PASSING_REASONS.issuperset(code for code in codes if code != "None"):
                raise Retryable(", ".join(codes)) from None
            raise
        # botocore takes any 200 for a success, even one whose body it cannot read; only DynamoDB's own counts here.
        if _REQUEST_ID_HEADER not in answer["ResponseMetadata"]["HTTPHeaders"]:
            raise Retryable("the answer is not DynamoDB's")

    with_retries(attempt)
