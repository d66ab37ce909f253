"""Keys that were issued without a table: their texts, and the items that requests with them read and write."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from benchmarks import deployment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from keywright.store.table import Step

TABLE = "keywright"
CHEAPEST_HASH = {"ARGON2_MEMORY_KIB": "8", "ARGON2_ITERATIONS": "1", "ARGON2_PARALLELISM": "1"}
"""Variables of the functions for measurements in which hashes are counted, or are none of the matter."""


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key.

    Attributes:
        items: of the key and of its uses, in the format of DynamoDB's interface.
    """

    key_id: UUID
    text: str = field(repr=False)
    items: tuple[dict[str, Any], ...] = field(repr=False)


def secret() -> str:
    """Return the text of the pepper's secret."""
    return json.dumps(deployment.PEPPER)


def organization_items(organization_id: UUID) -> list[dict[str, Any]]:
    """Return the items of an organization and of its admin."""
    partition = {"S": f"ORG#{organization_id}"}
    created_at = {"S": "2026-01-01T00:00:00.000Z"}
    return [
        {"pk": partition, "sk": {"S": "ORG"}, "name": {"S": "Acme"}, "created_at": created_at},
        {"pk": partition, "sk": {"S": f"MEMBER#{deployment.USER_ID}"}, "role": {"S": "admin"}},
    ]


def issue(organization_id: UUID, metadata: Mapping[str, str] | None = None, key_hash: str = "argon2id") -> IssuedKey:
    """Issue a key. The caller has called `deployment.enter`.

    Args:
        organization_id: of the key.
        metadata: of the key; a short one if absent.
        key_hash: scheme of its hash, as in KeyHash; Argon2id has the parameters of the environment.
    """
    from keywright.domain import key_hash as hashes  # noqa: PLC0415 - after the environment
    from keywright.domain import key_text  # noqa: PLC0415 - after the environment
    from keywright.ids import uuid7  # noqa: PLC0415 - the same
    from keywright.settings import KeyHash, settings  # noqa: PLC0415
    from keywright.store import api_keys, pepper, usage  # noqa: PLC0415

    keyring, key_id, now = pepper.read(secret()), uuid7(), datetime.now(UTC)
    payload = key_text.payload(
        pepper_version=keyring.current_version,
        organization_id=organization_id,
        key_id=key_id,
        generation=0,
        secret=secrets.token_bytes(key_text.SECRET_BYTES),
    )
    is_hmac = key_hash == KeyHash.HMAC_SHA256
    scheme = hashes.HmacSha256.of(keyring.current) if is_hmac else settings().argon2
    text = key_text.encode(settings().key_prefix, payload, keyring.current.tag_key)
    record = api_keys.ApiKeyRecord(
        organization_id=organization_id,
        key_id=key_id,
        name="CI",
        permissions=("sessions:read",),
        metadata=json.dumps(metadata or {"plan": "pro"}),
        hash=hashes.hash_digest(hashes.keyed_digest(payload, keyring.current.hash_key), scheme),
        generation=0,
        hint=key_text.hint(text, settings().key_prefix),
        created_by=deployment.USER_ID,
        created_at=now,
        updated_at=now,
    )
    items = (_item(api_keys.put(record)), _item(usage.put(organization_id, key_id)))
    return IssuedKey(key_id, text, items)


def forged(organization_id: UUID, key_id: UUID) -> str:
    """Return a text that only its tag tells from a key: prefix, form, checksum, versions and ids are those of a key.

    Args:
        organization_id: that the text names.
        key_id: that the text names, of any key or of none.
    """
    from keywright.domain import key_text  # noqa: PLC0415 - after the environment
    from keywright.settings import settings  # noqa: PLC0415 - the same

    payload = key_text.payload(
        pepper_version=1,
        organization_id=organization_id,
        key_id=key_id,
        generation=0,
        secret=secrets.token_bytes(key_text.SECRET_BYTES),
    )
    return key_text.encode(settings().key_prefix, payload, secrets.token_bytes(32))


def _item(step: Step) -> dict[str, Any]:
    return cast("dict[str, Any]", step.request["Item"])
