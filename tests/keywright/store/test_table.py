"""The table: reads in one request, lists in pages, and commits of all steps or none."""

from __future__ import annotations

import itertools
import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from keywright import clock, deadline
from keywright.aws import retries
from keywright.aws.client import AwsError
from keywright.domain.audit_event import AuditEvent
from keywright.domain.principals import Actor, ActorType
from keywright.errors import API_KEY_NOT_FOUND, CONFLICT, FORBIDDEN, SERVICE_UNAVAILABLE, ErrorType, ServiceError
from keywright.settings import table_settings
from keywright.store import audit, layout, table
from keywright.store.audit import Change
from keywright.store.table import IS_NEW, Expression, Step
from tests.support import faults
from tests.support.world import ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from tests.support.world import Table, World

ORGANIZATION = uuid.UUID(ORGANIZATION_ID)
OTHER_ORGANIZATION = uuid.UUID(int=1)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the waits between attempts."""
    monkeypatch.setattr(time, "sleep", lambda _: None)


@pytest.fixture
def items(world: World) -> Table:
    """A table with THING#1 to THING#9, items of another kind, and another organization's THING#5."""
    for number in range(1, 10):
        world.table.put(pk=f"ORG#{ORGANIZATION}", sk=f"THING#{number}", number=number, is_even=number % 2 == 0)
    for sort_key in ("SOMETHING#5", "THINGS#5"):
        world.table.put(pk=f"ORG#{ORGANIZATION}", sk=sort_key, number=0, is_even=True)
    world.table.put(pk=f"ORG#{OTHER_ORGANIZATION}", sk="THING#5", number=-5, is_even=True)
    return world.table


@pytest.fixture
def sent(world: World) -> Iterator[list[dict[str, Any]]]:
    """The bodies of all requests to DynamoDB."""
    del world
    requests: list[dict[str, Any]] = []

    def note(request: AWSPreparedRequest, _operation: str) -> None:
        requests.append(json.loads(request.body or b"{}"))  # type: ignore[arg-type]  # the stub names no bytes

    with faults.intercepted(retries.dynamodb(), note):
        yield requests


def genuine(body: dict[str, Any]) -> faults.Fault:
    """Return an answer of DynamoDB with a request id."""
    answer = faults.answer(200, body)

    def fault(request: AWSPreparedRequest) -> AWSResponse:
        response = answer(request)
        response.headers["x-amzn-requestid"] = "1"
        return response

    return fault


# read


@pytest.mark.usefixtures("items")
def test_read_gives_what_there_is(sent: list[dict[str, Any]]) -> None:
    """Items by sort key, in one strongly consistent request, of one organization only. Missing items are left out."""
    items = table.read(ORGANIZATION, ["THING#5", "THING#2", "THING#0"])

    assert {"THING#2": "2", "THING#5": "5"} == {sk: item["number"]["N"] for sk, item in items.items()}
    assert [True] == [request["RequestItems"][table_settings().table_name]["ConsistentRead"] for request in sent]


def test_reading_nothing_takes_no_request(sent: list[dict[str, Any]]) -> None:
    """DynamoDB refuses a request without keys."""
    assert {} == table.read(ORGANIZATION, [])
    assert [] == sent


@pytest.mark.usefixtures("items")
def test_read_asks_again_for_what_was_not_processed(sent: list[dict[str, Any]]) -> None:
    """Only unprocessed keys are requested again, strongly consistent. Earlier items are kept."""
    name = table_settings().table_name
    keys = [dict(layout.in_organization(ORGANIZATION, f"THING#{number}")) for number in (1, 2, 3)]
    partial = {
        "Responses": {name: [keys[0] | {"number": {"N": "1"}}]},
        "UnprocessedKeys": {name: {"Keys": keys[1:], "ConsistentRead": True}},
    }
    with faults.injected(genuine(partial)):
        items = table.read(ORGANIZATION, ["THING#1", "THING#2", "THING#3"])

    assert {"THING#1": "1", "THING#2": "2", "THING#3": "3"} == {sk: item["number"]["N"] for sk, item in items.items()}
    assert {"Keys": keys[1:], "ConsistentRead": True} == sent[1]["RequestItems"][name]


@pytest.mark.usefixtures("items")
def test_read_does_not_ask_for_ever() -> None:
    """Keys that stay unprocessed are a 503, never missing items."""
    name = table_settings().table_name
    keys = [dict(layout.in_organization(ORGANIZATION, "THING#1"))]
    nothing = genuine({"Responses": {}, "UnprocessedKeys": {name: {"Keys": keys}}})
    with faults.injected(*[nothing] * 100) as operations, pytest.raises(ServiceError) as caught:
        table.read(ORGANIZATION, ["THING#1"])

    assert SERVICE_UNAVAILABLE is caught.value.error
    assert retries.ATTEMPTS == len(operations)


@pytest.mark.usefixtures("items")
def test_read_tries_again() -> None:
    """The caller does not notice a temporary failure."""
    with faults.injected(faults.error("ThrottlingException"), faults.timeout):
        assert ["THING#1"] == list(table.read(ORGANIZATION, ["THING#1"]))


# newest_first


def listed(
    starting_after: str | None = None,
    *,
    between: tuple[str, str] = ("THING#", "THING#z"),
    conditions: list[Expression] | None = None,
    page_size: int = 4,
    take: int | None = None,
) -> list[int]:
    """Return the numbers of listed things."""
    items = table.newest_first(ORGANIZATION, between, starting_after, conditions or [], page_size)
    return [int(item["number"]["N"]) for item in itertools.islice(items, take)]


EVEN = Expression("is_even = :even", {":even": {"BOOL": True}})
ABOVE_TWO = Expression("#number > :two", {":two": {"N": "2"}}, {"#number": "number"})


@pytest.mark.usefixtures("items")
@pytest.mark.parametrize("page_size", [1, 2, 3, 8, 9, 10, 100])
def test_the_list_goes_from_the_last_to_the_first(page_size: int) -> None:
    """The order does not depend on the page size. Items of other kinds and organizations are left out."""
    assert [9, 8, 7, 6, 5, 4, 3, 2, 1] == listed(page_size=page_size)


@pytest.mark.usefixtures("items")
def test_both_bounds_are_included() -> None:
    """The items at the lowest and at the highest sort key are listed."""
    assert [6, 5, 4, 3] == listed(between=("THING#3", "THING#6"))


@pytest.mark.usefixtures("items")
@pytest.mark.parametrize(
    ("starting_after", "expected"),
    [
        ("THING#4", [3, 2, 1]),
        ("THING#45", [4, 3, 2, 1]),
        ("THING#1", []),
        ("THING#0", []),
        ("THING#y", [9, 8, 7, 6, 5, 4, 3, 2, 1]),
    ],
)
def test_it_starts_after_a_place(starting_after: str, expected: list[int]) -> None:
    """The list starts after a sort key, with or without an item there."""
    assert expected == listed(starting_after)


@pytest.mark.usefixtures("items")
@pytest.mark.parametrize("page_size", [1, 2, 100])
def test_all_conditions_hold_together_on_every_page(page_size: int) -> None:
    """Filtered items are left out and do not end the list."""
    assert [8, 6, 4] == listed(conditions=[EVEN, ABOVE_TWO], page_size=page_size)


@pytest.mark.usefixtures("items")
def test_it_is_fetched_as_it_is_taken(sent: list[dict[str, Any]]) -> None:
    """Three of nine in pages of four is one strongly consistent request; five are two."""
    listed(take=3)
    assert [(True, 4)] == [(request["ConsistentRead"], request["Limit"]) for request in sent]

    listed(take=5)
    assert 1 + 2 == len(sent)


@pytest.mark.usefixtures("items")
def test_the_less_a_filter_lets_through_the_more_is_looked_at_together(sent: list[dict[str, Any]]) -> None:
    """Rare items in a long list take few requests."""
    nothing = Expression("#number > :ten", {":ten": {"N": "10"}}, {"#number": "number"})

    assert [] == listed(conditions=[nothing], page_size=1)
    assert [1, 4, 16] == [request["Limit"] for request in sent]


@pytest.mark.usefixtures("items")
def test_a_list_ends_before_the_functions_time_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN no time for another page THEN the list ends with 503, never as if the page were the last one."""
    pages: list[str] = []

    def remaining_seconds() -> float:
        return 0.0 if pages else 60.0

    monkeypatch.setattr(deadline, "remaining_seconds", remaining_seconds)
    note = faults.intercepted(retries.dynamodb(), lambda _, operation: pages.append(operation))
    with note, pytest.raises(ServiceError) as caught:
        listed()

    assert SERVICE_UNAVAILABLE is caught.value.error
    assert ["Query"] == pages


@pytest.mark.usefixtures("items")
@pytest.mark.parametrize(
    "page", [faults.answer(200, {}), faults.answer(200, b""), genuine({})], ids=["proxy", "nothing", "incomplete"]
)
def test_a_page_that_is_not_dynamodbs_is_asked_for_again(page: faults.Fault) -> None:
    """Read as an empty page, it would hide items."""
    with faults.injected(page, None, page):
        assert [9, 8, 7, 6, 5, 4, 3, 2, 1] == listed()


@pytest.mark.usefixtures("items")
@pytest.mark.parametrize("content", [faults.answer(200, {}), genuine({})], ids=["proxy", "incomplete"])
def test_items_that_are_not_dynamodbs_are_asked_for_again(content: faults.Fault) -> None:
    """Read as an answer, it would hide keys and members."""
    with faults.injected(content):
        assert ["THING#1"] == list(table.read(ORGANIZATION, ["THING#1"]))


@pytest.mark.usefixtures("items")
def test_each_page_is_tried_again() -> None:
    """A failure in the middle of a list neither ends it nor repeats items."""
    with faults.injected(None, faults.error("ThrottlingException"), faults.timeout, None, faults.answer(500, b"")):
        assert [9, 8, 7, 6, 5, 4, 3, 2, 1] == listed()


@pytest.mark.usefixtures("items")
def test_a_list_that_cannot_go_on_is_an_error() -> None:
    """The list ends with 503, never with a list that seems complete."""
    with faults.injected(None, *[faults.timeout] * 100), pytest.raises(ServiceError) as caught:
        listed()

    assert SERVICE_UNAVAILABLE is caught.value.error


# commit


def put(sort_key: str, error: ErrorType = API_KEY_NOT_FOUND) -> Step:
    """Return a step that writes a new item, with the error of its refusal."""
    return table.put(layout.in_organization(ORGANIZATION, sort_key), IS_NEW, lambda _: ServiceError(error))


@pytest.fixture
def record(world: World) -> Step:
    """The audit record of a change."""
    del world
    change = Change(AuditEvent.MEMBER_ADDED, "member", "user_1", None, {"role": "admin"})
    return audit.put(ORGANIZATION, Actor(ActorType.USER, "user_9"), None, change, clock.now())


def sort_keys(world: World) -> list[str]:
    """Return the sort keys in the table."""
    return [item["sk"].partition("#")[0] for item in world.table.items()]


def error_of(*steps: Step) -> ErrorType:
    """Commit steps, the last of which is the record, and return the error."""
    with pytest.raises(ServiceError) as caught:
        table.commit(steps[:-1], steps[-1])
    return caught.value.error


def test_all_steps_and_the_record_are_written(world: World, record: Step) -> None:
    """The steps of a change and its audit record are written in one request."""
    with faults.injected() as operations:
        table.commit([put("A"), put("B")], record)

    assert ["A", "AUDIT", "B"] == sort_keys(world)
    assert ["TransactWriteItems"] == operations


def test_one_refusal_stops_everything(world: World, record: Step) -> None:
    """Nothing is written, and the error is that of the refused step."""
    world.table.put(pk=f"ORG#{ORGANIZATION}", sk="B")

    assert FORBIDDEN is error_of(put("A"), put("B", FORBIDDEN), put("C"), record)
    assert ["B"] == sort_keys(world)


def test_of_several_refusals_the_first_counts(world: World, record: Step) -> None:
    """The order of steps is the order of precedence of their errors."""
    for sort_key in ("B", "C"):
        world.table.put(pk=f"ORG#{ORGANIZATION}", sk=sort_key)

    assert FORBIDDEN is error_of(put("A"), put("B", FORBIDDEN), put("C"), record)
    assert API_KEY_NOT_FOUND is error_of(put("A"), put("C"), put("B", FORBIDDEN), record)


def test_a_refusal_is_given_the_item_as_it_was(world: World, record: Step) -> None:
    """The step can choose its error by the item."""
    world.table.put(pk=f"ORG#{ORGANIZATION}", sk="A", number=7)
    seen: list[Any] = []

    def refused(item: object) -> Exception:
        seen.append(item)
        return ServiceError(FORBIDDEN)

    error_of(table.put(layout.in_organization(ORGANIZATION, "A"), IS_NEW, refused), record)

    assert [{"pk": {"S": f"ORG#{ORGANIZATION}"}, "sk": {"S": "A"}, "number": {"N": "7"}}] == seen


def test_a_record_that_exists_at_the_first_attempt_is_another_requests(world: World, record: Step) -> None:
    """Nothing was written, so success would be false."""
    item: Any = record.request["Item"]
    world.table.put(pk=item["pk"]["S"], sk=item["sk"]["S"])

    assert CONFLICT is error_of(put("A"), record)
    assert ["AUDIT"] == sort_keys(world)


@pytest.mark.parametrize(
    "codes", [("TransactionConflict", "None"), ("None", "ThrottlingError"), ("TransactionConflict",) * 2]
)
def test_a_conflict_is_tried_again(world: World, record: Step, codes: tuple[str, ...]) -> None:
    """After a conflict of two transactions the next attempt succeeds."""
    with faults.injected(faults.canceled(*codes), faults.canceled(*codes)) as operations:
        table.commit([put("A")], record)

    assert 3 == len(operations)
    assert ["A", "AUDIT"] == sort_keys(world)


def test_a_conflict_that_does_not_pass_is_unavailable(world: World, record: Step) -> None:
    """A change whose conflicts persist ends with 503."""
    with faults.injected(*[faults.canceled("TransactionConflict", "None")] * 100) as operations:
        assert SERVICE_UNAVAILABLE is error_of(put("A"), record)

    assert retries.ATTEMPTS == len(operations)
    assert [] == sort_keys(world)


@pytest.mark.parametrize("passing", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_refusal_counts_more_than_a_later_conflict(record: Step, passing: str) -> None:
    """The refusal would stand at the next attempt, and no earlier step could take precedence."""
    with faults.injected(faults.canceled("None", "ConditionalCheckFailed", passing)) as operations:
        assert FORBIDDEN is error_of(put("A"), put("B", FORBIDDEN), record)

    assert 1 == len(operations)


@pytest.mark.parametrize("passing", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_an_earlier_conflict_is_tried_again_before_a_refusal_counts(world: World, record: Step, passing: str) -> None:
    """GIVEN steps of which the first was not evaluated and the second failed THEN the next attempt decides on both."""
    canceled = faults.canceled(passing, "ConditionalCheckFailed", "None")
    for sort_key in ("A", "B"):
        world.table.put(pk=f"ORG#{ORGANIZATION}", sk=sort_key)

    with faults.injected(canceled, canceled) as operations:
        assert FORBIDDEN is error_of(put("A", FORBIDDEN), put("B"), record)

    assert 3 == len(operations)


def test_a_refusal_behind_a_conflict_that_does_not_pass_is_unavailable(record: Step) -> None:
    """While an earlier step is in conflict, the error of a later step is never raised."""
    canceled = faults.canceled("TransactionConflict", "ConditionalCheckFailed", "None")
    with faults.injected(*[canceled] * 100) as operations:
        assert SERVICE_UNAVAILABLE is error_of(put("A"), put("B", FORBIDDEN), record)

    assert retries.ATTEMPTS == len(operations)


def test_a_record_that_exists_after_a_conflict_is_another_requests(world: World, record: Step) -> None:
    """A canceled transaction wrote nothing, so the record is not a witness of the change."""
    item: Any = record.request["Item"]
    world.table.put(pk=item["pk"]["S"], sk=item["sk"]["S"])

    with faults.injected(faults.canceled("TransactionConflict", "ConditionalCheckFailed")):
        assert CONFLICT is error_of(put("A"), record)

    assert ["AUDIT"] == sort_keys(world)


def test_any_other_reason_is_a_mistake_of_ours(record: Step) -> None:
    """A transaction that is canceled for any other reason is not retried."""
    with (
        faults.injected(faults.canceled("TransactionConflict", "ItemCollectionSizeLimitExceeded")) as operations,
        pytest.raises(AwsError),
    ):
        table.commit([put("A")], record)

    assert 1 == len(operations)


def test_its_own_record_is_the_witness_of_a_lost_answer(world: World, record: Step) -> None:
    """The first attempt took effect: the second one finds the record and ignores refusals that it caused itself."""
    with faults.injected(faults.lost_answer) as operations:
        table.commit([put("A", FORBIDDEN)], record)

    assert 2 == len(operations)
    assert ["A", "AUDIT"] == sort_keys(world)


def test_without_the_witness_a_refusal_after_a_lost_request_is_one(world: World, record: Step) -> None:
    """The first attempt did not take effect, and a concurrent request was faster."""
    world.table.put(pk=f"ORG#{ORGANIZATION}", sk="A")

    with faults.injected(faults.timeout):
        assert FORBIDDEN is error_of(put("A", FORBIDDEN), record)

    assert ["A"] == sort_keys(world)


def test_the_witness_is_found_behind_further_failures(world: World, record: Step) -> None:
    """Any number of attempts may fail after the lost answer."""
    conflict = faults.canceled("TransactionConflict", "None")
    with faults.injected(faults.lost_answer, faults.timeout, conflict, faults.error("ThrottlingException")):
        table.commit([put("A", FORBIDDEN)], record)

    assert ["A", "AUDIT"] == sort_keys(world)


def test_an_answer_that_is_not_dynamodbs_proves_nothing(world: World, record: Step) -> None:
    """A response with status 200 of a proxy is not taken for a successful change."""
    with faults.injected(faults.answer(200, {})) as operations:
        table.commit([put("A")], record)

    assert 2 == len(operations)
    assert ["A", "AUDIT"] == sort_keys(world)


def test_all_attempts_carry_one_token(sent: list[dict[str, Any]], record: Step) -> None:
    """DynamoDB recognizes a retry by its token. Another commit has another token."""
    with faults.injected(faults.timeout, faults.canceled("TransactionConflict", "None")):
        table.commit([put("A")], record)
    error_of(put("A"), record)

    tokens = [request["ClientRequestToken"] for request in sent]
    assert 4 == len(tokens)
    assert 1 == len(set(tokens[:3]))
    assert tokens[3] != tokens[0]
