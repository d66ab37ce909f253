"""Requests and questions to authorizers in events/: each is replayed, and all have the forms of API Gateway.

events/README.md describes the files, and the matchers of expectations. A test that walks all cases lists all that are
wrong.
"""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from keywright.authorizers.session_token import LEEWAY_SECONDS
from keywright.domain import keyring
from local import authorization
from local.case_files import EVENTS, case_files, read
from local.cases import session_token
from local.identity_provider import IdentityProvider
from tests.support.cases import CASES, DEVELOPMENT_ISSUER, QUESTIONS, REQUESTS, WITHOUT_STATUS, unequal
from tests.support.environment import ROOT
from tests.support.identity_provider import AUDIENCE
from tests.support.matchers import MATCHERS
from tests.support.sample_keys import SampleKey

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from local.cases import Case
    from local.iam import Decision
    from local.template import Stack
    from tests.support.cases import Comparison

# Two statuses need more than a seed: a 409 of create_api_key needs a repeated id, and one of update_api_key needs
# two concurrent changes between the function's reads and writes.
STATUSES = {
    "authorize_api_key": {200, 401, 403, 503},
    "authorize_session": {200, 401, 403, 503},
    "cancel_organization_deletion": {200, 204, 400, 401, 403, 409, 500, 503},
    "create_api_key": {200, 204, 400, 401, 403, 410, 413, 422, 500, 503},
    "delete_api_key": {200, 400, 401, 403, 404, 410, 500, 503},
    "get_api_key": {200, 400, 401, 403, 404, 500, 503},
    "get_api_key_usage": {200, 204, 400, 401, 403, 404, 500, 503},
    "get_console": {200, 204, 404, 500, 503},
    "get_console_script": {200, 204},
    "get_current_api_key": {200, 204, 400, 401, 500, 503},
    "get_current_organization": {200, 204, 400, 401, 403, 500, 503},
    "get_openapi": {200, 204, 500},
    "get_reference": {200, 204},
    "list_api_keys": {200, 400, 401, 403, 500, 503},
    "list_audit_logs": {200, 204, 400, 401, 403, 500, 503},
    "report_github_leaks": {200, 204, 400, 401, 500, 503},
    "report_leak": {200, 204, 400, 413, 500, 503},
    "revoke_current_api_key": {200, 400, 401, 410, 500, 503},
    "request_organization_deletion": {200, 204, 400, 401, 403, 410, 500, 503},
    "rotate_api_key": {200, 204, 400, 401, 403, 404, 409, 410, 413, 422, 500, 503},
    "update_api_key": {200, 204, 400, 401, 403, 404, 409, 410, 413, 500, 503},
    "verify_api_key": {200, 400, 413, 500, 503},
    "verify_api_keys": {200, 400, 413, 500, 503},
}


@pytest.mark.usefixtures("development_issuer", "no_waiting")
@pytest.mark.parametrize("case", CASES, ids=str)
def test_replay(case: Case, replay: Callable[[Case], list[str]], decisions: Collection[Decision]) -> None:
    """GIVEN a case's seed WHEN the function gets the event THEN answer and writes are as expected.

    The function's role allows all requests; tests/test_roles.py tests that it allows no others.
    """
    assert [] == replay(case)
    assert [] == [decision for decision in decisions if not decision.is_allowed]


# ---- The cases -----------------------------------------------------------------------------------------------


def test_each_status_has_an_event() -> None:
    """Every function has an event for each status it can answer."""
    statuses: dict[str, set[int]] = {}
    for case in CASES:
        statuses.setdefault(case.function, set()).add(case.status)

    assert STATUSES == statuses


def test_each_function_has_events() -> None:
    """Every function of the template has events, with a status or without a caller."""
    functions = {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")}

    assert functions == STATUSES.keys() | WITHOUT_STATUS


def test_each_route_has_events(stack: Stack) -> None:
    """Every route has an event, preflights included, in the folder of its function."""
    functions = {name: function.directory.name for name, function in stack.functions.items()}
    routes = {(route.method, route.path, functions[route.function]) for route in stack.api.routes}

    assert routes == {(case.event["httpMethod"], case.event["resource"], case.function) for case in REQUESTS}


def test_each_base_and_each_item_is_used() -> None:
    """No base of a case and no item of items.json is left over."""
    files = [*case_files(), *EVENTS.glob("*/base.json"), *EVENTS.glob("base/*.json")]
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    names = [file.stem for file in EVENTS.glob("base/*.json")] + list(read(EVENTS / "items.json"))

    assert [] == [name for name in names if f'"{name}"' not in text]


def test_cases_expect_an_answer_or_an_error() -> None:
    """A function answers or fails, and its writes are listed."""

    def outcome(case: Case) -> Iterator[Comparison]:
        fields = case.expected.keys() & {"answer", "error"}
        yield "number of outcomes", 1, len(fields)
        yield "fields", fields | {"added", "changed", "removed"}, case.expected.keys()

    assert [] == unequal(CASES, outcome)


def test_questions_are_named_after_the_gateways_status() -> None:
    """Policy and simple answer mean 200 or 403, the message "Unauthorized" means 401, and any other error 503."""

    def status(case: Case) -> Iterator[Comparison]:
        match case.expected:
            case {"answer": {"isAuthorized": is_authorized}}:
                yield "status", 200 if is_authorized else 403, case.status
            case {"answer": {"policyDocument": {"Statement": statements}}}:
                is_allowed = authorization.allows(statements, asked_arn(case.event), asked_address(case.event))
                yield "status", 200 if is_allowed else 403, case.status
            case {"error": {"message": message}}:
                yield "status", 401 if message == "Unauthorized" else 503, case.status

    assert [] == unequal(QUESTIONS, status)


def asked_arn(question: dict[str, Any]) -> str:
    """Return the ARN of the request that an authorizer is asked about."""
    arn: str = question["routeArn"] if question.get("version") == "2.0" else question["methodArn"]
    return arn


def asked_address(question: dict[str, Any]) -> str | None:
    """Return the address of the client of the request that an authorizer is asked about."""
    match question:
        case {"requestContext": {"http": {"sourceIp": address}} | {"identity": {"sourceIp": address}}}:
            return str(address)
    return None


# ---- Requests ------------------------------------------------------------------------------------------------

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
CREDENTIALS = {
    "get_current_api_key": "api key",
    "revoke_current_api_key": "api key",
    "verify_api_key": "signature",
    "verify_api_keys": "signature",
    "get_console": "none",
    "get_console_script": "none",
    "get_openapi": "none",
    "get_reference": "none",
    "report_github_leaks": "none",
    "report_leak": "none",
}
"""The credentials of routes that take no session."""


def credentials(case: Case) -> str:
    """Return the credentials that a request's route takes: session, api key, signature or none."""
    return "none" if case.event["httpMethod"] == "OPTIONS" else CREDENTIALS.get(case.function, "session")


def test_requests_have_the_form_of_api_gateway() -> None:
    """A request has all fields of API Gateway and no others; its identity is that of the route's credentials."""

    def fields(case: Case) -> Iterator[Comparison]:
        context, taken = case.event["requestContext"], credentials(case)
        authorizer = AUTHORIZER_FIELDS.get(taken, set())
        identity = {"sourceIp", "userAgent"} | (SIGNER_FIELDS if taken == "signature" else set())
        yield "fields", REQUEST_FIELDS, case.event.keys()
        yield "requestContext", CONTEXT_FIELDS | ({"authorizer"} if authorizer else set()), context.keys()
        yield "identity", IDENTITY_FIELDS, context["identity"].keys()
        yield "known identity", identity, {name for name, value in context["identity"].items() if value is not None}
        yield "authorizer", authorizer, context.get("authorizer", {}).keys()
        yield "headers", FORWARDED_HEADERS, FORWARDED_HEADERS & case.event["headers"].keys()

    assert [] == unequal(REQUESTS, fields)


def test_repeated_values_of_requests_are_equal() -> None:
    """Values that API Gateway sends in two places of a request are equal."""

    def repeated(case: Case) -> Iterator[Comparison]:
        event, context = case.event, case.event["requestContext"]
        headers = {name.lower(): value for name, value in event["headers"].items()}
        query = event["multiValueQueryStringParameters"]
        moment = datetime.fromtimestamp(context["requestTimeEpoch"] // 1000, UTC)
        yield "headers", event["headers"], last_values(event["multiValueHeaders"])
        yield "query", event["queryStringParameters"], query and last_values(query)
        yield "path", event["path"], event["resource"].format(**(event["pathParameters"] or {}))
        yield "context.httpMethod", event["httpMethod"], context["httpMethod"]
        yield "context.resourcePath", event["resource"], context["resourcePath"]
        yield "context.path", f"/{context['stage']}{event['path']}", context["path"]
        yield "context.requestTime", moment.strftime("%d/%b/%Y:%H:%M:%S +0000"), context["requestTime"]
        yield "trace", f"{int(moment.timestamp()):08x}", headers["x-amzn-trace-id"].split("-")[1]
        yield "host", headers["host"], context["domainName"]
        yield "source address", headers["x-forwarded-for"], context["identity"]["sourceIp"]
        yield "user agent", headers["user-agent"], context["identity"]["userAgent"]
        yield "domain", f"{context['domainPrefix']}.execute-api", ".".join(context["domainName"].split(".")[:2])

    assert [] == unequal(REQUESTS, repeated)


def last_values(lists: dict[str, list[str]]) -> dict[str, str]:
    """Return the last value of each name, which API Gateway sends where there is room for one."""
    return {name: values[-1] for name, values in lists.items()}


def test_request_ids_are_unique() -> None:
    """An id in the log identifies one case."""
    ids = [case.event["requestContext"]["requestId"] for case in REQUESTS]

    assert len(ids) == len(set(ids))


# ---- Questions to authorizers --------------------------------------------------------------------------------

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


def form(case: Case) -> tuple[str, str | None]:
    """Return type and version of a question."""
    return case.event["type"], case.event.get("version")


def test_questions_have_the_form_of_api_gateway() -> None:
    """REST APIs ask in two forms, HTTP APIs in two others."""

    def fields(case: Case) -> Iterator[Comparison]:
        event = case.event
        optional = OPTIONAL_FIELDS_OF_HTTP_APIS & event.keys() if form(case) == ("REQUEST", "2.0") else set()
        yield "fields", QUESTION_FIELDS[form(case)] | optional, event.keys()
        if form(case) == ("REQUEST", "2.0"):
            yield "requestContext", CONTEXT_FIELDS_OF_HTTP_APIS, event["requestContext"].keys()
            yield "headers in capitals", [], [name for name in event["headers"] if name != name.lower()]
        elif event["type"] == "REQUEST":
            yield "requestContext", CONTEXT_FIELDS, event["requestContext"].keys()
            yield "empty fields", [], [name for name, value in event.items() if value is None]

    assert [] == unequal(QUESTIONS, fields)


def test_the_authorizer_for_any_api_has_every_form() -> None:
    """All four forms of the question have an event."""
    assert QUESTION_FIELDS.keys() == {form(case) for case in QUESTIONS if case.function == "authorize_api_key"}


def test_http_apis_get_both_forms_of_the_answer() -> None:
    """Payload 2.0 has events that are answered with a policy, and events with a simple answer."""
    answers = [case.expected.get("answer", {}) for case in QUESTIONS if form(case) == ("REQUEST", "2.0")]

    assert {"policyDocument", "isAuthorized"} == {"policyDocument", "isAuthorized"} & set().union(*answers)


def test_repeated_values_of_questions_are_equal() -> None:
    """Stage, method and path in the ARN are those of the question's other fields."""

    def repeated(case: Case) -> Iterator[Comparison]:
        event, context = case.event, case.event["requestContext"]
        if event.get("version") == "2.0":
            method, path = context["http"]["method"], context["http"]["path"]
            route = event["routeKey"]
            yield "path", event["rawPath"], path
            yield "route", event["routeKey"], context["routeKey"]
        else:
            method, path = event["httpMethod"], event["path"]
            route = f"{context['httpMethod']} {context['resourcePath']}"
            yield "resource", event["resource"], context["resourcePath"]
        api = f"arn:aws:execute-api:eu-central-1:{context['accountId']}:{context['apiId']}"
        yield "ARN", f"{api}/{context['stage']}/{method}{path}", asked_arn(event)
        yield "route", f"{method} {path}", route.format(**event.get("pathParameters", {}))
        yield "domain", f"{context['domainPrefix']}.execute-api", ".".join(context["domainName"].split(".")[:2])

    assert [] == unequal([case for case in QUESTIONS if case.event["type"] == "REQUEST"], repeated)


# ---- Tokens and keys -----------------------------------------------------------------------------------------


def test_tokens_are_those_of_make_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The identity provider of `make run` signs the same token for the same session."""
    (token,) = [case.token for case in CASES if str(case) == "create_api_key-200_minimal"]
    claims = token["claims"]
    monkeypatch.setattr("local.identity_provider.time.time", lambda: claims["iat"])
    provider = IdentityProvider(DEVELOPMENT_ISSUER, AUDIENCE, "org_id")

    minted = provider.mint(claims["sub"], claims["org_id"], ttl_seconds=claims["exp"] - claims["iat"])

    assert minted == session_token(token)


def test_requests_hold_the_token_of_their_authorizer() -> None:
    """The session token in the header is of the user and organization in the authorizer's context."""

    def session(case: Case) -> Iterator[Comparison]:
        context = case.event["requestContext"]["authorizer"]
        text = case.event["headers"]["authorization"].removeprefix("Bearer ")
        claims = jwt.decode(text, options={"verify_signature": False})
        yield "user", claims["sub"], context["userId"]
        yield "principal", claims["sub"], context["principalId"]
        yield "organization", claims["org_id"], context["organizationId"]
        yield "expiry", str(claims["exp"] + LEEWAY_SECONDS), context["expiresAt"]

    assert [] == unequal([case for case in REQUESTS if credentials(case) == "session"], session)


def test_events_hold_the_key_that_their_case_describes() -> None:
    """An event whose case describes a key holds this key and no other."""

    def key(case: Case) -> Iterator[Comparison]:
        parts = dict(case.key)
        keys = keyring.derive(parts.pop("pepper").encode())
        yield "keys", [SampleKey(**parts).text(keys)], keys_in(case.event)

    assert [] == unequal([case for case in CASES if case.key], key)


KEY_TEXT = re.compile(MATCHERS["api key"])


def keys_in(event: dict[str, Any]) -> list[str]:
    """Return the texts of all keys in an event, each once."""
    content = event["body"] if event.get("isBase64Encoded") else None
    text = json.dumps(event) + (base64.b64decode(content).decode() if content else "")
    return sorted(set(KEY_TEXT.findall(text)))


def test_only_the_answer_for_a_known_key_names_it() -> None:
    """The answer for an unknown key holds nothing but the code."""

    def refusal(case: Case) -> Iterator[Comparison]:
        answer = case.expected["answer"]["body"]["data"]
        yield "is not found", "not_found" in case.name, answer == {"valid": False, "code": "NOT_FOUND"}

    assert [] == unequal(
        [case for case in REQUESTS if case.function == "verify_api_key" and case.status == 200], refusal
    )
