"""Organizations and their members: as conditions of what is done in an organization, and how they are changed.

Where the deletion of an organization is scheduled, a pointer to it lies in a partition of its own, in the order of
time: so what is due is found without an index and without looking at everything. Both are written together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from keywright.domain.organization_state import MemberState, OrganizationState, Register, Stamp
from keywright.domain.permissions import Role, at_least
from keywright.errors import CONFLICT, FORBIDDEN, ORGANIZATION_FROZEN, OWNER_REQUIRED, ServiceError
from keywright.settings import table_settings
from keywright.store.table import Condition, Step, change, everything, key, newest_first

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from keywright.domain.principals import Member
    from keywright.store.table import Item

ORGANIZATION = "ORG"
MEMBER = "MEMBER#"
DELETIONS = "DELETIONS"
"""The partition of the pointers."""

_PARTITION = "ORG#"
_PURGED = "PURGED"
_AFTER_MEMBERS = "MEMBER$"  # the character after #
_LARGEST_PAGE = 1000


class OvertakenError(Exception):
    """Somebody else changed the organization or the member after they were read."""


class PurgedError(Exception):
    """The organization was deleted for good, and cannot come back."""


class UnknownOrganizationError(Exception):
    """There is no such organization."""


class BehindError(Exception):
    """The deletion was requested or cancelled at a time that this machine's clock has not come to yet."""

    def __init__(self, latest: Stamp) -> None:
        super().__init__(f"there is a change of {latest}")
        self.latest = latest


@dataclass(frozen=True, slots=True)
class FoundMember:
    """Somebody in an organization, as they were read."""

    user_id: str
    state: MemberState


@dataclass(frozen=True, slots=True)
class FoundOrganization:
    """An organization, as it was read."""

    organization_id: UUID
    state: OrganizationState


def authorization(member: Member, minimum: Role) -> tuple[Step, Step]:
    """Give the two conditions under which a member may change something in their organization.

    Args:
        member: the caller.
        minimum: the least role that may do it.

    The member's own condition comes first: to outsiders, a frozen organization looks like any other.
    """
    return (
        _membership(member, minimum),
        Step(
            {
                "ConditionCheck": {
                    "TableName": table_settings().table_name,
                    "Key": key(member.organization_id, ORGANIZATION),
                    "ConditionExpression": "attribute_exists(pk) AND attribute_not_exists(pending_deletion_at)",
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                }
            },
            lambda item: _inactive(item, minimum),
        ),
    )


def freeze(member: Member, until: str, stamp: Stamp) -> tuple[Step, ...]:
    """Schedule the member's organization for deletion, provided that they own it and that it is not scheduled yet.

    The step is refused with BehindError if the deletion was cancelled at a later time than the stamp's.
    """
    return (
        _membership(member, Role.OWNER),
        Step(
            {
                "Update": {
                    "TableName": table_settings().table_name,
                    "Key": key(member.organization_id, ORGANIZATION),
                    "UpdateExpression": "SET pending_deletion_at = :until, deletion_as_of = :stamp",
                    "ConditionExpression": "attribute_exists(pk) AND attribute_not_exists(pending_deletion_at) "
                    "AND (attribute_not_exists(deletion_as_of) OR deletion_as_of < :stamp)",
                    "ExpressionAttributeValues": {":until": {"S": until}, ":stamp": {"S": str(stamp)}},
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                }
            },
            lambda item: _inactive(item, Role.OWNER),
        ),
        _put_pointer(member.organization_id, until),
    )


def unfreeze(member: Member, found: Item, stamp: Stamp) -> tuple[Step, ...]:
    """Cancel the deletion of the member's organization, provided that it is still scheduled as it was read."""
    until = found["pending_deletion_at"]["S"]
    attributes = {"pending_deletion_at": None, "deletion_as_of": str(stamp)}
    update = change(key(member.organization_id, ORGANIZATION), found, attributes, not_scheduled())
    assert update is not None, "there is a deletion to be cancelled"  # noqa: S101
    return (
        _membership(member, Role.OWNER),
        _not_purged(member.organization_id, _is_being_deleted),
        update,
        _delete_pointer(member.organization_id, until),
    )


def _is_being_deleted() -> ServiceError:
    return ServiceError(
        ORGANIZATION_FROZEN,
        "The organization is being deleted",
        hint="The deletion has started and cannot be canceled.",
        reason="it is being purged",
    )


def not_scheduled() -> ServiceError:
    """Give the error of cancelling a deletion that is not scheduled."""
    return ServiceError(
        CONFLICT,
        "The organization is not scheduled for deletion",
        hint="Nothing needs to be canceled: keys and members are unchanged.",
    )


def member_sort_key(member: Member) -> str:
    """Give the sort key of a member's item."""
    return sort_key(member.user_id)


def sort_key(user_id: str) -> str:
    """Give the sort key of a member's item."""
    return MEMBER + user_id


def require(member: Member, minimum: Role, items: Mapping[str, Item]) -> None:
    """Check that a member may read something, or that a change is worth preparing.

    Args:
        member: the caller.
        minimum: the least role that may do it.
        items: what was read; the member's item is under `member_sort_key`.

    Raises:
        ServiceError: FORBIDDEN.
    """
    item = items.get(member_sort_key(member))
    if item is None or "suspended_at" in item or _text(item, "role") not in at_least(minimum):
        raise _not_allowed(_member_reason(item), minimum)


def require_active(items: Mapping[str, Item]) -> None:
    """Check that an organization can be changed, so that a write to a frozen one is refused whatever it is about.

    Args:
        items: what was read; the organization's item is under `ORGANIZATION`.

    Raises:
        ServiceError: ORGANIZATION_FROZEN.
    """
    if "pending_deletion_at" in items.get(ORGANIZATION, {}):
        raise ServiceError(ORGANIZATION_FROZEN)


def parse_organization(item: Item | None) -> OrganizationState:
    """Read what an organization's item says; None if there is none."""
    return OrganizationState(
        name=_register(item, "name", "name_as_of"),
        creation=_register(item, "created_at", "creation_as_of"),
        deletion=_register(item, "pending_deletion_at", "deletion_as_of"),
    )


def parse_member(item: Item | None) -> MemberState:
    """Read what a member's item says; None if there is none.

    An item that was written without stamps may lack the time of its beginning.
    """
    membership = _register(item, "created_at", "membership_as_of")
    role = _register(item, "role", "role_as_of")
    if role.value is None:
        role = _register(item, "last_role", "role_as_of")
        membership = Register(None, membership.as_of)
    elif membership.value is None:
        membership = Register("", membership.as_of)
    return MemberState(membership, role, _register(item, "suspended_at", "suspension_as_of"))


def write_organization(organization_id: UUID, found: Item | None, state: OrganizationState) -> list[Step]:
    """Bring an organization's item, and the pointer to its deletion, to a state.

    Refused with OvertakenError if the item is not as it was read. No steps if it says so already.
    """
    update = change(key(organization_id, ORGANIZATION), found, _organization_attributes(state), OvertakenError())
    if update is None:
        return []
    steps = [update]
    before, after = _text(found, "pending_deletion_at"), state.deletion.value
    if before != after:
        steps += [_delete_pointer(organization_id, before)] if before else []
        steps += [_put_pointer(organization_id, after)] if after else []
    return steps


def write_member(organization_id: UUID, user_id: str, found: Item | None, state: MemberState) -> list[Step]:
    """Bring a member's item to a state.

    Refused with OvertakenError if the item is not as it was read. No steps if it says so already.
    """
    update = change(key(organization_id, sort_key(user_id)), found, _member_attributes(state), OvertakenError())
    return [] if update is None else [update]


def exists(organization_id: UUID) -> Step:
    """Check that there is an organization; refused with UnknownOrganizationError."""
    return Step(
        {
            "ConditionCheck": {
                "TableName": table_settings().table_name,
                "Key": key(organization_id, ORGANIZATION),
                "ConditionExpression": "attribute_exists(pk)",
            }
        },
        lambda _: UnknownOrganizationError(),
    )


def not_purged(organization_id: UUID) -> Step:
    """Check that an organization was not deleted for good; refused with PurgedError."""
    return _not_purged(organization_id, PurgedError)


def still_owned_by(organization_id: UUID, user_id: str) -> Step:
    """Check that somebody is an owner who is not suspended; refused with OvertakenError."""
    return Step(
        {
            "ConditionCheck": {
                "TableName": table_settings().table_name,
                "Key": key(organization_id, sort_key(user_id)),
                "ConditionExpression": "#role = :owner AND attribute_not_exists(suspended_at)",
                "ExpressionAttributeNames": {"#role": "role"},  # a reserved word
                "ExpressionAttributeValues": {":owner": {"S": Role.OWNER}},
            }
        },
        lambda _: OvertakenError(),
    )


def members(organization_id: UUID) -> Iterator[FoundMember]:
    """Read everybody in an organization, in descending order of their ids, strongly consistent."""
    items = newest_first(organization_id, (MEMBER, _AFTER_MEMBERS), None, [], _LARGEST_PAGE)
    found = (FoundMember(item["sk"]["S"].removeprefix(MEMBER), parse_member(item)) for item in items)
    return (member for member in found if member.state.is_member)


def every_organization(looked_at: Callable[[int], object]) -> Iterator[FoundOrganization]:
    """Read every organization, in no order. This reads the whole table: for operators, never for a request.

    Args:
        looked_at: told after each page of the table how many items it had.
    """
    for item in everything(Condition("sk = :sk", {":sk": {"S": ORGANIZATION}}), looked_at):
        yield FoundOrganization(UUID(item["pk"]["S"].removeprefix(_PARTITION)), parse_organization(item))


def purged_key(organization_id: UUID) -> dict[str, AttributeValueTypeDef]:
    """Give the primary key of what is left of an organization that was deleted for good."""
    return {"pk": {"S": f"{_PURGED}#{organization_id}"}, "sk": {"S": _PURGED}}


def pointer_key(organization_id: UUID, until: str) -> dict[str, AttributeValueTypeDef]:
    """Give the primary key of the pointer to a deletion; they sort by the time of it."""
    return {"pk": {"S": DELETIONS}, "sk": {"S": f"{until}#{organization_id}"}}


def _put_pointer(organization_id: UUID, until: str) -> Step:
    return Step(
        {"Put": {"TableName": table_settings().table_name, "Item": pointer_key(organization_id, until)}},
        _unconditional,
    )


def _delete_pointer(organization_id: UUID, until: str) -> Step:
    return Step(
        {"Delete": {"TableName": table_settings().table_name, "Key": pointer_key(organization_id, until)}},
        _unconditional,
    )


def _unconditional(_: Item | None) -> Exception:
    return ServiceError(CONFLICT, reason="a step without condition was refused")


def _not_purged(organization_id: UUID, refused: Callable[[], Exception]) -> Step:
    return Step(
        {
            "ConditionCheck": {
                "TableName": table_settings().table_name,
                "Key": purged_key(organization_id),
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        },
        lambda _: refused(),
    )


def _register(item: Item | None, value: str, as_of: str) -> Register:
    stamp = _text(item, as_of)
    return Register(_text(item, value), None if stamp is None else Stamp.parse(stamp))


def _organization_attributes(state: OrganizationState) -> dict[str, str | None]:
    return {
        "name": state.name.value,
        "name_as_of": _stamp(state.name),
        "created_at": state.creation.value,
        "creation_as_of": _stamp(state.creation),
        "pending_deletion_at": state.deletion.value,
        "deletion_as_of": _stamp(state.deletion),
    }


def _member_attributes(state: MemberState) -> dict[str, str | None]:
    # Whoever is no member has no attribute `role`: every condition looks for it.
    return {
        "created_at": state.membership.value or None,
        "membership_as_of": _stamp(state.membership),
        "role": state.role.value if state.is_member else None,
        "last_role": None if state.is_member else state.role.value,
        "role_as_of": _stamp(state.role),
        "suspended_at": state.suspension.value,
        "suspension_as_of": _stamp(state.suspension),
    }


def _stamp(register: Register) -> str | None:
    return None if register.as_of is None else str(register.as_of)


def _text(item: Item | None, name: str) -> str | None:
    return item[name]["S"] if item and name in item else None


def _membership(member: Member, minimum: Role) -> Step:
    roles = {f":role{index}": {"S": role} for index, role in enumerate(at_least(minimum))}
    return Step(
        {
            "ConditionCheck": {
                "TableName": table_settings().table_name,
                "Key": key(member.organization_id, member_sort_key(member)),
                "ConditionExpression": f"#role IN ({', '.join(roles)}) AND attribute_not_exists(suspended_at)",
                "ExpressionAttributeNames": {"#role": "role"},  # a reserved word
                "ExpressionAttributeValues": roles,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        },
        lambda item: _not_allowed(_member_reason(item), minimum),
    )


def _inactive(item: Item | None, minimum: Role) -> Exception:
    if not item:
        return _not_allowed("there is no such organization", minimum)
    if "pending_deletion_at" not in item and "deletion_as_of" in item:
        return BehindError(Stamp.parse(item["deletion_as_of"]["S"]))
    return ServiceError(ORGANIZATION_FROZEN)


def _not_allowed(reason: str, minimum: Role) -> ServiceError:
    """Return one error for every reason: outsiders learn neither who is a member nor with which role."""
    return ServiceError(OWNER_REQUIRED if minimum is Role.OWNER else FORBIDDEN, reason=reason)


def _member_reason(item: Item | None) -> str:
    if item is None or "role" not in item:
        return "not a member"
    return "suspended" if "suspended_at" in item else "role too low"
