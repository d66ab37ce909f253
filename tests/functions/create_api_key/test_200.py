"""POST /v1/auth/api-keys: 200."""

from __future__ import annotations

import base64
import hmac
import json
import time
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

import argon2
import pytest

from keywright.domain import key_text
from keywright.store import pepper
from tests import faults
from tests.calling import VALID_BODY
from tests.keys import key_parts
from tests.world import ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.calling import CreateApiKey


def data(answer: dict[str, Any]) -> dict[str, str]:
    """Take the data out of a success."""
    assert 200 == answer["statusCode"], answer["body"]
    content: dict[str, str] = json.loads(answer["body"])["data"]
    return content


def test_answer_is_exactly_id_and_key(create: CreateApiKey) -> None:
    """`{"data": {id, key}, "error": null}`."""
    body = json.loads(create()["body"])

    assert {"data", "error"} == body.keys()
    assert body["error"] is None
    assert {"id", "key"} == body["data"].keys()


def test_headers_forbid_caching_and_name_the_request(create: CreateApiKey) -> None:
    """A key must not rest in any cache."""
    answer = create(requestContext=create_context(requestId="r-1"))

    assert {"content-type": "application/json", "cache-control": "no-store", "x-request-id": "r-1"} == answer["headers"]


def create_context(**changes: Any) -> dict[str, Any]:
    """Make a request context."""
    return {
        "requestId": "r",
        "stage": "v1",
        "domainName": "d",
        "identity": {"sourceIp": "203.0.113.7"},
        "authorizer": {"organizationId": ORGANIZATION_ID, "userId": "user_1", "expiresAt": str(int(time.time()) + 60)},
    } | changes


def test_the_key_names_its_organization_and_id(create: CreateApiKey) -> None:
    """The text parses under the deployment's pepper; generation 0, the id of the answer, version 7."""
    created = data(create())

    parts = key_parts(created["key"])
    assert (uuid.UUID(ORGANIZATION_ID), uuid.UUID(created["id"]), 0) == (
        parts.organization_id,
        parts.key_id,
        parts.generation,
    )
    assert 7 == parts.key_id.version


def test_the_item_holds_what_was_asked_for(create: CreateApiKey) -> None:
    """All fields of the stored key, under the organization's partition."""
    created = data(create({"name": " CI ", "permissions": ["sessions:read"], "metadata": {"a": 2**53 + 1, "b": 1e300}}))

    (item,) = create.world.table.under("KEY#")
    assert item.pop("hash").startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert item["created_at"] == item["updated_at"]
    assert {
        "pk": f"ORG#{ORGANIZATION_ID}",
        "sk": f"KEY#{created['id']}",
        "name": "CI",
        "permissions": ["sessions:read"],
        "metadata": '{"a":9007199254740993,"b":1e+300}',
        "enabled": True,
        "generation": 0,
        "hint": "kk_..." + created["key"][-4:],
        "created_by": "user_1",
        "created_at": item["created_at"],
        "updated_at": item["created_at"],
        "version": 1,
    } == item


def test_the_hash_is_of_this_key(create: CreateApiKey) -> None:
    """The stored PHC string verifies against the keyed digest of the text that was handed out."""
    created = data(create())
    parts = key_parts(created["key"])
    digest = hmac.digest(pepper.keyring().current.hash_key, parts.payload, "sha256")

    (item,) = create.world.table.under("KEY#")
    assert argon2.PasswordHasher().verify(item["hash"], digest)


def test_the_audit_record_says_who_what_when_and_from_where(create: CreateApiKey) -> None:
    """Written with the key, and telling all of it but the secret."""
    created = data(create(VALID_BODY | {"metadata": {"plan": "pro"}}, requestContext=create_context(requestId="r-1")))

    (record,) = create.world.table.under("AUDIT#")
    (key,) = create.world.table.under("KEY#")
    assert 7 == uuid.UUID(record.pop("sk").removeprefix("AUDIT#")).version
    assert {
        "before": None,
        "after": {
            "name": "CI",
            "enabled": True,
            "permissions": ["sessions:read", "webhooks:write"],
            "metadata": {"plan": "pro"},
            "expiresAt": None,
        },
    } == json.loads(record.pop("changes"))
    assert {
        "pk": f"ORG#{ORGANIZATION_ID}",
        "event": "api_key.created",
        "actor_type": "user",
        "actor_id": "user_1",
        "target_type": "api_key",
        "target_id": created["id"],
        "source_ip": "203.0.113.7",
        "request_id": "r-1",
        "created_at": key["created_at"],
        "received_at": record["received_at"],
        "ttl": int(datetime.fromisoformat(record["received_at"]).timestamp()) + 365 * 86400,
    } == record


def test_it_takes_one_request_to_dynamodb(create: CreateApiKey) -> None:
    """Authorization, key and audit record travel together."""
    with faults.injected() as operations:
        create()

    assert ["TransactWriteItems"] == operations


def test_it_takes_one_hash(create: CreateApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2 is most of the time of a create."""
    hashes: list[object] = []
    run = argon2.PasswordHasher.hash

    def counted(self: argon2.PasswordHasher, password: bytes, **keywords: Any) -> str:
        hashes.append(1)
        return run(self, password, **keywords)

    monkeypatch.setattr(argon2.PasswordHasher, "hash", counted)
    create()

    assert [1] == hashes


@pytest.mark.parametrize("role", ["owner", "admin"])
def test_owners_and_admins_may(create: CreateApiKey, role: str) -> None:
    """The two roles that manage keys."""
    create.world.table.put_member("someone", role)

    assert 200 == create(user_id="someone")["statusCode"]


@pytest.mark.parametrize(
    "headers",
    [
        None,
        {},
        {"content-type": "application/json"},
        {"CONTENT-TYPE": "Application/JSON; charset=utf-8"},
        {"Content-Type": "application/vnd.example+json"},
    ],
)
def test_json_is_taken_under_its_names(create: CreateApiKey, headers: dict[str, str] | None) -> None:
    """Header names in any case, parameters, suffixes, or no content-type at all."""
    assert 200 == create(headers=headers)["statusCode"]


def test_a_base64_body_is_decoded(create: CreateApiKey) -> None:
    """API Gateway encodes a body where the API treats its type as binary."""
    body = base64.b64encode(json.dumps(VALID_BODY).encode()).decode()

    assert 200 == create(body, isBase64Encoded=True)["statusCode"]


def test_an_answer_that_was_lost_is_found_again(create: CreateApiKey) -> None:
    """The write took effect, its answer did not arrive: the repeat sees that, and nothing is written twice."""
    with faults.injected(faults.lost_answer) as operations:
        created = data(create())

    assert 2 == len(operations)
    assert [f"KEY#{created['id']}"] == [item["sk"] for item in create.world.table.under("KEY#")]
    assert 1 == len(create.world.table.under("AUDIT#"))


@pytest.mark.parametrize(
    "fault",
    [
        faults.canceled("TransactionConflict", "None", "None", "None"),
        faults.canceled("None", "None", "ThrottlingError", "None"),
        faults.error("ThrottlingException"),
        faults.error("TransactionInProgressException"),
        faults.error("InternalServerError", 500),
        faults.answer(503, b""),
        faults.answer(200, b'{"cut of'),
        faults.timeout,
        faults.refused,
    ],
)
def test_what_passes_is_not_seen_by_the_caller(create: CreateApiKey, fault: faults.Fault) -> None:
    """Two failures in a row are absorbed."""
    with faults.injected(fault, fault):
        assert 200 == create()["statusCode"]

    assert (1, 1) == (len(create.world.table.under("KEY#")), len(create.world.table.under("AUDIT#")))


def test_allowed_origins_get_their_headers(create: CreateApiKey, setting: Callable[[str, str], None]) -> None:
    """A page of an allowed origin may read the answer."""
    setting("ALLOWED_ORIGINS", "https://a.example,https://b.example")

    headers = create(headers={"origin": "https://b.example", "content-type": "application/json"})["headers"]

    assert ("https://b.example", "origin") == (headers["access-control-allow-origin"], headers["vary"])
    assert "x-request-id" in headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", ["https://c.example", "null", "https://a.example.evil.example", "HTTPS://A.EXAMPLE"])
def test_other_origins_get_none(create: CreateApiKey, setting: Callable[[str, str], None], origin: str) -> None:
    """No header for an origin that is not on the list, letter by letter."""
    setting("ALLOWED_ORIGINS", "https://a.example")

    headers = create(headers={"Origin": origin})["headers"]

    assert not [name for name in headers if name.startswith("access-control")]


def test_without_allowed_origins_there_is_no_cors(create: CreateApiKey) -> None:
    """The default: browsers keep other origins out."""
    assert {"content-type", "cache-control", "x-request-id"} == create(headers={"origin": "https://a.example"})[
        "headers"
    ].keys()


def test_preflight_of_an_allowed_origin(create: CreateApiKey, setting: Callable[[str, str], None]) -> None:
    """The browser learns what it may send, without credentials being asked for."""
    setting("ALLOWED_ORIGINS", "https://a.example")

    answer = create(
        "", httpMethod="OPTIONS", headers={"origin": "https://a.example"}, requestContext={"requestId": "r"}
    )

    assert (204, "") == (answer["statusCode"], answer["body"])
    assert "no-store" == answer["headers"]["cache-control"]
    assert "https://a.example" == answer["headers"]["access-control-allow-origin"]
    assert "POST" in answer["headers"]["access-control-allow-methods"]
    assert {"authorization", "content-type"} <= set(answer["headers"]["access-control-allow-headers"].split(", "))


def test_preflight_of_another_origin(create: CreateApiKey, setting: Callable[[str, str], None]) -> None:
    """An answer without permission."""
    setting("ALLOWED_ORIGINS", "https://a.example")

    answer = create(
        "", httpMethod="OPTIONS", headers={"origin": "https://b.example"}, requestContext={"requestId": "r"}
    )

    assert 204 == answer["statusCode"]
    assert not [name for name in answer["headers"] if name.startswith("access-control")]


def test_metadata_may_have_16_kib_and_not_a_byte_more(create: CreateApiKey) -> None:
    """The bound is exact, in bytes of JSON text: `{"k00":"..."}` with as many characters as it takes."""
    names = [f"k{number:02}" for number in range(32)]
    overhead = len('"k00":"",') * len(names) + len("{}") - 1
    rest = 16 * 1024 - overhead
    metadata = {name: "x" * min(512, max(0, rest - 512 * index)) for index, name in enumerate(names)}
    assert 16 * 1024 == len(json.dumps(metadata, separators=(",", ":")))

    exact = create({**VALID_BODY, "metadata": metadata})
    more = create({**VALID_BODY, "metadata": metadata | {names[-1]: metadata[names[-1]] + "x"}})

    assert (200, 400) == (exact["statusCode"], more["statusCode"])


def test_every_key_has_a_secret_of_its_own(create: CreateApiKey) -> None:
    """Two keys share neither secret nor hash."""
    texts = [json.loads(create()["body"])["data"]["key"] for _ in range(20)]
    secrets = set()
    for text in texts:
        parts = key_parts(text)
        secrets.add(parts.payload[-key_text.SECRET_BYTES :])

    assert (20, 20) == (len(secrets), len({item["hash"] for item in create.world.table.under("KEY#")}))
