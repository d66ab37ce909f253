"""The head of the archive in the table, and the first line of its objects."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from keywright.store import archive
from keywright.store.archive import Head, Header

if TYPE_CHECKING:
    from tests.support.world import World

BUCKET = "bucket"


@pytest.mark.usefixtures("world")
def test_the_head_moves_forward_only() -> None:
    """GIVEN invocations that end in another order than their objects THEN the head is that of the last object."""
    assert Head() == archive.head(BUCKET)

    for number in (1, 5, 3, 5, 4):
        archive.move_head(BUCKET, Head(number, f"{number}" * 64))

    assert Head(5, "5" * 64) == archive.head(BUCKET)


def test_each_bucket_has_a_head(world: World) -> None:
    """GIVEN an archive that was turned off and on again, with a new bucket THEN its chain begins anew."""
    archive.move_head(BUCKET, Head(7, "7" * 64))

    assert Head() == archive.head("another")
    assert ["ARCHIVE"] == [item["pk"] for item in world.table.items()]


def test_a_header_is_read_as_it_was_written() -> None:
    """The first line of an object is its header."""
    header = Header(2, "a" * 64, "2026-03-01T12:00:00.000Z", "stream")

    for each in (header, replace(header, replaced_head="9:" + "b" * 64)):
        assert each == archive.parse_header(archive.compose(each, ['{"id": "1"}']))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"null",
        pytest.param(b"[" * 200_000, id="deep"),
        json.dumps({"number": "1", "previous": None}).encode(),
    ],
)
def test_another_first_line_is_no_header(line: bytes) -> None:
    """Text that is no header is none, and no error."""
    assert archive.parse_header(line + b"\n{}\n") is None
