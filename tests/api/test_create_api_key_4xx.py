"""POST /auth/api-keys: errors. No request leads to a 5xx."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

import pytest

from tests.api.deployment import CREATE, VALID_BODY, Deployment, data

BODY_BYTES = 64 * 1024


def with_metadata(value: str) -> bytes:
    """Return a body whose metadata has one value, given as JSON text."""
    return f'{{"name": "a", "permissions": ["sessions:read"], "metadata": {{"a": {value}}}}}'.encode()


HOSTILE = {
    "empty": b"",
    "white space": b" \r\n",
    "not json": b"{",
    "a form": b"name=a&permissions=sessions:read",
    "array": b"[]",
    "null": b"null",
    "string": b'"a"',
    # A field is missing, so the body stays invalid if a gateway replaces the bytes.
    "invalid UTF-8": b'{"name": "\xff\xfe"}',
    "UTF-16": json.dumps(VALID_BODY).encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(VALID_BODY).encode(),
    "zero bytes": b"\x00" * 100,
    "base64": base64.b64encode(json.dumps(VALID_BODY).encode()),
    "NaN": with_metadata("NaN"),
    "minus infinity": with_metadata("-Infinity"),
    "1e400": with_metadata("1e400"),
    "10,000 digits": with_metadata("9" * 10_000),
    "lone surrogate in the name": b'{"name": "\\ud800", "permissions": ["sessions:read"]}',
    "lone surrogate in a value": with_metadata('"\\udfff"'),
    "lone surrogate in a permission": b'{"name": "a", "permissions": ["\\ud800"]}',
    "duplicate keys": b'{"name": "a", "name": "b", "permissions": ["sessions:read"]}',
    "30,000 nested arrays": b"[" * 30_000 + b"]" * 30_000,
    "10,000 nested objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "30,000 arrays that are never closed": b"[" * 30_000,
    "nested in metadata": with_metadata("[" * 500 + "]" * 500),
    "two documents": b'{"name": "a", "permissions": ["sessions:read"]} {}',
    "5,000 unknown permissions": json.dumps({"name": "a", "permissions": ["x"] * 5000}).encode(),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_400_hostile_bodies(deployment: Deployment, body: bytes) -> None:
    """A hostile body is refused with 400 and the usual error."""
    assert (400, "BAD_REQUEST") == deployment.refusal(deployment.create(body))


INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "no name": ({"permissions": ["sessions:read"]}, "name"),
    "name is null": ({**VALID_BODY, "name": None}, "name"),
    "name is empty": ({**VALID_BODY, "name": ""}, "name"),
    "name holds a control character": ({**VALID_BODY, "name": "a\x1b[2Jb"}, "name"),
    "name is blank": ({**VALID_BODY, "name": "\t\u00a0"}, "name"),
    "name of 121 characters": ({**VALID_BODY, "name": "a" * 121}, "name"),
    "no permissions": ({"name": "a"}, "permissions"),
    "permissions are empty": ({**VALID_BODY, "permissions": []}, "permissions"),
    "permissions are a string": ({**VALID_BODY, "permissions": "sessions:read"}, "permissions"),
    "unknown permission": ({**VALID_BODY, "permissions": ["sessions:read", "root"]}, "permissions[1]"),
    "metadata is null": ({**VALID_BODY, "metadata": None}, "metadata"),
    "metadata is an array": ({**VALID_BODY, "metadata": []}, "metadata"),
    "metadata holds null": ({**VALID_BODY, "metadata": {"plan": None}}, "metadata.plan"),
    "metadata holds an object": ({**VALID_BODY, "metadata": {"plan": {}}}, "metadata.plan"),
    "metadata string of 513 characters": ({**VALID_BODY, "metadata": {"plan": "x" * 513}}, "metadata.plan"),
    "expiresAt is a number": ({**VALID_BODY, "expiresAt": 4102444800}, "expiresAt"),
    "expiresAt without its zone": ({**VALID_BODY, "expiresAt": "2099-01-31T12:00:00"}, "expiresAt"),
    "expiresAt of no calendar": ({**VALID_BODY, "expiresAt": "2099-02-30T12:00:00Z"}, "expiresAt"),
    "expiresAt before year 1": ({**VALID_BODY, "expiresAt": "0001-01-01T00:00:00+14:00"}, "expiresAt"),
    "expiresAt in the past": ({**VALID_BODY, "expiresAt": "2026-01-01T00:00:00Z"}, "expiresAt"),
    "metadata over 16 KiB": ({**VALID_BODY, "metadata": {str(n): "x" * 512 for n in range(32)}}, "metadata"),
}


@pytest.mark.parametrize(("body", "place"), INVALID.values(), ids=INVALID.keys())
def test_400_names_the_field(deployment: Deployment, body: dict[str, Any], place: str) -> None:
    """The message begins with the place of the invalid value."""
    response = deployment.create(body)

    assert (400, "BAD_REQUEST") == deployment.refusal(response)
    assert place == response.json()["error"]["message"].split(" ")[0]


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json"]
)
def test_400_another_content_type(deployment: Deployment, content_type: str) -> None:
    """A body with another content-type is not parsed as JSON."""
    response = deployment.create(headers={"content-type": content_type})

    assert (400, "BAD_REQUEST") == deployment.refusal(response)


LARGE = {
    "64 KiB and a byte": json.dumps(VALID_BODY).encode().ljust(BODY_BYTES + 1),
    "64 KiB in fewer characters": json.dumps({**VALID_BODY, "x": "\N{SNOWMAN}" * 22_000}, ensure_ascii=False).encode(),
    "100,000 nested arrays": b"[" * 100_000 + b"]" * 100_000,
    "a million zero bytes": b"\x00" * 1_000_000,
}


@pytest.mark.parametrize("body", LARGE.values(), ids=LARGE.keys())
def test_413_more_than_64_kib(deployment: Deployment, body: bytes) -> None:
    """The size in bytes is checked before the body is parsed."""
    assert (413, "PAYLOAD_TOO_LARGE") == deployment.refusal(deployment.create(body))


def test_400_comes_before_403_and_410(deployment: Deployment) -> None:
    """A body is validated before the caller's role and the organization's state are checked."""
    refused = [deployment.refusal(deployment.create(b"{", persona=persona)) for persona in ("outsider", "frozen_admin")]

    assert [(400, "BAD_REQUEST")] * 2 == refused


@pytest.mark.parametrize(
    "key", [b"x" * 256, "\N{LATIN SMALL LETTER E WITH ACUTE}".encode("latin-1"), b"a\tb"], ids=["long", "latin", "tab"]
)
def test_400_idempotency_key(deployment: Deployment, key: bytes) -> None:
    """An Idempotency-Key that is too long or not printable ASCII is refused."""
    response = deployment.client.post(
        deployment.base_url + CREATE,
        json=VALID_BODY,
        headers=[(b"authorization", f"Bearer {deployment.tokens['admin']}".encode()), (b"idempotency-key", key)],
    )

    assert (400, "BAD_REQUEST") == deployment.refusal(response)


@pytest.mark.parametrize("change", [{"name": "b"}, {"metadata": {"a": 1}}, {"expiresAt": "2099-01-01T00:00:00Z"}])
def test_422_another_body(deployment: Deployment, change: dict[str, Any]) -> None:
    """An Idempotency-Key belongs to one request; another body with it is refused."""
    headers = {"idempotency-key": str(uuid.uuid4())}
    assert {"id", "key"} == data(deployment.create(headers=headers)).keys()

    response = deployment.create({**VALID_BODY, **change}, headers=headers)

    assert (422, "IDEMPOTENCY_KEY_REUSED") == deployment.refusal(response)


def test_422_another_operation(deployment: Deployment) -> None:
    """The Idempotency-Key of a create request is refused for a rotation."""
    headers = {"idempotency-key": str(uuid.uuid4())}
    created = data(deployment.create(headers=headers))

    response = deployment.rotate(created["id"], headers=headers)

    assert (422, "IDEMPOTENCY_KEY_REUSED") == deployment.refusal(response)


def test_a_refusal_is_not_kept(deployment: Deployment) -> None:
    """A refused request does not use its Idempotency-Key: the corrected request can send the same one."""
    headers = {"idempotency-key": str(uuid.uuid4())}
    refused = deployment.create({**VALID_BODY, "name": ""}, headers=headers)

    assert (400, "BAD_REQUEST") == deployment.refusal(refused)
    assert {"id", "key"} == data(deployment.create(headers=headers)).keys()
