"""Requests and authorizer questions in events/: replayed, and checked against the forms of API Gateway.

events/README.md describes a folder's files, and the matchers in expected.json.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, SupportsBytes, cast
from urllib.parse import urlsplit

import boto3
import pytest
from boto3.dynamodb.types import Binary
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from keywright.authorizers import oidc, session_token
from keywright.domain import keyring
from local import authorization
from local import identity_provider as development
from local.options import Options
from local.server import HOST
from tests.conftest import ROOT
from tests.issuer import AUDIENCE
from tests.keys import SampleKey

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

    from local.iam import Decision
    from local.template import Stack
    from tests.world import World

EVENTS = ROOT / "events"

# ---- The cases -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A folder of events/: `<function>/<status>_<case>`."""

    folder: Path

    @property
    def function(self) -> str:
        """Return the function's folder name."""
        return self.folder.parent.name

    @property
    def status(self) -> int:
        """Return the status that the caller of the API sees."""
        return int(self.folder.name.split("_", 1)[0])

    @cached_property
    def event(self) -> dict[str, Any]:
        """Return the event of the invocation."""
        return self._read("event.json")

    @cached_property
    def expected(self) -> dict[str, Any]:
        """Return the expected outcome."""
        return self._read("expected.json")

    @cached_property
    def seed(self) -> dict[str, Any]:
        """Return the state before the invocation."""
        return self._read("seed.json")

    @property
    def is_request(self) -> bool:
        """Return whether this is a request, not a question to an authorizer."""
        return "type" not in self.event

    def _read(self, name: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / name).read_text(encoding="utf-8"))
        return content

    def __str__(self) -> str:
        return f"{self.function}-{self.folder.name}"


WITHOUT_STATUS = {"purge_organizations", "sync_organizations"}
"""Functions without a caller, so without a status; tests/test_messages.py replays their events."""

CASES = [Case(folder) for folder in sorted(EVENTS.glob("*/*/")) if folder.parent.name not in WITHOUT_STATUS]
REQUESTS = [case for case in CASES if case.is_request]
QUESTIONS = [case for case in CASES if not case.is_request]

# Two statuses need more than a seed: a 409 of create_api_key needs a repeated id, and one of update_api_key needs
# two concurrent changes between the function's reads and writes.
STATUSES = {
    "authorize_api_key": {200, 401, 403, 503},
    "authorize_session": {200, 401, 403, 503},
    "cancel_organization_deletion": {200, 204, 401, 403, 409, 500, 503},
    "create_api_key": {200, 204, 400, 401, 403, 410, 413, 422, 500, 503},
    "delete_api_key": {200, 401, 403, 404, 410, 500, 503},
    "get_api_key": {200, 401, 403, 404, 500, 503},
    "get_current_api_key": {200, 204, 401, 500, 503},
    "get_openapi": {200, 204, 500},
    "get_reference": {200, 204},
    "list_api_keys": {200, 400, 401, 403, 500, 503},
    "list_audit_logs": {200, 204, 400, 401, 403, 500, 503},
    "request_organization_deletion": {200, 204, 401, 403, 410, 500, 503},
    "rotate_api_key": {200, 204, 400, 401, 403, 404, 409, 410, 413, 422, 500, 503},
    "update_api_key": {200, 204, 400, 401, 403, 404, 410, 413, 500, 503},
    "verify_api_key": {200, 400, 413, 500, 503},
}

# ---- Replay --------------------------------------------------------------------------------------------------

NOBODY = "http://127.0.0.1:1"
"""An address on which no server listens."""

DEVELOPMENT_ISSUER = f"http://{HOST}:{Options().port + 1}"
"""The identity provider of `make run`."""


@pytest.fixture
def development_issuer(monkeypatch: pytest.MonkeyPatch, setting: Callable[[str, str], None]) -> None:
    """Trust the development identity provider, and serve its documents without a port."""
    provider = development.IdentityProvider(DEVELOPMENT_ISSUER, AUDIENCE, "org_id")
    fetch_document = oidc.fetch_document

    def fetch(url: str) -> Mapping[str, object]:
        if not url.startswith(f"{DEVELOPMENT_ISSUER}/"):
            return fetch_document(url)
        document: dict[str, object] = json.loads(b"".join(provider({"PATH_INFO": urlsplit(url).path}, _ignore)))
        return document

    monkeypatch.setattr(oidc, "fetch_document", fetch)
    setting("OIDC_ISSUER", DEVELOPMENT_ISSUER)


def _ignore(*_: object) -> Callable[[bytes], None]:
    """Ignore a WSGI application's status and headers."""
    return lambda _: None


@pytest.mark.usefixtures("development_issuer", "no_waiting")
@pytest.mark.parametrize("case", CASES, ids=str)
def test_replay(
    case: Case,
    world: World,
    setting: Callable[[str, str], None],
    load_handler: Callable[[str], Callable[..., object]],
    decisions: Collection[Decision],
) -> None:
    """GIVEN a case's seed WHEN the function gets the event THEN answer and writes are as expected.

    The function's role allows all requests; tests/test_roles.py tests that it allows no others.
    """
    assert [] == replayed(case, world, setting, load_handler)
    assert [] == [decision for decision in decisions if not decision.is_allowed]


def replayed(
    case: Case,
    world: World,
    setting: Callable[[str, str], None],
    load_handler: Callable[[str], Callable[..., object]],
) -> list[str]:
    """Return the differences between the expected and the actual outcome of an event."""
    prepare(case.seed, world, setting)
    before = items(world)
    outcome = invoke(load_handler(case.function), case.event, world)
    return differences({**UNTOUCHED, **case.expected}, {**outcome, **written(before, items(world))})


def prepare(seed: dict[str, Any], world: World, setting: Callable[[str, str], None]) -> None:
    """Apply a seed: items, pepper, environment, failures."""
    put_items(seed, world)
    if "pepper" in seed:
        secret_id, secret = os.environ["PEPPER_SECRET_ID"], json.dumps(seed["pepper"])
        boto3.client("secretsmanager").put_secret_value(SecretId=secret_id, SecretString=secret)
    for name, value in seed.get("environment", {}).items():
        setting(name, value)
    if seed.get("table") is False:
        setting("TABLE_NAME", "there-is-no-such-table")
    if seed.get("dynamodb") == "down":
        setting("AWS_ENDPOINT_URL_DYNAMODB", NOBODY)


def put_items(seed: dict[str, Any], world: World) -> None:
    """Write the items of a seed."""
    for item in seed["items"]:
        world.table.put(**{name: _from_json(value) for name, value in item.items()})


Key = tuple[str, str]
Item = dict[str, Any]

UNTOUCHED: dict[str, list[Item]] = {"added": [], "changed": [], "removed": []}


def items(world: World) -> dict[Key, Item]:
    """Return the table's items by key."""
    return {
        (item["pk"], item["sk"]): {name: _to_json(value) for name, value in item.items()}
        for item in world.table.items()
    }


def written(before: Mapping[Key, Item], after: Mapping[Key, Item]) -> dict[str, list[Item]]:
    """Return the difference between two states of the table: added items, changed items, keys of removed items."""
    return {
        "added": [item for key, item in after.items() if key not in before],
        "changed": [item for key, item in after.items() if key in before and item != before[key]],
        "removed": [{"pk": pk, "sk": sk} for pk, sk in before if (pk, sk) not in after],
    }


def _to_json(value: object) -> object:
    """Return an attribute as the files write it: JSON has no bytes."""
    return (
        {"base64": base64.b64encode(bytes(cast("SupportsBytes", value))).decode()}
        if isinstance(value, Binary)
        else value
    )


def _from_json(value: object) -> object:
    match value:
        case {"base64": str(text)}:
            return base64.b64decode(text, validate=True)
        case _:
            return value


def invoke(handler: Callable[..., Any], event: dict[str, Any], world: World) -> dict[str, Any]:
    """Call a handler as Lambda does, through JSON both ways; return its answer or its error."""
    try:
        answer = json.loads(json.dumps(handler(event, world.context)))
    except Exception as error:  # noqa: BLE001 - Lambda reports every exception
        return {"error": {"type": type(error).__name__, "message": str(error)}}
    if answer.get("body"):
        answer["body"] = in_envelope(answer["body"])
    return {"answer": answer}


def in_envelope(body: str) -> object:
    """Return the parsed body of an answer; a document, which has no envelope, stays a text."""
    content = json.loads(body) if body.startswith("{") else {}
    return content if "data" in content else body


# ---- Matchers ------------------------------------------------------------------------------------------------

MATCHERS = {
    "uuid7": r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "api key": r"kk_[0-9A-Za-z]{86}",
    "hint": r"kk_\.\.\.[0-9A-Za-z]{4}",
    "rfc3339": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
    "epoch": r"\d+",
    "base64": r"(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?",
    "phc": r"\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}",
    "any string": r".+",
    "document": r"(?s:.{1000,})",
}
_MATCHER = re.compile(rf"<({'|'.join(MATCHERS)})(?::([a-z]+)(?:\+(\d+)([ds]))?)?>")
_UNITS = {"d": timedelta(days=1), "s": timedelta(seconds=1)}


class Nothing:
    """The value of a missing field."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING = Nothing()


@dataclass(slots=True)
class Comparison:
    """A comparison of an outcome with its expectation.

    Attributes:
        labels: the value of each `<matcher:label>`, set where it first occurs.
        lines: one line for each difference.
    """

    labels: dict[str, object] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def compare(self, expected: object, actual: object, place: str) -> None:
        """Add the differences between two values, and between everything inside them."""
        if isinstance(expected, dict) and isinstance(actual, dict):
            for name in expected.keys() | actual.keys():
                self.compare(expected.get(name, NOTHING), actual.get(name, NOTHING), f"{place}.{name}")
        elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
            for index, (expected_item, actual_item) in enumerate(zip(expected, actual, strict=True)):
                self.compare(expected_item, actual_item, f"{place}[{index}]")
        elif isinstance(expected, str) and _MATCHER.search(expected):
            # Epochs are the only matcher of numbers, and match nothing else.
            expected_type = (int, Decimal) if expected.startswith("<epoch") else (str,)
            if not (
                isinstance(actual, expected_type) and type(actual) is not bool and self._fits(expected, str(actual))
            ):
                self.lines.append(f"{place}: expected {expected}, found {actual!r}")
        elif expected != actual or isinstance(expected, bool) != isinstance(actual, bool):
            self.lines.append(f"{place}: expected {expected!r}, found {actual!r}")

    def _fits(self, expected: str, actual: str) -> bool:
        """Return whether a text matches; a label has the same value everywhere."""
        pattern, matchers, position = "", list(_MATCHER.finditer(expected)), 0
        for matcher in matchers:
            pattern += re.escape(expected[position : matcher.start()]) + f"({MATCHERS[matcher[1]]})"
            position = matcher.end()
        match = re.fullmatch(pattern + re.escape(expected[position:]), actual)
        return match is not None and all(
            self.labels.setdefault(label, meaning) == meaning
            for matcher, text in zip(matchers, match.groups(), strict=True)
            for label, meaning in _meanings(matcher, text)
        )


def _meanings(matcher: re.Match[str], text: str) -> Iterator[tuple[str, object]]:
    """Return the values that a text gives a label: the text, or the time from which it is that many days or seconds."""
    kind, label, count, unit = matcher.groups()
    if label is None:
        return
    if kind not in {"rfc3339", "epoch"}:
        yield label, text
        return
    moment = datetime.fromisoformat(text) if kind == "rfc3339" else datetime.fromtimestamp(int(text), UTC)
    if count is not None:
        moment -= int(count) * _UNITS[unit]
    if kind == "rfc3339":
        yield label, moment
    yield f"{label} in seconds", int(moment.timestamp())  # the precision of an epoch


def differences(expected: object, actual: object) -> list[str]:
    """Return one line for each difference between an expectation, which may hold matchers, and an outcome."""
    comparison = Comparison()
    comparison.compare(expected, actual, "$")
    return comparison.lines


UUID7 = "01a20a38-9585-719d-81cb-3b8af1c594c2"
PHC = "$argon2id$v=19$m=8,t=1,p=1$" + "a" * 22 + "$" + "b" * 43


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("<uuid7>", UUID7),
        ("KEY#<uuid7>", f"KEY#{UUID7}"),
        ("<api key>", "kk_" + "0Az" * 28 + "zz"),
        ("<hint>", "kk_...aZ09"),
        ("<rfc3339>", "2026-01-31T12:34:56.789Z"),
        ("<epoch>", 1767225600),
        ("<epoch>", Decimal(1767225600)),
        ("<base64>", "AAECAw=="),
        ("<phc>", PHC),
        ("<any string>", "x"),
        (["<rfc3339:a>", "<rfc3339:a+2d>"], ["2026-01-31T12:34:56.789Z", "2026-02-02T12:34:56.789Z"]),
        (["<rfc3339:a+90s>", "<rfc3339:a>"], ["2026-01-31T12:36:26.789Z", "2026-01-31T12:34:56.789Z"]),
        (["<epoch:a+1d>", "until <rfc3339:a>"], [1767312000, "until 2026-01-01T00:00:00.999Z"]),
        (["<uuid7:a>", {"b": "K#<uuid7:a>"}], [UUID7, {"b": f"K#{UUID7}"}]),
        ({"a": [1, None, True, "<b>"]}, {"a": [1, None, True, "<b>"]}),
    ],
)
def test_matchers_fit(expected: object, actual: object) -> None:
    """A matcher accepts the values it is named after."""
    assert [] == differences(expected, actual)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("<uuid7>", str(uuid.UUID(int=0, version=4))),
        ("<uuid7>", UUID7.upper()),
        ("<uuid7>", f"{UUID7}\n"),
        ("KEY#<uuid7>", UUID7),
        ("<api key>", "kk_" + "a" * 85),
        ("<api key>", "sk_" + "a" * 86),
        ("<hint>", "kk_" + "a" * 86),
        ("<rfc3339>", "2026-01-31T12:34:56.789+00:00"),
        ("<rfc3339>", "2026-01-31 12:34:56.789Z"),
        ("<phc>", PHC.replace("argon2id", "argon2i")),
        ("<any string>", ""),
        ("<any string>", 1),
        ("<any string>", True),
        ("<any string>", None),
        ("<epoch>", "1767225600"),
        ("<epoch>", True),
        ("<epoch>", Decimal("1767225600.5")),
        ("<base64>", "AAECAw="),
        (["<uuid7:a>", "<uuid7:a>"], [UUID7, UUID7.replace("0", "1")]),
        (["<rfc3339:a>", "<rfc3339:a+2d>"], ["2026-01-31T12:34:56.789Z", "2026-02-02T12:34:56.790Z"]),
        (["<epoch:a+1d>", "<rfc3339:a>"], [1767312000, "2026-01-01T00:00:01.000Z"]),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1, "b": 2}, {"a": 1}),
        ({"a": None}, {}),
        ([1], [1, 1]),
        (1, True),
        ("a", "b"),
        ({}, []),
    ],
)
def test_matchers_refuse(expected: object, actual: object) -> None:
    """Other values, missing values and extra values are differences."""
    assert 1 == len(differences(expected, actual))


def test_written_lists_every_difference() -> None:
    """An item is added, changed, removed, or unchanged and not listed."""
    before = {("o", key): {"pk": "o", "sk": key, "value": 1} for key in ("gone", "other", "same")}
    after = {("o", key): {"pk": "o", "sk": key, "value": int(key == "same")} for key in ("new", "other", "same")}

    assert {
        "added": [{"pk": "o", "sk": "new", "value": 0}],
        "changed": [{"pk": "o", "sk": "other", "value": 0}],
        "removed": [{"pk": "o", "sk": "gone"}],
    } == written(before, after)


# ---- The files -----------------------------------------------------------------------------------------------


def test_each_function_has_events() -> None:
    """Every function has an event for each status it can answer."""
    statuses: dict[str, set[int]] = {}
    for case in CASES:
        statuses.setdefault(case.function, set()).add(case.status)

    assert STATUSES == statuses
    assert {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")} == statuses.keys() | WITHOUT_STATUS


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_folder_holds_three_files(case: Case) -> None:
    """Event, seed and expectation, with known fields only."""
    assert ["event.json", "expected.json", "seed.json"] == sorted(path.name for path in case.folder.iterdir())
    assert {"items"} <= case.seed.keys() <= {"items", "environment", "table", "dynamodb", "pepper", "token", "key"}
    assert case.expected.keys() - UNTOUCHED.keys() in ({"answer"}, {"error"})
    assert "added" in case.expected


@pytest.mark.parametrize("case", REQUESTS, ids=str)
def test_the_folder_names_the_status(case: Case) -> None:
    """A request's folder begins with the status of its answer."""
    assert case.status == case.expected["answer"]["statusCode"]


@pytest.mark.parametrize("case", QUESTIONS, ids=str)
def test_the_folder_names_the_gateways_status(case: Case) -> None:
    """Policy and simple answer mean 200 or 403, the message "Unauthorized" means 401, and any other error 503."""
    match case.expected:
        case {"answer": {"isAuthorized": is_authorized}}:
            seen = 200 if is_authorized else 403
        case {"answer": {"policyDocument": {"Statement": statements}}}:
            seen = 200 if authorization.allows(statements, asked_arn(case.event)) else 403
        case {"error": {"message": message}}:
            seen = 401 if message == "Unauthorized" else 503

    assert case.status == seen


def asked_arn(question: dict[str, Any]) -> str:
    """Return the ARN of the request that an authorizer is asked about."""
    arn: str = question["routeArn"] if question.get("version") == "2.0" else question["methodArn"]
    return arn


# Amazon API Gateway Developer Guide, "Input format of a Lambda function for proxy integration", for REST APIs.
# operationName is there only where the API's definition gives one; SAM gives none.
REQUEST_FIELDS = {
    "resource", "path", "httpMethod", "headers", "multiValueHeaders", "queryStringParameters",
    "multiValueQueryStringParameters", "pathParameters", "stageVariables", "requestContext", "body", "isBase64Encoded",
}  # fmt: skip
CONTEXT_FIELDS = {
    "resourceId", "resourcePath", "httpMethod", "extendedRequestId", "requestTime", "path", "accountId", "protocol",
    "stage", "domainPrefix", "requestTimeEpoch", "requestId", "identity", "domainName", "deploymentId", "apiId",
}  # fmt: skip
IDENTITY_FIELDS = {
    "cognitoIdentityPoolId", "accountId", "cognitoIdentityId", "caller", "sourceIp", "principalOrgId", "accessKey",
    "cognitoAuthenticationType", "cognitoAuthenticationProvider", "userArn", "userAgent", "user",
}  # fmt: skip
FORWARDED_HEADERS = {"Host", "X-Amzn-Trace-Id", "X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto"}
# Fields that an authorizer's answer and API Gateway add to the context.
AUTHORIZER_FIELDS = {
    "session": {"principalId", "integrationLatency", "organizationId", "userId", "expiresAt"},
    "api key": {
        "principalId", "integrationLatency", "organizationId", "apiKeyId", "keyName", "permissions",
        "code", "message", "hint",
    },
}  # fmt: skip
# Fields that a signature adds; the others are Amazon Cognito's.
SIGNER_FIELDS = {"accountId", "caller", "accessKey", "userArn", "user"}


def credentials(case: Case) -> str | None:
    """Return the credentials that a request's route takes: a session, an API key, a signature, or None."""
    if case.event["httpMethod"] == "OPTIONS":
        return None
    asked = {
        "get_current_api_key": "api key",
        "verify_api_key": "signature",
        "get_openapi": None,
        "get_reference": None,
    }
    return asked.get(case.function, "session")


@pytest.mark.parametrize("case", REQUESTS, ids=str)
def test_requests_have_the_form_of_api_gateway(case: Case) -> None:
    """An event has all fields of API Gateway and no others; its identity fields match the route's credentials."""
    context, asked = case.event["requestContext"], credentials(case)
    authorizer = AUTHORIZER_FIELDS.get(str(asked), set())
    known = {name for name, value in context["identity"].items() if value is not None}

    assert case.event.keys() == REQUEST_FIELDS
    assert context.keys() == CONTEXT_FIELDS | ({"authorizer"} if authorizer else set())
    assert context["identity"].keys() == IDENTITY_FIELDS
    assert {"sourceIp", "userAgent"} | (SIGNER_FIELDS if asked == "signature" else set()) == known
    assert context.get("authorizer", {}).keys() == authorizer
    assert case.event["headers"].keys() >= FORWARDED_HEADERS


@pytest.mark.parametrize("case", REQUESTS, ids=str)
def test_requests_are_consistent(case: Case) -> None:
    """Values that API Gateway repeats are equal."""
    event, context = case.event, case.event["requestContext"]
    headers = {name.lower(): value for name, value in event["headers"].items()}
    moment = datetime.fromtimestamp(context["requestTimeEpoch"] // 1000, UTC)

    assert {name: values[-1] for name, values in event["multiValueHeaders"].items()} == event["headers"]
    query = event["multiValueQueryStringParameters"]
    assert event["queryStringParameters"] == (query and {name: values[-1] for name, values in query.items()})
    assert event["path"] == event["resource"].format(**(event["pathParameters"] or {}))
    assert event["httpMethod"] == context["httpMethod"]
    assert event["resource"] == context["resourcePath"]
    assert f"/{context['stage']}{event['path']}" == context["path"]
    assert moment.strftime("%d/%b/%Y:%H:%M:%S +0000") == context["requestTime"]
    assert f"{int(moment.timestamp()):08x}" == headers["x-amzn-trace-id"].split("-")[1]
    assert headers["host"] == context["domainName"]
    assert headers["x-forwarded-for"] == context["identity"]["sourceIp"]
    assert headers["user-agent"] == context["identity"]["userAgent"]
    assert context["domainName"].startswith(f"{context['domainPrefix']}.execute-api.")


@pytest.mark.parametrize("case", REQUESTS, ids=str)
def test_requests_are_for_a_route_of_their_function(case: Case, stack: Stack) -> None:
    """A function gets requests of its routes only."""
    routes = {(route.method, route.path): snake_case(route.function) for route in stack.api.routes}

    assert case.function == routes[case.event["httpMethod"], case.event["resource"]]


def test_every_route_has_events(stack: Stack) -> None:
    """Every route has an event, preflights included."""
    routes = {(route.method, route.path) for route in stack.api.routes}

    assert routes == {(case.event["httpMethod"], case.event["resource"]) for case in REQUESTS}


def snake_case(name: str) -> str:
    """Return a function's folder name, derived from its logical id."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def test_request_ids_are_unique() -> None:
    """An id in the log identifies one case."""
    ids = [case.event["requestContext"]["requestId"] for case in REQUESTS]

    assert len(ids) == len(set(ids))


# Amazon API Gateway Developer Guide, "Input to an API Gateway Lambda authorizer" (REST APIs) and "Control access to
# HTTP APIs with AWS Lambda authorizers". A REST API sends header and query fields twice, also as lists.
QUESTION_FIELDS = {
    ("TOKEN", None): {"type", "methodArn", "authorizationToken"},
    ("REQUEST", None): {"type", "methodArn"} | REQUEST_FIELDS - {"body", "isBase64Encoded"},
    ("REQUEST", "1.0"): {
        "version", "type", "methodArn", "identitySource", "authorizationToken", "resource", "path", "httpMethod",
        "headers", "queryStringParameters", "pathParameters", "stageVariables", "requestContext",
    },
    ("REQUEST", "2.0"): {
        "version", "type", "routeArn", "identitySource", "routeKey", "rawPath", "rawQueryString", "headers",
        "requestContext",
    },
}  # fmt: skip
CONTEXT_FIELDS_OF_HTTP_APIS = {
    "accountId", "apiId", "domainName", "domainPrefix", "http", "requestId", "routeKey", "stage", "time", "timeEpoch",
}  # fmt: skip
# Present only if not empty.
OPTIONAL_FIELDS_OF_HTTP_APIS = {"cookies", "queryStringParameters", "pathParameters", "stageVariables"}


@pytest.mark.parametrize("case", QUESTIONS, ids=str)
def test_questions_have_the_form_of_api_gateway(case: Case) -> None:
    """REST APIs ask in two forms, HTTP APIs in two others."""
    event = case.event
    kind = event["type"], event.get("version")
    optional = OPTIONAL_FIELDS_OF_HTTP_APIS & event.keys() if kind[1] == "2.0" else set()

    assert event.keys() == QUESTION_FIELDS[kind] | optional
    if kind[1] == "2.0":
        assert event["requestContext"].keys() == CONTEXT_FIELDS_OF_HTTP_APIS
        assert [name for name in event["headers"] if name != name.lower()] == []
    elif kind[0] == "REQUEST":
        assert event["requestContext"].keys() == CONTEXT_FIELDS
        assert None not in event.values()


def test_the_authorizer_for_any_api_has_every_form() -> None:
    """All four forms of the question have an event, and payload 2.0 has both forms of the answer."""
    cases = [case for case in QUESTIONS if case.function == "authorize_api_key"]

    assert QUESTION_FIELDS.keys() == {(case.event["type"], case.event.get("version")) for case in cases}
    assert {"policyDocument", "isAuthorized"} == {
        name
        for case in cases
        if case.event.get("version") == "2.0"
        for name in case.expected["answer"].keys() & {"policyDocument", "isAuthorized"}
    }


@pytest.mark.parametrize("case", [case for case in QUESTIONS if case.event["type"] == "REQUEST"], ids=str)
def test_questions_are_consistent(case: Case) -> None:
    """The ARN's stage, method and path are those of the question's other fields."""
    event, context = case.event, case.event["requestContext"]
    if event.get("version") == "2.0":
        method, path, route = context["http"]["method"], context["http"]["path"], event["routeKey"].split(" ")
        assert path == event["rawPath"]
        assert event["routeKey"] == context["routeKey"]
    else:
        method, path, route = event["httpMethod"], event["path"], [context["httpMethod"], context["resourcePath"]]
        assert route[1] == event["resource"]
    api = f"arn:aws:execute-api:eu-central-1:{context['accountId']}:{context['apiId']}"

    assert f"{api}/{context['stage']}/{method}{path}" == asked_arn(event)
    assert [method, path] == [route[0], route[1].format(**event.get("pathParameters", {}))]
    assert context["domainName"].startswith(f"{context['domainPrefix']}.execute-api.")


# ---- The tokens ----------------------------------------------------------------------------------------------

SIGNERS = {
    "development": development._KEY,
    "stranger": Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"a stranger's key").digest()),
}
HEADER = {"alg": "EdDSA", "kid": development._public_key()["kid"], "typ": "JWT"}
ISSUED_AT = 1767225600
"""2026-01-01, the issue time of the sessions in requests."""


def sign(header: dict[str, Any], claims: dict[str, Any], signer: str = "development") -> str:
    """Return a signed token: with Ed25519 the same text each time. The header may be wrong on purpose."""
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in (header, claims)]
    content = ".".join(_base64url(part) for part in parts)
    return f"{content}.{_base64url(SIGNERS[signer].sign(content.encode()))}"


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def test_tokens_match_the_development_identity_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """`sign` and `make run` sign the same claims as the same token."""
    monkeypatch.setattr("local.identity_provider.time.time", lambda: ISSUED_AT)
    provider = development.IdentityProvider(DEVELOPMENT_ISSUER, AUDIENCE, "org_id")

    assert provider.mint("demo-admin", "org_2abc", ttl_seconds=600) == sign(
        HEADER, claims("demo-admin", "org_2abc", ISSUED_AT + 600)
    )


def claims(user_id: str, organization_id: str, expires_at: int) -> dict[str, Any]:
    """Return the claims of a session."""
    return {
        "iss": DEVELOPMENT_ISSUER,
        "sub": user_id,
        "aud": AUDIENCE,
        "iat": ISSUED_AT,
        "exp": expires_at,
        "org_id": organization_id,
    }


@pytest.mark.parametrize("case", [case for case in CASES if "token" in case.seed], ids=str)
def test_questions_hold_the_token_of_their_seed(case: Case) -> None:
    """A token in an event is that of its seed; a failure shows the new token."""
    token = case.seed["token"]

    assert f"Bearer {sign(token['header'], token['claims'], token['key'])}" == case.event["authorizationToken"]


@pytest.mark.parametrize("case", [case for case in REQUESTS if credentials(case) == "session"], ids=str)
def test_requests_hold_the_token_of_their_authorizer(case: Case) -> None:
    """The authorizer's context and the session token in the header are of the same session."""
    context = case.event["requestContext"]["authorizer"]
    expires_at = int(context["expiresAt"]) - session_token.LEEWAY_SECONDS
    session = claims(context["userId"], context["organizationId"], expires_at)

    assert f"Bearer {sign(HEADER, session)}" == case.event["headers"]["authorization"]
    assert context["principalId"] == context["userId"]


# ---- The API keys --------------------------------------------------------------------------------------------

KEY_TEXT = re.compile(MATCHERS["api key"])


@pytest.mark.parametrize("case", [case for case in CASES if "key" in case.seed], ids=str)
def test_events_hold_the_key_of_their_seed(case: Case) -> None:
    """A key in an event is that of its seed; a failure shows the new text."""
    described = dict(case.seed["key"])
    keys = keyring.derive(described.pop("pepper").encode())

    assert [SampleKey(**described).text(keys)] == keys_in(case.event)


def keys_in(event: dict[str, Any]) -> list[str]:
    """Return the texts of all keys in an event, each once."""
    content = event["body"] if event.get("isBase64Encoded") else None
    text = json.dumps(event) + (base64.b64decode(content).decode() if content else "")
    return sorted(set(KEY_TEXT.findall(text)))


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.function == "verify_api_key" and case.status == 200], ids=str
)
def test_only_the_answer_for_a_known_key_names_it(case: Case) -> None:
    """The answer for an unknown key holds nothing but the code."""
    answer = case.expected["answer"]["body"]["data"]

    assert ({"valid": False, "code": "NOT_FOUND"} == answer) == ("not_found" in case.folder.name)
