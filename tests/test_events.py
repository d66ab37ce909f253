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

from keywright import identity_provider, sessions
from local import identity_provider as development
from local.options import Options
from local.server import HOST
from tests.conftest import ROOT
from tests.issuer import AUDIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

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
        return "httpMethod" in self.event

    def _read(self, name: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / name).read_text(encoding="utf-8"))
        return content

    def __str__(self) -> str:
        return f"{self.function}-{self.folder.name}"


CASES = [Case(folder) for folder in sorted(EVENTS.glob("*/*/"))]
REQUESTS = [case for case in CASES if case.is_request]
QUESTIONS = [case for case in CASES if not case.is_request]

# No seed makes two of them: a 409 of create_api_key takes an id that is drawn twice, and one of update_api_key takes
# somebody else who changes the key between the function's own reading and writing, twice.
STATUSES = {
    "authorize_session": {200, 401, 403, 503},
    "cancel_organization_deletion": {200, 204, 401, 403, 409, 500, 503},
    "create_api_key": {200, 204, 400, 401, 403, 410, 413, 422, 500, 503},
    "delete_api_key": {200, 401, 403, 404, 410, 500, 503},
    "get_api_key": {200, 401, 403, 404, 500, 503},
    "list_api_keys": {200, 400, 401, 403, 500, 503},
    "list_audit_logs": {200, 204, 400, 401, 403, 500, 503},
    "request_organization_deletion": {200, 204, 401, 403, 410, 500, 503},
    "rotate_api_key": {200, 204, 400, 401, 403, 404, 409, 410, 413, 422, 500, 503},
    "update_api_key": {200, 204, 400, 401, 403, 404, 410, 413, 500, 503},
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
    fetch_document = identity_provider.fetch_document

    def fetch(url: str) -> Mapping[str, object]:
        if not url.startswith(f"{DEVELOPMENT_ISSUER}/"):
            return fetch_document(url)
        document: dict[str, object] = json.loads(b"".join(provider({"PATH_INFO": urlsplit(url).path}, _ignore)))
        return document

    monkeypatch.setattr(identity_provider, "fetch_document", fetch)
    setting("OIDC_ISSUER", DEVELOPMENT_ISSUER)


def _ignore(*_: object) -> Callable[[bytes], None]:
    """Take a WSGI application's status and headers."""
    return lambda _: None


@pytest.mark.usefixtures("development_issuer")
@pytest.mark.parametrize("case", CASES, ids=str)
def test_replay(
    case: Case,
    world: World,
    setting: Callable[[str, str], None],
    load_handler: Callable[[str], Callable[..., object]],
) -> None:
    """GIVEN the seed WHEN the function gets the event THEN it answers, and has written, what is expected."""
    prepare(case.seed, world, setting)
    before = items(world)

    outcome = invoke(load_handler(case.function), case.event, world)

    assert [] == differences({**UNTOUCHED, **case.expected}, {**outcome, **written(before, items(world))})


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
        answer["body"] = json.loads(answer["body"])
    return {"answer": answer}


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
    assert {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")} == found.keys()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_folder_holds_three_files(case: Case) -> None:
    """The event, the world before, and what comes of it; with no field in them that means nothing."""
    assert ["event.json", "expected.json", "seed.json"] == sorted(path.name for path in case.folder.iterdir())
    assert {"items"} <= case.seed.keys() <= {"items", "environment", "table", "dynamodb", "pepper", "token"}
    assert case.expected.keys() - UNTOUCHED.keys() in ({"answer"}, {"error"})
    assert "added" in case.expected


@pytest.mark.parametrize("case", REQUESTS, ids=str)
def test_the_folder_names_the_status(case: Case) -> None:
    """A request's folder begins with the status of its answer."""
    assert case.status == case.expected["answer"]["statusCode"]


@pytest.mark.parametrize("case", QUESTIONS, ids=str)
def test_the_folder_names_the_status_that_the_gateway_makes_of_it(case: Case) -> None:
    """Deny becomes 403, the message "Unauthorized" 401, any other failure 503, as the template words them."""
    if "answer" in case.expected:
        effects = [statement["Effect"] for statement in case.expected["answer"]["policyDocument"]["Statement"]]
        seen = {("Allow",): 200, ("Deny",): 403}[tuple(effects)]
    else:
        seen = 401 if case.expected["error"]["message"] == "Unauthorized" else 503

    assert case.status == seen


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
# "Input to an API Gateway Lambda authorizer", of type TOKEN.
QUESTION_FIELDS = {"type", "methodArn", "authorizationToken"}
# The context of authorize_session's answer, and what API Gateway adds to it.
AUTHORIZER_FIELDS = {"principalId", "integrationLatency", "organizationId", "userId", "expiresAt"}


@pytest.mark.parametrize("case", REQUESTS, ids=str)
def test_requests_have_the_shape_that_api_gateway_gives_them(case: Case) -> None:
    """No field is left out, and none is made up; an authorizer's context is there unless it is a preflight."""
    context = case.event["requestContext"]
    authorizer = {"authorizer"} if case.event["httpMethod"] != "OPTIONS" else set()

    assert case.event.keys() == REQUEST_FIELDS
    assert context.keys() == CONTEXT_FIELDS | authorizer
    assert context["identity"].keys() == IDENTITY_FIELDS
    assert context.get("authorizer", {}).keys() == (AUTHORIZER_FIELDS if authorizer else set())
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


@pytest.mark.parametrize("case", QUESTIONS, ids=str)
def test_questions_have_the_shape_that_api_gateway_gives_them(case: Case) -> None:
    """A TOKEN authorizer gets three fields."""
    assert case.event.keys() == QUESTION_FIELDS
    assert case.event["type"] == "TOKEN"


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


@pytest.mark.parametrize("case", [case for case in QUESTIONS if "token" in case.seed], ids=str)
def test_questions_hold_the_token_that_their_seed_describes(case: Case) -> None:
    """So anyone can read what is in it; a token that has to change is in this test's failure."""
    token = case.seed["token"]

    assert f"Bearer {sign(token['header'], token['claims'], token['key'])}" == case.event["authorizationToken"]


@pytest.mark.parametrize("case", [case for case in REQUESTS if "authorizer" in case.event["requestContext"]], ids=str)
def test_requests_hold_the_token_that_their_authorizer_has_read(case: Case) -> None:
    """The session that the authorizer's context tells of is the one in the header."""
    context = case.event["requestContext"]["authorizer"]
    expires_at = int(context["expiresAt"]) - sessions.LEEWAY_SECONDS
    session = claims(context["userId"], context["organizationId"], expires_at)

    assert f"Bearer {sign(HEADER, session)}" == case.event["headers"]["authorization"]
    assert context["principalId"] == context["userId"]
