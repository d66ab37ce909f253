"""Failures of EventBridge: what was refused is sent again, and what was not published is named in the answer."""

from __future__ import annotations

import json
import threading
import uuid
from typing import TYPE_CHECKING

import pytest
from botocore.httpsession import URLLib3Session

from keywright.aws import retries
from keywright.aws.client import AwsError
from tests.support import canned_server, faults
from tests.support.table_stream import stream_record
from tests.support.world import ORGANIZATION_ID, audit_item, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from tests.support.event_bus import Entry
    from tests.support.table_stream import Publisher, Record


def of_many(count: int) -> list[Record]:
    """Return records, each of another organization."""
    return [
        stream_record(audit_item(nth_id(number), str(uuid.UUID(int=number, version=4))), number)
        for number in range(count)
    ]


def of_one(count: int) -> list[Record]:
    """Return records of one organization."""
    return [stream_record(audit_item(nth_id(number), ORGANIZATION_ID), number) for number in range(count)]


def refusing(number: int, codes: Iterable[str]) -> Callable[[Entry], str | None]:
    """Refuse an entry, by the number of its record, with one code after the other; take it when there are no more."""
    remaining = iter(codes)
    return lambda entry: next(remaining, None) if json.loads(entry["Detail"])["id"] == nth_id(number) else None


# ---- Entries that are refused --------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalFailure", "InternalException"])
def test_a_refused_entry_is_sent_again_alone(publisher: Publisher, code: str) -> None:
    """GIVEN a request of which one entry is refused THEN that one is sent again, and each is published once."""
    publisher.bus.refuse = refusing(1, [code, code])

    assert publisher(*of_many(3)) is None

    assert [3, 1, 1] == [len(entries) for entries in publisher.bus.requests]
    assert [nth_id(0), nth_id(2), nth_id(1)] == publisher.bus.ids


def test_the_first_record_in_the_order_of_the_stream_is_named(publisher: Publisher) -> None:
    """GIVEN an entry that is refused for good THEN its record is named, even if later ones were published."""
    publisher.bus.refuse = refusing(1, ["ThrottlingException"] * retries.ATTEMPTS)

    assert publisher(*of_many(3)) == 1

    assert retries.ATTEMPTS == len(publisher.bus.requests)
    assert [nth_id(0), nth_id(2)] == publisher.bus.ids


def test_nothing_overtakes_a_record_of_its_organization(publisher: Publisher) -> None:
    """GIVEN that the first of three records is refused for good THEN none of the others is sent."""
    publisher.bus.refuse = refusing(0, ["InternalFailure"] * retries.ATTEMPTS)

    assert publisher(*of_one(3)) == 0

    assert [] == publisher.bus.ids
    assert {1} == {len(entries) for entries in publisher.bus.requests}


def test_a_bus_that_does_not_exist_names_every_record(publisher: Publisher) -> None:
    """GIVEN a stack without its bus THEN the first record is named, and nothing is lost."""
    publisher.bus.refuse = lambda _: "ResourceNotFoundException"

    assert publisher(*of_many(2)) == 0
    assert [] == publisher.bus.ids


# ---- Requests that fail --------------------------------------------------------------------------------------

TRANSIENT = {
    "throttled": faults.error("ThrottlingException"),
    "InternalException": faults.error("InternalException", 500),
    "no JSON": faults.answer(503, b"<html>Service Unavailable</html>"),
    "200 of a proxy": faults.answer(200, {"Entries": [{"EventId": "1"}, {"EventId": "2"}]}),
    "time-out": faults.timeout,
    "connection refused": faults.refused,
    "lost answer": faults.lost_answer,
}


@pytest.mark.parametrize("fault", TRANSIENT.values(), ids=TRANSIENT)
def test_a_request_that_fails_is_sent_again(publisher: Publisher, fault: faults.Fault) -> None:
    """GIVEN two failures in a row THEN the batch is done in one invocation, and each record is published."""
    with faults.intercepted(retries.event_buses(), faults.scripted(fault, fault)):
        assert publisher(*of_many(2)) is None

    assert [nth_id(0), nth_id(1)] == sorted(set(publisher.bus.ids))


@pytest.mark.parametrize("fault", TRANSIENT.values(), ids=TRANSIENT)
def test_a_failure_that_lasts_names_the_first_record(publisher: Publisher, fault: faults.Fault) -> None:
    """GIVEN a failure from the second request on THEN the second record is named, and nothing goes before it."""
    with faults.intercepted(retries.event_buses(), faults.scripted(None, *[fault] * 100)):
        assert publisher(*of_one(3)) == 1

    assert nth_id(0) == publisher.bus.ids[0]
    assert nth_id(2) not in publisher.bus.ids


def test_an_answer_with_too_few_entries_is_not_trusted(publisher: Publisher) -> None:
    """GIVEN an answer that has one entry for two records THEN the request is sent again."""
    body = json.dumps({"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}).encode()
    short = canned_server.answer(body, x_amz_crc32="")
    with canned_server.serving(short) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", server.url)
        retries.event_buses.cache_clear()
        assert publisher(*of_many(2)) == 0

    assert retries.ATTEMPTS == len(server.received)


@pytest.mark.parametrize("answer", [None, b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\nConnection: close\r\n\r\n{"])
def test_a_connection_that_breaks_is_tried_again(publisher: Publisher, answer: bytes | None) -> None:
    """GIVEN a server that closes each connection, without or in the middle of an answer THEN the record is named."""
    with canned_server.serving(answer) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", server.url)
        retries.event_buses.cache_clear()
        assert publisher(*of_many(2)) == 0

    assert retries.ATTEMPTS <= len(server.received)


def test_a_request_that_no_retry_can_help_fails_the_invocation(publisher: Publisher) -> None:
    """GIVEN a refusal without a remedy, such as a missing permission THEN the invocation fails, for an alarm to see."""
    with (
        faults.intercepted(retries.event_buses(), faults.scripted(faults.error("AccessDeniedException"))),
        pytest.raises(AwsError, match="AccessDeniedException"),
    ):
        publisher(*of_many(2))

    assert [] == publisher.bus.ids


def test_without_time_nothing_is_sent(publisher: Publisher) -> None:
    """GIVEN less time than a request can take THEN the first record is named, and no request is sent."""
    assert publisher.with_time_left(2_900)(*of_many(2)) == 0
    assert [] == publisher.bus.requests


# ---- Invocations that are killed -----------------------------------------------------------------------------


class _KilledError(BaseException):
    """The container ends: nothing catches it."""


def killing(request: AWSPreparedRequest) -> AWSResponse:
    """End the container before the request."""
    raise _KilledError(request.url)


def killing_after(request: AWSPreparedRequest) -> AWSResponse:
    """End the container after the request took effect."""
    URLLib3Session().send(request)
    raise _KilledError(request.url)


@pytest.mark.parametrize("fault", [killing, killing_after])
@pytest.mark.parametrize("position", range(3))
def test_a_killed_invocation_loses_nothing(publisher: Publisher, position: int, fault: faults.Fault) -> None:
    """GIVEN an invocation that ends at any request WHEN the batch comes again THEN all records are there, in order."""
    batch = of_one(3)
    with (
        faults.intercepted(retries.event_buses(), faults.scripted(*[None] * position, fault)),
        pytest.raises(_KilledError),
    ):
        publisher(*batch)

    assert publisher(*batch) is None

    assert [nth_id(number) for number in range(3)] == list(dict.fromkeys(publisher.bus.ids))


def test_two_invocations_at_once_publish_everything(publisher: Publisher) -> None:
    """GIVEN batches of two shards at the same time THEN every record of both is published."""
    batches = [of_many(40)[:20], of_many(40)[20:]]
    results: list[int | None] = []
    threads = [threading.Thread(target=lambda batch=batch: results.append(publisher(*batch))) for batch in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [None, None] == results
    assert [nth_id(number) for number in range(40)] == sorted(publisher.bus.ids)
