"""Failures of S3 and DynamoDB, ends of containers, shards at once: the chain is whole, and no record is lost."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keywright.aws import retries
from keywright.aws.client import AwsError
from local.object_store import NoAnswerError
from tests.support import faults
from tests.support.table_stream import stream_record
from tests.support.world import audit_item, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.object_store import ObjectRequest
    from tests.support.table_stream import Archiver, Record

Answer = tuple[int, str] | None


def batch(*numbers: int) -> list[Record]:
    """Return records of one organization."""
    return [stream_record(audit_item(nth_id(number)), number) for number in numbers]


def scripted(*answers: Answer | type[Exception]) -> Callable[[ObjectRequest], Answer]:
    """Answer the next requests so, one each; None lets a request through, as does the end."""
    remaining = iter(answers)

    def answer(_: ObjectRequest) -> Answer:
        following = next(remaining, None)
        if isinstance(following, type):
            raise following
        return following

    return answer


TRANSIENT: dict[str, Answer | type[Exception]] = {
    "throttled": (503, "SlowDown"),
    "internal error": (500, "InternalError"),
    "time-out": (400, "RequestTimeout"),
    "conflict": (409, "ConditionalRequestConflict"),
    "aborted": (409, "OperationAborted"),
    "proxy": NoAnswerError,
}


@pytest.mark.parametrize("answer", TRANSIENT.values(), ids=TRANSIENT)
def test_a_request_that_fails_is_sent_again(archiver: Archiver, answer: Answer | type[Exception]) -> None:
    """GIVEN two failures in a row THEN the batch is archived in one invocation, once."""
    archiver.objects.before = scripted(answer, answer)

    assert archiver(*batch(0, 1)) is None

    assert [[nth_id(0), nth_id(1)]] == archiver.ids


@pytest.mark.parametrize("answer", TRANSIENT.values(), ids=TRANSIENT)
def test_a_lost_answer_archives_once(archiver: Archiver, answer: Answer | type[Exception]) -> None:
    """GIVEN an object that is written, and an answer that is lost THEN the repeat recognizes its own object."""
    archiver.objects.after = scripted(answer)

    assert archiver(*batch(0, 1)) is None

    assert [[nth_id(0), nth_id(1)]] == archiver.ids
    assert 1 == archiver.head[0]


@pytest.mark.parametrize("answer", TRANSIENT.values(), ids=TRANSIENT)
def test_a_failure_that_lasts_names_the_first_record(archiver: Archiver, answer: Answer | type[Exception]) -> None:
    """GIVEN an S3 that does not answer THEN the first record is named, Lambda sends all again, and none is lost."""
    archiver.objects.before = scripted(*[answer] * 100)
    assert archiver(*batch(0, 1)) == 0
    assert {} == archiver.objects.bodies

    archiver.objects.before = scripted()
    assert archiver(*batch(0, 1)) is None

    assert [[nth_id(0), nth_id(1)]] == archiver.ids


@pytest.mark.parametrize("answer", [(403, "AccessDenied"), (404, "NoSuchBucket"), (400, "InvalidRequest")])
def test_a_refusal_without_a_remedy_fails_the_invocation(archiver: Archiver, answer: Answer) -> None:
    """GIVEN a refusal that no retry can help THEN the invocation fails, for an alarm to see."""
    archiver.objects.before = scripted(answer)

    with pytest.raises(AwsError):
        archiver(*batch(0))


def test_without_time_nothing_is_written(archiver: Archiver) -> None:
    """GIVEN less time than a request can take THEN the first record is named, and no request is sent."""
    assert archiver.with_time_left(2_900)(*batch(0, 1)) == 0
    assert [] == archiver.objects.requests


def test_a_request_to_s3_has_its_whole_time(archiver: Archiver) -> None:
    """GIVEN less time than S3 may take for an object, and more than DynamoDB may THEN no request to S3 is sent."""
    archiver(*batch(9))
    archiver.objects.requests.clear()

    assert archiver.with_time_left(21_900)(*batch(0, 1)) == 0

    assert [] == archiver.objects.requests


DATABASE = {
    "throttled": faults.error("ThrottlingException"),
    "internal": faults.error("InternalServerError", 500),
    "time-out": faults.timeout,
    "lost answer": faults.lost_answer,
}


@pytest.mark.parametrize("position", range(2), ids=["reading the head", "moving the head"])
@pytest.mark.parametrize("fault", DATABASE.values(), ids=DATABASE)
def test_the_table_fails_for_a_moment(archiver: Archiver, position: int, fault: faults.Fault) -> None:
    """GIVEN a failure at either request to the table THEN the batch is archived once."""
    with faults.injected(*[None] * position, fault):
        assert archiver(*batch(0)) is None

    assert [[nth_id(0)]] == archiver.ids
    assert 1 == archiver.head[0]


@pytest.mark.parametrize("fault", DATABASE.values(), ids=DATABASE)
def test_a_head_that_is_not_moved_is_found_later(archiver: Archiver, fault: faults.Fault) -> None:
    """GIVEN a table that fails after the object is written THEN the batch comes again, with the same digests."""
    with faults.injected(None, *[fault] * 100):
        assert archiver(*batch(0)) == 0

    assert archiver(*batch(0)) is None
    assert archiver(*batch(1)) is None

    first, second, third = archiver.lines
    assert first == second
    assert [nth_id(1)] == [line["id"] for line in third]
    assert 3 == archiver.head[0]


# ---- Invocations that are killed -----------------------------------------------------------------------------


class _KilledError(BaseException):
    """The container ends: nothing catches it."""


def kill_at(patch: pytest.MonkeyPatch, place: int, *, is_after: bool) -> None:
    """End the container at its first, second or third request, before or after it takes effect."""
    place_of_write = 1
    if place == place_of_write:
        client = retries.archive_bucket
        original = type(client()).put_new

        def put_new(*arguments: object) -> bool:
            if is_after:
                original(*arguments)  # type: ignore[arg-type]
            raise _KilledError

        patch.setattr(type(client()), "put_new", put_new)
        return
    send = retries.dynamodb().send
    calls = [0]

    def killing(headers: dict[str, str], body: bytes) -> object:
        calls[0] += 1
        if calls[0] != (1 if place == 0 else 2):
            return send(headers, body)
        if is_after:
            send(headers, body)
        raise _KilledError

    patch.setattr(retries.dynamodb(), "send", killing)


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("place", range(3), ids=["reading the head", "writing", "moving the head"])
def test_a_killed_invocation_loses_nothing(archiver: Archiver, place: int, *, is_after: bool) -> None:
    """GIVEN an invocation that ends at any request WHEN the batch comes again THEN the chain has all records."""
    archiver(*batch(9))  # creates the clients of the container
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, place, is_after=is_after)
        with pytest.raises(_KilledError):
            archiver(*batch(0, 1))

    assert archiver(*batch(0, 1)) is None

    first, *rest = archiver.ids
    assert [[nth_id(9)], [nth_id(0), nth_id(1)]] == [first, rest[-1]]
    assert len(archiver.ids) == archiver.head[0]


@pytest.mark.parametrize("count", [2, 5])
def test_shards_at_once_are_one_chain(archiver: Archiver, count: int) -> None:
    """GIVEN batches of several shards at the same time THEN each is an object of one chain."""
    archiver(*batch(99))
    results: list[int | None] = []
    threads = [
        threading.Thread(target=lambda numbers=numbers: results.append(archiver(*batch(*numbers))))
        for numbers in [(2 * number, 2 * number + 1) for number in range(count)]
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [None] * count == results
    assert [[nth_id(99)], *([nth_id(2 * number), nth_id(2 * number + 1)] for number in range(count))] == [
        archiver.ids[0],
        *sorted(archiver.ids[1:]),
    ]
    assert count + 1 == archiver.head[0]


ANSWERS = st.sampled_from([None, None, *TRANSIENT.values(), (403, "AccessDenied")])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.lists(ANSWERS, max_size=12),
    after=st.lists(ANSWERS, max_size=12),
    table=st.lists(st.sampled_from([None, *DATABASE.values()]), max_size=6),
    sizes=st.lists(st.integers(1, 3), min_size=1, max_size=3),
)
def test_any_failures_leave_one_chain(
    archiver: Archiver,
    before: list[Answer | type[Exception]],
    after: list[Answer | type[Exception]],
    table: list[faults.Fault | None],
    sizes: list[int],
) -> None:
    """GIVEN any failures of S3 and the table WHEN Lambda delivers until all is done THEN the chain has all records."""
    archiver.objects.reset()
    archiver.forget_head()
    archiver.objects.before, archiver.objects.after = scripted(*before), scripted(*after)
    numbers = iter(range(100))
    batches = [[next(numbers) for _ in range(size)] for size in sizes]
    with faults.injected(*table):
        for each in batches:
            archiver.deliver(batch(*each))

    archived = {record_id for ids in archiver.ids for record_id in ids}
    assert {nth_id(number) for each in batches for number in each} == archived
    assert len(archiver.ids) == archiver.head[0]
