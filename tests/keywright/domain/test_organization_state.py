"""What is known of organizations and members does not depend on how it was learned."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.domain.audit_event import AuditEvent
from keywright.domain.organization_state import (
    MemberChange,
    MemberState,
    OrganizationChange,
    OrganizationState,
    Register,
    Stamp,
    latest,
    merge,
)
from keywright.domain.permissions import Role

GRACE = timedelta(days=30)
START = datetime(2026, 1, 1, tzinfo=UTC)

MEMBER_EVENTS = [event for event in AuditEvent if event.startswith("member.")]
ORGANIZATION_EVENTS = [
    AuditEvent.ORGANIZATION_CREATED,
    AuditEvent.ORGANIZATION_UPDATED,
    AuditEvent.ORGANIZATION_DELETION_REQUESTED,
    AuditEvent.ORGANIZATION_DELETION_CANCELED,
]
WITH_ROLE = {AuditEvent.MEMBER_ADDED, AuditEvent.MEMBER_ROLE_CHANGED}
WITH_NAME = {AuditEvent.ORGANIZATION_CREATED, AuditEvent.ORGANIZATION_UPDATED}

# Few times and few ids, so that they meet.
stamps = st.builds(Stamp, st.integers(0, 4).map(lambda ms: START + timedelta(milliseconds=ms)), st.sampled_from("abc"))
member_changes = st.sampled_from(MEMBER_EVENTS).flatmap(
    lambda event: st.builds(
        MemberChange, st.just(event), st.just("u"), st.sampled_from(Role) if event in WITH_ROLE else st.none()
    )
)
organization_changes = st.sampled_from(ORGANIZATION_EVENTS).flatmap(
    lambda event: st.builds(
        OrganizationChange, st.just(event), st.sampled_from("XYZ") if event in WITH_NAME else st.none()
    )
)
learned_of_members = st.builds(lambda change, stamp: change.learned(stamp), member_changes, stamps)
learned_of_organizations = st.builds(lambda change, stamp: change.learned(stamp, GRACE), organization_changes, stamps)

# As items of old have them: without stamps.
old_members = st.builds(
    MemberState,
    st.sampled_from([Register(), Register(""), Register("2025-01-01T00:00:00.000Z")]),
    st.sampled_from([Register(), Register("owner"), Register("member")]),
    st.sampled_from([Register(), Register("2025-01-01T00:00:00.000Z")]),
)
old_organizations = st.builds(
    OrganizationState,
    st.sampled_from([Register(), Register("Old")]),
    st.sampled_from([Register(), Register("2025-01-01T00:00:00.000Z")]),
    st.sampled_from([Register(), Register("2025-02-01T00:00:00.000Z")]),
)


def known(states: list[MemberState]) -> MemberState:
    """Learn one after the other."""
    return reduce(merge, states, MemberState())


@given(st.data(), st.lists(st.one_of(learned_of_members, old_members), min_size=1, max_size=12))
def test_members_are_the_same_in_any_order_and_however_often(data: st.DataObject, states: list[MemberState]) -> None:
    """A history that is shuffled, and has parts of it twice, teaches what the history does."""
    again = data.draw(st.lists(st.sampled_from(states), max_size=5))
    shuffled = data.draw(st.permutations([*states, *again]))

    assert known(states) == known(shuffled)


@given(st.data(), st.lists(st.one_of(learned_of_organizations, old_organizations), min_size=1, max_size=12))
def test_organizations_as_well(data: st.DataObject, states: list[OrganizationState]) -> None:
    """The same."""
    again = data.draw(st.lists(st.sampled_from(states), max_size=5))
    shuffled = data.draw(st.permutations([*states, *again]))

    assert reduce(merge, states, OrganizationState()) == reduce(merge, shuffled, OrganizationState())


member_states = st.lists(st.one_of(learned_of_members, old_members), max_size=6).map(known)


@given(member_states, member_states, member_states)
def test_merging_is_a_join(one: MemberState, two: MemberState, three: MemberState) -> None:
    """Commutative, associative, idempotent, and nothing known is the neutral element."""
    assert merge(one, two) == merge(two, one)
    assert merge(merge(one, two), three) == merge(one, merge(two, three))
    assert merge(one, one) == one
    assert merge(MemberState(), one) == one


@given(st.lists(st.tuples(member_changes, st.sampled_from("abc")), max_size=12))
def test_an_ordered_history_means_what_it_says(history: list[tuple[MemberChange, str]]) -> None:
    """GIVEN changes one after the other WHEN they are learned THEN the last word on each fact is what is known."""
    is_member, role, is_suspended = False, None, False
    states = []
    for number, (change, event_id) in enumerate(history):
        states.append(change.learned(Stamp(START + timedelta(seconds=number), event_id)))
        match change.event:
            case AuditEvent.MEMBER_ADDED:
                is_member, role, is_suspended = True, change.role, False
            case AuditEvent.MEMBER_REMOVED:
                is_member = False
            case AuditEvent.MEMBER_ROLE_CHANGED:
                role = change.role
            case AuditEvent.MEMBER_SUSPENDED | AuditEvent.MEMBER_REINSTATED:
                is_suspended = change.event == AuditEvent.MEMBER_SUSPENDED

    state = known(states)

    assert (is_member, role, is_suspended) == (
        state.is_member,
        state.role.value,
        state.suspension.value is not None,
    )
    assert (is_member and role == Role.OWNER, is_member and role == Role.OWNER and not is_suspended) == (
        state.is_owner,
        state.is_active_owner,
    )
    assert (START + timedelta(seconds=len(history) - 1) if history else None) == latest(state)


def learn(*changes: tuple[AuditEvent, int]) -> MemberState:
    """Learn changes of an owner-to-be, each at its second, in the order they are given."""
    return known(
        [
            MemberChange(event, "u", Role.OWNER if event in WITH_ROLE else None).learned(
                Stamp(START + timedelta(seconds=second), str(event))
            )
            for event, second in changes
        ]
    )


def test_a_role_that_comes_before_the_membership_waits_for_it() -> None:
    """Until somebody is added they are no member, whatever else is said of them."""
    early = learn((AuditEvent.MEMBER_ROLE_CHANGED, 2))

    assert not early.is_member
    assert merge(early, learn((AuditEvent.MEMBER_ADDED, 1))).is_active_owner


def test_a_late_addition_does_not_bring_back_who_was_removed() -> None:
    """The removal is remembered."""
    assert not learn((AuditEvent.MEMBER_REMOVED, 2), (AuditEvent.MEMBER_ADDED, 1)).is_member


def test_who_is_added_anew_starts_anew() -> None:
    """A suspension does not outlast a removal and a new membership."""
    state = learn((AuditEvent.MEMBER_ADDED, 4), (AuditEvent.MEMBER_SUSPENDED, 2), (AuditEvent.MEMBER_REMOVED, 3))

    assert state.is_active_owner


def test_a_deletion_comes_so_long_after_its_request() -> None:
    """Not after it was heard of."""
    change = OrganizationChange(AuditEvent.ORGANIZATION_DELETION_REQUESTED)

    assert "2026-01-31T00:00:00.000Z" == change.learned(Stamp(START, "a"), GRACE).deletion.value


@given(stamps)
def test_stamps_are_read_as_they_were_written(stamp: Stamp) -> None:
    """In the form that the table keeps."""
    assert stamp == Stamp.parse(str(stamp))


@given(stamps, stamps)
def test_stamps_sort_as_their_texts_do(one: Stamp, other: Stamp) -> None:
    """DynamoDB compares the texts."""
    assert (one < other) == (str(one) < str(other))


def test_stamps_are_cut_to_milliseconds() -> None:
    """So that what is compared here and what is compared in the table is the same."""
    moment = START + timedelta(microseconds=1999)

    assert Stamp(START + timedelta(milliseconds=1), "a#b") == Stamp.of(moment, "a#b")


@pytest.mark.parametrize("event", [event for event in AuditEvent if event not in MEMBER_EVENTS])
def test_what_does_not_happen_to_members_is_refused(event: AuditEvent) -> None:
    """A mistake of the program, not of a caller."""
    with pytest.raises(ValueError, match="does not happen to members"):
        MemberChange(event, "u").learned(Stamp(START, "a"))


@pytest.mark.parametrize("event", [event for event in AuditEvent if event not in ORGANIZATION_EVENTS])
def test_what_does_not_happen_to_organizations_is_refused(event: AuditEvent) -> None:
    """The same."""
    with pytest.raises(ValueError, match="does not happen to organizations"):
        OrganizationChange(event).learned(Stamp(START, "a"), GRACE)
