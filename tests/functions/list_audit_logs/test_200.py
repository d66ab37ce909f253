"""GET /v1/auth/orgs/audit-logs: 200."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.httpsession import URLLib3Session

from keywright import clock
from keywright.ids import uuid7
from tests.support import faults
from tests.support.client import REQUEST_ID, VALID_BODY, calling
from tests.support.world import ORGANIZATION_ID, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from tests.support.client import Call

call = calling("list_audit_logs")

NOW = "2030-01-31T12:00:00.000Z"


def put_records(call: Call, numbers: Iterable[int], **attributes: Any) -> None:
    """Write records whose ids sort by their numbers."""
    for number in numbers:
        call.table.put_audit(nth_id(number), **attributes)


def newest_first(*numbers: int) -> list[str]:
    """Return the ids of records, highest number first."""
    return [nth_id(number) for number in sorted(numbers, reverse=True)]


def put_at(call: Call, moment: str, order: int = 0) -> str:
    """Write an audit record of a time and return its id."""
    nanoseconds = int(clock.stored(moment).timestamp() * 1000) * 1_000_000
    record_id = str(uuid7(nanoseconds, order))
    call.table.put_audit(record_id, created_at=moment)
    return record_id


def test_a_record_without_a_request(call: Call) -> None:
    """A record not made by an HTTP request has null as address and request id."""
    call.table.put(
        pk=f"ORG#{ORGANIZATION_ID}",
        sk=f"AUDIT#{nth_id(1)}",
        event="member.added",
        actor_type="system",
        actor_id="identity-provider",
        target_type="member",
        target_id="user_2",
        changes='{"before": null, "after": {"role": "member"}}',
        created_at=NOW,
        received_at=NOW,
    )

    ((record,), _) = call.page()

    assert record["sourceIp"] is None
    assert record["requestId"] is None
    assert {"type": "system", "id": "identity-provider", "name": "identity-provider"} == record["actor"]


def test_every_change_is_listed(call: Call, functions: Callable[[str], Call]) -> None:
    """Every change of a key is listed, newest first, with its actor and request."""
    key_id = functions("create_api_key").data(VALID_BODY)["id"]
    functions("update_api_key").data({"name": "New"}, key_id=key_id)
    functions("rotate_api_key").data(key_id=key_id)
    functions("delete_api_key").data(key_id=key_id)

    records, _ = call.page()

    assert ["api_key.deleted", "api_key.rotated", "api_key.updated", "api_key.created"] == [
        record["event"] for record in records
    ]
    assert [("user_1", key_id, "203.0.113.7", REQUEST_ID)] * 4 == [
        (record["actor"]["id"], record["targetId"], record["sourceIp"], record["requestId"]) for record in records
    ]


FILTERS: list[tuple[dict[str, str], list[int]]] = [
    ({"event": "api_key.created"}, [1, 2]),
    ({"event": "organization.deletion_requested"}, [6]),
    ({"event": "member.removed"}, []),
    ({"event": "api_key.deleted,api_key.created"}, [1, 2, 4]),
    ({"event": " api_key.deleted , api_key.deleted"}, [4]),
    ({"actor_type": "user"}, [1, 2, 3, 4, 6]),
    ({"actor_type": "api_key"}, [5]),
    ({"actor_type": "operator,identity_provider"}, []),
    ({"actor_type": " system , api_key,api_key"}, [5, 7]),
    ({"actor_type": "user,api_key,operator,identity_provider,system"}, [1, 2, 3, 4, 5, 6, 7]),
    ({"actor_user_id": "user_1"}, [1, 3, 4]),
    ({"actor_user_id": "USER_1"}, []),
    ({"actor_user_id": nth_id(70)}, []),
    ({"actor_api_key_id": nth_id(70)}, [5]),
    ({"actor_api_key_id": "user_1"}, []),
    ({"target_id": nth_id(80)}, [1, 3, 4]),
    ({"target_id": ORGANIZATION_ID}, [6]),
    ({"target_id": "nothing"}, []),
    ({"event": "api_key.created", "actor_user_id": "user_1"}, [1]),
    ({"event": "api_key.updated,api_key.deleted", "actor_user_id": "user_1", "target_id": nth_id(80)}, [3, 4]),
    ({"event": "api_key.updated", "actor_api_key_id": nth_id(70), "target_id": nth_id(81)}, [5]),
    ({"actor_user_id": "user_1", "actor_api_key_id": nth_id(70)}, []),
    ({"actor_user_id": "user_1", "starting_after": nth_id(4)}, [1, 3]),
    ({"actor_user_id": "user_1", "actor_type": "user,system", "event": "api_key.deleted"}, [4]),
    ({"actor_user_id": "user_1", "actor_type": "api_key"}, []),
    ({"actor_api_key_id": nth_id(70), "actor_type": "api_key"}, [5]),
    ({"actor_type": "api_key,system", "starting_after": nth_id(7)}, [5]),
]


@pytest.mark.parametrize(
    ("query", "numbers"),
    FILTERS,
    ids=["&".join(f"{name}={value[-20:]}" for name, value in query.items()) for query, _ in FILTERS],
)
def test_filters(call: Call, query: dict[str, str], numbers: list[int]) -> None:
    """Filters work alone and together; a user's id never matches a key's."""
    user_1, user_2 = {"actor_id": "user_1"}, {"actor_id": "user_2"}
    key = {"actor_type": "api_key", "actor_id": nth_id(70)}
    call.table.put_audit(nth_id(1), event="api_key.created", target_id=nth_id(80), **user_1)
    call.table.put_audit(nth_id(2), event="api_key.created", target_id=nth_id(81), **user_2)
    call.table.put_audit(nth_id(3), event="api_key.updated", target_id=nth_id(80), **user_1)
    call.table.put_audit(nth_id(4), event="api_key.deleted", target_id=nth_id(80), **user_1)
    call.table.put_audit(nth_id(5), event="api_key.updated", target_id=nth_id(81), **key)
    call.table.put_audit(
        nth_id(6),
        event="organization.deletion_requested",
        target_type="organization",
        target_id=ORGANIZATION_ID,
        **user_2,
    )
    leak_reports = {"actor_type": "system", "actor_id": "leak_reports"}
    call.table.put_audit(nth_id(7), event="api_key.leak_reported", target_id=nth_id(82), **leak_reports)

    assert newest_first(*numbers) == call.ids(query)


@pytest.mark.parametrize(
    "event",
    [
        *("api_key.created", "api_key.updated", "api_key.rotated", "api_key.deleted"),
        *("organization.deletion_requested", "organization.deletion_canceled"),
        *("member.added", "member.role_changed", "member.suspended", "member.reinstated", "member.removed"),
    ],
)
def test_each_event_can_be_requested(call: Call, event: str) -> None:
    """Every event's name is a valid filter."""
    put_records(call, [1], event="something.else")
    put_records(call, [2], event=event)

    assert newest_first(2) == call.ids({"event": event})


MOMENTS = [
    "2026-03-01T11:59:59.999Z",
    "2026-03-01T12:00:00.000Z",
    "2026-03-01T12:00:00.001Z",
    "2026-03-01T12:00:00.002Z",
]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({"created_from": MOMENTS[1]}, [3, 2, 1], id="from a millisecond"),
        pytest.param({"created_from": "2026-03-01T12:00:00Z"}, [3, 2, 1], id="from a second"),
        pytest.param({"created_to": MOMENTS[1]}, [1, 0], id="to a millisecond"),
        pytest.param({"created_from": MOMENTS[1], "created_to": MOMENTS[2]}, [2, 1], id="both"),
        pytest.param({"created_from": MOMENTS[2], "created_to": MOMENTS[2]}, [2], id="one millisecond"),
        pytest.param({"created_from": MOMENTS[2], "created_to": MOMENTS[1]}, [], id="the wrong way round"),
        pytest.param({"created_from": "2026-03-01T14:00:00.001+02:00"}, [3, 2], id="another zone"),
        pytest.param({"created_from": "2026-03-01T12:00:00.003Z"}, [], id="from the future"),
        pytest.param({"created_to": "2026-03-01T11:59:59.998Z"}, [], id="to the past"),
        pytest.param({"created_from": "0001-01-01T00:00:00Z"}, [3, 2, 1, 0], id="from the first year"),
        pytest.param({"created_to": "9999-12-31T23:59:59.999Z"}, [3, 2, 1, 0], id="to the last year"),
        pytest.param({"created_from": "9999-12-31T23:59:59.999Z"}, [], id="from the last year"),
        pytest.param({"created_to": "0001-01-01T00:00:00Z"}, [], id="to the first year"),
    ],
)
def test_bounds_of_time_are_inclusive(call: Call, query: dict[str, str], expected: list[int]) -> None:
    """Both bounds of time are inclusive, to the millisecond."""
    ids = [put_at(call, moment) for moment in MOMENTS]

    assert [ids[index] for index in expected] == call.ids(query)


def test_a_millisecond_is_included_as_a_whole(call: Call) -> None:
    """All records of the first and the last millisecond are included."""
    lowest, highest = put_at(call, MOMENTS[1], 0), put_at(call, MOMENTS[1], 2**62 - 1)

    assert [highest, lowest] == call.ids({"created_from": MOMENTS[1], "created_to": MOMENTS[1]})


@pytest.mark.parametrize(
    ("cursor", "expected"),
    [
        pytest.param(3, [2, 1], id="above the bounds"),
        pytest.param(2, [1], id="the highest"),
        pytest.param(1, [], id="the lowest"),
        pytest.param(0, [], id="below the bounds"),
    ],
)
def test_a_cursor_within_bounds_of_time(call: Call, cursor: int, expected: list[int]) -> None:
    """A cursor outside the bounds of time does not leave them."""
    ids = [put_at(call, moment) for moment in MOMENTS]

    query = {"created_from": MOMENTS[1], "created_to": MOMENTS[2], "starting_after": ids[cursor]}

    assert [ids[index] for index in expected] == call.ids(query)


@pytest.mark.parametrize("cursor", range(4))
def test_queries_start_within_their_bounds(call: Call, cursor: int) -> None:
    """The start of a query is within its bounds: DynamoDB refuses an exclusive start key outside of them."""
    ids = [put_at(call, moment) for moment in MOMENTS]
    queries: list[dict[str, Any]] = []

    def recorded(request: AWSPreparedRequest) -> AWSResponse:
        assert isinstance(request.body, bytes)
        queries.append(json.loads(request.body))
        return URLLib3Session().send(request)

    with faults.injected(None, *[recorded] * 10):
        call.ids({"created_from": MOMENTS[1], "created_to": MOMENTS[2], "starting_after": ids[cursor]})

    values = [
        (query["ExpressionAttributeValues"], query["ExclusiveStartKey"]["sk"]["S"])
        for query in queries
        if "ExclusiveStartKey" in query
    ]
    assert [] == [start for bounds, start in values if not bounds[":lowest"]["S"] < start <= bounds[":highest"]["S"]]


def test_all_filters_together(call: Call) -> None:
    """Filters are combined with AND."""
    fields = {"event": "api_key.updated", "actor_id": "user_1", "target_id": nth_id(80)}
    ids = [put_at(call, moment) for moment in MOMENTS]
    call.table.put_audit(ids[0], **fields)
    call.table.put_audit(ids[1], **fields)
    call.table.put_audit(ids[2], **fields | {"target_id": nth_id(81)})
    call.table.put_audit(ids[3], **fields)
    query = {
        "event": "api_key.updated,api_key.created",
        "actor_user_id": "user_1",
        "target_id": nth_id(80),
        "created_from": MOMENTS[1],
        "created_to": MOMENTS[2],
        "limit": "1",
    }

    records, pagination = call.page(query=query)

    assert [ids[1]] == [record["id"] for record in records]
    assert {"limit": 1, "has_more": False, "next_cursor": None} == pagination


def test_expired_records_are_not_shown(call: Call, stop_clock: Callable[[str], datetime]) -> None:
    """Expired records that DynamoDB has not deleted yet are not shown. Pages are full without them."""
    now = int(stop_clock(NOW).timestamp())
    put_records(call, [1, 2], ttl=now + 1)
    put_records(call, [3, 4], ttl=now)
    put_records(call, [5, 6], ttl=now - 86400)
    put_records(call, [7])

    records, pagination = call.page(query={"limit": "3"})

    assert newest_first(1, 2, 7) == [record["id"] for record in records]
    assert pagination["has_more"] is False


def test_without_a_retention_records_are_shown_forever(
    call: Call,
    functions: Callable[[str], Call],
    setting: Callable[[str, str], None],
    stop_clock: Callable[[str], datetime],
) -> None:
    """With a retention of 0 days a record is shown forever."""
    setting("AUDIT_RETENTION_DAYS", "0")
    functions("create_api_key").data(VALID_BODY)
    stop_clock("2130-01-01T00:00:00.000Z")

    assert 1 == len(call.ids())


def test_with_a_retention_records_are_shown_until_its_end(
    call: Call,
    functions: Callable[[str], Call],
    setting: Callable[[str, str], None],
    stop_clock: Callable[[str], datetime],
) -> None:
    """With a retention of one day a record is shown for a day, to the second."""
    setting("AUDIT_RETENTION_DAYS", "1")
    stop_clock(NOW)
    functions("create_api_key").data(VALID_BODY)

    stop_clock("2030-02-01T11:59:59.999Z")
    before = len(call.ids())
    stop_clock("2030-02-01T12:00:00.000Z")

    assert 1 == before
    assert 0 == len(call.ids())
