"""`audit verify`: what is changed in the table or in the archive afterwards is found, and named."""

from __future__ import annotations

import copy
import json
import tracemalloc
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from keywright import clock
from keywright.operators.archive_check import ArchivedByHand, Known
from keywright.store import archive, audit
from keywright.store.archive import Head, Header
from keywright_admin.output import VerifiedArchive
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
    assert {0} == {report.pending, report.older, report.newer, report.expired, report.by_hand, report.behind}
    assert clock.rfc3339(BEGAN) == report.began
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


def test_a_binary_value_has_one_digest(log: ArchivedLog) -> None:
    """GIVEN an item with a binary value, which the stream has as base64 WHEN the table returns bytes THEN it agrees."""
    added = record(50)
    image = added["dynamodb"]["NewImage"]
    image["data"] = {"B": "AAH/"}
    log.archive(added)
    log.items[place(50)] = {**image, "data": {"B": b"\x00\x01\xff"}}

    assert [] == log.findings()


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
    """GIVEN a record without a batch, and a later one of its organization with one THEN it was added, after 6 hours."""
    at.now = NOW - timedelta(hours=5)
    log.store(record(99))
    at.now = NOW - timedelta(hours=1)
    log.archive(record(101))
    at.now = NOW
    report = log.verify()
    assert [[], 1] == [report.findings, report.pending]

    at.now = NOW + timedelta(hours=2)

    assert [("added", "table", nth_id(99))] == [told(finding) for finding in log.findings()]


def test_a_false_time_does_not_overtake(log: ArchivedLog, at: type[Clock]) -> None:
    """GIVEN an archived record that says it is of 2100 THEN it is named, and records of its organization may come."""
    log.archive(record(101, received_at="2100-01-01T00:00:00.000Z"))
    log.store(record(99))
    at.now = NOW + timedelta(hours=8)

    report = log.verify()

    assert [("added", "table", nth_id(101))] == [told(finding) for finding in report.findings]
    assert 1 == report.pending


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
    assert [ArchivedByHand(BATCHES + 1, 1, clock.rfc3339(NOW))] == report.by_hand_objects


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
    log.purges[ORGANIZATION_ID] = NOW + timedelta(days=9)
    at.now = NOW + timedelta(days=10)

    report = log.verify()

    count = BATCHES * PER_BATCH // 2 + len(events)
    assert ([count, 0] if is_due else [0, count]) == [report.purged[ORGANIZATION_ID], len(report.findings)]


PURGES = {
    "not purged": None,
    "before": datetime(2026, 3, 11, tzinfo=UTC),
    "to come": datetime(2100, 1, 1, tzinfo=UTC),
    "by hand": datetime(2026, 3, 12),  # noqa: DTZ001 - without a zone
}


@pytest.mark.parametrize("purged_on", PURGES.values(), ids=PURGES)
@pytest.mark.parametrize("age", [timedelta(hours=1), timedelta(days=9)])
def test_records_of_an_organization_that_was_not_purged_may_not_be_gone(
    log: ArchivedLog, at: type[Clock], age: timedelta, purged_on: datetime | None
) -> None:
    """GIVEN a request for a deletion that was due and not carried out THEN missing records are named."""
    log.archive(deletion(100, "deletion_requested", "2026-03-12T00:00:00.000Z"))
    if purged_on is not None:
        log.purges[ORGANIZATION_ID] = purged_on
    del log.items[place(4)]
    at.now = datetime(2026, 3, 12, tzinfo=UTC) + age

    assert [("removed", "table", nth_id(4))] == [told(finding) for finding in log.findings()]


def test_a_purge_may_take_days(log: ArchivedLog, at: type[Clock]) -> None:
    """GIVEN a purge that began three days ago and is not complete THEN missing records are no findings."""
    log.archive(deletion(100, "deletion_requested", "2026-03-12T00:00:00.000Z"))
    log.purges[ORGANIZATION_ID] = datetime(2026, 3, 12, 1, tzinfo=UTC)
    del log.items[place(4)]
    at.now = datetime(2026, 3, 15, tzinfo=UTC)

    report = log.verify()

    assert [[], 1] == [report.findings, report.purged[ORGANIZATION_ID]]


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


def rebuild(log: ArchivedLog, change: Callable[[list[dict[str, Any]]], object]) -> None:
    """Change a record in the table, and write all objects again now to agree with it; the head too."""
    log.items[place(5)]["actor_id"] = {"S": "user_13"}
    previous = None
    for number, key in enumerate(OBJECTS, 1):
        lines = lines_of(log.bodies[key])
        lines[0]["previous"] = previous
        for line in lines[1:]:
            if line["id"] == nth_id(5):
                line["actor"]["id"] = "user_13"
                line["digest"] = audit.digest(log.items[place(5)])
        change(lines)
        log.bodies[key], log.times[key] = composed(lines), clock.now()
        log.head = Head(number - 1, previous).followed_by(log.bodies[key])
        previous = log.head.digest


def says_now(lines: list[dict[str, Any]]) -> None:
    """Let the header of an object say that it is written now."""
    lines[0]["writtenAt"] = clock.rfc3339(clock.now())


def without_times(lines: list[dict[str, Any]]) -> None:
    """Remove the times of the stream as well."""
    says_now(lines)
    for line in lines[1:]:
        del line["storedAt"]


def by_hand(lines: list[dict[str, Any]]) -> None:
    """Let an object say that an operator archived its records."""
    without_times(lines)
    lines[0]["source"] = "file"


@pytest.mark.parametrize("change", [len, says_now, without_times])
def test_a_rebuilt_archive_is_told_by_the_times_of_its_objects(
    log: ArchivedLog, change: Callable[[list[dict[str, Any]]], object]
) -> None:
    """GIVEN a record changed in the table, and an archive rebuilt to agree THEN S3's times and a kept head tell."""
    kept = log.head
    rebuild(log, change)

    assert [("changed", key, None) for key in OBJECTS] == [told(finding) for finding in log.findings()]
    assert ("changed", LAST, None) in {told(finding) for finding in log.findings(kept)}


def test_an_archive_that_was_rebuilt_by_hand_is_listed(log: ArchivedLog) -> None:
    """GIVEN an archive rebuilt as objects that an operator archived THEN each is listed, with its time by S3."""
    rebuild(log, by_hand)

    report = log.verify()

    assert [[], BATCHES * PER_BATCH] == [report.findings, report.by_hand]
    assert [ArchivedByHand(number, PER_BATCH, clock.rfc3339(NOW)) for number in range(1, BATCHES + 1)] == (
        report.by_hand_objects
    )


def test_rebuilt_objects_of_a_day_are_told_by_a_kept_head(log: ArchivedLog, at: type[Clock]) -> None:
    """GIVEN objects of less than a day, rebuilt with a changed record THEN only a head kept elsewhere tells."""
    kept, at.now = log.head, BEGAN + timedelta(hours=23)
    rebuild(log, says_now)

    assert [] == log.findings()
    assert [("changed", LAST, None)] == [told(finding) for finding in log.findings(kept)]


def test_an_archive_that_was_begun_anew_says_when(log: ArchivedLog) -> None:
    """GIVEN an archive of which only a new first object is there THEN it says so, and a head kept elsewhere tells."""
    kept, log.head = log.head, Head()
    log.bodies.clear()
    log.archive(record(99))

    report = log.verify()

    assert [[], BATCHES * PER_BATCH, clock.rfc3339(NOW)] == [report.findings, report.older, report.began]
    assert ("missing", OBJECTS[1], None) in {told(finding) for finding in log.findings(kept)}


def test_an_object_that_was_written_after_the_next_is_named(log: ArchivedLog, at: type[Clock]) -> None:
    """GIVEN an object of less than a day, written later than the one after it THEN it is named."""
    log.times[SECOND] = log.times[OBJECTS[2]] + timedelta(minutes=20)
    log.bodies[SECOND] = with_line(
        log.bodies[SECOND], 0, lambda header: header.update(writtenAt=clock.rfc3339(log.times[SECOND]))
    )
    at.now = log.times[LAST]

    texts = [finding.text for finding in log.findings() if finding.place == SECOND]

    assert "it was written after the next object" in texts[0]


def append(log: ArchivedLog, line: dict[str, Any], source: str = "stream") -> str:
    """Write the next object as the function does, with one line; return its key."""
    header = Header(log.head.number + 1, log.head.digest, clock.rfc3339(clock.now()), source)
    body = archive.compose(header, [json.dumps(line)])
    key = archive.object_key(header.number)
    log.bodies[key], log.times[key] = body, clock.now()
    log.head = log.head.followed_by(body)
    return key


def false_line(log: ArchivedLog, number: int = 77, **fields: object) -> dict[str, Any]:
    """Return a line of a record that is not in the table, with the present time."""
    now = clock.rfc3339(clock.now())
    line = {**lines_of(log.bodies[SECOND])[1], "id": nth_id(number), "createdAt": now, "receivedAt": now}
    return {**line, "organizationId": ORGANIZATION_ID, "storedAt": now, **fields}


@pytest.mark.parametrize("ttl", ["5", "-1", str(int(NOW.timestamp())), str(int(NOW.timestamp()) + 3600)])
def test_a_line_whose_retention_is_too_short_is_named(log: ArchivedLog, ttl: str) -> None:
    """GIVEN an object that continues the chain, with a false line that may be gone THEN the line is named."""
    key = append(log, false_line(log, ttl=ttl))

    assert ("added", key, nth_id(77)) in {told(finding) for finding in log.findings()}


def test_a_line_from_the_future_is_named(log: ArchivedLog) -> None:
    """GIVEN an object with a line that the stream would have later THEN the object is named."""
    later = "2100-01-01T00:00:00.000Z"
    key = append(log, false_line(log, storedAt=later, receivedAt=later))

    assert ("changed", key, None) in {told(finding) for finding in log.findings()}


@pytest.mark.parametrize(
    "name", ["event", "createdAt", "receivedAt", "storedAt", "ttl", "id", "organizationId", "digest"]
)
@pytest.mark.parametrize("value", [[], {}, 5, True], ids=str)
def test_a_line_with_a_field_of_another_type_is_unreadable(log: ArchivedLog, name: str, value: object) -> None:
    """GIVEN a line that has a list or a number instead of a text THEN it is named, and no other."""
    key = append(log, {**false_line(log), name: value})

    assert [("unreadable", key, None)] == [told(finding) for finding in log.findings()]


def test_half_a_surrogate_pair_is_shown_as_another_character(log: ArchivedLog) -> None:
    """GIVEN a line with text that has no UTF-8 THEN the finding about it can be shown."""
    append(log, false_line(log, event="\ud800", storedAt="\ud800"))

    output = VerifiedArchive.of("bucket", log.verify()).model_dump_json()

    assert "of ?" in output
    assert '"event":"?"' in output


def test_a_line_of_a_purged_organization_is_named(log: ArchivedLog, at: type[Clock]) -> None:
    """GIVEN a purged organization, and a later object with a false line of it THEN the line is named."""
    log.archive(deletion(100, "deletion_requested", "2026-03-12T00:00:00.000Z"))
    log.purges[ORGANIZATION_ID] = NOW + timedelta(days=1)
    log.items = {key: item for key, item in log.items.items() if key[0] != f"ORG#{ORGANIZATION_ID}"}
    at.now = NOW + timedelta(days=2)
    assert [] == log.findings()

    key = append(log, false_line(log))

    assert [("added", key, nth_id(77))] == [told(finding) for finding in log.findings()]


def test_a_line_that_cannot_be_read_does_not_make_its_object_changed(log: ArchivedLog) -> None:
    """GIVEN an object of the function with a line that cannot be read THEN its other records stay vouched for."""
    lines = lines_of(log.bodies[LAST])
    log.bodies[LAST] = composed([*lines, {"event": []}])
    log.head = Head(BATCHES - 1, lines[0]["previous"]).followed_by(log.bodies[LAST])
    del log.items[place(17)]

    assert {("unreadable", LAST, None), ("removed", "table", nth_id(17))} == {
        told(finding) for finding in log.findings()
    }


def test_an_item_with_a_negative_ttl_is_readable(log: ArchivedLog) -> None:
    """GIVEN a batch with an item whose ttl is -1 WHEN another record of it is removed THEN that is named as removed."""
    log.archive(record(50), record(51, ttl=-1))
    del log.items[place(50)]

    assert [("removed", "table", nth_id(50))] == [told(finding) for finding in log.findings()]


@pytest.mark.parametrize("changes", ['{"after": "x"}', '{"after": {"pendingDeletionAt": 5}}', "{}", '{"after": []}'])
def test_an_item_with_other_changes_is_archived_as_any(log: ArchivedLog, changes: str) -> None:
    """GIVEN an item that says that a deletion was requested, with changes of another form THEN nothing is found."""
    log.archive(record(50, event="organization.deletion_requested", changes=changes))

    assert [] == log.findings()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
TIMES = st.sampled_from(
    [
        "2026-03-01T13:00:00.000Z",
        "2026-03-01t13:00:00z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999Z",
        "0001-01-01T00:00:00+23:00",
    ]
)
CHANGES = st.fixed_dictionaries({"after": JSON | st.fixed_dictionaries({"pendingDeletionAt": TIMES | JSON})}) | JSON
ANY_LINE = JSON | st.fixed_dictionaries(
    {
        "organizationId": st.sampled_from([ORGANIZATION_ID, "x", "\ud800"]) | JSON,
        "id": st.sampled_from([nth_id(5), nth_id(77), "\ud800"]) | JSON,
        "digest": st.sampled_from(["0" * 64, "x"]) | JSON,
    },
    optional={
        "event": st.sampled_from(["organization.deletion_requested", "\ud800"]) | JSON,
        "changes": CHANGES,
        "createdAt": TIMES | JSON,
        "receivedAt": TIMES | JSON,
        "storedAt": TIMES | JSON,
        "ttl": st.sampled_from(["5", "-1", "1E+3", "9" * 30]) | JSON,
    },
)
ANY_HEADER = JSON | st.fixed_dictionaries(
    {
        "number": st.just(BATCHES + 1) | JSON,
        "previous": st.just("0" * 64) | JSON,
        "writtenAt": TIMES | JSON,
        "source": st.sampled_from(["stream", "file"]) | JSON,
    }
)
DEEP = "[" * 200_000


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(header=ANY_HEADER, lines=st.lists(ANY_LINE, max_size=3), written_at=st.sampled_from([BEGAN, NOW]))
def test_any_lines_are_no_error(log: ArchivedLog, header: object, lines: list[object], written_at: datetime) -> None:
    """GIVEN an object with any lines of JSON THEN the rest is verified, and the report can be shown."""
    key = archive.object_key(BATCHES + 1)
    log.bodies[key] = "".join(json.dumps(line) + "\n" for line in (header, *lines)).encode()
    log.times[key] = written_at
    try:
        report = log.verify()
    finally:
        del log.bodies[key]
    assert VerifiedArchive.of("bucket", report).model_dump_json()
    assert BATCHES * PER_BATCH <= report.same + len(report.findings)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary())
@example(DEEP.encode())
@example(f"{{}}\n{DEEP}\n".encode())
@example(f'{{"number": {"9" * 5000}}}\n'.encode())
def test_any_bytes_are_no_error(log: ArchivedLog, body: bytes) -> None:
    """GIVEN an object of any bytes THEN it is named, and the rest is verified."""
    key = archive.object_key(BATCHES + 1)
    log.bodies[key], log.times[key] = body, NOW
    try:
        report = log.verify()
    finally:
        del log.bodies[key]
    assert ("unreadable", key) in {(finding.what, finding.place) for finding in report.findings}
    assert BATCHES * PER_BATCH == report.same


def test_objects_that_cannot_be_read_are_named(log: ArchivedLog) -> None:
    """GIVEN an object in an archival storage class THEN it is named with S3's reason, and the rest is verified."""
    log.unreadable[SECOND] = "InvalidObjectState"

    report = log.verify()

    assert ("unreadable", SECOND, None) == told(report.findings[0])
    assert "InvalidObjectState" in report.findings[0].text
    assert {("removed", "audit/", nth_id(number)) for number in range(PER_BATCH, 2 * PER_BATCH)} == {
        told(finding) for finding in report.findings[1:]
    }
    assert log.head == report.head


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


def test_a_last_object_that_was_removed_is_named_by_the_next(log: ArchivedLog) -> None:
    """GIVEN an archive whose last object was removed with its records WHEN a batch comes THEN the next object tells."""
    log.archive(record(50))
    removed = log.head
    del log.bodies[archive.object_key(BATCHES + 1)], log.items[place(50)]
    log.archive(record(51))

    (finding,) = [finding for finding in log.findings() if finding.what == "head"]
    assert archive.object_key(BATCHES + 1) == finding.place
    assert f"{removed.number}:{removed.digest}" in finding.text


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


def test_an_empty_archive_has_no_findings_on_its_first_day(environment: pytest.MonkeyPatch, at: type[Clock]) -> None:
    """GIVEN a bucket without objects THEN records of today are pending, and older ones show that it was emptied."""
    log = ArchivedLog()
    log.install(environment)
    at.now = NOW
    log.store(record(2))
    report = log.verify()
    assert [[], 1, Head()] == [report.findings, report.pending, report.head]

    at.now = NOW - timedelta(days=30)
    log.store(record(1))
    at.now = NOW

    assert ("missing", OBJECTS[0], None) in {told(finding) for finding in log.findings()}


def test_an_emptied_archive_is_named(log: ArchivedLog) -> None:
    """GIVEN a bucket that was emptied, and no head THEN it is named."""
    log.bodies.clear()
    log.head = Head()

    assert ("missing", OBJECTS[0], None) in {told(finding) for finding in log.findings()}


# ---- Part of an archive


def test_records_of_missing_objects_are_named(log: ArchivedLog, at: type[Clock]) -> None:
    """GIVEN an archive without its first objects THEN records of that time are named, not counted as older."""
    for number in range(3):
        del log.bodies[OBJECTS[number]]
    at.now = BEGAN + timedelta(minutes=30)
    log.store(record(99))
    at.now = NOW

    report = log.verify()

    assert 0 == report.older
    assert {nth_id(99), *map(nth_id, range(3 * PER_BATCH))} == {
        finding.record_id for finding in report.findings if finding.what == "removed"
    }


def test_records_are_not_older_than_a_first_object_that_was_changed(log: ArchivedLog) -> None:
    """GIVEN a first object written again without a record, as if it were the begin THEN the record is named."""
    lines = lines_of(log.bodies[OBJECTS[0]])
    says_now(lines)
    log.bodies[OBJECTS[0]], log.times[OBJECTS[0]] = composed([*lines[:1], *lines[2:]]), NOW

    report = log.verify()

    assert [0, None] == [report.older, report.began]
    assert ("removed", "audit/", nth_id(0)) in {told(finding) for finding in report.findings}


def test_a_head_that_was_kept_vouches_for_its_object(log: ArchivedLog) -> None:
    """GIVEN a head in the table that is behind WHEN the last object is expected THEN its records were removed."""
    kept, log.head = log.head, Head(BATCHES - 1, lines_of(log.bodies[LAST])[0]["previous"])
    del log.items[place(17)]

    assert ("added", LAST, nth_id(17)) in {told(finding) for finding in log.findings()}
    assert ("removed", "table", nth_id(17)) in {told(finding) for finding in log.findings(kept)}


def test_objects_can_expire_by_agreement(log: ArchivedLog, at: type[Clock]) -> None:
    """GIVEN an archive without its first objects WHEN it is known where the chain begins THEN nothing is found."""
    begin = Head(4, lines_of(log.bodies[LAST])[0]["previous"])
    del log.bodies[OBJECTS[0]]
    log.deleted.add(OBJECTS[1])

    report = log.verify(known=Known(first=begin))

    assert [[], 2, 3 * PER_BATCH, 2 * PER_BATCH] == [report.findings, report.objects, report.older, report.same]
    at.now = log.times[OBJECTS[3]] + timedelta(minutes=1)
    log.store(record(99))
    at.now = NOW
    assert [("added", "table", nth_id(99))] == [
        told(finding) for finding in log.verify(known=Known(first=begin)).findings
    ]


@pytest.mark.parametrize("number", [4, 6])
def test_an_archive_that_does_not_begin_as_agreed_is_named(log: ArchivedLog, number: int) -> None:
    """GIVEN the begin of the chain WHEN its object is another, or not there THEN it is named."""
    findings = log.verify(known=Known(first=Head(number, "0" * 64))).findings

    assert ("changed" if number <= BATCHES else "missing", archive.object_key(number), None) in {
        told(finding) for finding in findings
    }


def test_records_after_an_earlier_archive_are_counted(log: ArchivedLog, at: type[Clock]) -> None:
    """GIVEN an archive that was turned off WHEN its bucket is verified THEN later records are counted as newer."""
    at.now = log.times[LAST] + timedelta(days=3)
    log.store(record(99))
    at.now = NOW

    report = log.verify(known=Known(is_of_stack=False))

    assert [[], 1] == [report.findings, report.newer]
    assert [("added", "table", nth_id(99))] == [told(finding) for finding in log.findings()]

    at.now = log.times[LAST] - timedelta(hours=1)
    log.store(record(101))
    at.now = NOW
    assert [("added", "table", nth_id(101))] == [
        told(finding) for finding in log.verify(known=Known(is_of_stack=False)).findings
    ]


# ---- Many records


@pytest.fixture
def many(environment: pytest.MonkeyPatch, at: type[Clock]) -> ArchivedLog:
    """Many records of 50 organizations, one of which is changed, one removed, and one added."""
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
    return log


def test_one_of_many_records_is_named(many: ArchivedLog) -> None:
    """GIVEN many records, one changed, one removed, one added THEN these are named, and no others."""
    report = many.verify()

    assert [
        ("added", "table", nth_id(RECORDS)),
        ("changed", "table", nth_id(RECORDS // 3)),
        ("removed", "table", nth_id(RECORDS // 2)),
    ] == sorted(told(finding) for finding in report.findings)
    assert RECORDS - 2 == report.same


@pytest.mark.deep
def test_many_records_fit_in_memory(many: ArchivedLog) -> None:
    """GIVEN 100,000 records THEN each takes few bytes: ids and digests are in memory, not the records."""
    tracemalloc.start()
    many.verify()
    bytes_per_record = tracemalloc.get_traced_memory()[1] / RECORDS
    tracemalloc.stop()

    assert bytes_per_record < MOST_BYTES_PER_RECORD
