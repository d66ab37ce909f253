"""The comparison after a run under load detects every kind of violation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from keywright.keys import retired_secrets, usage
from tests.load.books import Books, Key, published, unpublished, violations
from tests.load.memory import has_grown
from tests.support.client import VALID_BODY
from tests.support.service import Caller, Service
from tests.support.world import ANSWER_SECONDS, ORGANIZATION_ID, World

if TYPE_CHECKING:
    from collections.abc import Callable

    Partition = dict[str, dict[str, Any]]
    Damage = Callable[[Partition], None]

CALLER = Caller(ORGANIZATION_ID)


@pytest.fixture
def agreement(world: World, load_handler: Callable[[str], Callable[..., object]]) -> tuple[Books, Partition]:
    """Answers and table of an organization with three keys, one of them deleted."""
    service = Service.opened(world, load_handler, seconds=ANSWER_SECONDS)
    service.open_organization(ORGANIZATION_ID, user_1="admin")
    books = Books()
    for name in ("used", "changed", "deleted"):
        created = service.create(CALLER, {**VALID_BODY, "name": name}).data
        books.keys[name] = Key(created["id"], created["key"], name)
    used, changed, deleted = books.keys.values()
    books.keys = {key.id: key for key in books.keys.values()}
    assert service.call("verify_api_key", CALLER, body={"key": used.text}).data["valid"]
    usage.meter().flush_all(seconds=60)
    used.uses = 1
    assert 200 == service.update(CALLER, changed.id, name="changed again").status
    assert 200 == service.rotate(CALLER, changed.id).status
    for _ in range(3):
        assert not service.call("verify_api_key", CALLER, body={"key": changed.text}).data["valid"]
    retired_secrets.meter().flush_all(seconds=60)
    changed.name, changed.generation, changed.retired_uses = "changed again", 1, 3
    books.names.append(changed.name)
    assert 200 == service.delete(CALLER, deleted.id).status
    deleted.text = ""
    books.changes.update(
        {"api_key.created": 3, "api_key.updated": 1, "api_key.rotated": 1, "api_key.deleted": 1},
    )
    return books, service.partition(ORGANIZATION_ID)


def test_agreement_is_not_reported(agreement: tuple[Books, Partition]) -> None:
    """Answers that agree with the table are not reported."""
    assert [] == violations(*agreement)


def lost_key(items: Partition) -> None:
    """Remove a key whose creation was answered with 200."""
    del items[first(items, "KEY#")]


def doubled_key(items: Partition) -> None:
    """Add a key that no answer named."""
    items["KEY#another"] = items[first(items, "KEY#")]


def lost_record(items: Partition) -> None:
    """Remove the audit record of a change."""
    del items[record(items, "api_key.updated")]


def doubled_record(items: Partition) -> None:
    """Add a second audit record of a change."""
    items["AUDIT#z"] = {**items[record(items, "api_key.rotated")], "sk": "AUDIT#z"}


def lost_change(items: Partition) -> None:
    """Restore a key's previous name."""
    changed = next(item for item in items.values() if item.get("name") == "changed again")
    changed["name"] = "changed"


def lost_uses(items: Partition) -> None:
    """Remove a counted use."""
    del items[first(items, "USAGE#")]


def doubled_uses(items: Partition) -> None:
    """Count a use twice."""
    items[first(items, "USAGE#")]["request_count"] = 2


def lost_retired_use(items: Partition) -> None:
    """Remove the audit record of a rotated-out text."""
    del items[record(items, "api_key.retired_secret_used")]


def doubled_retired_use(items: Partition) -> None:
    """Count the use of a rotated-out text twice."""
    usage = next(item for item in items.values() if "retired" in item)
    usage["retired"] += 1


@pytest.mark.parametrize(
    "damage",
    [
        lost_key,
        doubled_key,
        lost_record,
        doubled_record,
        lost_change,
        lost_uses,
        doubled_uses,
        lost_retired_use,
        doubled_retired_use,
    ],
)
def test_each_difference_is_reported(agreement: tuple[Books, Partition], damage: Damage) -> None:
    """A lost or doubled key, record, change or use is reported."""
    books, items = agreement
    damage(items)

    assert violations(books, items)


def test_a_deleted_key_that_exists_is_reported(agreement: tuple[Books, Partition]) -> None:
    """The key and its usage, if left behind, are reported."""
    books, items = agreement
    deleted = next(key for key in books.keys.values() if key.is_deleted)
    items[f"KEY#{deleted.id}"] = items[first(items, "KEY#")]
    items[f"USAGE#{deleted.id}"] = items[first(items, "USAGE#")]

    lines = violations(books, items)

    assert f"key {deleted.id} was deleted, and is there" in lines
    assert f"key {deleted.id} was deleted, and its uses are there" in lines


def test_events_are_exactly_the_records() -> None:
    """A record without an event, and an event without a record, are reported; an event that comes twice is not."""
    lines = [
        "POST /v1/auth/api-keys 200 9 ms",
        *(f'published a.b {{"id": "{name}", "event": "a.b"}}' for name in "aabd"),
    ]

    assert ["a", "a", "b", "d"] == published(lines)
    assert [] == unpublished(published(lines), ["d", "b", "a"])
    assert [
        "audit record c was not published",
        "event d was published, and is no audit record",
    ] == unpublished(published(lines), ["a", "b", "c"])


@pytest.mark.parametrize(
    ("megabytes", "expected"),
    [
        ([90, 100, 110, 110, 110, 110, 110, 112], False),
        ([90, 100, 110, 120, 130, 140, 150, 160], True),
        ([90, 100, 110, 110, 110, 110, 110, 112, 500, 500], False),
    ],
)
def test_growing_memory_is_detected(megabytes: list[float], *, expected: bool) -> None:
    """Growth counts after the start and before the end of the load."""
    assert expected == has_grown(megabytes, 8)


def first(items: Partition, prefix: str) -> str:
    """Return the first sort key with a prefix."""
    return next(sort_key for sort_key in items if sort_key.startswith(prefix))


def record(items: Partition, event: str) -> str:
    """Return the sort key of an event's audit record."""
    return next(sort_key for sort_key, item in items.items() if item.get("event") == event)
