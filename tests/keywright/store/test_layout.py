"""Primary keys are spelled on one page."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from keywright.store import layout
from tests.support.modules import HANDLERS, MODULES, named

if TYPE_CHECKING:
    from collections.abc import Iterator

LAYOUT = Path(layout.__file__)
PREFIXES = ("ORG#", "MEMBER#", "KEY#", "USAGE#", "AUDIT#", "IDEMPOTENCY#", "PURGED", "EXPIRIES")
WHOLE = {"ORG", "DELETIONS", "pk", "sk"}
ORGANIZATION = UUID(int=1)
ID = UUID(int=2)
AT = "2030-01-31T12:00:00.000Z"


def texts(path: Path) -> Iterator[str]:
    """Return the text constants of a module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def spelled(path: Path) -> set[str]:
    """Return the parts of primary keys that a module contains."""
    return {text for text in texts(path) if text in WHOLE or text.startswith(PREFIXES)}


def test_no_other_module_spells_a_primary_key() -> None:
    """GIVEN any other module of the layer WHEN its texts are listed THEN none is a part of a primary key."""
    found = {path: spelled(path) for path in MODULES + HANDLERS if path != LAYOUT}

    assert {} == {named(path): texts for path, texts in found.items() if texts}


def test_the_layout_spells_them() -> None:
    """The check above recognizes the parts of primary keys."""
    assert {"pk", "sk", "ORG", "DELETIONS"} <= spelled(LAYOUT)


@pytest.mark.parametrize(
    ("sort_key", "between"),
    [
        (layout.member_sort_key("~user"), layout.MEMBERS),
        (layout.api_key_sort_key(UUID(int=2**128 - 1)), layout.API_KEYS),
        (layout.audit_sort_key(UUID(int=0)), layout.AUDIT_RECORDS),
    ],
)
def test_ranges_hold_their_kind_and_no_other(sort_key: str, between: tuple[str, str]) -> None:
    """GIVEN the first or last sort key of a kind THEN it is in the kind's range, and in no other."""
    ranges = [layout.MEMBERS, layout.API_KEYS, layout.AUDIT_RECORDS]

    assert [between] == [(lowest, highest) for lowest, highest in ranges if lowest <= sort_key <= highest]
    assert not between[0] <= layout.ORGANIZATION <= between[1]


def test_items_are_parsed_from_their_keys() -> None:
    """Parsers invert the functions that write keys."""
    api_key = layout.in_organization(ORGANIZATION, layout.api_key_sort_key(ID))
    member = layout.in_organization(ORGANIZATION, layout.member_sort_key("a#b"))
    record = layout.in_organization(ORGANIZATION, layout.audit_sort_key(ID))

    assert ORGANIZATION == layout.organization_id_of(api_key)
    assert ID == layout.key_id_of(api_key)
    assert "a#b" == layout.user_id_of(member)
    assert str(ID) == layout.record_id_of(record)
    assert (ORGANIZATION, AT) == layout.scheduled_deletion_of(layout.scheduled_deletion_key(ORGANIZATION, AT))
    assert (ORGANIZATION, ID, AT) == layout.expiry_of(layout.expiry_key(ORGANIZATION, ID, AT))


def test_what_is_scheduled_for_a_time_sorts_before_what_is_later() -> None:
    """The query for a time returns every deletion scheduled until then, and no later one."""
    due = layout.sort_key_of(layout.scheduled_deletion_key(UUID(int=2**128 - 1), AT))
    later = layout.sort_key_of(layout.scheduled_deletion_key(UUID(int=0), AT.replace(".000Z", ".001Z")))

    assert due < layout.scheduled_after(AT) < later


def test_a_purge_counts_kinds_apart() -> None:
    """Usage and kept answers count as one kind."""
    sort_keys = [
        layout.api_key_sort_key(ID),
        layout.member_sort_key("ada"),
        layout.audit_sort_key(ID),
        layout.usage_sort_key(ID),
        layout.idempotency_sort_key("digest"),
    ]

    assert ["api_keys", "members", "audit_records", "others", "others"] == [layout.kind_of(key) for key in sort_keys]
