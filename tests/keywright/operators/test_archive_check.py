"""`audit verify`: whatever is changed in the table or in the archive afterwards is found, and named."""

from __future__ import annotations

import copy
import tracemalloc
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keywright import clock
from keywright.store import archive, audit
from keywright.store.archive import Head
from tests.support.archived_log import ArchivedLog, composed, lines_of, record_at
from tests.support.depth import size
from tests.support.world import ORGANIZATION_ID, OTHER_ORGANIZATION_ID, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from keywright.operators.archive_check import Finding

RECORDS = size("ARCHIVED_RECORDS", 500, full=100_000)
BATCHES = 5
PER_BATCH = 4
BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW = BEGAN + timedelta(days=10)
MEGABYTE = 10**6
MOST_BYTES_PER_RECORD = 500


class Clock:
    """The clock of the function and of `verify`."""

    now = BEGAN


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> type[Clock]:
    """Replace the clock."""
    Clock.now = BEGAN
    monkeypatch.setattr(clock, "now", lambda: Clock.now)
    return Clock


@pytest.fixture
def log(environment: pytest.MonkeyPatch, at: type[Clock]) -> ArchivedLog:
    """An archive of five batches with four records each, an hour apart, ten days ago."""
    written = ArchivedLog()
    written.install(environment)
    for number in range(BATCHES):
        at.now = BEGAN + timedelta(hours=number)
        written.archive(*[record(number * PER_BATCH + index) for index in range(PER_BATCH)])
    at.now = NOW
    return written


def record(number: int, **attributes: Any) -> dict[str, Any]:
    """Return a record that is written now."""
    organization_id = (ORGANIZATION_ID, OTHER_ORGANIZATION_ID)[number % 2]
    return record_at(nth_id(number), Clock.now, organization_id, **attributes)


def place(number: int) -> tuple[str, str]:
    """Return the key of a record in the table."""
    image = record(number)["dynamodb"]["NewImage"]
    return image["pk"]["S"], image["sk"]["S"]


def told(finding: Finding) -> tuple[str, str, str | None]:
    """Return what a finding says, where, and of which record."""
    return finding.what, finding.place, finding.record_id


OBJECTS = [archive.object_key(number + 1) for number in range(BATCHES)]
SECOND, LAST = OBJECTS[1], OBJECTS[-1]


def test_nothing_is_found_in_an_untouched_log(log: ArchivedLog) -> None:
    """GIVEN a log and its archive THEN every record is the same, and the head is that of the table."""
    report = log.verify(log.head)

    assert [] == report.findings
    assert [BATCHES, BATCHES * PER_BATCH, BATCHES * PER_BATCH] == [report.objects, report.archived, report.same]
    assert log.head == report.head
    assert {0} == {report.pending, report.older, report.expired, report.by_hand, report.behind}
    assert {} == report.purged


# ---- Table


def test_a_changed_record_is_named(log: ArchivedLog) -> None:
    """GIVEN a record with another actor in the table THEN it is named, with what and where."""
    log.items[place(5)]["actor_id"] = {"S": "user_13"}

    (finding,) = log.findings()

    assert ("changed", "table", nth_id(5)) == told(finding)
    assert [OTHER_ORGANIZATION_ID, "api_key.created", "2026-03-01T13:00:00.000Z"] == [
        getattr(finding, name) for name in ("organization_id", "event", "created_at")
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    number=st.integers(0, BATCHES * PER_BATCH - 1),
    name=st.sampled_from(["event", "actor_type", "changes", "source_ip", "received_at", "ttl", "added_later"]),
    value=st.one_of(
        st.none(),
        st.text(max_size=5).map(lambda text: {"S": text}),
        st.integers(0, 10**12).map(lambda number: {"N": str(number)}),
        st.binary(max_size=3).map(lambda data: {"B": data}),
        st.just({"M": {"a": {"NULL": True}}}),
    ),
)
def test_any_change_of_an_attribute_is_found(
    log: ArchivedLog, number: int, name: str, value: dict[str, Any] | None
) -> None:
    """GIVEN any attribute with any other value, none, or one more THEN the record is named as changed in the table."""
    before = copy.deepcopy(log.items[place(number)])
    item = log.items[place(number)]
    item.pop(name, None)
    if value is not None:
        item[name] = value
    try:
        found = [told(finding) for finding in log.findings()]
        assert ([] if item == before else [("changed", "table", nth_id(number))]) == found
    finally:
        log.items[place(number)] = before


def test_a_removed_record_is_named(log: ArchivedLog) -> None:
    """GIVEN a record that is gone from the table THEN it is named with what the archive says of it."""
    del log.items[place(9)]

    (finding,) = log.findings()

    assert ("removed", "table", nth_id(9)) == told(finding)
    assert "2026-03-01T14:00:00.000Z" == finding.created_at
    assert OBJECTS[2] in finding.text


def test_a_record_that_was_added_past_the_stream_is_named(log: ArchivedLog, at: type[Clock]) -> None:
    """GIVEN a record of the archive's time that no batch has THEN it was added."""
    at.now = BEGAN + timedelta(hours=1)
    log.store(record(99))
    at.now = NOW

    assert [("added", "table", nth_id(99))] == [told(finding) for finding in log.findings()]


def test_a_record_that_was_added_with_a_false_time_is_named(log: ArchivedLog) -> None:
    """GIVEN a record put into the table today that says it is a week old THEN the time of the stream tells."""
    false = record(99)
    false["dynamodb"]["NewImage"]["received_at"] = {"S": "2026-03-01T12:30:00.000Z"}
    log.archive(false)

    (finding,) = log.findings()

    assert ("added", "table", nth_id(99)) == told(finding)
    assert "it was written to the table at 2026-03-11T12:00:00.000Z" in finding.text


def test_a_record_that_was_replaced_through_the_stream_is_named(log: ArchivedLog) -> None:
    """GIVEN a record that is deleted and put again with another actor, which the stream brings THEN it was changed."""
    other = record(5, actor_id="user_13", received_at="2026-03-11T12:00:00.000Z")
    log.archive(other)

    assert ("changed", "table", nth_id(5)) in {told(finding) for finding in log.findings()}


def test_a_record_that_is_archived_twice_is_no_finding(log: ArchivedLog) -> None:
    """GIVEN a batch that came twice THEN its records count once."""
    batch = [record(50), record(51)]
    log.archive(*batch)
    log.archive(*batch)

    report = log.verify()

    assert [] == report.findings
    assert BATCHES * PER_BATCH + 2 == report.archived


def test_a_record_that_is_copied_back_is_no_finding(log: ArchivedLog, at: type[Clock]) -> None:
    """GIVEN a deleted record that is copied back as it was, which the stream brings again THEN it is the same."""
    image = log.items.pop(place(5))
    assert [("removed", "table", nth_id(5))] == [told(finding) for finding in log.findings()]
    at.now = NOW + timedelta(hours=1)
    again = record(5)
    again["dynamodb"]["NewImage"] = image

    log.archive(again)

    assert [] == log.findings()


@pytest.mark.parametrize("age", [timedelta(0), timedelta(hours=5), timedelta(hours=23)])
def test_a_new_record_is_not_archived_yet(log: ArchivedLog, at: type[Clock], age: timedelta) -> None:
    """GIVEN a record of the last 24 hours that no batch has THEN it is pending."""
    at.now = NOW - age
    log.store(record(99))
    at.now = NOW

    report = log.verify()

    assert [[], 1] == [report.findings, report.pending]


def test_a_new_record_that_was_overtaken_was_added(log: ArchivedLog, at: type[Clock]) -> None:
    """GIVEN a record without a batch, and a later one of its organization that has one THEN it was added."""
    at.now = NOW - timedelta(hours=2)
    log.store(record(99))
    at.now = NOW - timedelta(hours=1)
    log.archive(record(101))
    at.now = NOW

    assert [("added", "table", nth_id(99))] == [told(finding) for finding in log.findings()]


def test_a_record_of_the_future_was_added(log: ArchivedLog, at: type[Clock]) -> None:
    """GIVEN a record with a time to come THEN it is not pending until then."""
    at.now = NOW + timedelta(days=300)
    log.store(record(99))
    at.now = NOW

    assert [("added", "table", nth_id(99))] == [told(finding) for finding in log.findings()]


def test_an_item_that_is_no_record_was_added(log: ArchivedLog) -> None:
    """GIVEN an item among the audit records that none wrote THEN it is named by its keys."""
    log.items["x", "y"] = {"pk": {"S": "ORG#x"}, "sk": {"S": "AUDIT#y"}}

    assert [("added", "table", "y")] == [told(finding) for finding in log.findings()]


def test_records_from_before_the_archive_are_counted(log: ArchivedLog, at: type[Clock]) -> None:
    """GIVEN a record that is older than the archive THEN it is no finding."""
    at.now = BEGAN - timedelta(days=30)
    log.store(record(99))
    at.now = NOW

    report = log.verify()

    assert [[], 1] == [report.findings, report.older]


def test_older_records_can_be_archived_by_hand(log: ArchivedLog, at: type[Clock]) -> None:
    """GIVEN an older record that an operator archives from a file THEN it is compared, and counted as such."""
    at.now = BEGAN - timedelta(days=30)
    old = record(99)
    at.now = NOW
    fields = ("SequenceNumber", "NewImage")
    log.archive({"dynamodb": {name: old["dynamodb"][name] for name in fields}})

    report = log.verify()

    assert [[], 0, 1, BATCHES * PER_BATCH + 1] == [report.findings, report.older, report.by_hand, report.same]


# ---- Records that are gone for a reason


def test_a_record_whose_retention_is_over_may_be_gone(log: ArchivedLog, at: type[Clock]) -> None:
    """GIVEN records with a retention THEN one that is gone is no finding once it is over, and a finding before."""
    log.archive(record(98, ttl=int((NOW + timedelta(days=1)).timestamp())))
    del log.items[place(98)]

    assert [("removed", "table", nth_id(98))] == [told(finding) for finding in log.findings()]

    at.now = NOW + timedelta(days=2)
    report = log.verify()
    assert [[], 1] == [report.findings, report.expired]


def deletion(number: int, event: str, due: str | None) -> dict[str, Any]:
    """Return the record of a request for a deletion, or of its cancellation."""
    after = f'"{due}"' if due else "null"
    changes = f'{{"before": {{}}, "after": {{"pendingDeletionAt": {after}}}}}'
    target = {"target_type": "organization", "target_id": ORGANIZATION_ID}
    return record(number, event=f"organization.{event}", changes=changes, **target)


@pytest.mark.parametrize(
    ("events", "is_due"),
    [
        ([("deletion_requested", "2026-03-20T00:00:00.000Z")], True),
        ([("deletion_requested", "2026-04-20T00:00:00.000Z")], False),
        ([("deletion_requested", "2026-03-20T00:00:00.000Z"), ("deletion_canceled", None)], False),
        ([], False),
    ],
    ids=["due", "later", "canceled", "not requested"],
)
def test_records_of_a_deleted_organization_may_be_gone(
    log: ArchivedLog, at: type[Clock], events: list[tuple[str, str | None]], *, is_due: bool
) -> None:
    """GIVEN an organization without records THEN they are findings, unless its scheduled deletion was due."""
    for number, (event, due) in enumerate(events):
        at.now = NOW + timedelta(hours=number)
        log.archive(deletion(100 + 2 * number, event, due))
    log.items = {key: item for key, item in log.items.items() if key[0] != f"ORG#{ORGANIZATION_ID}"}
    at.now = NOW + timedelta(days=10)

    report = log.verify()

    count = BATCHES * PER_BATCH // 2 + len(events)
    assert ([count, 0] if is_due else [0, count]) == [report.purged[ORGANIZATION_ID], len(report.findings)]


def test_records_of_an_organization_that_is_there_may_not_be_gone(log: ArchivedLog, at: type[Clock]) -> None:
    """GIVEN a request for a deletion that was due and not carried out THEN missing records are named."""
    log.archive(deletion(100, "deletion_requested", "2026-03-12T00:00:00.000Z"))
    log.organizations.add(ORGANIZATION_ID)
    del log.items[place(4)]
    at.now = NOW + timedelta(days=10)

    assert [("removed", "table", nth_id(4))] == [told(finding) for finding in log.findings()]


# ---- Archive


def with_line(body: bytes, position: int, change: Callable[[dict[str, Any]], object]) -> bytes:
    """Return an object of which a line is changed."""
    lines = lines_of(body)
    change(lines[position])
    return composed(lines)


def test_a_changed_line_is_named(log: ArchivedLog) -> None:
    """GIVEN a line with another actor, and the digest of before THEN object and record are named."""
    log.bodies[SECOND] = with_line(log.bodies[SECOND], 2, lambda line: line["actor"].update(id="user_13"))

    assert [("changed", SECOND, None), ("changed", SECOND, nth_id(5))] == [told(finding) for finding in log.findings()]


def test_a_removed_line_is_named(log: ArchivedLog) -> None:
    """GIVEN an object without one of its lines THEN object and record are named."""
    lines = lines_of(log.bodies[SECOND])
    del lines[2]
    log.bodies[SECOND] = composed(lines)

    assert [("changed", SECOND, None), ("removed", "audit/", nth_id(5))] == [
        told(finding) for finding in log.findings()
    ]


def test_an_added_line_is_named(log: ArchivedLog) -> None:
    """GIVEN an object with one more line THEN object and record are named."""
    lines = lines_of(log.bodies[SECOND])
    log.bodies[SECOND] = composed([*lines, {**lines[1], "id": nth_id(77)}])

    assert [("changed", SECOND, None), ("added", SECOND, nth_id(77))] == [told(finding) for finding in log.findings()]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=st.integers(0, BATCHES - 1), data=st.data())
def test_any_change_of_a_byte_is_found(log: ArchivedLog, number: int, data: st.DataObject) -> None:
    """GIVEN any object of which any bytes are changed, removed or added THEN it is named."""
    key, body = OBJECTS[number], log.bodies[OBJECTS[number]]
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, min(len(body), start + 3)))
    log.bodies[key] = body[:start] + data.draw(st.binary(max_size=3)) + body[end:]
    try:
        places = {finding.place for finding in log.findings()}
        assert (key in places) == (log.bodies[key] != body)
    finally:
        log.bodies[key] = body


@pytest.mark.parametrize("gone", [[0], [2], [0, 1, 2], [4], [1, 3], [0, 1, 2, 3, 4]], ids=str)
def test_missing_objects_are_named(log: ArchivedLog, gone: list[int]) -> None:
    """GIVEN an archive without any of its objects, the oldest, the latest, all THEN each run of them is named."""
    for number in gone:
        del log.bodies[OBJECTS[number]]

    missing = [finding for finding in log.findings() if finding.what == "missing"]

    starts = [number for number in gone if number - 1 not in gone]
    assert [OBJECTS[number] for number in starts] == [finding.place for finding in missing]


def test_a_truncated_archive_is_told_by_a_head_that_was_kept(log: ArchivedLog) -> None:
    """GIVEN last object, its records and the head taken back together THEN only a head kept elsewhere tells."""
    kept, body = log.head, log.bodies.pop(LAST)
    for line in lines_of(body)[1:]:
        del log.items[f"ORG#{line['organizationId']}", f"AUDIT#{line['id']}"]
    log.head = Head(kept.number - 1, lines_of(body)[0]["previous"])

    assert [] == log.findings()
    assert [("missing", LAST, None)] == [told(finding) for finding in log.findings(kept)]


def test_a_rebuilt_archive_is_told_by_the_times_of_its_objects(log: ArchivedLog) -> None:
    """GIVEN a record changed in the table, and an archive rebuilt to agree THEN S3's times and a kept head tell."""
    kept, previous = log.head, None
    log.items[place(5)]["actor_id"] = {"S": "user_13"}
    for number, key in enumerate(OBJECTS, 1):
        lines = lines_of(log.bodies[key])
        lines[0]["previous"] = previous
        for line in lines[1:]:
            if line["id"] == nth_id(5):
                item = log.items[place(5)]
                line["actor"]["id"] = "user_13"
                line["digest"] = audit.digest(item)
        log.bodies[key], log.times[key] = composed(lines), NOW
        log.head = Head(number - 1, previous).followed_by(log.bodies[key])
        previous = log.head.digest

    assert [("changed", key, None) for key in OBJECTS] == [told(finding) for finding in log.findings()]
    assert ("changed", LAST, None) in {told(finding) for finding in log.findings(kept)}


def test_foreign_objects_are_named(log: ArchivedLog) -> None:
    """GIVEN other objects among those of the archive THEN each is named."""
    for key in ("audit/000000000000.jsonl", "audit/1.jsonl", "audit/notes.txt"):
        log.bodies[key], log.times[key] = b"", NOW

    assert ["audit/000000000000.jsonl", "audit/1.jsonl", "audit/notes.txt"] == [
        finding.place for finding in log.findings() if finding.what == "foreign"
    ]


def test_an_object_with_two_versions_is_named(log: ArchivedLog) -> None:
    """GIVEN an object that was written twice THEN it is named, even if both are the same."""
    log.versions[SECOND] = 2

    assert [("changed", SECOND, None)] == [told(finding) for finding in log.findings()]


def test_a_deleted_object_is_named(log: ArchivedLog) -> None:
    """GIVEN an object behind a delete marker THEN it is named, and that an earlier version may be there."""
    log.deleted.add(SECOND)

    assert ("removed", SECOND, None) in {told(finding) for finding in log.findings()}
    assert ("missing", SECOND, None) in {told(finding) for finding in log.findings()}


@pytest.mark.parametrize(
    "head",
    [Head(), Head(2, "0" * 64), Head(BATCHES, "0" * 64), Head(10**12, "0" * 64)],
    ids=["none", "back", "other", "far"],
)
def test_a_head_that_was_changed_is_named(log: ArchivedLog, head: Head) -> None:
    """GIVEN another head in the table THEN there is a finding, however far it is."""
    log.head = head

    assert log.findings()


def test_objects_after_the_head_are_no_finding_for_a_day(log: ArchivedLog, at: type[Clock]) -> None:
    """GIVEN an invocation killed before it moved the head THEN its object is counted, and named after a day."""
    head = log.head
    log.archive(record(99))
    log.head = head

    report = log.verify()
    at.now = NOW + timedelta(days=2)

    assert [[], 1] == [report.findings, report.behind]
    assert [("head", "table", None)] == [told(finding) for finding in log.findings()]


def test_a_head_that_is_not_expected_is_named(log: ArchivedLog) -> None:
    """GIVEN a head that was noted earlier THEN its object must have that digest."""
    assert [] == log.findings(Head(3, lines_of(log.bodies[OBJECTS[3]])[0]["previous"]))
    assert [("changed", OBJECTS[2], None)] == [told(finding) for finding in log.findings(Head(3, "0" * 64))]


def test_an_empty_archive_is_no_finding(environment: pytest.MonkeyPatch, at: type[Clock]) -> None:
    """GIVEN a bucket without objects THEN old records are from before it began, and those of today are pending."""
    log = ArchivedLog()
    log.install(environment)
    at.now = NOW - timedelta(days=30)
    log.store(record(1))
    at.now = NOW
    log.store(record(2))

    report = log.verify()

    assert [[], 1, 1, Head()] == [report.findings, report.older, report.pending, report.head]


# ---- Many records


def test_one_of_many_records_is_named(environment: pytest.MonkeyPatch, at: type[Clock]) -> None:
    """GIVEN 100,000 records, one changed, one removed, one added THEN these are named, and no others."""
    log = ArchivedLog()
    log.install(environment)
    organizations = [str(uuid.UUID(int=number, version=4)) for number in range(50)]
    for start in range(0, RECORDS, 1000):
        at.now = BEGAN + timedelta(minutes=start // 1000)
        log.archive(
            *(
                record_at(nth_id(number), at.now, organizations[number % 50])
                for number in range(start, min(RECORDS, start + 1000))
            )
        )
    at.now = NOW
    keys = list(log.items)
    log.items[keys[RECORDS // 3]]["changes"] = {"S": '{"before": null, "after": {"name": "other"}}'}
    del log.items[keys[RECORDS // 2]]
    at.now = BEGAN + timedelta(minutes=1)
    log.store(record_at(nth_id(RECORDS), at.now, organizations[7]))
    at.now = NOW

    tracemalloc.start()
    report = log.verify()
    bytes_per_record = tracemalloc.get_traced_memory()[1] / RECORDS
    tracemalloc.stop()

    assert [
        ("added", "table", nth_id(RECORDS)),
        ("changed", "table", nth_id(RECORDS // 3)),
        ("removed", "table", nth_id(RECORDS // 2)),
    ] == sorted(told(finding) for finding in report.findings)
    assert RECORDS - 2 == report.same
    assert bytes_per_record < MOST_BYTES_PER_RECORD + MEGABYTE * 2 / RECORDS
