"""Operators' changes of organizations, for bootstrap and incidents.

No caller is authorized here: whoever may write the table is an operator. Every change is audited in its transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from keywright.domain.audit_event import AuditEvent
from keywright.domain.limits import Quota, RateLimit
from keywright.domain.organization_state import (
    MemberChange,
    OrganizationChange,
    Setting,
    merge,
    usage_plan_key_hint,
)
from keywright.domain.permissions import Role
from keywright.ids import organization_uuid
from keywright.immutable import immutable
from keywright.operators.refusals import ATTEMPTS, ExistsError, RefusedError, commit, require_organization
from keywright.organizations.changes import Moment, grace_period, member_record, organization_record
from keywright.store import layout, organizations, table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from keywright.domain.organization_state import OrganizationState
    from keywright.domain.principals import Actor


@immutable
class ShownOrganization:
    """An organization as operators see it; times are RFC 3339.

    Attributes:
        name: None if only the organization's existence is known so far.
        created_at: the same.
        usage_plan_key: its last characters; the rest is not shown.
    """

    id: UUID
    name: str | None
    created_at: str | None
    pending_deletion_at: str | None
    rate_limit: RateLimit | None = None
    quota: Quota | None = None
    usage_plan_key: str | None = None


def derived_id(text: str) -> UUID:
    """Return the id of the organization that a UUIDv5 stands for: its id, or its name at the identity provider.

    Raises:
        RefusedError: it is the id of one organization and the name of another, so that a tenant who has chosen a name
            could make an operator change the wrong one.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    as_id, as_name = UUID(text), organization_uuid(text)
    is_id, is_name = (organizations.item_of(candidate) is not None for candidate in (as_id, as_name))
    if is_id and is_name:
        raise RefusedError(
            f"{text} is the id of one organization and the provider's name of another; "
            f"pass --id for the former, {as_name} --id for the latter"
        )
    return as_name if is_name else as_id


def show_organization(organization_id: UUID) -> ShownOrganization:
    """Show an organization.

    Raises:
        NotFoundError: there is none.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    return shown(organization_id, organizations.parse_organization(require_organization(organization_id)))


def list_organizations(on_page: Callable[[int], object]) -> list[ShownOrganization]:
    """List every organization, by creation. Reads the whole table.

    Args:
        on_page: called after each page of the table with the number of its items.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
    """
    every = [shown(stored.organization_id, stored.state) for stored in organizations.every_organization(on_page)]
    return sorted(every, key=lambda organization: (organization.created_at or "", str(organization.id)))


def create_organization(actor: Actor, organization_id: UUID, name: str, owner_id: str) -> ShownOrganization:
    """Create an organization and its first owner, in one transaction.

    Raises:
        ExistsError: it exists.
        RefusedError: it was purged.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    creation = OrganizationChange(AuditEvent.ORGANIZATION_CREATED, name)
    addition = MemberChange(AuditEvent.MEMBER_ADDED, owner_id, Role.OWNER)
    owner_sort_key = layout.member_sort_key(owner_id)

    def act() -> ShownOrganization:
        items = table.read(organization_id, [layout.ORGANIZATION, owner_sort_key])
        if layout.ORGANIZATION in items:
            raise ExistsError(f"organization {organization_id} exists already", organization_id)
        before = organizations.parse_member(items.get(owner_sort_key))
        moment = Moment.after(before)
        state = creation.learned(moment.stamp, grace_period())
        owner = merge(before, addition.learned(moment.stamp))
        steps = [
            *organizations.write_organization(organization_id, None, state),
            *organizations.write_member(organization_id, owner_id, items.get(owner_sort_key), owner),
            organization_record(organization_id, (actor, None), moment, creation, (state, state)),
        ]
        record = member_record(organization_id, (actor, None), moment.next(), addition, (before, owner))
        commit(organization_id, steps, record)
        return shown(organization_id, state)

    return table.retry_on_conflict(act, ATTEMPTS)


def is_as_created(organization_id: UUID, name: str, owner_id: str) -> bool:
    """Return whether an organization is as `create_organization` leaves it: with this name, and this owner who can act.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE.
    """
    sort_key = layout.member_sort_key(owner_id)
    items = table.read(organization_id, [layout.ORGANIZATION, sort_key])
    state = organizations.parse_organization(items.get(layout.ORGANIZATION))
    return state.name.value == name and organizations.parse_member(items.get(sort_key)).is_active_owner


def rename_organization(actor: Actor, organization_id: UUID, name: str) -> bool:
    """Rename an organization; False if it has that name.

    Raises:
        RefusedError: it was purged.
        NotFoundError: there is none.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    change = OrganizationChange(AuditEvent.ORGANIZATION_UPDATED, name)
    return _change(actor, organization_id, lambda state: change if state.name.value != name else None)


def update_organization(actor: Actor, organization_id: UUID, settings: Mapping[Setting, str | None]) -> bool:
    """Set or clear limits and the usage plan key of an organization; False if they are set so.

    Args:
        actor: the operator.
        organization_id: the organization.
        settings: the new texts; None clears one. The audit record has those that differ.

    Raises:
        As `rename_organization`.
    """

    def change(state: OrganizationState) -> OrganizationChange | None:
        new = {setting: text for setting, text in settings.items() if state.value_of(setting) != text}
        return OrganizationChange(AuditEvent.ORGANIZATION_UPDATED, settings=new) if new else None

    return _change(actor, organization_id, change)


def schedule_deletion(actor: Actor, organization_id: UUID) -> bool:
    """Schedule the deletion of an organization; False if one is scheduled.

    Raises:
        As `rename_organization`.
    """
    change = OrganizationChange(AuditEvent.ORGANIZATION_DELETION_REQUESTED)
    return _change(actor, organization_id, lambda state: change if state.deletion.value is None else None)


def cancel_scheduled_deletion(actor: Actor, organization_id: UUID) -> bool:
    """Cancel the scheduled deletion of an organization; False if none is scheduled.

    Raises:
        As `rename_organization`.
    """
    change = OrganizationChange(AuditEvent.ORGANIZATION_DELETION_CANCELED)
    return _change(actor, organization_id, lambda state: change if state.deletion.value is not None else None)


def _change(
    actor: Actor, organization_id: UUID, change_of: Callable[[OrganizationState], OrganizationChange | None]
) -> bool:
    def act() -> bool:
        item = require_organization(organization_id)
        before = organizations.parse_organization(item)
        change = change_of(before)
        if change is None:
            return False
        moment = Moment.after(before)
        after = merge(before, change.learned(moment.stamp, grace_period()))
        steps = organizations.write_organization(organization_id, item, after)
        record = organization_record(organization_id, (actor, None), moment, change, (before, after))
        commit(organization_id, steps, record)
        return True

    return table.retry_on_conflict(act, ATTEMPTS)


def shown(organization_id: UUID, state: OrganizationState) -> ShownOrganization:
    """Return a stored organization as operators see it."""
    rate, quota = state.rate_limit.value, state.quota.value
    return ShownOrganization(
        organization_id,
        state.name.value,
        state.creation.value,
        state.deletion.value,
        RateLimit.parse(rate) if rate else None,
        Quota.parse(quota) if quota else None,
        usage_plan_key_hint(state.usage_plan_key.value),
    )
