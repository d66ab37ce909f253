"""POST /auth/api-keys: successes."""

from __future__ import annotations

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.api.deployment import CREATE, VALID_BODY, Deployment, data
from tests.api.key_text import generation, key_bytes
from tests.api.moments import CLOCK_SECONDS, in_the_future

BODY_BYTES = 64 * 1024


def padded(size: int) -> bytes:
    """Return a valid body with a length in bytes."""
    body = json.dumps({**VALID_BODY, "filler": ""})
    return f"{body[:-2]}{'x' * (size - len(body))}{body[-2:]}".encode()


def test_data_is_exactly_id_and_key(deployment: Deployment) -> None:
    """The response has the key's id and text, and no other field."""
    assert {"id", "key"} == data(deployment.create()).keys()


def test_id_is_a_uuid_of_now(deployment: Deployment) -> None:
    """An id is a UUID of version 7 with the time of creation, in canonical spelling."""
    created = data(deployment.create())["id"]
    key_id = uuid.UUID(created)

    assert str(key_id) == created
    assert 7 == key_id.version
    assert abs((key_id.int >> 80) / 1000 - time.time()) < CLOCK_SECONDS


def test_the_text_contains_organization_and_id(deployment: Deployment) -> None:
    """A text is in format 1 and contains the organization's id, the key's id and generation 0."""
    created = data(deployment.create())
    content = key_bytes(created["key"])

    assert 1 == content[0]
    assert uuid.UUID(deployment.organization_id).bytes == content[2:18]
    assert uuid.UUID(created["id"]).bytes == content[18:34]
    assert 0 == generation(created["key"])


def test_two_keys_have_nothing_secret_in_common(deployment: Deployment) -> None:
    """Two equal requests create keys whose secrets and tags differ in most bytes."""
    first, second = (key_bytes(data(deployment.create())["key"])[36:] for _ in range(2))

    assert sum(a != b for a, b in zip(first, second, strict=True)) > len(first) // 2


def test_forty_at_once(deployment: Deployment) -> None:
    """Forty concurrent requests create forty keys."""
    with ThreadPoolExecutor(40) as pool:
        created = [data(response) for response in pool.map(lambda _: deployment.create(), range(40))]

    assert 40 == len({item["id"] for item in created})
    assert 40 == len({item["key"] for item in created})


def test_request_ids_differ(deployment: Deployment) -> None:
    """Every response has its own request id."""
    ids = {deployment.create().headers["x-request-id"] for _ in range(3)}

    assert 3 == len(ids)


BODIES: dict[str, dict[str, Any]] = {
    "one character": {"name": "a"},
    "120 characters beyond the basic plane": {"name": "\N{ROCKET}" * 120},
    "white space around the name": {"name": "\t a b\r\n"},
    "every permission of the seed": {
        "permissions": ["webhooks:read", "webhooks:write", "sessions:read", "sessions:write", "analytics:read"]
    },
    "a permission twice": {"permissions": ["sessions:read", "sessions:read"]},
    "empty metadata": {"metadata": {}},
    "all kinds of metadata": {"metadata": {"": "", "a b": "x" * 512, "n": 2**53 + 1, "x": 1e300, "z": -0.5, "t": True}},
    "unknown fields": {"unknown": {"nested": [None]}, "__proto__": {}},
}


@pytest.mark.parametrize("fields", BODIES.values(), ids=BODIES.keys())
def test_bodies_at_the_edge(deployment: Deployment, fields: dict[str, Any]) -> None:
    """Bodies that the contract allows are accepted."""
    assert {"id", "key"} == data(deployment.create({**VALID_BODY, **fields})).keys()


def test_64_kib_exactly(deployment: Deployment) -> None:
    """A body of the maximum size is accepted."""
    assert {"id", "key"} == data(deployment.create(padded(BODY_BYTES))).keys()


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", "application/vnd.example+json"]
)
def test_media_types_of_json(deployment: Deployment, content_type: str) -> None:
    """Case, parameters and the suffix +json are accepted (RFC 9110, section 8.3.1; RFC 6839, section 3.1)."""
    assert {"id", "key"} == data(deployment.create(headers={"content-type": content_type})).keys()


def test_no_content_type(deployment: Deployment) -> None:
    """A body without a content-type is parsed as JSON."""
    response = deployment.request("POST", CREATE, content=json.dumps(VALID_BODY).encode())

    assert {"id", "key"} == data(response).keys()


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("2099-01-31T12:00:00Z", "2099-01-31T12:00:00.000Z"),
        ("2099-01-31t13:30:00.9999+01:30", "2099-01-31T12:00:00.999Z"),
        (None, None),
    ],
)
def test_expires_at(deployment: Deployment, sent: str | None, stored: str | None) -> None:
    """A future time of RFC 3339 is stored in UTC with milliseconds; null is no expiry."""
    created = deployment.create_key(expiresAt=sent)

    assert stored == deployment.get_key(created["id"])["expiresAt"]


def test_repeated_with_its_idempotency_key(deployment: Deployment) -> None:
    """Repeats get the bytes of the first response, secret included, and the header idempotent-replayed."""
    headers = {"idempotency-key": str(uuid.uuid4())}
    responses = [deployment.create(headers=headers) for _ in range(3)]

    assert {"id", "key"} == data(responses[0]).keys()
    assert [(200, responses[0].content)] * 3 == [(response.status_code, response.content) for response in responses]
    assert [None, "true", "true"] == [response.headers.get("idempotent-replayed") for response in responses]


def test_repeated_with_another_spelling(deployment: Deployment) -> None:
    """A repeat may differ in order, white space, defaults and unknown fields."""
    headers = {"idempotency-key": str(uuid.uuid4())}
    first = data(deployment.create(b'{"name": "a", "permissions": ["sessions:read"]}', headers=headers))

    assert first == data(
        deployment.create(b' {"permissions":["sessions:read"],"x":1,"metadata":{},"name":" a "}', headers=headers)
    )


def test_repeated_leaves_one_key_and_one_record(deployment: Deployment) -> None:
    """A repeated request creates neither a second key nor a second audit record."""
    headers, body = {"idempotency-key": str(uuid.uuid4())}, {**VALID_BODY, "name": str(uuid.uuid4())}
    created, _ = (data(deployment.create(body, headers=headers)) for _ in range(2))

    keys = deployment.newest(CREATE, since=created["id"])
    assert [created["id"]] == [key["id"] for key in keys if key["name"] == body["name"]]
    records = deployment.records(created["id"])
    assert ["api_key.created"] == [record["event"] for record in records]


def test_twenty_repeats_at_once(deployment: Deployment) -> None:
    """Concurrent repeats of a request create one key."""
    headers = {"idempotency-key": str(uuid.uuid4())}
    with ThreadPoolExecutor(20) as pool:
        responses = list(pool.map(lambda _: deployment.create(headers=headers), range(20)))

    assert [(200, responses[0].content)] * 20 == [(response.status_code, response.content) for response in responses]
    assert 19 == sum(response.headers.get("idempotent-replayed") == "true" for response in responses)


def test_the_idempotency_key_of_another_member(deployment: Deployment) -> None:
    """Idempotency-Keys belong to a user: guessing another user's key reveals no secret."""
    headers = {"idempotency-key": str(uuid.uuid4())}
    first, second = (deployment.create(headers=headers, persona=persona) for persona in ("admin", "owner"))

    assert data(first)["id"] != data(second)["id"]
    assert "idempotent-replayed" not in second.headers


@pytest.mark.parametrize("length", [1, 255])
def test_idempotency_keys_at_the_edge(deployment: Deployment, length: int) -> None:
    """An Idempotency-Key has 1 to 255 characters of printable ASCII."""
    headers = {"idempotency-key": ("~" + uuid.uuid4().hex * 8)[:length]}
    first, second = (deployment.create(headers=headers) for _ in range(2))

    assert data(first) == data(second)


@pytest.mark.deep
def test_repeated_after_the_key_has_expired(deployment: Deployment) -> None:
    """A repeat after its expiresAt gets the first response."""
    headers, body = {"idempotency-key": str(uuid.uuid4())}, {**VALID_BODY, "expiresAt": in_the_future(seconds=2)}
    first = data(deployment.create(body, headers=headers))
    time.sleep(2.5)

    assert first == data(deployment.create(body, headers=headers))
