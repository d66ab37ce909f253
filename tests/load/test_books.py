"""The comparison of a run under load notices what it is there for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from keywright.keys import usage
from tests.lifecycle.service import METHODS, VALID_BODY, Caller, Service
from tests.load.books import Books, Key, violations
from tests.load.memory import has_grown
from tests.world import ORGANIZATION_ID, World

if TYPE_CHECKING:
    from collections.abc import Callable

    Partition = dict[str, dict[str, Any]]
    Damage = Callable[[Partition], None]

CALLER = Caller(ORGANIZATION_ID)


@pytest.fixture
def told(world: World, load_handler: Callable[[str], Callable[..., object]]) -> tuple[Books, Partition]:
    """What the callers of an organization were told, and what is there: three keys, of which one was deleted."""
    service = Service(world, {name: load_handler(name) for name in METHODS})
    service.open_organization(ORGANIZATION_ID, user_1="admin")
    books = Books()
    for name in ("used", "changed", "deleted"):
        created = service.create(CALLER, {**VALID_BODY, "name": name}).data
        books.keys[name] = Key(created["id"], created["key"], name)
    used, changed, deleted = books.keys.values()
    books.keys = {key.id: key for key in books.keys.values()}
    assert service.call("verify_api_key", CALLER, body={"key": used.text}).data["valid"]
    usage.meter().flush_all()
    used.uses = 1
    assert 200 == service.update(CALLER, changed.id, name="changed again").status
    assert 200 == service.rotate(CALLER, changed.id).status
    changed.name, changed.generation = "changed again", 1
    books.names.append(changed.name)
    assert 200 == service.delete(CALLER, deleted.id).status
    deleted.text = ""
    books.changes.update(
        {"api_key.created": 3, "api_key.updated": 1, "api_key.rotated": 1, "api_key.deleted": 1},
    )
    return books, service.partition(ORGANIZATION_ID)


def test_nothing_is_wrong_with_what_is_right(told: tuple[Books, Partition]) -> None:
    """No line where everything agrees."""
    assert [] == violations(*told)


def lost_key(items: Partition) -> None:
    """A key whose creation was answered with 200."""
    del items[first(items, "KEY#")]


def doubled_key(items: Partition) -> None:
    """A key that nobody was told of."""
    items["KEY#another"] = items[first(items, "KEY#")]


def lost_record(items: Partition) -> None:
    """A change without a record."""
    del items[record(items, "api_key.updated")]


def doubled_record(items: Partition) -> None:
    """A change with two records."""
    items["AUDIT#z"] = {**items[record(items, "api_key.rotated")], "sk": "AUDIT#z"}


def lost_change(items: Partition) -> None:
    """A name that is the old one again."""
    changed = next(item for item in items.values() if item.get("name") == "changed again")
    changed["name"] = "changed"


def lost_uses(items: Partition) -> None:
    """A use that was not counted."""
    del items[first(items, "USAGE#")]


def doubled_uses(items: Partition) -> None:
    """A use that was counted twice."""
    items[first(items, "USAGE#")]["request_count"] = 2


@pytest.mark.parametrize(
    "damage", [lost_key, doubled_key, lost_record, doubled_record, lost_change, lost_uses, doubled_uses]
)
def test_what_does_not_agree_is_told(told: tuple[Books, Partition], damage: Damage) -> None:
    """Each kind of damage alone."""
    books, items = told
    damage(items)

    assert violations(books, items)


def test_a_deleted_key_that_is_there_is_told(told: tuple[Books, Partition]) -> None:
    """And uses that were left behind."""
    books, items = told
    deleted = next(key for key in books.keys.values() if key.is_deleted)
    items[f"KEY#{deleted.id}"] = items[first(items, "KEY#")]
    items[f"USAGE#{deleted.id}"] = items[first(items, "USAGE#")]

    lines = violations(books, items)

    assert f"key {deleted.id} was deleted, and is there" in lines
    assert f"key {deleted.id} was deleted, and its uses are there" in lines


@pytest.mark.parametrize(
    ("megabytes", "expected"),
    [
        ([90, 100, 110, 110, 110, 110, 110, 112], False),
        ([90, 100, 110, 120, 130, 140, 150, 160], True),
        ([90, 100, 110, 110, 110, 110, 110, 112, 500, 500], False),
    ],
)
def test_memory_that_goes_on_growing_is_noticed(megabytes: list[float], *, expected: bool) -> None:
    """Not that of the start, and not what is measured after the load."""
    assert expected == has_grown(megabytes, 8)


def first(items: Partition, prefix: str) -> str:
    """Give the first sort key that begins so."""
    return next(sort_key for sort_key in items if sort_key.startswith(prefix))


def record(items: Partition, event: str) -> str:
    """Give the sort key of an event's audit record."""
    return next(sort_key for sort_key, item in items.items() if item.get("event") == event)
