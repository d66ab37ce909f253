"""The endpoints that take a body: how it is read, and when it is refused."""

from __future__ import annotations

import base64
import json
import logging
from typing import TYPE_CHECKING

import pytest

from tests.support.endpoints import CREATE, ROTATE, UPDATE, VERIFY, VERIFY_BATCH, Endpoint, each
from tests.support.sample_keys import PASTED_KEY, pasted_key_parts

if TYPE_CHECKING:
    from tests.support.client import Call

LONGEST_BODY_BYTES = 64 * 1024
WITH_A_BODY = (CREATE, UPDATE, ROTATE, VERIFY, VERIFY_BATCH)


def in_each_field(value: str) -> str:
    """Return a body with a value, as JSON, in each field that one of the endpoints knows."""
    fields = ("name", "permissions", "enabled", "expiresAt", "key", "verifications", "gracePeriodSeconds")
    return "{" + ", ".join([f'"metadata": {{"a": {value}}}', *(f'"{field}": {value}' for field in fields)]) + "}"


HOSTILE_BODIES = {
    "white space": " ",
    "array": "[]",
    "null": "null",
    "boolean": "true",
    "string": '"name"',
    "number": "60",
    "form": "name=CI",
    "not closed": "{",
    "NaN": in_each_field("NaN"),
    "1e400": in_each_field("1e400"),
    "5,000 digits": in_each_field("9" * 5_000),
    "a name twice": '{"name": "a", "name": "b"}',
    "30,000 nested arrays": "[" * 30_000 + "]" * 30_000,
    "500 nested arrays": in_each_field("[" * 500 + "]" * 500),
    "lone surrogate as a name": '{"\\ud800": 1}',
    "lone surrogate": in_each_field('"\\ud800"'),
    "lone surrogate, raw": in_each_field('"\ud800"'),
    "byte order mark": "\ufeff{}",
}


@each(*WITH_A_BODY)
def test_400_hostile_bodies(call: Call, endpoint: Endpoint) -> None:
    """A hostile body gets a 400 in the envelope, never a 5xx."""
    endpoint.prepare(call.table)

    refusals = {name: call.refused(body) for name, body in HOSTILE_BODIES.items()}

    assert dict.fromkeys(HOSTILE_BODIES, (400, "BAD_REQUEST")) == {
        name: (refusal.status, refusal.code) for name, refusal in refusals.items()
    }


@pytest.mark.parametrize("body", [None, ""])
@each(CREATE, UPDATE, VERIFY)
def test_400_no_body(call: Call, endpoint: Endpoint, body: str | None) -> None:
    """A missing body, for which API Gateway sends null, is refused; a rotation needs none."""
    endpoint.prepare(call.table)

    message = "the body contains no changes" if endpoint == UPDATE else "The request has no body"
    assert message == call.refused(body).message


@pytest.mark.parametrize(
    "text", ["AA", "!!!!", "e", "eyJuYW1l!!!", "\N{SNOWMAN}", "{}", base64.b64encode(b'{"a": "\xff"}').decode()]
)
@each(*WITH_A_BODY)
def test_400_invalid_base64(call: Call, endpoint: Endpoint, text: str) -> None:
    """A body marked as base64 must be base64 of UTF-8."""
    endpoint.prepare(call.table)

    assert 400 == call.refused(text, isBase64Encoded=True).status


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json", ""]
)
@each(*WITH_A_BODY)
def test_400_another_content_type(call: Call, endpoint: Endpoint, content_type: str) -> None:
    """A body with another content type is not parsed as JSON; the hint names the right one."""
    endpoint.prepare(call.table)

    refusal = call.refused(endpoint.body or {}, headers={"content-type": content_type})

    assert 400 == refusal.status
    assert "content-type: application/json" in refusal.hint


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
@each(*WITH_A_BODY)
def test_every_json_media_type_is_accepted(call: Call, endpoint: Endpoint, headers: dict[str, str] | None) -> None:
    """A media type in any case, with parameters or a JSON suffix, or no content-type at all, is read as JSON."""
    endpoint.prepare(call.table)

    assert 200 == call(endpoint.body or {}, headers=headers)["statusCode"]


@each(*WITH_A_BODY)
def test_a_base64_body_is_decoded(call: Call, endpoint: Endpoint) -> None:
    """A base64 body is decoded: API Gateway encodes media types that the API declares as binary."""
    endpoint.prepare(call.table)
    body = base64.b64encode(json.dumps(endpoint.body or {}).encode()).decode()

    assert 200 == call(body, isBase64Encoded=True)["statusCode"]


@each(*WITH_A_BODY)
def test_413_a_large_body(call: Call, endpoint: Endpoint) -> None:
    """A body of more than 64 KiB, counted in bytes, is refused; one of exactly 64 KiB is not."""
    endpoint.prepare(call.table)
    longest = json.dumps(endpoint.body or {}).ljust(LONGEST_BODY_BYTES)

    refusal = call.refused(longest + " ")

    assert 413 == refusal.status
    assert "PAYLOAD_TOO_LARGE" == refusal.code
    assert 200 == call(longest)["statusCode"]


UNKNOWN = {
    "enable": "Did you mean enabled?",
    "expires_at": "Did you mean expiresAt?",
    "Expires-At": "Did you mean expiresAt?",
    "gracePeriod": "Did you mean gracePeriodSeconds?",
    "grace_period_seconds": "Did you mean gracePeriodSeconds?",
    "permission": "Did you mean permissions?",
    "KEY": "Did you mean key?",
}
FIELDS = {
    "update_api_key": "name, enabled, permissions, metadata, expiresAt, rateLimit, quota, allowedIps, leak, reason",
    "rotate_api_key": "gracePeriodSeconds, reason",
    "verify_api_key": "key, permissions, cost, clientIp",
}


@pytest.mark.parametrize("name", [*UNKNOWN, "version", "", "__proto__", "a b", "x" * 60_000])
@each(UPDATE, ROTATE, VERIFY)
def test_400_an_unknown_field(call: Call, endpoint: Endpoint, name: str) -> None:
    """An unknown field is refused, and nothing is done; the hint names the known one nearest to it, or all."""
    endpoint.prepare(call.table)

    refusal = call.refused((endpoint.body or {}) | {name: None})

    assert 400 == refusal.status
    assert "BAD_REQUEST" == refusal.code
    assert refusal.message.endswith(" is not a field of this request")
    known = FIELDS[endpoint.name]
    nearest = UNKNOWN.get(name, "")
    assert refusal.hint == (nearest if nearest[13:-1] in known.split(", ") else f"The fields are: {known}.")


@pytest.mark.parametrize("name", ["expires_at", "expires-at", "ExpiresAt", "expiresat", "Name", "META_DATA", "_name"])
@each(CREATE)
def test_400_a_misspelled_field(call: Call, endpoint: Endpoint, name: str) -> None:
    """A create refuses a name that differs from a known one in case, `_` or `-` only; the hint has the right one."""
    refusal = call.refused((endpoint.body or {}) | {name: "2099-01-01T00:00:00Z"})

    assert 400 == refusal.status
    assert "BAD_REQUEST" == refusal.code
    assert f"{name} is not a field of this request" == refusal.message.replace('"', "")
    known = {field.lower(): field for field in ("name", "metadata", "expiresAt")}
    assert f"Did you mean {known[name.lower().replace('_', '').replace('-', '')]}?" == refusal.hint


@pytest.mark.parametrize(
    "name", ["enable", "expires", "expiry", "expireAt", "names", "permission", "", "\ud800", "nám"]
)
@each(CREATE)
def test_other_fields_of_a_create_are_ignored(call: Call, endpoint: Endpoint, name: str) -> None:
    """The contract of a create allows additional properties."""
    assert 200 == call((endpoint.body or {}) | {name: {"nested": [None]}})["statusCode"]


@each(UPDATE)
def test_each_problem_has_a_hint(call: Call, endpoint: Endpoint) -> None:
    """The hint speaks of every problem of the message, once."""
    endpoint.prepare(call.table)

    refusal = call.refused({"name": 1, "enable": False, "version": 2, "id": "x"})

    assert "name must be a string; enable is not a field of this request; version is not a field of this request" in (
        refusal.message
    )
    assert refusal.message.endswith("; and 1 more")
    assert (
        "name is a string of 1 to 120 characters. Did you mean enabled? "
        "The fields are: name, enabled, permissions, metadata, expiresAt, rateLimit, quota, allowedIps, leak, reason."
    ) == refusal.hint


@each(UPDATE, ROTATE, VERIFY)
def test_the_name_of_an_unknown_field_is_not_logged(
    call: Call, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller chose it, and it can be a key."""
    with caplog.at_level(logging.DEBUG, logger="keywright"):
        refusal = call.refused((endpoint.body or {}) | {PASTED_KEY: PASTED_KEY, f"_{PASTED_KEY[:20]}": 1})

    logged = repr([record.__dict__ for record in caplog.records])
    assert 400 == refusal.status
    assert "unknown field" in logged
    assert [] == pasted_key_parts(logged)


@pytest.mark.parametrize("idempotency_key", ["", "x" * 256, "a\tb", "\N{SNOWMAN}", "a\n"])
@each(CREATE, ROTATE)
def test_400_an_invalid_idempotency_key(call: Call, endpoint: Endpoint, idempotency_key: str) -> None:
    """An Idempotency-Key has 1 to 255 printable ASCII characters; with another one nothing is done."""
    endpoint.prepare(call.table)

    refusal = call.refused(endpoint.body, headers={"idempotency-key": idempotency_key})

    assert 400 == refusal.status
    assert "The Idempotency-Key must have 1 to 255 printable ASCII characters" == refusal.message
