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


def test_uuid7_equals_the_example_of_the_rfc() -> None:
    """Time and random bits of RFC 9562, appendix A.6, lead to its UUID."""
    fraction = 0xCC3  # rand_a of the example, here a fraction of a millisecond: rounded up so that it divides back
    nanoseconds = 1645557742000 * 1_000_000 + -(-fraction * 1_000_000 // 4096)

    made = uuid7(nanoseconds, 0x18C4DC0C0C07398F)

    assert uuid.UUID("017f22e2-79b0-7cc3-98c4-dc0c0c07398f") == made


def test_uuid7_has_version_and_variant_of_the_rfc() -> None:
    """A new id has version 7 and the variant of RFC 9562."""
    made = uuid7()

    assert 7 == made.version
    assert uuid.RFC_4122 == made.variant


@given(st.lists(st.integers(0, 2**47 * 10**6), min_size=2, max_size=2))
def test_uuid7_sorts_by_time(times: list[int]) -> None:
    """An id that is a microsecond or more older sorts first, with any random bits."""
    first, second = sorted(times)
    later = second + 1000

    assert str(uuid7(first, 2**62 - 1)) < str(uuid7(later, 0))


@given(milliseconds=st.integers(0, 2**48 - 1), inside=st.integers(0, 999_999), tail=st.integers(0, 2**62 - 1))
def test_bounds_include_every_id_of_their_millisecond(milliseconds: int, inside: int, tail: int) -> None:
    """Any fraction, any random bits and any time of the millisecond lie within the bounds."""
    lowest, highest = uuid7_bounds(milliseconds * 10**6 + inside)

    made = uuid7(milliseconds * 10**6 + 999_999 - inside, tail)

    assert str(lowest) <= str(made) <= str(highest)


@given(milliseconds=st.integers(1, 2**48 - 2))
def test_bounds_exclude_the_neighboring_milliseconds(milliseconds: int) -> None:
    """The last id before sorts below the bounds, and the first id after above."""
    lowest, highest = uuid7_bounds(milliseconds * 10**6)

    assert str(uuid7(milliseconds * 10**6 - 1, 2**62 - 1)) < str(lowest)
    assert str(highest) < str(uuid7((milliseconds + 1) * 10**6, 0))


def test_bounds_are_uuids_of_version_7() -> None:
    """All bits except version and variant are 0 in the lower bound and 1 in the upper."""
    lowest, highest = uuid7_bounds(1645557742000 * 10**6)

    assert "017f22e2-79b0-7000-8000-000000000000" == str(lowest)
    assert "017f22e2-79b0-7fff-bfff-ffffffffffff" == str(highest)


def test_ten_thousand_ids_differ() -> None:
    """Random bits come from the operating system."""
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
def test_other_forms_are_no_uuid(text: str) -> None:
    """An id has one spelling, in upper or lower case."""
    assert parse_uuid(text) is None


@pytest.mark.parametrize("version", [1, 3, 4, 6, 7, 8])
def test_a_uuid_of_another_version_stays(version: int) -> None:
    """A UUID of the provider, except version 5, is the organization's id."""
    name = f"5b1c6f0e-4d2a-{version}c8f-9e37-a1b2c3d4e5f6"

    assert name == str(organization_uuid(name))


@pytest.mark.parametrize("name", ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"])
def test_a_uuid_without_a_version_stays(name: str) -> None:
    """The nil and the maximum UUID are never derived."""
    assert name == str(organization_uuid(name))


def test_the_uuid_of_a_name_claims_no_organization() -> None:
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
    """Upper case, braces, URNs and missing hyphens name another organization."""
    spelling = spelled(name)
    assume(spelling != name)

    assert organization_uuid(name) != organization_uuid(spelling)


def test_the_uuid_of_a_name_never_changes() -> None:
    """The mapping is part of every deployment's data, so this value is fixed."""
    assert uuid.uuid5(ORGANIZATION_NAMESPACE, "org_2abc") == organization_uuid("org_2abc")
    assert "646670c1-96c0-57dd-934f-57cbcaa76f2f" == str(organization_uuid("org_2abc"))
