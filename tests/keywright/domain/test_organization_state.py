"""Organization and member state: the same changes lead to the same state, in any order."""

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
    Setting,
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

# Few times and few ids, so that they collide.
stamps = st.builds(Stamp, st.integers(0, 4).map(lambda ms: START + timedelta(milliseconds=ms)), st.sampled_from("abc"))
member_changes = st.sampled_from(MEMBER_EVENTS).flatmap(
    lambda event: st.builds(
        MemberChange, st.just(event), st.just("u"), st.sampled_from(Role) if event in WITH_ROLE else st.none()
    )
)
settings = st.dictionaries(st.sampled_from(Setting), st.sampled_from(["{}", '{"limit":1}', None]))
organization_changes = st.sampled_from(ORGANIZATION_EVENTS).flatmap(
    lambda event: st.builds(
        OrganizationChange,
        st.just(event),
        st.sampled_from("XYZ") if event in WITH_NAME else st.none(),
        settings if event is AuditEvent.ORGANIZATION_UPDATED else st.just({}),
    )
)
learned_of_members = st.builds(lambda change, stamp: change.learned(stamp), member_changes, stamps)
learned_of_organizations = st.builds(lambda change, stamp: change.learned(stamp, GRACE), organization_changes, stamps)


def merged(states: list[MemberState]) -> MemberState:
    """Merge states one after the other."""
    return reduce(merge, states, MemberState())


@given(st.data(), st.lists(learned_of_members, min_size=1, max_size=12))
def test_members_are_the_same_in_any_order(data: st.DataObject, states: list[MemberState]) -> None:
    """A shuffled history with repeated changes leads to the same state."""
    again = data.draw(st.lists(st.sampled_from(states), max_size=5))
    shuffled = data.draw(st.permutations([*states, *again]))

    assert merged(states) == merged(shuffled)


@given(st.data(), st.lists(learned_of_organizations, min_size=1, max_size=12))
def test_organizations_are_the_same_in_any_order(data: st.DataObject, states: list[OrganizationState]) -> None:
    """A shuffled history with repeated changes leads to the same state."""
    again = data.draw(st.lists(st.sampled_from(states), max_size=5))
    shuffled = data.draw(st.permutations([*states, *again]))

    assert reduce(merge, states, OrganizationState()) == reduce(merge, shuffled, OrganizationState())


member_states = st.lists(learned_of_members, max_size=6).map(merged)


@given(member_states, member_states, member_states)
def test_merging_is_a_join(one: MemberState, two: MemberState, three: MemberState) -> None:
    """Merging is commutative, associative and idempotent, and the empty state is neutral."""
    assert merge(one, two) == merge(two, one)
    assert merge(merge(one, two), three) == merge(one, merge(two, three))
    assert merge(one, one) == one
    assert merge(MemberState(), one) == one


@given(st.lists(st.tuples(member_changes, st.sampled_from("abc")), max_size=12))
def test_an_ordered_history_ends_with_its_last_changes(history: list[tuple[MemberChange, str]]) -> None:
    """GIVEN changes one after the other WHEN they are merged THEN each register has its latest value."""
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

    state = merged(states)

    assert is_member == state.is_member
    assert role == state.role.value
    assert is_suspended == (state.suspension.value is not None)
    assert (is_member and role == Role.OWNER) == state.is_owner
    assert (is_member and role == Role.OWNER and not is_suspended) == state.is_active_owner
    assert (START + timedelta(seconds=len(history) - 1) if history else None) == latest(state)


def learn(*changes: tuple[AuditEvent, int]) -> MemberState:
    """Merge changes of an owner, each with the second of its time, in this order."""
    return merged(
        [
            MemberChange(event, "u", Role.OWNER if event in WITH_ROLE else None).learned(
                Stamp(START + timedelta(seconds=second), str(event))
            )
            for event, second in changes
        ]
    )


def test_a_role_may_come_before_the_membership() -> None:
    """A role alone makes no member; it counts once the member is added."""
    early = learn((AuditEvent.MEMBER_ROLE_CHANGED, 2))

    assert not early.is_member
    assert merge(early, learn((AuditEvent.MEMBER_ADDED, 1))).is_active_owner


def test_a_late_addition_does_not_undo_a_removal() -> None:
    """An older addition does not bring back a removed member."""
    assert not learn((AuditEvent.MEMBER_REMOVED, 2), (AuditEvent.MEMBER_ADDED, 1)).is_member


def test_a_member_who_is_added_again_is_not_suspended() -> None:
    """A new membership ends an older suspension."""
    state = learn((AuditEvent.MEMBER_ADDED, 4), (AuditEvent.MEMBER_SUSPENDED, 2), (AuditEvent.MEMBER_REMOVED, 3))

    assert state.is_active_owner


def updated(second: int, settings: dict[Setting, str | None]) -> OrganizationState:
    """Return the state that a change of settings alone leads to."""
    change = OrganizationChange(AuditEvent.ORGANIZATION_UPDATED, settings=settings)
    return change.learned(Stamp(START + timedelta(seconds=second), "a"), GRACE)


def test_settings_that_are_not_named_stay() -> None:
    """GIVEN limits WHEN one of them is cleared THEN name and other limits keep value and stamp."""
    first = updated(1, {Setting.RATE_LIMIT: "{}", Setting.QUOTA: "{}", Setting.USAGE_PLAN_KEY: "k"})

    state = merge(first, updated(2, {Setting.QUOTA: None}))

    assert first.rate_limit == state.rate_limit
    assert first.usage_plan_key == state.usage_plan_key
    assert state.quota.value is None
    assert Register() == state.name
    assert state.has_limits
    assert not merge(state, updated(3, {Setting.RATE_LIMIT: None})).has_limits


def test_a_late_limit_does_not_undo_its_end() -> None:
    """An older event does not bring back a limit that was cleared."""
    state = merge(updated(2, {Setting.QUOTA: None}), updated(1, {Setting.QUOTA: "{}"}))

    assert not state.has_limits


def test_a_usage_plan_key_is_audited_by_its_end() -> None:
    """The audit log never has the value, with which usage plans could be used up; a representation does not either."""
    change = OrganizationChange(
        AuditEvent.ORGANIZATION_UPDATED, settings={Setting.USAGE_PLAN_KEY: "0123456789abcdefghij"}
    )
    after = change.learned(Stamp(START, "a"), GRACE)

    assert ({"usagePlanKey": None}, {"usagePlanKey": "...ghij"}) == change.changes(OrganizationState(), after)
    assert "0123456789" not in repr(change)


def test_a_deletion_follows_its_request_by_the_grace_period() -> None:
    """The grace period begins with the event, not with its arrival."""
    change = OrganizationChange(AuditEvent.ORGANIZATION_DELETION_REQUESTED)

    assert "2026-01-31T00:00:00.000Z" == change.learned(Stamp(START, "a"), GRACE).deletion.value


@given(stamps)
def test_stamps_parse_their_own_text(stamp: Stamp) -> None:
    """A stamp is read again as it was written: the table keeps stamps as texts."""
    assert stamp == Stamp.parse(str(stamp))


@given(stamps, stamps)
def test_stamps_sort_like_their_texts(one: Stamp, other: Stamp) -> None:
    """The later of two stamps is the greater text: DynamoDB compares texts."""
    assert (one < other) == (str(one) < str(other))


def test_stamps_are_cut_to_milliseconds() -> None:
    """Stamps compare the same here and in the table."""
    moment = START + timedelta(microseconds=1999)

    assert Stamp(START + timedelta(milliseconds=1), "a#b") == Stamp.of(moment, "a#b")


@pytest.mark.parametrize("event", [event for event in AuditEvent if event not in MEMBER_EVENTS])
def test_other_events_do_not_change_members(event: AuditEvent) -> None:
    """A change of a member by an event of organizations is refused as an error of the program."""
    with pytest.raises(ValueError, match="is not an event of members"):
        MemberChange(event, "u").learned(Stamp(START, "a"))


@pytest.mark.parametrize("event", [event for event in AuditEvent if event not in ORGANIZATION_EVENTS])
def test_other_events_do_not_change_organizations(event: AuditEvent) -> None:
    """A change of an organization by an event of members is refused as an error of the program."""
    with pytest.raises(ValueError, match="is not an event of organizations"):
        OrganizationChange(event).learned(Stamp(START, "a"), GRACE)
