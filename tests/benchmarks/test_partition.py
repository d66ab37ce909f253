"""The limit of a partition: what the server admits, and what is counted of a load."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.partition import Answers, Call, schedule
from benchmarks.partition_server import Bucket, Table

READ = "DynamoDB_20120810.BatchGetItem"
WRITE = "DynamoDB_20120810.UpdateItem"
CHANGE = "DynamoDB_20120810.TransactWriteItems"


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def item(partition: str, name: str, size: int = 0) -> dict[str, Any]:
    """Return an item with a text of this size."""
    return {"pk": {"S": partition}, "sk": {"S": name}, "text": {"S": "x" * size}}


def read(*names: str, partition: str = "ORG#1") -> dict[str, Any]:
    """Return a request that reads items."""
    keys = [{"pk": {"S": partition}, "sk": {"S": name}} for name in names]
    return {"RequestItems": {"keywright": {"Keys": keys, "ConsistentRead": True}}}


def table(clock: Clock, read_units: float = 1, write_units: float = 1) -> Table:
    """Return a table with three items in a partition with limits, and one in a partition without."""
    items = [item("ORG#1", "ORG"), item("ORG#1", "KEY"), item("ORG#1", "LARGE", 16_000), item("ORG#2", "ORG")]
    return Table(items, "secret", {"ORG#1": (read_units, write_units)}, clock)


def test_a_bucket_admits_its_rate() -> None:
    """As many tokens are taken as the bucket held and as come in, no matter how many are asked for."""
    clock = Clock()
    bucket = Bucket(100.0, clock)
    admitted = 0
    for step in range(10_000):
        clock.now = step / 1_000
        admitted += bucket.admits(1)

    assert 1_100 == pytest.approx(admitted, abs=2)


def test_a_bucket_is_owed_what_is_not_there() -> None:
    """A large request is admitted while there is a token, and the next one waits until the rest has come in."""
    clock = Clock()
    bucket = Bucket(2.0, clock)

    assert bucket.admits(4)
    clock.now = 1.4
    assert not bucket.admits(1)
    clock.now = 1.6
    assert bucket.admits(1)


def test_a_drained_bucket_is_empty() -> None:
    """A bucket that was drained admits nothing until a token has come in."""
    clock = Clock()
    bucket = Bucket(2.0, clock)

    bucket.drain()

    assert not bucket.admits(1)
    clock.now = 0.5
    assert bucket.admits(1)


def test_a_drained_table_admits_nothing() -> None:
    """After a table was drained, reads and writes of a partition with limits are refused."""
    server = table(Clock())
    write = {"Key": item("ORG#1", "KEY"), "ExpressionAttributeValues": {":count": {"N": "3"}}}

    server.drain()

    assert [400, 400] == [server.answer(READ, read("ORG"))[0], server.answer(WRITE, write)[0]]


def test_a_read_that_is_admitted_in_part_names_the_rest() -> None:
    """Of two items one is admitted: it is answered, and the other is an unprocessed key."""
    status, content = table(Clock()).answer(READ, read("ORG", "KEY"))

    assert 200 == status
    assert ["ORG"] == [one["sk"]["S"] for one in content["Responses"]["keywright"]]
    assert read("KEY")["RequestItems"] == content["UnprocessedKeys"]


def test_a_read_that_is_not_admitted_is_refused() -> None:
    """A read of which nothing is admitted gets the exception, and the next second another answer."""
    clock = Clock()
    server = table(clock)
    server.answer(READ, read("ORG"))

    status, content = server.answer(READ, read("ORG"))
    clock.now = 1.0
    later, _ = server.answer(READ, read("ORG"))

    assert 400 == status
    assert 200 == later
    assert content["__type"].endswith("#ProvisionedThroughputExceededException")
    assert 3 == server.counts["BatchGetItem ORG#1"]
    assert 1 == server.counts["BatchGetItem ORG#1 refused"]


def test_a_large_item_takes_more_units() -> None:
    """An item of 16,000 bytes takes four units, so that the next read waits four times as long."""
    clock = Clock()
    server = table(clock)
    server.answer(READ, read("LARGE"))
    answers = {}
    for clock.now in (3.9, 4.1):
        answers[clock.now], _ = server.answer(READ, read("ORG"))

    assert {3.9: 400, 4.1: 200} == answers


def test_other_partitions_are_not_affected() -> None:
    """A partition without a limit answers while another one refuses."""
    server = table(Clock())
    refused = [server.answer(READ, read("ORG"))[0] for _ in range(2)]

    assert [200, 400] == refused
    assert [200, 200] == [server.answer(READ, read("ORG", partition="ORG#2"))[0] for _ in range(2)]


def test_written_uses_are_added_up() -> None:
    """Uses of writes that were admitted are added up, those of refused ones are not."""
    server = table(Clock())
    request = {"Key": item("ORG#1", "KEY"), "ExpressionAttributeValues": {":count": {"N": "3"}}}

    assert [200, 400] == [server.answer(WRITE, request)[0] for _ in range(2)]
    assert 3 == server.counts["uses ORG#1"]


def test_a_transaction_takes_two_units_for_each_item() -> None:
    """A transaction of two items takes four units, so that the next one waits as long for each."""
    clock = Clock()
    server = table(clock)
    request = {"TransactItems": [{"Update": {"Key": item("ORG#1", "KEY")}}, {"Put": {"Item": item("ORG#1", "NEW")}}]}
    server.answer(CHANGE, request)
    answers = {}
    for clock.now in (3.9, 4.1):
        answers[clock.now], _ = server.answer(CHANGE, request)

    assert {3.9: 400, 4.1: 200} == answers


def test_requests_are_due_at_even_times() -> None:
    """Requests of each kind are due at even times, in the order of time; a rate of 0 has none."""
    planned = schedule({"verify": 4.0, "change": 2.0, "none": 0.0}, 1.0)

    assert [0.0, 0.25, 0.5, 0.75] == [due for due, kind, _ in planned if kind == "verify"]
    assert [(0.0, 0), (0.5, 1)] == [(due, number) for due, kind, number in planned if kind == "change"]
    assert sorted(planned) == planned


def test_answers_are_shares_of_what_was_counted() -> None:
    """Refused, late and unexpected answers are counted, and only answered requests have a time."""
    calls = [Call(0, 0, 0.001, 200), Call(0, 9, 0.003, 200), Call(0, 0, 5.0, 503), Call(0, 0, 7.0, 500)]

    answers = Answers(4, 2, calls)

    assert 0.25 == answers.unavailable
    assert 0.25 == answers.late
    assert 1 == answers.others
    assert 2.0 == pytest.approx(answers.milliseconds()[0])
    assert 3.0 == pytest.approx(answers.milliseconds()[2])
