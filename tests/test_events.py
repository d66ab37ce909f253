"""The events in events/, replayed: each function gets what API Gateway sends, and answers what is expected.

What a folder holds, and what the matchers in its expected.json mean, is told in events/README.md.
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
    """One folder: `<function>/<status>_<case>`."""

    folder: Path

    @property
    def function(self) -> str:
        """The folder of the function under functions/."""
        return self.folder.parent.name

    @property
    def status(self) -> int:
        """The status that the caller of the API sees."""
        return int(self.folder.name.split("_", 1)[0])

    @cached_property
    def event(self) -> dict[str, Any]:
        """What the function is called with."""
        return self._read("event.json")

    @cached_property
    def expected(self) -> dict[str, Any]:
        """What comes of it."""
        return self._read("expected.json")

    @cached_property
    def seed(self) -> dict[str, Any]:
        """The world before."""
        return self._read("seed.json")

    @property
    def is_request(self) -> bool:
        """Tell requests from questions to an authorizer."""
        return "type" not in self.event

    def _read(self, name: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / name).read_text(encoding="utf-8"))
        return content

    def __str__(self) -> str:
        return f"{self.function}-{self.folder.name}"


WITHOUT_STATUS = {"purge_organizations", "sync_organizations"}
"""Functions that nobody waits for; tests/test_messages.py replays their events."""

CASES = [Case(folder) for folder in sorted(EVENTS.glob("*/*/")) if folder.parent.name not in WITHOUT_STATUS]
REQUESTS = [case for case in CASES if case.is_request]
QUESTIONS = [case for case in CASES if not case.is_request]

# No seed makes two of them: a 409 of create_api_key takes an id that is drawn twice, and one of update_api_key takes
# somebody else who changes the key between the function's own reading and writing, twice.
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
"""Nothing listens there."""

DEVELOPMENT_ISSUER = f"http://{HOST}:{Options().port + 1}"
"""The identity provider of `make run`."""


@pytest.fixture
def development_issuer(monkeypatch: pytest.MonkeyPatch, setting: Callable[[str, str], None]) -> None:
    """Trust the development identity provider, and have its documents without its port."""
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
    """Take a WSGI application's status and headers."""
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
    """GIVEN the seed WHEN the function gets the event THEN it answers, and has written, what is expected.

    Its role allows all that this takes (tests/test_roles.py has the converse: nothing else).
    """
    assert [] == replayed(case, world, setting, load_handler)
    assert [] == [decision for decision in decisions if not decision.is_allowed]


def replayed(
    case: Case,
    world: World,
    setting: Callable[[str, str], None],
    load_handler: Callable[[str], Callable[..., object]],
) -> list[str]:
    """Return the differences between what is expected and what comes of an event."""
    prepare(case.seed, world, setting)
    before = items(world)
    outcome = invoke(load_handler(case.function), case.event, world)
    return differences({**UNTOUCHED, **case.expected}, {**outcome, **written(before, items(world))})


def prepare(seed: dict[str, Any], world: World, setting: Callable[[str, str], None]) -> None:
    """Make the world what a seed says."""
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
    """Read the table, by key."""
    return {
        (item["pk"], item["sk"]): {name: _to_json(value) for name, value in item.items()}
        for item in world.table.items()
    }


def written(before: Mapping[Key, Item], after: Mapping[Key, Item]) -> dict[str, list[Item]]:
    """Tell two states of the table apart: new items, items that are another now, the keys of those that are gone."""
    return {
        "added": [item for key, item in after.items() if key not in before],
        "changed": [item for key, item in after.items() if key in before and item != before[key]],
        "removed": [{"pk": pk, "sk": sk} for pk, sk in before if (pk, sk) not in after],
    }


def _to_json(value: object) -> object:
    """Write an attribute as the files do, which have no bytes."""
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
    """Call a handler as Lambda does: through JSON, both ways; give its answer or its error."""
    try:
        answer = json.loads(json.dumps(handler(event, world.context)))
    except Exception as error:  # noqa: BLE001 - Lambda reports every exception
        return {"error": {"type": type(error).__name__, "message": str(error)}}
    if answer.get("body"):
        answer["body"] = in_envelope(answer["body"])
    return {"answer": answer}


def in_envelope(body: str) -> object:
    """Read the body of an answer; a document, which has no envelope, stays a text."""
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
    """What stands for a field that is not there."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING = Nothing()


@dataclass(slots=True)
class Comparison:
    """Compares an outcome with what is expected of it.

    Attributes:
        labels: what `<matcher:label>` stood for, wherever it came first.
        found: a line for each difference.
    """

    labels: dict[str, object] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)

    def compare(self, expected: object, actual: object, place: str) -> None:
        """Add the differences between two values, and between everything inside them."""
        if isinstance(expected, dict) and isinstance(actual, dict):
            for name in expected.keys() | actual.keys():
                self.compare(expected.get(name, NOTHING), actual.get(name, NOTHING), f"{place}.{name}")
        elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
            for index, (wanted, got) in enumerate(zip(expected, actual, strict=True)):
                self.compare(wanted, got, f"{place}[{index}]")
        elif isinstance(expected, str) and _MATCHER.search(expected):
            # Epochs are the one matcher of numbers; a text in their place is a difference, and so is the reverse.
            wanted_type = (int, Decimal) if expected.startswith("<epoch") else (str,)
            if not (isinstance(actual, wanted_type) and type(actual) is not bool and self._fits(expected, str(actual))):
                self.found.append(f"{place}: expected {expected}, found {actual!r}")
        elif expected != actual or isinstance(expected, bool) != isinstance(actual, bool):
            self.found.append(f"{place}: expected {expected!r}, found {actual!r}")

    def _fits(self, expected: str, actual: str) -> bool:
        """Tell whether a text is what a text with matchers stands for; a label stands for one thing everywhere."""
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
    """Give what a label means by a text: the text itself, or the moment that it is so many days or seconds after."""
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
    yield f"{label} in seconds", int(moment.timestamp())  # all that an epoch knows of it


def differences(expected: object, actual: object) -> list[str]:
    """Give a line for each difference between what is expected, which may hold matchers, and what there is."""
    comparison = Comparison()
    comparison.compare(expected, actual, "$")
    return comparison.found


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
    """A matcher takes what it is named after."""
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
    """Anything else is a difference, and so is what is missing or too much."""
    assert 1 == len(differences(expected, actual))


def test_written_tells_what_became_of_each_item() -> None:
    """New, another, gone or untouched: an item is one of them, and only the last is not told."""
    before = {("o", key): {"pk": "o", "sk": key, "value": 1} for key in ("gone", "other", "same")}
    after = {("o", key): {"pk": "o", "sk": key, "value": int(key == "same")} for key in ("new", "other", "same")}

    assert {
        "added": [{"pk": "o", "sk": "new", "value": 0}],
        "changed": [{"pk": "o", "sk": "other", "value": 0}],
        "removed": [{"pk": "o", "sk": "gone"}],
    } == written(before, after)


# ---- The files -----------------------------------------------------------------------------------------------


def test_each_function_has_events() -> None:
    """Success and each error that a function can give are there, for every function that there is."""
    found: dict[str, set[int]] = {}
    for case in CASES:
        found.setdefault(case.function, set()).add(case.status)

    assert STATUSES == found
    assert {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")} == found.keys() | WITHOUT_STATUS


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_folder_holds_three_files(case: Case) -> None:
    """The event, the world before, and what comes of it; with no field in them that means nothing."""
    assert ["event.json", "expected.json", "seed.json"] == sorted(path.name for path in case.folder.iterdir())
    assert {"items"} <= case.seed.keys() <= {"items", "environment", "table", "dynamodb", "pepper", "token", "key"}
    assert case.expected.keys() - UNTOUCHED.keys() in ({"answer"}, {"error"})
    assert "added" in case.expected


@pytest.mark.parametrize("case", REQUESTS, ids=str)
def test_the_folder_names_the_status(case: Case) -> None:
    """A request's folder begins with the status of its answer."""
    assert case.status == case.expected["answer"]["statusCode"]


@pytest.mark.parametrize("case", QUESTIONS, ids=str)
def test_the_folder_names_the_status_that_the_gateway_makes_of_it(case: Case) -> None:
    """The policy decides of 200 and 403, as the simple answer does; the message "Unauthorized" is 401, all else 503."""
    match case.expected:
        case {"answer": {"isAuthorized": is_authorized}}:
            seen = 200 if is_authorized else 403
        case {"answer": {"policyDocument": {"Statement": statements}}}:
            seen = 200 if authorization.allows(statements, asked_arn(case.event)) else 403
        case {"error": {"message": message}}:
            seen = 401 if message == "Unauthorized" else 503

    assert case.status == seen


def asked_arn(question: dict[str, Any]) -> str:
    """Give the ARN of the request that an authorizer is asked about."""
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
# What the authorizers' answers say of a caller, and what API Gateway adds to it.
AUTHORIZER_FIELDS = {
    "session": {"principalId", "integrationLatency", "organizationId", "userId", "expiresAt"},
    "api key": {
        "principalId", "integrationLatency", "organizationId", "apiKeyId", "keyName", "permissions",
        "code", "message", "hint",
    },
}  # fmt: skip
# What a signature says of a caller; the others are of Amazon Cognito.
SIGNER_FIELDS = {"accountId", "caller", "accessKey", "userArn", "user"}


def credentials(case: Case) -> str | None:
    """Say what the route of a request asks for: a session, an API key, a signature, or nothing."""
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
def test_requests_have_the_shape_that_api_gateway_gives_them(case: Case) -> None:
    """No field is left out, and none is made up; what is known of the caller is what the route asks for."""
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
def test_requests_do_not_contradict_themselves(case: Case) -> None:
    """What API Gateway says in two places is the same in both."""
    event, context = case.event, case.event["requestContext"]
    headers = {name.lower(): value for name, value in event["headers"].items()}
    moment = datetime.fromtimestamp(context["requestTimeEpoch"] // 1000, UTC)

    assert {name: values[-1] for name, values in event["multiValueHeaders"].items()} == event["headers"]
    query = event["multiValueQueryStringParameters"]
    assert event["queryStringParameters"] == (query and {name: values[-1] for name, values in query.items()})
    assert event["path"] == event["resource"].format(**(event["pathParameters"] or {}))
    assert (event["httpMethod"], event["resource"]) == (context["httpMethod"], context["resourcePath"])
    assert f"/{context['stage']}{event['path']}" == context["path"]
    assert moment.strftime("%d/%b/%Y:%H:%M:%S +0000") == context["requestTime"]
    assert f"{int(moment.timestamp()):08x}" == headers["x-amzn-trace-id"].split("-")[1]
    assert (headers["host"], headers["x-forwarded-for"], headers["user-agent"]) == (
        context["domainName"],
        context["identity"]["sourceIp"],
        context["identity"]["userAgent"],
    )
    assert context["domainName"].startswith(f"{context['domainPrefix']}.execute-api.")


@pytest.mark.parametrize("case", REQUESTS, ids=str)
def test_requests_are_for_a_route_of_their_function(case: Case, stack: Stack) -> None:
    """API Gateway sends a function the requests of its own routes only."""
    routes = {(route.method, route.path): snake_case(route.function) for route in stack.api.routes}

    assert case.function == routes[case.event["httpMethod"], case.event["resource"]]


def test_every_route_has_events(stack: Stack) -> None:
    """Whatever API Gateway can ask of a function is asked here, preflights included."""
    routes = {(route.method, route.path) for route in stack.api.routes}

    assert routes == {(case.event["httpMethod"], case.event["resource"]) for case in REQUESTS}


def snake_case(name: str) -> str:
    """Give the folder of a function from its logical id."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def test_request_ids_are_unique() -> None:
    """A line of a log leads to one case."""
    ids = [case.event["requestContext"]["requestId"] for case in REQUESTS]

    assert len(ids) == len(set(ids))


# "Input to an API Gateway Lambda authorizer" (REST APIs) and "Control access to HTTP APIs with AWS Lambda authorizers",
# in the same guide. A REST API also passes on what a function gets twice, once for all values.
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
# Only there if there is something in them.
OPTIONAL_FIELDS_OF_HTTP_APIS = {"cookies", "queryStringParameters", "pathParameters", "stageVariables"}


@pytest.mark.parametrize("case", QUESTIONS, ids=str)
def test_questions_have_the_shape_that_api_gateway_gives_them(case: Case) -> None:
    """REST APIs ask in two ways, HTTP APIs in two others."""
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


def test_an_authorizer_for_any_api_is_asked_in_every_way() -> None:
    """All four forms of the question are there, and of payload 2.0 both answers."""
    cases = [case for case in QUESTIONS if case.function == "authorize_api_key"]

    assert QUESTION_FIELDS.keys() == {(case.event["type"], case.event.get("version")) for case in cases}
    assert {"policyDocument", "isAuthorized"} == {
        name
        for case in cases
        if case.event.get("version") == "2.0"
        for name in case.expected["answer"].keys() & {"policyDocument", "isAuthorized"}
    }


@pytest.mark.parametrize("case", [case for case in QUESTIONS if case.event["type"] == "REQUEST"], ids=str)
def test_questions_do_not_contradict_themselves(case: Case) -> None:
    """The ARN names the stage, method and path that the rest of the question tells of."""
    event, context = case.event, case.event["requestContext"]
    if event.get("version") == "2.0":
        method, path, route = context["http"]["method"], context["http"]["path"], event["routeKey"].split(" ")
        assert (path, event["routeKey"]) == (event["rawPath"], context["routeKey"])
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
"""2026-01-01, when the sessions of the requests began."""


def sign(header: dict[str, Any], claims: dict[str, Any], signer: str = "development") -> str:
    """Sign a token; Ed25519 gives the same text each time. The header need not tell the truth about it."""
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in (header, claims)]
    content = ".".join(_base64url(part) for part in parts)
    return f"{content}.{_base64url(SIGNERS[signer].sign(content.encode()))}"


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def test_tokens_are_signed_as_the_development_identity_provider_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """`sign` and `make run` make the same of the same claims."""
    monkeypatch.setattr("local.identity_provider.time.time", lambda: ISSUED_AT)
    provider = development.IdentityProvider(DEVELOPMENT_ISSUER, AUDIENCE, "org_id")

    assert provider.mint("demo-admin", "org_2abc", ttl_seconds=600) == sign(
        HEADER, claims("demo-admin", "org_2abc", ISSUED_AT + 600)
    )


def claims(user_id: str, organization_id: str, expires_at: int) -> dict[str, Any]:
    """Give the claims of a session."""
    return {
        "iss": DEVELOPMENT_ISSUER,
        "sub": user_id,
        "aud": AUDIENCE,
        "iat": ISSUED_AT,
        "exp": expires_at,
        "org_id": organization_id,
    }


@pytest.mark.parametrize("case", [case for case in CASES if "token" in case.seed], ids=str)
def test_questions_hold_the_token_that_their_seed_describes(case: Case) -> None:
    """So anyone can read what is in it; a token that has to change is in this test's failure."""
    token = case.seed["token"]

    assert f"Bearer {sign(token['header'], token['claims'], token['key'])}" == case.event["authorizationToken"]


@pytest.mark.parametrize("case", [case for case in REQUESTS if credentials(case) == "session"], ids=str)
def test_requests_hold_the_token_that_their_authorizer_has_read(case: Case) -> None:
    """The session that the authorizer's context tells of is the one in the header."""
    context = case.event["requestContext"]["authorizer"]
    expires_at = int(context["expiresAt"]) - session_token.LEEWAY_SECONDS
    session = claims(context["userId"], context["organizationId"], expires_at)

    assert f"Bearer {sign(HEADER, session)}" == case.event["headers"]["authorization"]
    assert context["principalId"] == context["userId"]


# ---- The API keys --------------------------------------------------------------------------------------------

KEY_TEXT = re.compile(MATCHERS["api key"])


@pytest.mark.parametrize("case", [case for case in CASES if "key" in case.seed], ids=str)
def test_events_hold_the_key_that_their_seed_describes(case: Case) -> None:
    """So anyone can read what is in it; a key that has to change is in this test's failure."""
    described = dict(case.seed["key"])
    keys = keyring.derive(described.pop("pepper").encode())

    assert [SampleKey(**described).text(keys)] == keys_in(case.event)


def keys_in(event: dict[str, Any]) -> list[str]:
    """Find the texts of keys in an event, wherever they are; each once."""
    content = event["body"] if event.get("isBase64Encoded") else None
    text = json.dumps(event) + (base64.b64decode(content).decode() if content else "")
    return sorted(set(KEY_TEXT.findall(text)))


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.function == "verify_api_key" and case.status == 200], ids=str
)
def test_only_an_answer_that_knows_the_key_holds_its_name(case: Case) -> None:
    """Whoever does not have the secret learns nothing but that."""
    answer = case.expected["answer"]["body"]["data"]

    assert ({"valid": False, "code": "NOT_FOUND"} == answer) == ("not_found" in case.folder.name)
