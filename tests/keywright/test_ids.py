"""Identifiers."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from keywright.ids import ORGANIZATION_NAMESPACE, organization_uuid, parse_uuid, uuid7, uuid7_bounds

if TYPE_CHECKING:
    from collections.abc import Callable


def test_uuid7_of_the_rfc() -> None:
    """The example of RFC 9562, appendix A.6: its time and its random bits give its UUID."""
    fraction = 0xCC3  # rand_a of the example, here a fraction of a millisecond: rounded up so that it divides back
    nanoseconds = 1645557742000 * 1_000_000 + -(-fraction * 1_000_000 // 4096)

    made = uuid7(nanoseconds, 0x18C4DC0C0C07398F)

    assert uuid.UUID("017f22e2-79b0-7cc3-98c4-dc0c0c07398f") == made


def test_uuid7_is_of_version_7_and_the_rfcs_variant() -> None:
    """A freshly drawn id says what it is."""
    made = uuid7()

    assert (7, uuid.RFC_4122) == (made.version, made.variant)


@given(st.lists(st.integers(0, 2**47 * 10**6), min_size=2, max_size=2))
def test_uuid7_sorts_by_time(times: list[int]) -> None:
    """An id made a microsecond or more earlier sorts first, whatever its random bits."""
    first, second = sorted(times)
    later = second + 1000

    assert str(uuid7(first, 2**62 - 1)) < str(uuid7(later, 0))


@given(milliseconds=st.integers(0, 2**48 - 1), inside=st.integers(0, 999_999), tail=st.integers(0, 2**62 - 1))
def test_bounds_hold_every_id_of_their_millisecond(milliseconds: int, inside: int, tail: int) -> None:
    """Whatever its fraction and its random bits, and whichever time of the millisecond is asked for."""
    lowest, highest = uuid7_bounds(milliseconds * 10**6 + inside)

    made = uuid7(milliseconds * 10**6 + 999_999 - inside, tail)

    assert str(lowest) <= str(made) <= str(highest)


@given(milliseconds=st.integers(1, 2**48 - 2))
def test_bounds_hold_no_id_of_the_milliseconds_beside(milliseconds: int) -> None:
    """The last one before sorts below them, and the first one after above."""
    lowest, highest = uuid7_bounds(milliseconds * 10**6)

    assert str(uuid7(milliseconds * 10**6 - 1, 2**62 - 1)) < str(lowest)
    assert str(highest) < str(uuid7((milliseconds + 1) * 10**6, 0))


def test_bounds_are_ids_themselves() -> None:
    """The lowest and the highest that can be: all bits but version and variant 0, or 1."""
    lowest, highest = uuid7_bounds(1645557742000 * 10**6)

    assert ("017f22e2-79b0-7000-8000-000000000000", "017f22e2-79b0-7fff-bfff-ffffffffffff") == (
        str(lowest),
        str(highest),
    )


def test_ten_thousand_ids_differ() -> None:
    """Ids are drawn from the operating system's randomness."""
    assert 10_000 == len({uuid7() for _ in range(10_000)})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5b1c6f0e4d2a4c8f9e37a1b2c3d4e5f6",
        "{5b1c6f0e-4d2a-4c8f-9e37-a1b2c3d4e5f6}",
        "urn:uuid:5b1c6f0e-4d2a-4c8f-9e37-a1b2c3d4e5f6",
        "5b1c6f0e-4d2a-4c8f-9e37-a1b2c3d4e5f6\n",
        "5b1c6f0e-4d2a-4c8f-9e37-a1b2c3d4e5fg",
        "\N{FULLWIDTH DIGIT FIVE}b1c6f0e-4d2a-4c8f-9e37-a1b2c3d4e5f6",
    ],
)
def test_only_the_usual_form_is_a_uuid(text: str) -> None:
    """One id has one spelling, upper or lower case."""
    assert parse_uuid(text) is None


@pytest.mark.parametrize("version", [1, 3, 4, 6, 7, 8])
def test_a_uuid_of_another_version_is_its_own_id(version: int) -> None:
    """A provider that names organizations by UUID sees its own ids."""
    name = f"5b1c6f0e-4d2a-{version}c8f-9e37-a1b2c3d4e5f6"

    assert name == str(organization_uuid(name))


@pytest.mark.parametrize("name", ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"])
def test_a_uuid_without_a_version_is_its_own_id(name: str) -> None:
    """Nothing that is derived looks like it."""
    assert name == str(organization_uuid(name))


def test_an_organization_cannot_be_claimed_by_the_uuid_of_its_name() -> None:
    """GIVEN a victim known by its provider's name WHEN a tenant's name is the victim's UUIDv5 THEN it is another."""
    victim = organization_uuid("org_2abc")

    assert victim != organization_uuid(str(victim))
    assert uuid.uuid5(ORGANIZATION_NAMESPACE, str(victim)) == organization_uuid(str(victim))


UUID_TEXTS = st.uuids(allow_nil=True).map(str) | st.text().map(lambda name: str(organization_uuid(name)))
SPELLINGS = st.sampled_from(
    [
        str.upper,
        str.title,
        lambda name: name.replace("-", ""),
        "{{{}}}".format,
        "urn:uuid:{}".format,
        " {}".format,
        "{}\n".format,
    ]
)


@given(UUID_TEXTS, SPELLINGS)
def test_no_other_spelling_claims_an_organization(name: str, spelled: Callable[[str], str]) -> None:
    """Whatever stands for one organization stands for no other: upper case, braces, URNs, missing hyphens."""
    spelling = spelled(name)
    assume(spelling != name)

    assert organization_uuid(name) != organization_uuid(spelling)


def test_organization_uuid_of_a_name_never_changes() -> None:
    """The mapping is part of every deployment's data: this very value, for good."""
    assert uuid.uuid5(ORGANIZATION_NAMESPACE, "org_2abc") == organization_uuid("org_2abc")
    assert "646670c1-96c0-57dd-934f-57cbcaa76f2f" == str(organization_uuid("org_2abc"))
