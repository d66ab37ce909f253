"""Refusals of what operators do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.store import organizations, table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from keywright.store.layout import Item
    from keywright.store.table import Step

ATTEMPTS = 20
"""As many as deleting a key gets: an operator's change should not have to be repeated because of others."""


class RefusedError(Exception):
    """The change cannot be made; the message says why, in one sentence.

    Args:
        message: the sentence.
        organization_id: the organization that it names, by its id.
    """

    def __init__(self, message: str, organization_id: UUID | None = None) -> None:
        super().__init__(message)
        self.organization_id = organization_id


class ExistsError(RefusedError):
    """There is such an organization already."""


class NotFoundError(RefusedError):
    """There is no such organization, member or key."""


def unknown_organization(organization_id: UUID) -> NotFoundError:
    """Return the error of an organization that does not exist."""
    return NotFoundError(f"there is no organization {organization_id}", organization_id)


def purged_organization(organization_id: UUID) -> RefusedError:
    """Return the error of an organization that was purged."""
    return RefusedError(f"organization {organization_id} was deleted for good, and cannot come back", organization_id)


def require_organization(organization_id: UUID) -> Item:
    """Read an organization's item.

    Raises:
        NotFoundError: there is none.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    item = organizations.item_of(organization_id)
    if item is None:
        raise unknown_organization(organization_id)
    return item


def commit(organization_id: UUID, steps: Sequence[Step], record: Step) -> None:
    """Commit an operator's change, unless the organization was purged.

    Raises:
        Conflict: something is not as it was read.
        RefusedError: the organization was purged.
        NotFoundError: there is no such organization.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    try:
        table.commit([organizations.not_purged(organization_id), *steps], record)
    except organizations.UnknownOrganizationError:
        raise unknown_organization(organization_id) from None
    except organizations.PurgedError:
        raise purged_organization(organization_id) from None
