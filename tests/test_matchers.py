"""The helpers of replays: the matchers of expectations, and the differences between two states of the table."""

from __future__ import annotations

import uuid
from decimal import Decimal

import pytest

from local.changes import written
from tests.support.matchers import differences

UUID7 = "01a20a38-9585-719d-81cb-3b8af1c594c2"
PHC = "$argon2id$v=19$m=8,t=1,p=1$" + "a" * 22 + "$" + "b" * 43


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("<uuid7>", UUID7),
        ("KEY#<uuid7>", f"KEY#{UUID7}"),
        ("<api key>", "kk_" + "0Az" * 30 + "zz"),
        ("<hint>", "kk_...aZ09"),
        ("<rfc3339>", "2026-01-31T12:34:56.789Z"),
        ("<epoch>", 1767225600),
        ("<epoch>", Decimal(1767225600)),
        ("<base64>", "AAECAw=="),
        ("<phc>", PHC),
        ("<any string>", "x"),
        (["<rfc3339:a>", "<rfc3339:a+2d>"], ["2026-01-31T12:34:56.789Z", "2026-02-02T12:34:56.789Z"]),
        (["<rfc3339:a+90s>", "<rfc3339:a>"], ["2026-01-31T12:36:26.789Z", "2026-01-31T12:34:56.789Z"]),
        (["<date:a>", "to <date:a+1d>"], ["2024-02-29", "to 2024-03-01"]),
        (["<epoch:a+1d>", "until <rfc3339:a>"], [1767312000, "until 2026-01-01T00:00:00.999Z"]),
        (["<uuid7:a>", {"b": "K#<uuid7:a>"}], [UUID7, {"b": f"K#{UUID7}"}]),
        ({"a": [1, None, True, "<b>"]}, {"a": [1, None, True, "<b>"]}),
    ],
)
def test_matchers_fit(expected: object, actual: object) -> None:
    """A matcher accepts the values it is named after."""
    assert [] == differences(expected, actual)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("<uuid7>", str(uuid.UUID(int=0, version=4))),
        ("<uuid7>", UUID7.upper()),
        ("<uuid7>", f"{UUID7}\n"),
        ("KEY#<uuid7>", UUID7),
        ("<api key>", "kk_" + "a" * 85),
        ("<api key>", "sk_" + "a" * 92),
        ("<hint>", "kk_" + "a" * 92),
        ("<rfc3339>", "2026-01-31T12:34:56.789+00:00"),
        ("<rfc3339>", "2026-01-31 12:34:56.789Z"),
        ("<phc>", PHC.replace("argon2id", "argon2i")),
        ("<any string>", ""),
        ("<any string>", 1),
        ("<any string>", True),
        ("<any string>", None),
        ("<epoch>", "1767225600"),
        ("<epoch>", True),
        ("<epoch>", Decimal("1767225600.5")),
        ("<base64>", "AAECAw="),
        (["<uuid7:a>", "<uuid7:a>"], [UUID7, UUID7.replace("0", "1")]),
        (["<rfc3339:a>", "<rfc3339:a+2d>"], ["2026-01-31T12:34:56.789Z", "2026-02-02T12:34:56.790Z"]),
        (["<date:a>", "<date:a+1d>"], ["2025-02-28", "2025-03-02"]),
        ("<date>", "2025-02-28T00:00:00.000Z"),
        (["<epoch:a+1d>", "<rfc3339:a>"], [1767312000, "2026-01-01T00:00:01.000Z"]),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1, "b": 2}, {"a": 1}),
        ({"a": None}, {}),
        ([1], [1, 1]),
        (1, True),
        ("a", "b"),
        ({}, []),
    ],
)
def test_matchers_refuse(expected: object, actual: object) -> None:
    """Other values, missing values and extra values are differences."""
    assert 1 == len(differences(expected, actual))


def test_written_lists_every_difference() -> None:
    """An item is added, changed, removed, or unchanged and not listed."""
    before = {("o", key): {"pk": "o", "sk": key, "value": 1} for key in ("gone", "other", "same")}
    after = {("o", key): {"pk": "o", "sk": key, "value": int(key == "same")} for key in ("new", "other", "same")}

    assert {
        "added": [{"pk": "o", "sk": "new", "value": 0}],
        "changed": [{"pk": "o", "sk": "other", "value": 0}],
        "removed": [{"pk": "o", "sk": "gone"}],
    } == written(before, after)
