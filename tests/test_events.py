"""Requests and authorizer questions in events/: replayed, and checked against the forms of API Gateway.

events/README.md describes a folder's files, and the matchers in expected.json.
"""

from __future__ import annotations

import base64
import json
import re
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from keywright.authorizers import session_token
from keywright.domain import keyring
from local import authorization
from local import identity_provider as development
from tests.support.cases import CASES, QUESTIONS, REQUESTS, WITHOUT_STATUS
from tests.support.environment import ROOT
from tests.support.identity_provider import AUDIENCE
from tests.support.matchers import MATCHERS, differences
from tests.support.replay import UNTOUCHED, written
from tests.support.sample_keys import SampleKey
from tests.support.tokens import DEVELOPMENT_ISSUER, HEADER, ISSUED_AT, claims, sign

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from local.iam import Decision
    from local.template import Stack
    from tests.support.cases import Case

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


@pytest.mark.usefixtures("development_issuer", "no_waiting")
@pytest.mark.parametrize("case", CASES, ids=str)
def test_replay(case: Case, replay: Callable[[Case], list[str]], decisions: Collection[Decision]) -> None:
    """GIVEN a case's seed WHEN the function gets the event THEN answer and writes are as expected.

    The function's role allows all requests; tests/test_roles.py tests that it allows no others.
    """
    assert [] == replay(case)
    assert [] == [decision for decision in decisions if not decision.is_allowed]


# ---- Matchers ------------------------------------------------------------------------------------------------


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


def test_tokens_match_the_development_identity_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """`sign` and `make run` sign the same claims as the same token."""
    monkeypatch.setattr("local.identity_provider.time.time", lambda: ISSUED_AT)
    provider = development.IdentityProvider(DEVELOPMENT_ISSUER, AUDIENCE, "org_id")

    assert provider.mint("demo-admin", "org_2abc", ttl_seconds=600) == sign(
        HEADER, claims("demo-admin", "org_2abc", ISSUED_AT + 600)
    )


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
