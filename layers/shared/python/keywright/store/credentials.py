"""The hot path: reads and writes of a verification."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from keywright import clock
from keywright.domain.limits import Limits, Quota, RateLimit
from keywright.store import api_keys, layout, table
from keywright.store.table import Expression, text_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from uuid import UUID

    from keywright.store.api_keys import ApiKeyRecord
    from keywright.store.layout import Item

    Name = tuple[UUID, UUID]
    """The ids of an organization and of a key in it."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A key, and what matters of its organization.

    Attributes:
        is_frozen: whether the organization is scheduled for deletion.
        limits: of the key and of its organization, those that there are.
        usage_plan_key: API Gateway's API key of the organization's usage plan; None if it has none.
    """

    key: ApiKeyRecord
    is_frozen: bool
    limits: tuple[Limits, ...] = ()
    usage_plan_key: str | None = field(default=None, repr=False)


def read(organization_id: UUID, key_id: UUID) -> Credential | None:
    """Read a key and its organization, strongly consistent, in one request of two items.

    Returns:
        None if there is no such key, or no such organization.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if DynamoDB throttles or does not answer.
    """
    read_at = clock.now_ns()
    sort_key = layout.api_key_sort_key(key_id)
    items = table.read(organization_id, (sort_key, layout.ORGANIZATION))
    return _credential(items.get(sort_key), items.get(layout.ORGANIZATION), read_at)


def read_all(names: Collection[Name]) -> dict[Name, Credential | None]:
    """Read keys and their organizations as `read` does, with one request for 100 items.

    An organization of several keys is one item: 99 keys of one take one request, 100 keys of 100 take two.

    Args:
        names: any number, without duplicates.

    Returns:
        Each of them, with None as `read` has it.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if DynamoDB throttles or does not answer.
    """
    read_at = clock.now_ns()
    key_places = {name: layout.in_organization(name[0], layout.api_key_sort_key(name[1])) for name in names}
    organization_places = {organization_id: layout.organization_key(organization_id) for organization_id, _ in names}
    read = table.read_all([*key_places.values(), *organization_places.values()])
    items = {layout.place_of(item): item for item in read}
    return {
        name: _credential(
            items.get(layout.place_of(key_place)), items.get(layout.place_of(organization_places[name[0]])), read_at
        )
        for name, key_place in key_places.items()
    }


def _credential(key: Item | None, organization: Item | None, read_at: int) -> Credential | None:
    if key is None or organization is None:
        return None
    record = api_keys.parse_api_key(key)
    return Credential(
        record,
        "pending_deletion_at" in organization,
        tuple(_limits(record, organization, read_at)),
        text_of(organization, "usage_plan_key"),
    )


def _limits(key: ApiKeyRecord, organization: Item, read_at: int) -> Iterator[Limits]:
    limits = key.limits(read_at)
    if limits is not None:
        yield limits
    rate, quota = organization.get("rate_limit"), organization.get("quota")
    if rate or quota:
        yield Limits(
            key.organization_id,
            "organization",
            RateLimit.parse(rate["S"]) if rate else None,
            Quota.parse(quota["S"]) if quota else None,
            read_at,
        )


# Why the version does not change with the hash:
#
#     upgrade, by a verification             change, by a member            hash      version
#     ----------------------------------     --------------------------     ------    -------
#                                            read the key                   old       7
#     hash = new, if hash is old                                            new       7
#                                            replace, if version is 7       old       8
#     upgraded again by the next verification
#
# The change is not refused because of an upgrade, and the old hash is as good as the new one. A key that was rotated or
# deleted meanwhile fails the upgrade's condition.


def upgrade_hash(key: ApiKeyRecord, hash_: str) -> bool:
    """Replace the hash that was read by another hash of the same secret, if it is still there.

    Returns:
        Whether it was replaced.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE after one attempt.
    """
    names = {"#hash": "hash"}  # a reserved word
    set_new_hash = Expression("SET #hash = :new", {":new": {"S": hash_}}, names)
    is_old_hash = Expression("#hash = :old", {":old": {"S": key.hash}}, names)
    return table.update_now(api_keys.key_of(key), set_new_hash, is_old_hash)
