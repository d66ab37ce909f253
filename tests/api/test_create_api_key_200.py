"""POST /auth/api-keys: 200."""

from __future__ import annotations

import json
import re
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.deployment import CREATE, VALID_BODY, data

if TYPE_CHECKING:
    from tests.api.deployment import Deployment

KEY = re.compile(r"([a-z][a-z0-9_]{0,18}_)([0-9A-Za-z]{86})")
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CLOCK_SECONDS = 300
"""How far the deployment's clock may be from ours."""

BODY_BYTES = 64 * 1024


def key_bytes(text: str) -> bytes:
    """Decode the 64 bytes of a key."""
    match = KEY.fullmatch(text)
    assert match
    number = 0
    for character in match[2]:
        number = number * 62 + ALPHABET.index(character)
    return number.to_bytes(64)


def padded(size: int) -> bytes:
    """Give a valid body of so many bytes."""
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
    "control characters": {"name": "a\x00\x1f\x7f\u2028b"},
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
    """What the contract accepts is accepted."""
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
    """What follows a question mark changes nothing."""
    response = deployment.request("POST", f"{CREATE}?name=x&name=y", json=VALID_BODY)

    assert {"id", "key"} == data(response).keys()
