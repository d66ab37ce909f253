"""Operators' changes: each with its conditions and its audit record, and never without an active owner."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest

from keywright.aws import retries
from keywright.domain.limits import Period, Quota
from keywright.domain.organization_state import Setting
from keywright.domain.permissions import Role
from keywright.domain.principals import Actor, ActorType
from keywright.errors import ServiceError
from keywright.operators import keys as operator_keys
from keywright.operators import members as operator_members
from keywright.operators import organizations as operator_organizations
from keywright.operators.members import ShownMember
from keywright.operators.organizations import ShownOrganization
from keywright.operators.refusals import NotFoundError, RefusedError
from tests.support import faults
from tests.support.client import UNANSWERED, meanwhile
from tests.support.depth import mostly_deep, size
from tests.support.world import KEY_ID, ORGANIZATION_ID, OTHER_ORGANIZATION_ID, PENDING_DELETION_AT, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.support.world import Table, World

OPERATOR = Actor(ActorType.OPERATOR, "arn:aws:sts::123456789012:assumed-role/Ops/ada")
ID = uuid.UUID(ORGANIZATION_ID)
NOW = "2030-01-31T12:00:00.000Z"


@pytest.fixture
def table(world: World) -> Table:
    """An organization with an owner, an admin, a member and a suspended owner."""
    world.table.put_organization()
    world.table.put_member("owner", "owner")
    world.table.put_member("admin", "admin")
    world.table.put_member("member", "member", created_at="2026-01-01T00:00:00.000Z")
    world.table.put_member("suspended", "owner", suspended_at="2026-02-01T00:00:00.000Z")
    return world.table


def records(table: Table) -> list[tuple[str, str, Any, Any]]:
    """Return the events and changes of the audit log, in order. All of them name the operator."""
    items = table.under("AUDIT#")
    assert {("operator", OPERATOR.id)} >= {(record["actor_type"], record["actor_id"]) for record in items}
    assert not [record for record in items if {"source_ip", "request_id"} & record.keys()]
    changes = [json.loads(record["changes"]) for record in items]
    return [
        (record["event"], record["target_id"], change["before"], change["after"])
        for record, change in zip(items, changes, strict=True)
    ]


# ---- Organizations -------------------------------------------------------------------------------------------


def test_an_organization_is_created_with_its_first_owner(world: World, stop_clock: Callable[[str], datetime]) -> None:
    """Two items and two records are written in one transaction. The record of the organization comes first."""
    stop_clock(NOW)
    with faults.injected() as operations:
        created = operator_organizations.create_organization(OPERATOR, ID, "Acme", "ada")

    assert ShownOrganization(ID, "Acme", NOW, None) == created
    assert ["BatchGetItem", "TransactWriteItems"] == operations
    assert [
        ("organization.created", ORGANIZATION_ID, None, {"name": "Acme"}),
        ("member.added", "ada", None, {"role": "owner"}),
    ] == records(world.table)
    organization, owner = world.table.item("ORG"), world.table.item("MEMBER#ada")
    assert "Acme" == organization["name"]
    assert NOW == organization["created_at"]
    assert "owner" == owner["role"]
    assert NOW == owner["created_at"]
    assert organization["creation_as_of"] == owner["membership_as_of"]


def test_an_organization_is_created_once(world: World) -> None:
    """A second creation is refused and changes nothing."""
    operator_organizations.create_organization(OPERATOR, ID, "Acme", "ada")
    before = world.table.items()

    with pytest.raises(RefusedError, match="exists already"):
        operator_organizations.create_organization(OPERATOR, ID, "Acme", "bob")

    assert before == world.table.items()


def test_a_concurrently_created_organization_is_left_alone(world: World) -> None:
    """A concurrent creation wins over a check before it."""
    elsewhere = partial(operator_organizations.create_organization, OPERATOR, ID, "Theirs", "bob")

    with faults.injected(None, meanwhile(elsewhere)), pytest.raises(RefusedError, match="exists already"):
        operator_organizations.create_organization(OPERATOR, ID, "Ours", "ada")

    assert "Theirs" == world.table.item("ORG")["name"]
    assert ["MEMBER#bob"] == [item["sk"] for item in world.table.under("MEMBER#")]


CHANGES: dict[str, Callable[[], object]] = {
    "create_organization": lambda: operator_organizations.create_organization(OPERATOR, ID, "Acme", "ada"),
    "rename_organization": lambda: operator_organizations.rename_organization(OPERATOR, ID, "New"),
    "update_organization": lambda: operator_organizations.update_organization(
        OPERATOR, ID, {Setting.QUOTA: Quota(10, Period.DAY).stored()}
    ),
    "request_deletion": lambda: operator_organizations.schedule_deletion(OPERATOR, ID),
    "add_member": lambda: operator_members.add_member(OPERATOR, ID, "new", Role.ADMIN),
    "set_role": lambda: operator_members.set_role(OPERATOR, ID, "member", Role.ADMIN),
    "suspend": lambda: operator_members.suspend(OPERATOR, ID, "member"),
    "reinstate": lambda: operator_members.reinstate(OPERATOR, ID, "suspended"),
    "remove": lambda: operator_members.remove(OPERATOR, ID, "member"),
    "revoke_key": lambda: operator_keys.revoke_key(OPERATOR, ID, uuid.UUID(KEY_ID)),
    "revoke_keys": lambda: list(operator_keys.revoke_keys(OPERATOR, ID)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_nothing_is_written_to_an_organization_that_was_deleted_for_good(table: Table, name: str) -> None:
    """Changes are also refused while the organization is being purged."""
    table.put_key()
    table.put(pk=f"PURGED#{ORGANIZATION_ID}", sk="PURGED")
    if name == "create_organization":
        table.client.delete_item(TableName=table.name, Key={"pk": {"S": f"ORG#{ORGANIZATION_ID}"}, "sk": {"S": "ORG"}})
    before = table.items()

    with pytest.raises(RefusedError, match="was deleted for good"):
        CHANGES[name]()

    assert before == table.items()


@pytest.mark.parametrize("name", [name for name in CHANGES if name not in {"create_organization", "revoke_key"}])
def test_there_must_be_an_organization(world: World, name: str) -> None:
    """A mistyped id is refused and writes nothing."""
    world.table.put_organization(OTHER_ORGANIZATION_ID)
    before = world.table.items()

    with pytest.raises(NotFoundError, match=f"there is no organization {ORGANIZATION_ID}"):
        CHANGES[name]()

    assert before == world.table.items()


def test_an_organization_gets_another_name(table: Table) -> None:
    """An organization is renamed once: the same name again changes nothing and writes no record."""
    assert operator_organizations.rename_organization(OPERATOR, ID, "New")
    assert not operator_organizations.rename_organization(OPERATOR, ID, "New")

    assert "New" == operator_organizations.show_organization(ID).name
    assert [("organization.updated", ORGANIZATION_ID, {"name": "Acme"}, {"name": "New"})] == records(table)


def test_a_deletion_is_requested_and_canceled(table: Table, stop_clock: Callable[[str], datetime]) -> None:
    """The item for the purge follows, also when repeated."""
    stop_clock(NOW)
    until = "2030-03-02T12:00:00.000Z"

    assert operator_organizations.schedule_deletion(OPERATOR, ID)
    assert not operator_organizations.schedule_deletion(OPERATOR, ID)
    assert until == operator_organizations.show_organization(ID).pending_deletion_at
    assert [f"{until}#{ORGANIZATION_ID}"] == [item["sk"] for item in table.items() if item["pk"] == "DELETIONS"]
    assert operator_organizations.cancel_scheduled_deletion(OPERATOR, ID)
    assert not operator_organizations.cancel_scheduled_deletion(OPERATOR, ID)

    assert not operator_organizations.show_organization(ID).pending_deletion_at
    assert not [item for item in table.items() if item["pk"] == "DELETIONS"]
    assert [
        ("organization.deletion_requested", ORGANIZATION_ID, {"pendingDeletionAt": None}, {"pendingDeletionAt": until}),
        ("organization.deletion_canceled", ORGANIZATION_ID, {"pendingDeletionAt": until}, {"pendingDeletionAt": None}),
    ] == records(table)


def test_an_organization_without_a_creation_is_shown(world: World) -> None:
    """An event that arrives before the creation leaves an organization without a name."""
    world.table.put(pk=f"ORG#{ORGANIZATION_ID}", sk="ORG")

    assert ShownOrganization(ID, None, None, None) == operator_organizations.show_organization(ID)


def test_every_organization_is_listed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Organizations are listed by creation, among any other items and over any number of pages."""
    world.table.put(pk=f"ORG#{nth_id(9)}", sk="ORG", name="Second", created_at="2026-01-02T00:00:00.000Z")
    world.table.put(pk=f"ORG#{nth_id(1)}", sk="ORG", name="Third", created_at="2026-01-03T00:00:00.000Z")
    world.table.put_organization()
    world.table.freeze()
    world.table.put_member()
    call = retries.dynamodb().call
    monkeypatch.setattr(retries.dynamodb(), "call", lambda operation, request: call(operation, {**request, "Limit": 2}))
    looked_at: list[int] = []

    organizations = operator_organizations.list_organizations(looked_at.append)

    assert [("Acme", PENDING_DELETION_AT), ("Second", None), ("Third", None)] == [
        (organization.name, organization.pending_deletion_at) for organization in organizations
    ]
    assert 5 == sum(looked_at)


# ---- Members -------------------------------------------------------------------------------------------------


def roles(members: list[ShownMember]) -> dict[str, tuple[str, bool]]:
    """Return the role of each member and whether they are active."""
    return {member.user_id: (member.role, member.suspended_at is None) for member in members}


def test_members_are_listed_by_their_ids(table: Table) -> None:
    """Removed members are not listed."""
    operator_members.remove(OPERATOR, ID, "admin")

    assert [
        ShownMember("member", "member", "2026-01-01T00:00:00.000Z", None),
        ShownMember("owner", "owner", None, None),
        ShownMember("suspended", "owner", None, "2026-02-01T00:00:00.000Z"),
    ] == operator_members.list_members(ID)
    assert table.item("MEMBER#admin")


def test_the_life_of_a_member(table: Table, stop_clock: Callable[[str], datetime]) -> None:
    """Every change applies at once and is recorded with the previous values. A repeated change is not recorded."""
    stop_clock(NOW)
    next_times = [f"2030-01-31T12:00:00.00{n}Z" for n in range(1, 7)]

    operator_members.add_member(OPERATOR, ID, "new", Role.MEMBER)
    assert operator_members.set_role(OPERATOR, ID, "new", Role.ADMIN)
    assert not operator_members.set_role(OPERATOR, ID, "new", Role.ADMIN)
    assert operator_members.suspend(OPERATOR, ID, "new")
    assert not operator_members.suspend(OPERATOR, ID, "new")
    assert ("admin", False) == roles(operator_members.list_members(ID))["new"]
    assert operator_members.reinstate(OPERATOR, ID, "new")
    assert not operator_members.reinstate(OPERATOR, ID, "new")
    operator_members.suspend(OPERATOR, ID, "new")
    operator_members.remove(OPERATOR, ID, "new")
    assert "new" not in roles(operator_members.list_members(ID))
    operator_members.add_member(OPERATOR, ID, "new", Role.OWNER)

    assert ShownMember("new", "owner", next_times[5], None) in operator_members.list_members(ID)
    assert [
        ("member.added", "new", None, {"role": "member"}),
        ("member.role_changed", "new", {"role": "member"}, {"role": "admin"}),
        ("member.suspended", "new", {"suspendedAt": None}, {"suspendedAt": next_times[1]}),
        ("member.reinstated", "new", {"suspendedAt": next_times[1]}, {"suspendedAt": None}),
        ("member.suspended", "new", {"suspendedAt": None}, {"suspendedAt": next_times[3]}),
        ("member.removed", "new", {"role": "admin", "suspendedAt": next_times[3]}, None),
        ("member.added", "new", None, {"role": "owner"}),
    ] == records(table)


def test_a_member_is_not_added_again(table: Table) -> None:
    """Adding an existing member is refused, and their role stays."""
    before = table.items()

    with pytest.raises(RefusedError, match="admin is a member already, with the role admin"):
        operator_members.add_member(OPERATOR, ID, "admin", Role.OWNER)

    assert before == table.items()


OF_MEMBERS: dict[str, Callable[[str], object]] = {
    "set_role": lambda user_id: operator_members.set_role(OPERATOR, ID, user_id, Role.ADMIN),
    "suspend": lambda user_id: operator_members.suspend(OPERATOR, ID, user_id),
    "reinstate": lambda user_id: operator_members.reinstate(OPERATOR, ID, user_id),
    "remove": lambda user_id: operator_members.remove(OPERATOR, ID, user_id),
}


@pytest.mark.parametrize("change", OF_MEMBERS.values(), ids=OF_MEMBERS.keys())
@pytest.mark.parametrize("user_id", ["stranger", "removed"])
def test_a_stranger_is_not_found(table: Table, change: Callable[[str], object], user_id: str) -> None:
    """Unknown and removed users are not members; only removing them again changes nothing, without an error."""
    table.put_member("removed")
    operator_members.remove(OPERATOR, ID, "removed")
    before = table.items()
    if user_id == "removed" and change is OF_MEMBERS["remove"]:
        assert change(user_id) is False
        assert before == table.items()
        return

    with pytest.raises(NotFoundError, match=f"{user_id} is not a member"):
        change(user_id)

    assert before == table.items()


@pytest.mark.parametrize("name", mostly_deep(CHANGES, {"create_organization", "set_role", "revoke_keys"}.__contains__))
@pytest.mark.parametrize("fault", UNANSWERED)
def test_temporary_failures_are_retried(table: Table, fault: faults.Fault, name: str) -> None:
    """Two failures in a row are retried, before reading and before writing."""
    table.put_key()
    change = CHANGES[name]
    if name == "create_organization":
        change = partial(
            operator_organizations.create_organization, OPERATOR, uuid.UUID(OTHER_ORGANIZATION_ID), "B", "ada"
        )

    with faults.injected(fault, fault, None, fault, fault):
        change()

    assert table.under("AUDIT#")


# ---- The last owner ------------------------------------------------------------------------------------------

ENDS: dict[str, Callable[[str], object]] = {name: OF_MEMBERS[name] for name in ("set_role", "suspend", "remove")}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_the_last_owner_stays(table: Table, end: Callable[[str], object]) -> None:
    """A suspended owner does not count as another owner."""
    before = table.items()

    with pytest.raises(RefusedError, match="owner is the last owner of the organization"):
        end("owner")

    assert before == table.items()


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_one_of_two_owners_can_go(table: Table, end: Callable[[str], object]) -> None:
    """One owner can go while the other is active."""
    table.put_member("second", "owner")

    end("owner")

    assert {"second": ("owner", True)} == {
        user_id: state
        for user_id, state in roles(operator_members.list_members(ID)).items()
        if state == ("owner", True)
    }


@pytest.mark.parametrize("end", [ENDS["set_role"], ENDS["remove"]], ids=["set_role", "remove"])
def test_an_owner_who_is_suspended_can_go_if_there_is_another(table: Table, end: Callable[[str], object]) -> None:
    """The last suspended owner stays if no other is left: reinstating them is the way back."""
    end("suspended")
    table.put_member("owner", "owner", suspended_at="2026-01-01T00:00:00.000Z")

    with pytest.raises(RefusedError, match="owner is the last owner"):
        end("owner")


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
@pytest.mark.parametrize("other", ENDS.values(), ids=ENDS.keys())
def test_an_owner_stays_if_the_other_goes_meanwhile(
    table: Table, end: Callable[[str], object], other: Callable[[str], object]
) -> None:
    """A concurrent change counts up to the write."""
    table.put_member("second", "owner")

    # Before the members are read, and before it is written.
    with faults.injected(None, None, meanwhile(lambda: other("second"))), pytest.raises(RefusedError):
        end("owner")

    assert ("owner", True) == roles(operator_members.list_members(ID))["owner"]


def test_a_concurrently_made_owner_counts(table: Table) -> None:
    """The members are read again before a change is refused."""
    with faults.injected(None, meanwhile(lambda: operator_members.set_role(OPERATOR, ID, "admin", Role.OWNER))):
        assert operator_members.suspend(OPERATOR, ID, "owner")

    assert ("owner", True) == roles(operator_members.list_members(ID))["admin"]
    assert 2 == len(table.under("AUDIT#"))


@pytest.mark.parametrize("attempt", range(size("OWNER_RACES", 1, full=3)))
@pytest.mark.parametrize(
    "ends",
    mostly_deep([["remove"], ["set_role"], ["suspend"], ["remove", "set_role", "suspend"]], lambda ends: len(ends) > 1),
    ids=str,
)
def test_20_attempts_at_once_to_end_the_last_two_owners_leave_one(table: Table, ends: list[str], attempt: int) -> None:
    """GIVEN two owners WHEN 20 operators end one or the other at the same time THEN one of them stays an owner."""
    del attempt
    table.put_member("second", "owner")
    acts = [partial(ENDS[ends[n % len(ends)]], ["owner", "second"][n // 2 % 2]) for n in range(20)]
    barrier = Barrier(len(acts))

    def run(act: Callable[[], object]) -> type[Exception] | None:
        barrier.wait()
        try:
            act()
        except (RefusedError, ServiceError) as error:
            return type(error)
        return None

    with ThreadPoolExecutor(len(acts)) as pool:
        outcomes = set(pool.map(run, acts))

    active = [user for user, state in roles(operator_members.list_members(ID)).items() if state == ("owner", True)]
    assert 1 == len(active)
    assert {RefusedError, NotFoundError, ServiceError, None} >= outcomes
    assert outcomes >= {RefusedError}


# ---- Keys ----------------------------------------------------------------------------------------------------


def test_keys_are_listed_newest_first_with_their_use(table: Table) -> None:
    """All keys are listed, or those created by one user."""
    table.put_key(nth_id(1), created_by="ada")
    table.put_key(nth_id(2), created_by="bob")
    table.put_key(nth_id(3), created_by="ada")
    table.put_usage(nth_id(3))
    table.put_key(nth_id(4), OTHER_ORGANIZATION_ID)

    assert [(nth_id(3), 42), (nth_id(2), 0), (nth_id(1), 0)] == [
        (key.id, key.request_count) for key in operator_keys.list_keys(ID)
    ]
    assert [nth_id(3), nth_id(1)] == [key.id for key in operator_keys.list_keys(ID, "ada")]


def test_many_keys_are_listed(table: Table) -> None:
    """The list exceeds what one request can read of usage."""
    for number in range(101):
        table.put_key(nth_id(number))
    table.put_usage(nth_id(0))

    keys = list(operator_keys.list_keys(ID))

    assert [nth_id(number) for number in reversed(range(101))] == [key.id for key in keys]
    assert 42 == keys[-1].request_count


def test_a_key_is_shown(table: Table) -> None:
    """A shown key has its creator and usage, and no hash."""
    table.put_key()
    table.put_usage()

    shown = operator_keys.show_key(ID, uuid.UUID(KEY_ID))

    assert "user_9" == shown.created_by
    assert 42 == shown.request_count
    assert "argon2" not in repr(shown)


@pytest.mark.parametrize("act", [operator_keys.show_key, partial(operator_keys.revoke_key, OPERATOR)])
def test_another_organizations_key_is_not_found(table: Table, act: Callable[[uuid.UUID, uuid.UUID], object]) -> None:
    """Another organization's key is not shown and stays."""
    table.put_key(organization_id=OTHER_ORGANIZATION_ID)
    before = table.items()

    with pytest.raises(ServiceError) as caught:
        act(ID, uuid.UUID(KEY_ID))

    assert "API_KEY_NOT_FOUND" == caught.value.error.code
    assert before == table.items()


@pytest.mark.parametrize("is_frozen", [False, True])
def test_a_key_is_revoked(table: Table, is_frozen: bool) -> None:  # noqa: FBT001 - a case
    """The usage is deleted too, also in an organization with a scheduled deletion."""
    table.put_key()
    table.put_usage()
    table.put_key(nth_id(7))
    if is_frozen:
        table.freeze()

    operator_keys.revoke_key(OPERATOR, ID, uuid.UUID(KEY_ID))

    assert [f"KEY#{nth_id(7)}"] == [item["sk"] for item in (*table.under("KEY#"), *table.under("USAGE#"))]
    ((event, target, before, after),) = records(table)
    assert "api_key.deleted" == event
    assert KEY_ID == target
    assert "CI" == before["name"]
    assert after is None


def test_a_key_that_is_changed_meanwhile_is_revoked_as_it_is(table: Table) -> None:
    """The record has the fields that the key had when it was deleted."""
    table.put_key()

    with faults.injected(None, meanwhile(lambda: table.put_key(name="New", version=2))):
        operator_keys.revoke_key(OPERATOR, ID, uuid.UUID(KEY_ID))

    assert ["New"] == [before["name"] for _, _, before, _ in records(table)]


@pytest.mark.parametrize(("created_by", "left"), [(None, []), ("ada", [nth_id(2)]), ("stranger", [1, 2, 3])])
def test_keys_are_revoked_together(table: Table, created_by: str | None, left: list[Any]) -> None:
    """All keys of an organization or of one user, even a former member, are revoked, with a record for each."""
    table.put_key(nth_id(1), created_by="ada")
    table.put_key(nth_id(2), created_by="bob")
    table.put_key(nth_id(3), created_by="ada")
    table.put_key(nth_id(4), OTHER_ORGANIZATION_ID, created_by="ada")

    revoked = list(operator_keys.revoke_keys(OPERATOR, ID, created_by))

    kept = [nth_id(number) if isinstance(number, int) else number for number in left]
    assert [f"KEY#{key_id}" for key_id in [*kept, nth_id(4)]] == sorted(item["sk"] for item in table.under("KEY#"))
    assert {nth_id(1), nth_id(2), nth_id(3)} - set(kept) == {str(key_id) for key_id in revoked}
    assert sorted(map(str, revoked)) == sorted(target for _, target, _, _ in records(table))


def test_keys_that_are_made_while_others_are_revoked_are_revoked_as_well(table: Table) -> None:
    """Revoking all keys ends only when none is left."""
    table.put_key(nth_id(1))
    revoking = operator_keys.revoke_keys(OPERATOR, ID)
    first = next(revoking)
    table.put_key(nth_id(2))

    assert [nth_id(1), nth_id(2)] == [str(key_id) for key_id in [first, *revoking]]
    assert not table.under("KEY#")


def test_keys_that_others_delete_or_change_meanwhile_do_not_stop_it(table: Table) -> None:
    """A deleted key is skipped, and a changed key is revoked in its new state."""
    for number in (1, 2, 3):
        table.put_key(nth_id(number))
    revoking = operator_keys.revoke_keys(OPERATOR, ID)
    next(revoking)
    operator_keys.revoke_key(OPERATOR, ID, uuid.UUID(nth_id(2)))
    table.put_key(nth_id(1), name="New", version=2)

    assert [nth_id(1)] == [str(key_id) for key_id in revoking]
    assert ["CI", "CI", "New"] == [before["name"] for _, _, before, _ in records(table)]
