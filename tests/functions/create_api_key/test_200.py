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
from tests.support import faults
from tests.support.client import VALID_BODY
from tests.support.sample_keys import key_parts
from tests.support.world import ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import CreateApiKey


def data(answer: dict[str, Any]) -> dict[str, str]:
    """Return the data of a successful answer."""
    assert 200 == answer["statusCode"], answer["body"]
    content: dict[str, str] = json.loads(answer["body"])["data"]
    return content


def test_answer_is_exactly_id_and_key(create: CreateApiKey) -> None:
    """The body is `{"data": {id, key}, "error": null}`."""
    body = json.loads(create()["body"])

    assert {"data", "error"} == body.keys()
    assert body["error"] is None
    assert {"id", "key"} == body["data"].keys()


def test_headers_forbid_caching_and_name_the_request(create: CreateApiKey) -> None:
    """An answer that holds a key is not cached."""
    answer = create(requestContext=create_context(requestId="r-1"))

    assert {"content-type": "application/json", "cache-control": "no-store", "x-request-id": "r-1"} == answer["headers"]


def create_context(**changes: Any) -> dict[str, Any]:
    """Return a request context."""
    return {
        "requestId": "r",
        "stage": "v1",
        "domainName": "d",
        "identity": {"sourceIp": "203.0.113.7"},
        "authorizer": {"organizationId": ORGANIZATION_ID, "userId": "user_1", "expiresAt": str(int(time.time()) + 60)},
    } | changes


def test_the_key_names_its_organization_and_id(create: CreateApiKey) -> None:
    """The text parses under the deployment's pepper; it has generation 0 and the answer's id, a UUID of version 7."""
    created = data(create())

    parts = key_parts(created["key"])
    assert uuid.UUID(ORGANIZATION_ID) == parts.organization_id
    assert uuid.UUID(created["id"]) == parts.key_id
    assert 0 == parts.generation
    assert 7 == parts.key_id.version


def test_the_item_holds_the_request(create: CreateApiKey) -> None:
    """The item in the organization's partition holds every field of the request."""
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


def test_the_hash_matches_the_key(create: CreateApiKey) -> None:
    """The stored PHC string matches the keyed digest of the returned text."""
    created = data(create())
    parts = key_parts(created["key"])
    digest = hmac.digest(pepper.keyring().current.hash_key, parts.payload, "sha256")

    (item,) = create.world.table.under("KEY#")
    assert argon2.PasswordHasher().verify(item["hash"], digest)


def test_the_audit_record_is_complete(create: CreateApiKey) -> None:
    """The audit record is written with the key and holds everything but the secret."""
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
    """Authorization, key and audit record are one transaction."""
    with faults.injected() as operations:
        create()

    assert ["TransactWriteItems"] == operations


def test_it_takes_one_hash(create: CreateApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Argon2id takes most of the time of a create."""
    hashes: list[object] = []
    run = argon2.PasswordHasher.hash

    def counted(self: argon2.PasswordHasher, password: bytes, **keywords: Any) -> str:
        hashes.append(1)
        return run(self, password, **keywords)

    monkeypatch.setattr(argon2.PasswordHasher, "hash", counted)
    create()

    assert [1] == hashes


@pytest.mark.parametrize("role", ["owner", "admin"])
def test_owners_and_admins_are_allowed(create: CreateApiKey, role: str) -> None:
    """Owners and admins manage keys."""
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
def test_every_json_media_type_is_accepted(create: CreateApiKey, headers: dict[str, str] | None) -> None:
    """A media type in any case, with parameters or a JSON suffix, or no content-type at all, is read as JSON."""
    assert 200 == create(headers=headers)["statusCode"]


def test_a_base64_body_is_decoded(create: CreateApiKey) -> None:
    """A base64 body is decoded: API Gateway encodes media types that the API declares as binary."""
    body = base64.b64encode(json.dumps(VALID_BODY).encode()).decode()

    assert 200 == create(body, isBase64Encoded=True)["statusCode"]


def test_a_lost_response_is_recovered(create: CreateApiKey) -> None:
    """When the response of the transaction is lost, the retry succeeds and nothing is written twice."""
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
def test_transient_failures_are_retried(create: CreateApiKey, fault: faults.Fault) -> None:
    """Two transient failures in a row are retried."""
    with faults.injected(fault, fault):
        assert 200 == create()["statusCode"]

    assert 1 == len(create.world.table.under("KEY#"))
    assert 1 == len(create.world.table.under("AUDIT#"))


def test_allowed_origins_get_their_headers(create: CreateApiKey, setting: Callable[[str, str], None]) -> None:
    """An answer to an allowed origin carries CORS headers."""
    setting("ALLOWED_ORIGINS", "https://a.example,https://b.example")

    headers = create(headers={"origin": "https://b.example", "content-type": "application/json"})["headers"]

    assert "https://b.example" == headers["access-control-allow-origin"]
    assert "origin" == headers["vary"]
    assert "x-request-id" in headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", ["https://c.example", "null", "https://a.example.evil.example", "HTTPS://A.EXAMPLE"])
def test_other_origins_get_none(create: CreateApiKey, setting: Callable[[str, str], None], origin: str) -> None:
    """An origin that is not on the list, compared exactly, gets no CORS headers."""
    setting("ALLOWED_ORIGINS", "https://a.example")

    headers = create(headers={"Origin": origin})["headers"]

    assert not [name for name in headers if name.startswith("access-control")]


def test_without_allowed_origins_there_is_no_cors(create: CreateApiKey) -> None:
    """By default no origin is allowed."""
    assert {"content-type", "cache-control", "x-request-id"} == create(headers={"origin": "https://a.example"})[
        "headers"
    ].keys()


def test_preflight_of_an_allowed_origin(create: CreateApiKey, setting: Callable[[str, str], None]) -> None:
    """The preflight names the allowed method and headers, without credentials."""
    setting("ALLOWED_ORIGINS", "https://a.example")

    answer = create(
        "", httpMethod="OPTIONS", headers={"origin": "https://a.example"}, requestContext={"requestId": "r"}
    )

    assert 204 == answer["statusCode"]
    assert "" == answer["body"]
    assert "no-store" == answer["headers"]["cache-control"]
    assert "https://a.example" == answer["headers"]["access-control-allow-origin"]
    assert "POST" in answer["headers"]["access-control-allow-methods"]
    assert {"authorization", "content-type"} <= set(answer["headers"]["access-control-allow-headers"].split(", "))


def test_preflight_of_another_origin(create: CreateApiKey, setting: Callable[[str, str], None]) -> None:
    """The preflight of another origin gets no permission."""
    setting("ALLOWED_ORIGINS", "https://a.example")

    answer = create(
        "", httpMethod="OPTIONS", headers={"origin": "https://b.example"}, requestContext={"requestId": "r"}
    )

    assert 204 == answer["statusCode"]
    assert not [name for name in answer["headers"] if name.startswith("access-control")]


def test_metadata_is_limited_to_16_kib(create: CreateApiKey) -> None:
    """Metadata is limited to 16 KiB of JSON text exactly: `{"k00":"..."}`, filled up with characters."""
    names = [f"k{number:02}" for number in range(32)]
    overhead = len('"k00":"",') * len(names) + len("{}") - 1
    rest = 16 * 1024 - overhead
    metadata = {name: "x" * min(512, max(0, rest - 512 * index)) for index, name in enumerate(names)}
    assert 16 * 1024 == len(json.dumps(metadata, separators=(",", ":")))

    exact = create({**VALID_BODY, "metadata": metadata})
    more = create({**VALID_BODY, "metadata": metadata | {names[-1]: metadata[names[-1]] + "x"}})

    assert 200 == exact["statusCode"]
    assert 400 == more["statusCode"]


def test_every_key_has_another_secret(create: CreateApiKey) -> None:
    """Two keys share neither a secret nor a hash."""
    texts = [json.loads(create()["body"])["data"]["key"] for _ in range(20)]
    secrets = set()
    for text in texts:
        parts = key_parts(text)
        secrets.add(parts.payload[-key_text.SECRET_BYTES :])

    assert 20 == len(secrets)
    assert 20 == len({item["hash"] for item in create.world.table.under("KEY#")})
