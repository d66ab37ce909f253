"""Each operation consumes the capacity in docs/capacity.md, to the half unit."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from keywright.domain.limits import RateLimit
from keywright.store import retired_uses, usage
from keywright.store.retired_uses import RetiredUses
from keywright.store.usage import PreviousUse, Uses, day_name
from tests.support.announcements import Announcements
from tests.support.capacity import Consumption, documented, measured, write
from tests.support.cases import CASES
from tests.support.replay import invoke, prepare
from tests.support.sample_keys import SampleKey
from tests.support.world import KEY_ID, ORGANIZATION_ID, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.cases import Case
    from tests.support.client import Call
    from tests.support.world import World

SUCCESSES = [case for case in CASES if case.status == 200]

BY_EVENT = documented("By event")
BY_SIZE = documented("By size")


WRITES = os.environ.get("WRITE_CAPACITY") == "1"
"""Write the first table instead of comparing with it; needs a single process."""


@pytest.fixture(scope="session")
def measurements() -> Iterator[dict[tuple[str, str], Consumption]]:
    """The measurements of all events."""
    consumptions: dict[tuple[str, str], Consumption] = {}
    yield consumptions
    if WRITES:
        write("By event", consumptions)


def row(name: tuple[str, str], consumption: Consumption) -> str:
    """Return a row of the table, so that a failure shows the row to write."""
    return f"| {' | '.join(name)} | {consumption} |"


@pytest.mark.usefixtures("development_issuer", "development_github")
@pytest.mark.parametrize("case", SUCCESSES, ids=str)
def test_a_success_consumes_what_is_documented(
    case: Case,
    world: World,
    setting: Callable[[str, str], None],
    load_handler: Callable[[str], Callable[..., object]],
    measurements: dict[tuple[str, str], Consumption],
) -> None:
    """GIVEN the seed of an event WHEN it is answered 200 THEN it took the requests and units of the table."""
    prepare(case.seed, world, setting)
    handler = load_handler(case.function)

    with measured(world.table) as consumed:
        invoke(handler, case.event, world)

    name = (case.function, case.name)
    measurements[name] = sum(consumed, Consumption())
    assert WRITES or row(name, BY_EVENT.get(name, Consumption())) == row(name, measurements[name])


LARGE = {f"field {number}": "x" * 500 for number in range(30)}
"""Metadata of 15 KiB, near the limit of 16."""


def hundred_keys(call: Call) -> None:
    """Write a hundred keys with usage."""
    for number in range(100):
        call.table.put_key(nth_id(number))
        call.table.put_usage(nth_id(number))


def thousand_records(call: Call) -> None:
    """Write a thousand audit records, the oldest of a different event."""
    for number in range(1000):
        call.table.put_audit(nth_id(number), target_id="another" if number == 0 else "key")


def large_key(call: Call) -> None:
    """Write a key with the largest metadata."""
    call.table.put_key(metadata=json.dumps(LARGE))


BODY: dict[str, Any] = {"name": "CI", "permissions": ["sessions:read"]}


def keys_of(organizations: int, keys: int, *, with_rates: bool = False) -> Callable[[Call], dict[str, Any]]:
    """Return how to write keys of several organizations; their verification at once is the request."""

    def fill(call: Call) -> dict[str, Any]:
        texts = []
        for number in range(keys):
            key = SampleKey(nth_id(1000 + number % organizations), nth_id(number))
            call.table.put_organization(key.organization_id)
            texts.append(key.put(call.table, **{"rate_limit": RateLimit(60, 60, 60).stored()} if with_rates else {}))
            if with_rates:
                call.table.put(pk=f"LIMIT#{key.key_id}", sk="LIMIT")
        return {"body": {"verifications": [{"key": text} for text in texts]}}

    return fill


def after(fill: Callable[[Call], None], **request: Any) -> Callable[[Call], dict[str, Any]]:
    """Return how to write items; the request does not depend on them."""

    def filled(call: Call) -> dict[str, Any]:
        fill(call)
        return request

    return filled


SIZES: dict[tuple[str, str], Callable[[Call], dict[str, Any]]] = {
    ("create_api_key", "15 KiB of metadata"): after(lambda _: None, body={**BODY, "metadata": LARGE}),
    ("get_api_key", "15 KiB of metadata"): after(large_key),
    ("update_api_key", "15 KiB of metadata"): after(large_key, body={"name": "new"}),
    ("rotate_api_key", "15 KiB of metadata"): after(large_key),
    ("rotate_api_key", "15 KiB of metadata and an Idempotency-Key"): after(
        large_key, headers={"idempotency-key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
    ),
    ("delete_api_key", "15 KiB of metadata"): after(large_key),
    ("list_api_keys", "10 of 100 keys"): after(hundred_keys),
    ("list_api_keys", "100 of 100 keys"): after(hundred_keys, query={"limit": "100"}),
    ("list_audit_logs", "10 of 1000 records"): after(thousand_records),
    ("list_audit_logs", "100 of 1000 records"): after(thousand_records, query={"limit": "100"}),
    ("list_audit_logs", "1 of 1000 records by its target"): after(thousand_records, query={"target_id": "another"}),
    ("verify_api_keys", "1 key"): keys_of(1, 1),
    ("verify_api_keys", "50 keys of 50 organizations"): keys_of(50, 50),
    ("verify_api_keys", "100 keys of 100 organizations"): keys_of(100, 100),
    ("verify_api_keys", "99 keys of one organization"): keys_of(1, 99),
    ("verify_api_keys", "99 keys with rate limits of one organization"): keys_of(1, 99, with_rates=True),
}
"""What writes the items of a size and returns the request."""


def test_a_use_of_a_full_usage_takes_one_write_unit(world: World) -> None:
    """GIVEN 90 days of a million uses, the longest address, old secrets in use WHEN a day begins THEN 1 unit."""
    first = date(2026, 1, 31)
    world.table.put_usage(
        days={day_name(first + timedelta(days=number)): 999_999 for number in range(90)},
        request_count=89_999_910,
        last_used_at="2026-04-30T12:00:00.000Z",
        last_used_ip="2001:dead:ffff:ffff:ffff:ffff:ffff:ffff",
        previous_generation=65_534,
        previous_used_at="2026-04-30T12:00:00.000Z",
        retired=99_999_999,
        retired_on="2026-04-30",
    )
    at = datetime(2026, 5, 1, tzinfo=UTC)
    address, previous = "2001:dead:ffff:ffff:ffff:ffff:ffff:fffe", PreviousUse(65_534, at)
    uses = Uses(UUID(ORGANIZATION_ID), UUID(KEY_ID), {at.date(): 999_999}, at, address, previous)

    with measured(world.table) as consumed:
        usage.add(uses)

    assert [Consumption(1, 0, 1)] == consumed

    retired = RetiredUses(UUID(ORGANIZATION_ID), UUID(KEY_ID), 1, 65_533, at, address)
    with measured(world.table) as consumed:
        unreported = retired_uses.add(retired)
        assert unreported is not None
        retired_uses.report(unreported)

    assert [Consumption(1, 0, 1), Consumption(1, 0, 4)] == consumed


def test_a_notice_takes_four_write_units(
    world: World, load_handler: Callable[[str], Callable[..., Any]], stop_clock: Callable[[str], datetime]
) -> None:
    """GIVEN 300 announced keys WHEN another is announced THEN 10 units read them, 1 its key, and 4 write the notice.

    An expired key that is announced takes as many.
    """
    stop_clock("2026-05-01T00:00:00.000Z")
    announce = Announcements(load_handler("announce_expirations"), world)
    for number in range(300):
        sort_key = f"2026-05-20T00:00:00.000Z#{ORGANIZATION_ID}#{nth_id(number)}"
        world.table.put(pk="EXPIRIES", sk=sort_key, noticed=30)
    for at in ("2026-05-02T00:00:00.000Z", "2026-04-30T00:00:00.000Z"):
        announce.expire(at)

        with measured(world.table) as consumed:
            announce()

        query, *rest = consumed
        assert query.read_units <= 10
        assert [Consumption(1, 1, 0), Consumption(1, 0, 4)] == rest


def test_every_event_of_the_document_exists() -> None:
    """The table names only events that are replayed."""
    assert BY_EVENT.keys() <= {(case.function, case.name) for case in SUCCESSES}


def test_every_size_is_documented() -> None:
    """The table has exactly the measured sizes."""
    assert SIZES.keys() == BY_SIZE.keys()


@pytest.mark.parametrize("size", SIZES, ids=" ".join)
def test_a_size_consumes_what_is_documented(functions: Callable[[str], Call], size: tuple[str, str]) -> None:
    """GIVEN much data WHEN a function works on it THEN it takes the requests and units of the table."""
    call = functions(size[0])
    request = SIZES[size](call)

    with measured(call.table) as consumed:
        call.data(**request) if "list" not in size[0] else call.page(**request)

    assert row(size, BY_SIZE[size]) == row(size, sum(consumed, Consumption()))
