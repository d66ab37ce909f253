"""Uses in the table: added once, never to a key that is gone, never back in time."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from botocore.exceptions import ConnectionClosedError

from keywright import clock
from keywright.errors import SERVICE_UNAVAILABLE, ServiceError
from keywright.keys.usage import Meter
from keywright.store import usage
from keywright.store.usage import Uses
from tests import faults
from tests.calling import UNANSWERED, meanwhile
from tests.world import KEY_ID, ORGANIZATION_ID

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from tests.world import Table, World

AT = clock.stored("2026-06-01T12:00:00.000Z")
WRITE = "TransactWriteItems"


@pytest.fixture
def table(world: World) -> Table:
    """A table with one key."""
    world.table.put_key()
    return world.table


def uses(count: int = 3, *, later: float = 0, token: str | None = None) -> Uses:
    """Some uses of the key; under a token of their own, since DynamoDB refuses another request under a known one."""
    return Uses(UUID(ORGANIZATION_ID), UUID(KEY_ID), count, AT + timedelta(seconds=later), token or str(uuid4()))


def stored(table: Table) -> tuple[int, str]:
    """Read count and time."""
    item = table.item(f"USAGE#{KEY_ID}")
    return int(item["request_count"]), item["last_used_at"]


def test_the_first_uses_make_the_item(table: Table) -> None:
    """Count and time, in one request."""
    with faults.injected() as operations:
        usage.add(uses())

    assert [WRITE] == operations
    assert (3, "2026-06-01T12:00:00.000Z") == stored(table)


def test_later_uses_are_added(table: Table) -> None:
    """The counts are summed, the last time stays."""
    usage.add(uses())
    usage.add(uses(4, later=60.5))

    assert (7, "2026-06-01T12:01:00.500Z") == stored(table)


def test_the_time_never_goes_back(table: Table) -> None:
    """A container that writes later may have been used earlier: only its count is added."""
    usage.add(uses(later=60))
    usage.add(uses(4))

    assert (7, "2026-06-01T12:01:00.000Z") == stored(table)


def test_the_same_time_again_is_added_in_one_request(table: Table) -> None:
    """It is not a step back."""
    usage.add(uses())
    with faults.injected() as operations:
        usage.add(uses())

    assert [WRITE] == operations
    assert (6, "2026-06-01T12:00:00.000Z") == stored(table)


def test_a_deleted_key_is_not_used(world: World) -> None:
    """Its usage does not come back; nobody hears an error, for there is nothing to repeat."""
    usage.add(uses())

    assert [] == world.table.items()


def test_a_key_that_is_deleted_meanwhile_is_not_used(table: Table) -> None:
    """The check is in the same transaction as the addition."""

    def delete() -> None:
        key = {"pk": {"S": f"ORG#{ORGANIZATION_ID}"}, "sk": {"S": f"KEY#{KEY_ID}"}}
        table.client.delete_item(TableName=table.name, Key=key)

    with faults.injected(meanwhile(delete)):
        usage.add(uses())

    assert [] == table.items()


def test_a_key_that_is_deleted_between_the_two_attempts_is_not_used(table: Table) -> None:
    """The second attempt, without the time, checks it too."""
    usage.add(uses(later=60))

    def delete() -> None:
        for prefix in ("KEY#", "USAGE#"):
            key = {"pk": {"S": f"ORG#{ORGANIZATION_ID}"}, "sk": {"S": f"{prefix}{KEY_ID}"}}
            table.client.delete_item(TableName=table.name, Key=key)

    with faults.injected(None, meanwhile(delete)):
        usage.add(uses())

    assert [] == table.items()


@pytest.mark.parametrize("fault", [*UNANSWERED, faults.canceled("TransactionConflict", "None")])
def test_what_fails_is_told_after_one_attempt(table: Table, fault: faults.Fault) -> None:
    """The meter repeats it later; no verification waits for more than one attempt."""
    with faults.injected(*[fault] * 100) as operations, pytest.raises(ServiceError) as caught:
        usage.add(uses())

    assert SERVICE_UNAVAILABLE == caught.value.error
    assert [WRITE] == operations
    assert [] == table.under("USAGE#")


def tokens_of(acts: list[Uses], *injected: faults.Fault | None) -> list[str]:
    """Add uses, and give the tokens that DynamoDB was sent, in order; errors are for the meter."""
    sent: list[str] = []

    def noting(fault: faults.Fault | None) -> faults.Fault:
        def note(request: AWSPreparedRequest) -> AWSResponse:
            content: dict[str, Any] = json.loads(request.body or b"{}")  # type: ignore[arg-type]  # the stub's body
            sent.append(content["ClientRequestToken"])
            return (fault or meanwhile(lambda: None))(request)

        return note

    with faults.injected(*[noting(fault) for fault in (*injected, *[None] * 4)]):
        for act in acts:
            try:
                usage.add(act)
            except ServiceError:
                continue
    return sent


def test_an_addition_is_repeated_under_its_token(table: Table) -> None:
    """DynamoDB carries out a token once in ten minutes: so a lost answer does not count twice."""
    del table
    token = str(uuid4())

    assert [token, token] == tokens_of([uses(token=token), uses(token=token)], faults.lost_answer)


def test_the_attempt_without_the_time_has_a_token_of_its_own(table: Table) -> None:
    """It is another request, which DynamoDB would refuse under the same token; a repeat of it has the same again."""
    token = str(uuid4())
    usage.add(uses(later=60))

    tokens = tokens_of([uses(token=token), uses(token=token)], None, faults.lost_answer)

    assert [token, tokens[1]] * 2 == tokens
    assert token != tokens[1]
    assert len(token) == len(tokens[1])
    assert table.under("USAGE#")


def test_two_additions_have_two_tokens(table: Table) -> None:
    """What is not a repeat counts."""
    del table
    one, another = str(uuid4()), str(uuid4())

    assert [one, another] == tokens_of([uses(token=one), uses(token=another)])


def test_a_lost_answer_does_not_count_twice(table: Table) -> None:
    """GIVEN a DynamoDB that keeps its word WHEN an answer is lost and the uses are added again THEN they count once."""
    carried_out: dict[str, AWSResponse] = {}

    def keeping_its_word(request: AWSPreparedRequest) -> AWSResponse:
        """Answer a repeated token as before, and do nothing (Amazon DynamoDB API Reference, TransactWriteItems)."""
        token = json.loads(request.body or b"{}")["ClientRequestToken"]  # type: ignore[arg-type]  # the stub's body
        if token not in carried_out:
            carried_out[token] = meanwhile(lambda: None)(request)
            raise ConnectionClosedError(endpoint_url=request.url)
        return carried_out[token]

    meter = Meter(usage.add, interval_seconds=0)
    with faults.injected(keeping_its_word, keeping_its_word, keeping_its_word):
        meter.count(UUID(ORGANIZATION_ID), UUID(KEY_ID), AT)
        meter.flush_all(60)

    assert 1 == len(carried_out)
    assert (1, "2026-06-01T12:00:00.000Z") == stored(table)
