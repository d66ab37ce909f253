"""POST /auth/api-keys: 200."""

from __future__ import annotations

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.deployment import CREATE, VALID_BODY, data
from tests.api.key_text import key_bytes
from tests.api.moments import CLOCK_SECONDS, in_the_future

if TYPE_CHECKING:
    from tests.api.deployment import Deployment

BODY_BYTES = 64 * 1024


def padded(size: int) -> bytes:
    """Return a valid body of this many bytes."""
    body = json.dumps({**VALID_BODY, "filler": ""})
    return f"{body[:-2]}{'x' * (size - len(body))}{body[-2:]}".encode()


def test_data_is_exactly_id_and_key(deployment: Deployment) -> None:
    """Nothing else comes with the key."""
    assert {"id", "key"} == data(deployment.create()).keys()


def test_id_is_a_uuid_of_now(deployment: Deployment) -> None:
    """Ids are UUIDs of version 7 in their usual spelling: they sort by creation."""
    created = data(deployment.create())["id"]
    key_id = uuid.UUID(created)

    assert (str(key_id), 7) == (created, key_id.version)
    assert abs((key_id.int >> 80) / 1000 - time.time()) < CLOCK_SECONDS


def test_key_names_its_organization_and_id(deployment: Deployment) -> None:
    """A prefix and 86 base62 characters: format 1, the organization's UUID, the key's id, generation 0."""
    created = data(deployment.create())
    content = key_bytes(created["key"])

    assert (1, uuid.UUID(deployment.organization_id), uuid.UUID(created["id"]), 0) == (
        content[0],
        uuid.UUID(bytes=content[2:18]),
        uuid.UUID(bytes=content[18:34]),
        int.from_bytes(content[34:36]),
    )


def test_two_keys_have_nothing_secret_in_common(deployment: Deployment) -> None:
    """The same request twice makes two keys; secret and tag differ in most of their bytes."""
    first, second = (key_bytes(data(deployment.create())["key"])[36:] for _ in range(2))

    assert sum(a != b for a, b in zip(first, second, strict=True)) > len(first) // 2


def test_forty_at_once(deployment: Deployment) -> None:
    """Creates that arrive together do not get in each other's way."""
    with ThreadPoolExecutor(40) as pool:
        created = [data(response) for response in pool.map(lambda _: deployment.create(), range(40))]

    assert (40, 40) == (len({item["id"] for item in created}), len({item["key"] for item in created}))


def test_request_ids_differ(deployment: Deployment) -> None:
    """Each answer can be told from any other in the log."""
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
    """The largest body that is allowed is allowed."""
    assert {"id", "key"} == data(deployment.create(padded(BODY_BYTES))).keys()


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", "application/vnd.example+json"]
)
def test_json_under_its_other_names(deployment: Deployment, content_type: str) -> None:
    """Media types are compared as RFC 9110 and RFC 6839 have it."""
    assert {"id", "key"} == data(deployment.create(headers={"content-type": content_type})).keys()


def test_no_content_type(deployment: Deployment) -> None:
    """A body that does not say what it is is taken for JSON."""
    response = deployment.request("POST", CREATE, content=json.dumps(VALID_BODY).encode())

    assert {"id", "key"} == data(response).keys()


def test_a_query_is_ignored(deployment: Deployment) -> None:
    """Unknown query parameters are ignored."""
    response = deployment.request("POST", f"{CREATE}?name=x&name=y", json=VALID_BODY)

    assert {"id", "key"} == data(response).keys()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2099-01-31T12:00:00Z", "2099-01-31T12:00:00.000Z"),
        ("2099-01-31t13:30:00.9999+01:30", "2099-01-31T12:00:00.999Z"),
        (None, None),
    ],
)
def test_expires_at(deployment: Deployment, given: str | None, kept: str | None) -> None:
    """Any time of RFC 3339 that is to come, kept in UTC with milliseconds; null is none."""
    created = deployment.create_key(expiresAt=given)

    assert kept == deployment.get_key(created["id"])["expiresAt"]


def test_repeated_with_its_idempotency_key(deployment: Deployment) -> None:
    """A repeat gets the very same bytes, secret included, and is told that it is one; the first time is not."""
    headers = {"idempotency-key": str(uuid.uuid4())}
    responses = [deployment.create(headers=headers) for _ in range(3)]

    assert {"id", "key"} == data(responses[0]).keys()
    assert [(200, responses[0].content)] * 3 == [(response.status_code, response.content) for response in responses]
    assert [None, "true", "true"] == [response.headers.get("idempotent-replayed") for response in responses]


def test_repeated_in_other_words(deployment: Deployment) -> None:
    """Bodies are compared by content: order, white space and unknown fields do not matter."""
    headers = {"idempotency-key": str(uuid.uuid4())}
    first = data(deployment.create(b'{"name": "a", "permissions": ["sessions:read"]}', headers=headers))

    assert first == data(
        deployment.create(b' {"permissions":["sessions:read"],"x":1,"metadata":{},"name":" a "}', headers=headers)
    )


def test_repeated_leaves_one_key_and_one_record(deployment: Deployment) -> None:
    """A repeated request creates no second key."""
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
    """From one character to 255 of printable ASCII; the same one leads to the same answer."""
    headers = {"idempotency-key": ("~" + uuid.uuid4().hex * 8)[:length]}
    first, second = (deployment.create(headers=headers) for _ in range(2))

    assert data(first) == data(second)


def test_repeated_after_the_key_has_expired(deployment: Deployment) -> None:
    """A repeat may come when the time in it is over; it is the same request all the same."""
    headers, body = {"idempotency-key": str(uuid.uuid4())}, {**VALID_BODY, "expiresAt": in_the_future(seconds=2)}
    first = data(deployment.create(body, headers=headers))
    time.sleep(2.5)

    assert first == data(deployment.create(body, headers=headers))
