"""API keys as they rest in the table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from keywright.clock import rfc3339
from keywright.store.table import Step, key, put_new

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

API_KEY = "KEY#"


@dataclass(frozen=True, slots=True)
class ApiKeyRecord:
    """One key's item.

    Attributes:
        metadata: JSON text.
        hash: Argon2id PHC string of the keyed digest of the key's text.
        generation: rotations so far.
        hint: what people may see of the text.
        version: changes so far, for optimistic locking.
    """

    organization_id: UUID
    key_id: UUID
    name: str
    permissions: tuple[str, ...]
    metadata: str
    hash: str = field(repr=False)
    generation: int
    hint: str
    created_by: str
    created_at: datetime
    updated_at: datetime
    enabled: bool = True
    version: int = 1


def put(record: ApiKeyRecord) -> Step:
    """Write a new key."""
    return put_new(
        {
            **key(record.organization_id, f"{API_KEY}{record.key_id}"),
            "name": {"S": record.name},
            "permissions": {"L": [{"S": permission} for permission in record.permissions]},
            "metadata": {"S": record.metadata},
            "enabled": {"BOOL": record.enabled},
            "hash": {"S": record.hash},
            "generation": {"N": str(record.generation)},
            "hint": {"S": record.hint},
            "created_by": {"S": record.created_by},
            "created_at": {"S": rfc3339(record.created_at)},
            "updated_at": {"S": rfc3339(record.updated_at)},
            "version": {"N": str(record.version)},
        }
    )
