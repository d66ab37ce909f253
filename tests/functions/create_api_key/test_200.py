"""POST /v1/auth/api-keys: 200."""

from __future__ import annotations

import hmac
import json
import uuid
from typing import TYPE_CHECKING

import argon2

from keywright.domain import key_text
from keywright.store import pepper
from tests.support import faults
from tests.support.client import VALID_BODY, calling
from tests.support.costs import counted
from tests.support.hashes import is_hash_of
from tests.support.sample_keys import key_parts
from tests.support.world import ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import Call

call = calling("create_api_key")


def test_the_key_names_its_organization_and_id(call: Call) -> None:
    """The text has generation 0 and the answer's id, a UUID of version 7; the item shows its hint."""
    created = call.data(VALID_BODY)

    parts = key_parts(created["key"])
    assert "kk_..." + created["key"][-4:] == call.table.item(f"KEY#{created['id']}")["hint"]
    assert uuid.UUID(ORGANIZATION_ID) == parts.organization_id
    assert uuid.UUID(created["id"]) == parts.key_id
    assert 0 == parts.generation
    assert 7 == parts.key_id.version


def test_the_hash_matches_the_key(call: Call) -> None:
    """The stored PHC string matches the keyed digest of the returned text, even if a response of DynamoDB was lost."""
    with faults.injected(faults.lost_answer):
        created = call.data(VALID_BODY)
    parts = key_parts(created["key"])
    digest = hmac.digest(pepper.keyring().current.hash_key, parts.payload, "sha256")

    (item,) = call.table.under("KEY#")
    assert f"KEY#{created['id']}" == item["sk"]
    assert argon2.PasswordHasher().verify(item["hash"], digest)


def test_the_hash_may_be_an_hmac(call: Call, setting: Callable[[str, str], None]) -> None:
    """GIVEN a deployment set to HMAC-SHA-256 THEN the PHC string is that of the text, and Argon2id does not run."""
    setting("KEY_HASH", "hmac-sha256")
    with counted() as costs:
        created = call.data(VALID_BODY)

        assert 0 == costs.hashes
    (item,) = call.table.under("KEY#")
    assert item["hash"].startswith("$hmac-sha256$")
    assert is_hash_of(item["hash"], created["key"])


def test_the_audit_record_holds_everything_but_the_secret(call: Call) -> None:
    """The audit record holds every field of the new key, and is written at the same time."""
    call.data(VALID_BODY | {"metadata": {"plan": "pro"}})

    (record,) = call.table.under("AUDIT#")
    (key,) = call.table.under("KEY#")
    assert key["created_at"] == record["created_at"]
    assert {
        "before": None,
        "after": {
            "name": "CI",
            "enabled": True,
            "permissions": ["sessions:read", "webhooks:write"],
            "metadata": {"plan": "pro"},
            "expiresAt": None,
            "rateLimit": None,
            "quota": None,
            "allowedIps": None,
        },
    } == json.loads(record["changes"])


def test_metadata_is_limited_to_16_kib(call: Call) -> None:
    """Metadata is limited to 16 KiB of JSON text exactly: `{"k00":"..."}`, filled up with characters."""
    names = [f"k{number:02}" for number in range(32)]
    overhead = len('"k00":"",') * len(names) + len("{}") - 1
    rest = 16 * 1024 - overhead
    metadata = {name: "x" * min(512, max(0, rest - 512 * index)) for index, name in enumerate(names)}
    assert 16 * 1024 == len(json.dumps(metadata, separators=(",", ":")))

    exact = call({**VALID_BODY, "metadata": metadata})
    more = call({**VALID_BODY, "metadata": metadata | {names[-1]: metadata[names[-1]] + "x"}})

    assert 200 == exact["statusCode"]
    assert 400 == more["statusCode"]


def test_every_key_has_another_secret(call: Call) -> None:
    """Two keys share neither a secret nor a hash."""
    texts = [call.data(VALID_BODY)["key"] for _ in range(20)]

    assert 20 == len({key_parts(text).payload[-key_text.SECRET_BYTES :] for text in texts})
    assert 20 == len({item["hash"] for item in call.table.under("KEY#")})
