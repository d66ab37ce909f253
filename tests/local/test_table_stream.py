"""Reading the stream of a table: filters, order, batches, failures, shards; a fake client, and moto over HTTP."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from local import backend, filters, table_stream
from local.functions import FunctionError
from local.iam import Iam
from local.table_stream import TableStream
from local.template import StreamReader
from tests.support.stream_reader import Function, check_real_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.intrinsics import Json
    from local.template import Stack

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

SECONDS = 30
PAGE = 2
"""Of the fake stream: shards of a description, and records of an answer."""
AUDIT: Json = {"eventName": ["INSERT"], "dynamodb": {"Keys": {"sk": {"S": [{"prefix": "AUDIT#"}]}}}}


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"eventName": "INSERT", "dynamodb": {"Keys": {"sk": {"S": "AUDIT#1"}}}}, True),
        ({"eventName": "MODIFY", "dynamodb": {"Keys": {"sk": {"S": "AUDIT#1"}}}}, False),
        ({"eventName": "INSERT", "dynamodb": {"Keys": {"sk": {"S": "KEY#1"}}}}, False),
        ({"eventName": "INSERT", "dynamodb": {"Keys": {"sk": {"N": "1"}}}}, False),
        ({"eventName": "INSERT", "dynamodb": {"Keys": {"sk": {"S": 1}}}}, False),
        ({"eventName": "INSERT", "dynamodb": "AUDIT#"}, False),
        ({"dynamodb": {"Keys": {"sk": {"S": "AUDIT#1"}}}}, False),
    ],
)
def test_filter(record: object, *, expected: bool) -> None:
    """A record matches if each field has one of the texts or beginnings of the pattern."""
    assert expected == filters.matches(AUDIT, record)


# ---- A fake client -------------------------------------------------------------------------------------------


@dataclass
class FakeShard:
    """A shard.

    Attributes:
        parent: id of the shard that it follows.
        keys: sort keys of its records.
        is_open: whether more records may follow.
    """

    parent: str | None = None
    keys: list[str] = field(default_factory=list)
    is_open: bool = True


class FakeStreams:
    """DynamoDB's streams with shards that tests close and split.

    Attributes:
        expired: number of calls of GetRecords that are refused with an expired iterator.
        error: what GetRecords raises.
        calls: names of the operations that were called.
    """

    def __init__(self, **shards: FakeShard) -> None:
        self.shards = shards
        self.expired = 0
        self.error: Exception | None = None
        self.calls: list[str] = []

    def describe_stream(self, **request: str) -> dict[str, Any]:
        """Return a page of the shards."""
        self.calls.append("DescribeStream")
        assert request["StreamArn"] == "arn"
        names = [name for name in sorted(self.shards) if name > request.get("ExclusiveStartShardId", "")]
        described = [
            {"ShardId": name, **({"ParentShardId": parent} if (parent := self.shards[name].parent) else {})}
            for name in names[:PAGE]
        ]
        more = {"LastEvaluatedShardId": names[PAGE - 1]} if len(names) > PAGE else {}
        return {"StreamDescription": {"Shards": described, **more}}

    def get_shard_iterator(self, **request: str) -> dict[str, str]:
        """Return an iterator: the shard and the index of its next record, as JSON."""
        assert request["StreamArn"] == "arn"
        name, kind = request["ShardId"], request["ShardIteratorType"]
        if kind == "AFTER_SEQUENCE_NUMBER":
            begin = int(request["SequenceNumber"].rpartition("-")[2]) + 1
        else:
            begin = {"LATEST": len(self.shards[name].keys), "TRIM_HORIZON": 0}[kind]
        return {"ShardIterator": json.dumps([name, begin])}

    def get_records(self, **request: str) -> dict[str, Any]:
        """Return a page of records, and no iterator at the end of a closed shard."""
        self.calls.append("GetRecords")
        if self.error is not None:
            raise self.error
        if self.expired:
            self.expired -= 1
            raise ClientError({"Error": {"Code": "ExpiredIteratorException", "Message": "expired"}}, "GetRecords")
        name, begin = json.loads(request["ShardIterator"])
        shard = self.shards[name]
        end = min(begin + PAGE, len(shard.keys))
        is_over = end == len(shard.keys) and not shard.is_open
        following = {} if is_over else {"NextShardIterator": json.dumps([name, end])}
        return {"Records": [_record(f"{name}-{n}", shard.keys[n]) for n in range(begin, end)], **following}


def _record(number: str, key: str) -> dict[str, Any]:
    return {
        "eventName": "INSERT",
        "dynamodb": {
            "SequenceNumber": number,
            "Keys": {"sk": {"S": key}},
            "NewImage": {"sk": {"S": key}, "bytes": {"B": b"\x00\x01"}},
            "ApproximateCreationDateTime": datetime(2026, 1, 1, 0, 0, 1, 500000, tzinfo=UTC),
        },
    }


def reading(streams: FakeStreams, function: Function, batch_size: int = 100, *patterns: Json) -> TableStream:
    """Return a reader of a fake stream, which has not started."""
    return TableStream(StreamReader("Publish", "table", batch_size, patterns), "arn", streams, function)


def failed(number: object) -> Json:
    """Return the answer that names a record as failed."""
    return {"batchItemFailures": [{"itemIdentifier": number}]}  # type: ignore[dict-item]


def test_from_now_on() -> None:
    """GIVEN records before the start WHEN more are written THEN only these arrive, in their order, in one poll."""
    shard, function = FakeShard(keys=["old"]), Function()
    stream = reading(FakeStreams(a=shard), function)
    shard.keys += ["1", "2", "3", "4", "5"]

    assert stream.poll()
    assert ["1", "2", "3", "4", "5"] == function.keys


def test_only_what_matches() -> None:
    """The function is not invoked for records that match no pattern."""
    shard, function = FakeShard(), Function()
    stream = reading(FakeStreams(a=shard), function, 100, AUDIT, {"dynamodb": {"Keys": {"sk": {"S": ["x"]}}}})
    shard.keys += ["KEY#1", "KEY#2", "KEY#3", "AUDIT#1", "x"]

    assert stream.poll()
    assert [["AUDIT#1"], ["x"]] == function.batches


def test_batches() -> None:
    """A batch has at most as many records as the mapping says."""
    shard, function = FakeShard(), Function()
    stream = reading(FakeStreams(a=shard), function, 1)
    shard.keys += ["1", "2", "3"]

    assert stream.poll()
    assert [["1"], ["2"], ["3"]] == function.batches


def test_a_record_as_lambda_reads_it() -> None:
    """A record is JSON: its time in whole seconds, bytes in base64, and its region."""
    shard, function = FakeShard(), Function()
    stream = reading(FakeStreams(a=shard), function)
    shard.keys.append("1")
    stream.poll()
    (record,) = function.records

    assert record == json.loads(json.dumps(record))
    assert 1767225601 == record["dynamodb"]["ApproximateCreationDateTime"]
    assert {"B": "AAE="} == record["dynamodb"]["NewImage"]["bytes"]
    assert "us-east-1" == record["awsRegion"]


def test_from_the_failed_record() -> None:
    """GIVEN a batch with two failed records WHEN it comes again THEN it begins with the first of them."""
    shard = FakeShard()
    function = Function({"batchItemFailures": [{"itemIdentifier": "a-1"}, {"itemIdentifier": "a-0"}]}, failed("a-1"))
    stream = reading(FakeStreams(a=shard), function)
    shard.keys += ["0", "1"]

    assert not stream.poll()
    assert not stream.poll()
    assert stream.poll()
    assert [["0", "1"], ["0", "1"], ["1"]] == function.batches


@pytest.mark.parametrize(
    "answer",
    [
        FunctionError("no"),
        failed("another"),
        failed(""),
        failed(None),
        {"batchItemFailures": [{"id": "a-1"}]},
        failed([]),
    ],
    ids=str,
)
def test_all_of_it_again(answer: Any) -> None:
    """After an error, or an answer that names no record of the batch, all of the batch comes again."""
    shard, function = FakeShard(), Function(answer)
    stream = reading(FakeStreams(a=shard), function)
    shard.keys += ["0", "1"]

    assert not stream.poll()
    assert stream.poll()
    assert [["0", "1"], ["0", "1"]] == function.batches


@pytest.mark.parametrize("answer", [None, {}, {"batchItemFailures": None}, {"batchItemFailures": []}], ids=str)
def test_success(answer: Json) -> None:
    """An answer without failures is a success, as with Lambda."""
    shard, function = FakeShard(), Function(answer)
    stream = reading(FakeStreams(a=shard), function)
    shard.keys.append("0")

    assert stream.poll()
    assert [["0"]] == function.batches


def test_a_failed_record_holds_back_those_after_it() -> None:
    """GIVEN a record that fails WHEN others are written THEN they arrive after it, in their order."""
    shard, function = FakeShard(), Function(failed("a-0"))
    stream = reading(FakeStreams(a=shard), function)
    shard.keys.append("0")
    assert not stream.poll()
    shard.keys += ["1", "2"]

    assert stream.poll()
    assert ["0", "0", "1", "2"] == function.keys


def test_shards_that_close() -> None:
    """GIVEN a shard that is split, twice WHEN its children appear later THEN each is read from its beginning, once."""
    first, function = FakeShard(keys=["old"]), Function()
    streams = FakeStreams(a=first)
    stream = reading(streams, function)
    first.keys += ["1", "2", "3"]
    first.is_open = False
    assert stream.poll()
    streams.shards.update(
        b=FakeShard("a", ["4"]), c=FakeShard("a", ["5", "6", "7"], is_open=False), d=FakeShard("c", ["8"])
    )
    assert stream.poll()
    streams.shards["b"].keys.append("9")
    assert stream.poll()

    assert ["1", "2", "3"] == function.keys[:3]
    assert sorted("123456789") == sorted(function.keys)
    assert ["5", "6", "7", "8"] == [key for key in function.keys if key in "5678"]


def test_a_child_after_its_parent() -> None:
    """GIVEN a child that exists before its parent has been read WHEN both have records THEN the parent's come first."""
    parent, function = FakeShard(), Function()
    streams = FakeStreams(b=parent)
    stream = reading(streams, function)
    parent.keys += ["1", "2", "3", "4", "5"]
    parent.is_open = False
    streams.shards["a"] = FakeShard("b", ["6"])

    assert stream.poll()
    assert ["1", "2", "3", "4", "5", "6"] == function.keys


def test_closed_shards_at_the_start() -> None:
    """GIVEN a stream with closed shards WHEN it is read THEN what is in them is not delivered."""
    function = Function()
    streams = FakeStreams(
        a=FakeShard(None, ["1"], is_open=False), b=FakeShard("a", ["2"], is_open=False), c=FakeShard("b", ["3"])
    )
    stream = reading(streams, function)
    streams.shards["c"].keys.append("4")

    assert stream.poll()
    assert ["4"] == function.keys


def test_an_idle_stream_is_one_request() -> None:
    """GIVEN a stream whose closed shards have open children WHEN nothing is written THEN a poll is one request."""
    streams = FakeStreams(a=FakeShard(is_open=False), b=FakeShard("a"))
    stream = reading(streams, Function())
    stream.poll()
    streams.calls.clear()

    assert stream.poll()
    assert ["GetRecords"] == streams.calls


@pytest.mark.parametrize("earlier", [[], ["1", "2", "3"]])
def test_an_expired_iterator(earlier: list[str]) -> None:
    """GIVEN an iterator that has expired while the machine slept WHEN records follow THEN none is lost or repeated."""
    shard, function = FakeShard(keys=["old"]), Function()
    streams = FakeStreams(a=shard)
    stream = reading(streams, function)
    shard.keys += earlier
    assert stream.poll()
    streams.expired = 1
    assert stream.poll()
    shard.keys.append("later")
    assert stream.poll()

    assert [*earlier, "later"] == function.keys


class TestThread:
    """A reader that polls in its thread."""

    @pytest.fixture(autouse=True)
    def _quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(table_stream, "POLL_SECONDS", 0.001)
        monkeypatch.setattr(table_stream, "RETRY_SECONDS", 0.001)

    def test_delivers(self) -> None:
        """Records are delivered while the reader runs, and failed ones again."""
        shard, function = FakeShard(), Function(FunctionError("not now"))
        stream = reading(FakeStreams(a=shard), function).start()
        shard.keys.append("1")
        function.until("1", "1")
        stream.stop()

        assert ["1", "1"] == function.keys

    def test_stop_delivers_what_is_written(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """GIVEN a reader between two polls WHEN it stops THEN all that is written is delivered, and nothing after."""
        monkeypatch.setattr(table_stream, "POLL_SECONDS", SECONDS)
        shard, function = FakeShard(), Function()
        stream = reading(FakeStreams(a=shard), function).start()
        shard.keys += ["1", "2", "3", "4", "5"]
        stream.stop()
        shard.keys.append("6")

        assert ["1", "2", "3", "4", "5"] == function.keys

    def test_stop_does_not_wait_for_a_failure(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """GIVEN a function that always fails WHEN the reader stops THEN it makes one attempt."""
        monkeypatch.setattr(table_stream, "POLL_SECONDS", SECONDS)
        shard, function = FakeShard(), Function(*[FunctionError("never")] * 9)
        stream = reading(FakeStreams(a=shard), function).start()
        stream.stop()
        shard.keys.append("1")
        stream.stop()

        assert ["1"] == function.keys

    @pytest.mark.parametrize(
        "error",
        [
            EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
            ClientError({"Error": {"Code": "InternalServerError", "Message": "no"}}, "GetRecords"),
        ],
        ids=repr,
    )
    def test_a_dynamodb_that_does_not_answer(self, error: Exception, caplog: pytest.LogCaptureFixture) -> None:
        """GIVEN requests that fail WHEN they succeed again THEN reading goes on; to stop meanwhile is no error."""
        shard, function = FakeShard(), Function()
        streams = FakeStreams(a=shard)
        streams.error = error
        stream = reading(streams, function).start()
        shard.keys.append("1")
        while streams.calls.count("GetRecords") < 3:
            threading.Event().wait(0.001)
        assert [] == function.keys
        streams.error = None
        function.until("1")
        streams.error = error
        stream.stop()

        assert ["1"] == function.keys
        assert "the stream could not be read" in caplog.text


# ---- moto over HTTP ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Start moto and return its URL."""
    server = backend.start_moto(Iam())
    yield server.url
    server.stop()


def test_the_stream_of_a_table(environment: pytest.MonkeyPatch, url: str, stack: Stack) -> None:
    """GIVEN the template's table and mapping WHEN items are written THEN the new audit records arrive, in order."""
    environment.setenv("AWS_ENDPOINT_URL", url)
    check_real_stream(stack)
