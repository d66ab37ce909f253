"""Targets of the fuzzers. Each is a function of bytes that fails where the product is wrong.

All targets run without a server, whose answers they stand in for, in the environment that the template gives the
functions.
"""

from __future__ import annotations

import base64
import itertools
import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from keywright.api.endpoint import endpoint
from keywright.api.request import Nothing, Request
from keywright.api.schemas import (
    CreateApiKey,
    Done,
    GetApiKeyUsageQuery,
    ListApiKeysQuery,
    ListAuditLogsQuery,
    Query,
    RevocationQuery,
    RotateApiKey,
    UpdateApiKey,
    VerifyApiKey,
    field_names,
)
from keywright.api.validation import validate
from keywright.authorizers import api_key, policies, session_token
from keywright.domain import access_rules, key_text, keyring, permissions
from keywright.domain.principals import Backend
from keywright.errors import Unauthorized
from keywright.keys.outcome import UnknownKey
from keywright.organizations import events
from keywright.settings import ConfigurationError, settings
from local.authorization import allows
from tests.support.routing import routed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pydantic import BaseModel

LONGEST_MESSAGE = 2000
"""Limit for the message of an error, which names fields and repeats no value."""

# ---- API keys --------------------------------------------------------------------------------------------------

PREFIX = "kk_"
PEPPERS = {1: keyring.derive(b"p" * 64), 2: keyring.derive(b"q" * 64)}
KEYS = [
    key_text.encode(
        PREFIX,
        key_text.payload(
            pepper_version=version,
            organization_id=UUID(int=7),
            key_id=UUID(int=generation),
            generation=generation,
            secret=b"not-a-secret-for-tests",
        ),
        PEPPERS[version].tag_key,
    )
    for version, generation in [(1, 0), (1, 1), (2, 65535)]
]


def key(data: bytes) -> None:
    """Any text that is accepted as a key is an issued one, exactly."""
    text = edited(KEYS[0], data)
    parts = key_text.decode(text, PREFIX, lambda version: PEPPERS[version].tag_key if version in PEPPERS else None)
    if isinstance(parts, key_text.KeyParts):
        assert text in KEYS, "a key that was never issued is accepted"
        assert text == key_text.encode(PREFIX, parts.payload, PEPPERS[parts.pepper_version].tag_key)


def edited(text: str, data: bytes) -> str:
    """Return a text made from bytes: the bytes themselves, or another text with the changes they describe."""
    if not data or data[0] % 2:
        return data[1:].decode("utf-8", "surrogateescape")
    characters = list(text)
    for kind, place, value in zip(data[1::3], data[2::3], data[3::3], strict=False):
        at = place % (len(characters) + 1)
        if kind % 3:
            characters[at : at + 1] = [chr(value)]
        elif kind % 2:
            del characters[at : at + 1 + value % 8]
        else:
            characters.insert(at, chr(value))
    return "".join(characters)


# ---- Headers of keys and sessions ----------------------------------------------------------------------------

ARN = "arn:aws:execute-api:eu-central-1:123456789012:abcdef1234/v1/GET/auth/api-keys/current"


class _Context:
    aws_request_id = "7d2b8f4e-0000-4000-8000-000000000000"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Return the time left."""
        return 10_000


def headers(data: bytes) -> None:
    """The whole value of a header is verified, and an unknown caller is refused."""
    presented: list[str] = []

    def verify(text: str, _: object) -> UnknownKey:
        presented.append(text)
        return UnknownKey("no such key")

    name = ["x-api-key", "authorization", "Authorization", "X-API-KEY"][data[0] % 4 if data else 0]
    value = edited(f"Bearer {KEYS[0]}", data[1:])
    event: Any = {"type": "REQUEST", "methodArn": ARN, "headers": {name: value}}
    if data and data[0] & 4:
        event = {"type": "TOKEN", "methodArn": ARN, "authorizationToken": value}
    answer: Any = None
    with patch.object(api_key, "verify", verify), suppress(Unauthorized):
        answer = api_key.authorize_api_key(event, _Context())
    assert answer is None, "an unknown key is let in"
    rest = value[7:] if value[:7].lower() == "bearer " else value
    assert presented in ([], [rest], [value]), "another text than the presented one is verified"


_SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
_KEY = jwt.PyJWK({**json.loads(OKPAlgorithm.to_jwk(_SIGNER.public_key())), "kid": "1", "alg": "EdDSA"})


class _Keys:
    @staticmethod
    def find(kid: object) -> jwt.PyJWK | None:
        """Return the only key."""
        return _KEY if kid == "1" else None


def _session_token() -> str:
    claims = {
        "iss": settings().oidc_issuer,
        "aud": settings().oidc_audience,
        "sub": "user_1",
        "org_id": str(UUID(int=7)),
        "exp": int(time.time()) + 10**8,
    }
    return jwt.encode(claims, _SIGNER, "EdDSA", headers={"kid": "1"})


TOKEN = _session_token()


def session(data: bytes) -> None:
    """Any text that is accepted as a session is the signed one, but for unused bits of its base64."""
    value = edited(f"Bearer {TOKEN}", data)
    with patch.object(session_token, "issuer_keys", _Keys):
        result = session_token.read(value)
    if isinstance(result, session_token.Session):
        assert _decoded(value[7:]) == _decoded(TOKEN), "a token without a valid signature is accepted"
        assert result.user_id == "user_1"


def _decoded(token: str) -> list[bytes]:
    return [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")]


# ---- Bodies and queries ----------------------------------------------------------------------------------------

_BODIES: list[type[BaseModel]] = [CreateApiKey, UpdateApiKey, RotateApiKey, VerifyApiKey]
_QUERIES: list[type[Query]] = [GetApiKeyUsageQuery, ListApiKeysQuery, ListAuditLogsQuery, RevocationQuery]
_received: list[Any] = []


def _handler(body: type[BaseModel], query: type[Query]) -> Callable[..., Any]:
    @endpoint("fuzz", body=body, query=query, caller=lambda _: Backend("arn:aws:iam::123456789012:role/backend"))
    def handler(request: Request[Any, Any, Backend]) -> Done:
        _received.append((request.body, request.query, request.idempotency_key))
        return Done(message="done")

    return handler


_BODY_HANDLERS = [_handler(model, Nothing) for model in _BODIES]
_QUERY_HANDLERS = [_handler(Nothing, model) for model in _QUERIES]


def body(data: bytes) -> None:
    """A body is refused with a reason, or read as any JSON parser reads it, and read the same when written again."""
    which, content = data[0] if data else 0, data[1:]
    is_encoded = bool(which & 4)
    text = base64.b64encode(content).decode() if is_encoded else content.decode("utf-8", "surrogateescape")
    event = _event(body=text, isBase64Encoded=is_encoded)
    if _asked(_BODY_HANDLERS[which % 4], event):
        received = _received[-1][0]
        model = _BODIES[which % 4]
        if content.strip():
            sent = json.loads(content)
            assert isinstance(sent, dict), "a body other than a JSON object is accepted"
            assert model is CreateApiKey or sent.keys() <= set(field_names(model)), "an unknown field is accepted"
        written = json.loads(received.model_dump_json(by_alias=True, exclude_unset=True))
        if written.get("expiresAt") is None or model is CreateApiKey:
            assert validate(model, written) == received, "a body changes when it is written and read again"


def query(data: bytes) -> None:
    """A query is refused with a reason, or all its parameters are known."""
    which = data[0] if data else 0
    names = field_names(_QUERIES[which % 2])
    parts = data[1:].decode("utf-8", "surrogateescape").split("\n")
    parameters = dict(zip(names, parts, strict=False)) if which & 2 else {names[len(data) % len(names)]: parts[0]}
    if which & 4:
        parameters[parts[-1]] = parts[0]
    if _asked(_QUERY_HANDLERS[which % 2], _event(queryStringParameters=parameters)):
        assert 1 <= _received[-1][1].limit <= 100
        assert parameters.keys() <= set(names), "an unknown parameter is accepted"


def _event(**changes: Any) -> dict[str, Any]:
    return {
        "httpMethod": "POST",
        "headers": {"content-type": "application/json"},
        "queryStringParameters": None,
        "pathParameters": None,
        "body": None,
        "isBase64Encoded": False,
        "requestContext": {
            "requestId": "request-1",
            "stage": "v1",
            "domainName": "abc.execute-api.eu-central-1.amazonaws.com",
            "identity": {"sourceIp": "203.0.113.7"},
        },
        **changes,
    }


def _asked(handler: Callable[..., Any], event: Mapping[str, Any]) -> bool:
    """Call a handler, whose answer must be in the envelope; return whether the request was valid."""
    _received.clear()
    answer = handler(event, _Context())
    content = json.loads(answer["body"].encode())
    if answer["statusCode"] == 200:
        assert content["error"] is None
        return True
    assert answer["statusCode"] in {400, 413}, f"{answer['statusCode']}: {answer['body'][:200]}"
    error = content["error"]
    assert content["data"] is None
    assert error.keys() == {"code", "message", "hint", "docs"}
    assert all(isinstance(text, str) and text for text in error.values())
    assert len(error["message"]) < LONGEST_MESSAGE
    assert not _received, "a request that is refused was carried out"
    return False


# ---- Rules and policies ----------------------------------------------------------------------------------------

API = "arn:aws:execute-api:eu-central-1:123456789012:abcdef1234/prod/"
_PERMISSIONS = ["sessions:read", "sessions:write", "analytics:read"]
_SEGMENTS = ["a", "b", "{x}"]
_REQUESTS = [
    (method, "/" + "/".join(segments))
    for method in ("GET", "POST")
    for length in range(1, 5)
    for segments in itertools.product("ab1", repeat=length)
]
_PART = 12
"""Every twelfth request is made: more inputs find more than more requests each."""


def policy(data: bytes) -> None:
    """A policy never allows a request that the rules refuse; the simple answer is that of the rules.

    Neither allows another spelling of a path.
    """
    values = iter(data)
    named = list(_rules(values))
    granted = [name for index, name in enumerate(_PERMISSIONS) if next(values, 0) >> index & 1]
    try:
        access = policies.expressible_rules(
            json.dumps([dict(zip(("method", "path", "permission"), rule, strict=True)) for rule in named])
        )
    except ConfigurationError:  # no policy can express these rules, or two are equal
        return
    statements: Any = tuple(dict(statement) for statement in policies.statements_for(granted, access, API))
    may = permissions.effective(granted)
    for method, path in _REQUESTS[next(values, 0) % _PART :: _PART] if named else ():
        route = routed(named, method, path)
        is_allowed = route is not None and (route[2] is None or route[2] in may)
        assert is_allowed == (access.missing(method, path, granted) == ())
        if route is not None and not is_allowed:
            assert not allows(statements, f"{API}{method}{path}"), f"{method} {path} is allowed by {named}"
        for spelled in (f"/{path}", path.replace("a", "%61"), f"/b/..{path}", path.replace("/", "%2f")):
            if spelled != path and named:
                assert access.missing(method, spelled, granted) == access_rules.RouteClosed(), (
                    f"{method} {spelled} is allowed by {named}"
                )
                assert not allows(statements, f"{API}{method}{spelled}"), f"{method} {spelled} is allowed by {named}"


def _rules(values: Iterator[int]) -> Iterator[tuple[str, str, str | None]]:
    for _ in range(next(values, 0) % 6):
        value = next(values, 0)
        length, method = 1 + value % 4, ["GET", "POST", "ANY"][value // 4 % 3]
        segments = [_SEGMENTS[next(values, 0) % 3] for _ in range(length)]
        rest = ["{rest+}"] if value & 128 else []
        yield method, "/" + "/".join(segments + rest), [None, *_PERMISSIONS][next(values, 0) % 4]


def rules(data: bytes) -> None:
    """A setting is read, or refused with a reason."""
    with suppress(ConfigurationError):
        policies.expressible_rules(data.decode("utf-8", "surrogateescape"))


# ---- Events of the identity provider ---------------------------------------------------------------------------


def require_sentence(text: str) -> None:
    """Check that a reason can be logged."""
    assert text
    assert len(text.encode()) < LONGEST_MESSAGE


def event(data: bytes) -> None:
    """An event is refused with a reason, or read the same when written and read again."""
    try:
        parsed = events.parse_event(data.decode("utf-8", "surrogateescape"))
    except events.UnusableEventError as error:
        require_sentence(str(error))
        return
    written = parsed.model_dump_json(by_alias=True, exclude_unset=True)
    assert events.parse_event(written) == parsed, "an event changes when it is written and read again"


TARGETS = {
    "key": key,
    "headers": headers,
    "session": session,
    "body": body,
    "query": query,
    "policy": policy,
    "rules": rules,
    "event": event,
}

_MEMBER_ADDED = {
    "detail-type": "member.added",
    "source": "com.example.identity",
    "detail": {
        "eventId": "evt_1",
        "time": "2026-03-01T12:00:00.000Z",
        "organization": {"id": str(UUID(int=7))},
        "member": {"userId": "user_1", "role": "admin"},
    },
}

SEEDS: dict[str, list[bytes]] = {
    "key": [b"\0", *[b"\1" + text.encode() for text in KEYS], b"\0\1\5A", b"\0\3\5\1"],
    "headers": [b"\0\0", b"\1\0", b"\4\0", b"\5\1Bearer "],
    "session": [b"\0", b"\1Bearer " + TOKEN.encode(), b"\0\1\20A", b"\1" + TOKEN.encode()],
    "body": [
        b'\0{"name": "CI", "permissions": ["sessions:read"], "metadata": {"team": "a", "n": 1, "t": true}}',
        b'\0{"name": "CI", "permissions": ["sessions:read"], "expiresAt": "2099-01-01T00:00:00Z"}',
        b'\1{"name": "CI", "enabled": false}',
        b'\1{"rateLimit": {"limit": 60, "windowSeconds": 60, "burst": 9}, "quota": {"limit": 5, "period": "month"}}',
        b'\1{"allowedIps": ["192.0.2.0/24", "::ffff:192.0.2.1", "2001:db8::1"]}',
        b'\3{"key": "kk_", "clientIp": "192.0.2.1", "cost": 0}',
        b'\2{"gracePeriodSeconds": 60}',
        b'\2{"gracePeriod": 60}',
        b'\3{"key": "kk_", "permissions": ["sessions:read"]}',
        b'\4{"name": "\xc3\xa9", "permissions": ["webhooks:write"], "metadata": {}}',
    ],
    "query": [
        b"\x02100\n01980000-0000-7000-8000-000000000001\ntrue",
        b"\x02100\n01980000-0000-7000-8000-000000000001\ntrue\nsessions:read",
        b"\x03100\n01980000-0000-7000-8000-000000000001\napi_key.created",
        b"\x06100\nlimti",
    ],
    "policy": [bytes([3, 0, 0, 1, 1, 0, 2, 2, 8, 1, 3, 255]), bytes([2, 128, 2, 0, 1, 1, 0, 3, 7])],
    "rules": [b"[]", b'[{"method": "GET", "path": "/sessions/{id}", "permission": "sessions:read"}]'],
    "event": [
        json.dumps(_MEMBER_ADDED).encode(),
        json.dumps({**_MEMBER_ADDED, "detail-type": "member.updated"}).encode(),
        json.dumps({**_MEMBER_ADDED, "detail-type": "organization.deletion_requested"}).encode(),
    ],
}
