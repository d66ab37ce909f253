"""The REST API of the template: who gets in, how fast, and what is written down about it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import pytest

from local.intrinsics import Json, mapping, sequence, text
from tests.support.cloudformation import function_ids, properties, resource

HEADER, PAYLOAD, SIGNATURE = "eyJhbGciOiJFUzI1NiJ9", "eyJzdWIiOiJ1c2VyIn0", "c2ln-bmF0_dXJl"
TOKEN = f"{HEADER}.{PAYLOAD}.{SIGNATURE}"
LARGEST_TOKEN = f"{'h' * 1024}.{'p' * 5120}.{'s' * 1400}"


@dataclass(frozen=True, slots=True)
class Route:
    """A method of a path, and the authorizer in front of it."""

    method: str
    path: str
    authorizer: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def declared_routes() -> list[Route]:
    """Return every route of every function."""
    default = text(mapping(properties("Api")["Auth"], "Auth")["DefaultAuthorizer"], "Auth")
    events = [
        mapping(mapping(event, function)["Properties"], function)
        for function in function_ids()
        for event in mapping(properties(function).get("Events"), function).values()
        if mapping(event, function)["Type"] == "Api"
    ]
    return [
        Route(
            method=text(event["Method"], "Method"),
            path=text(event["Path"], "Path"),
            authorizer=text(mapping(event.get("Auth"), "Auth").get("Authorizer", default), "Authorizer"),
        )
        for event in events
    ]


each_route = pytest.mark.parametrize("route", declared_routes(), ids=str)


def test_the_stage_is_the_version_in_the_path() -> None:
    """Routes are served under /v1, and no second stage appears beside it."""
    api = properties("Api")

    assert (api["StageName"], api["OpenApiVersion"]) == ("v1", "3.0.1")


@each_route
def test_the_path_of_a_route_leaves_the_version_to_the_stage(route: Route) -> None:
    """No route is served under /v1/v1."""
    assert not route.path.startswith("/v1")


AUTHORIZERS = {
    "/auth/api-keys/current": "ApiKeyAuthorizer",
    "/auth/api-keys/verify": "AWS_IAM",
    "/docs": "NONE",
    "/openapi.json": "NONE",
}
"""The routes without a session authorizer. The last two serve public documents."""


@each_route
def test_a_route_has_an_authorizer_unless_it_answers_preflight_requests(route: Route) -> None:
    """Every route but the documents needs credentials; preflight requests need none."""
    expected = AUTHORIZERS.get(route.path, "SessionAuthorizer")

    assert route.authorizer == ("NONE" if route.method == "OPTIONS" else expected)


@pytest.mark.parametrize("route", [route for route in declared_routes() if route.authorizer != "AWS_IAM"], ids=str)
def test_a_path_answers_preflight_requests(route: Route) -> None:
    """A page of an allowed origin can use every route, but for those of programs with AWS credentials."""
    assert "OPTIONS" in {other.method for other in declared_routes() if other.path == route.path}


def test_documents_travel_compressed_and_answers_with_a_key_do_not() -> None:
    """The page shrinks to a quarter; a key, 89 characters in a short answer, never stands in compressed text."""
    assert 10_000 <= int(text(properties("Api")["MinimumCompressionSize"], "MinimumCompressionSize")) <= 100_000


def test_requests_are_traced_from_the_gateway_on() -> None:
    """A trace begins where the request arrives."""
    assert properties("Api")["TracingEnabled"] is True


OWN_LIMITS = ["POST /~1auth~1api-keys~1verify", "GET /~1docs", "GET /~1openapi.json"]
"""Routes with separate settings, as AWS::ApiGateway::Stage MethodSetting has them: ~1 stands for a slash."""


def test_every_route_is_throttled() -> None:
    """No caller can use up the account's share."""
    settings = _method_settings(ThrottlingRate="5", ThrottlingBurst="9")

    assert ["* /*", *OWN_LIMITS] == list(settings)
    assert ("5", "9") == _limits(settings["* /*"])


def test_verification_is_throttled_apart() -> None:
    """Backends verify as often as they are called, and management of keys does not hold them back."""
    settings = _method_settings(VerifyThrottlingRate="700", VerifyThrottlingBurst="800")

    assert ("700", "800") == _limits(settings["POST /~1auth~1api-keys~1verify"])
    assert (100, 200) == _limits(settings["* /*"])


@pytest.mark.parametrize("route", ["GET /~1docs", "GET /~1openapi.json"])
def test_public_documents_are_throttled_low(route: str) -> None:
    """The page has 2 MB: a flood of requests for it costs the operator little, and leaves the other routes alone."""
    rate, burst = _limits(_method_settings(ThrottlingRate="9000", ThrottlingBurst="4000")[route])

    assert (2, 10) == (rate, burst)


def test_separate_limits_are_those_of_routes_that_exist() -> None:
    """API Gateway refuses a stage with settings of a method that the API does not have."""
    routes = {f"{route.method} /{route.path.replace('/', '~1')}" for route in declared_routes()}

    assert routes >= set(OWN_LIMITS)
    assert {key for key in _method_settings() if key != "* /*"} <= routes


def test_public_routes_have_separate_limits() -> None:
    """A new route without an authorizer has to have some too."""
    opened = {route for route in declared_routes() if route.authorizer == "NONE" and route.method != "OPTIONS"}

    assert {f"{route.method} /{route.path.replace('/', '~1')}" for route in opened} <= _method_settings().keys()


def test_every_route_is_measured() -> None:
    """The settings of a route replace the general ones, with everything in them."""
    assert [True] * (1 + len(OWN_LIMITS)) == [one["MetricsEnabled"] for one in _method_settings().values()]


def test_the_gateway_logs_no_headers_and_no_bodies() -> None:
    """Tokens and keys do not reach API Gateway's execution logs, which nothing ever deletes."""
    for settings in _method_settings().values():
        assert (settings["LoggingLevel"], settings["DataTraceEnabled"]) == ("OFF", False)


def test_each_deployment_of_the_stack_reaches_the_stage() -> None:
    """Other AllowedOrigins and another PublicUrl are in the very next answer of the gateway."""
    assert properties("Api")["AlwaysDeploy"] is True


def test_access_logs_wait_for_the_log_role_where_the_stack_sets_it() -> None:
    """By a reference that goes with the condition: a DependsOn would be refused where the role is not the stack's."""
    written = mapping(mapping(resource("Api")["Properties"], "Api")["AccessLogSetting"], "AccessLogSetting")

    assert {"Ref": "ApiGatewayAccount"} in _within(written["DestinationArn"])
    assert "DependsOn" not in resource("Api")
    for manages in ("true", "false"):
        resolved = mapping(properties("Api", ManageApiGatewayLogRole=manages)["AccessLogSetting"], "AccessLogSetting")
        assert text(resolved["DestinationArn"], "DestinationArn").endswith(":keywright-local-AccessLogs")


def test_a_request_is_one_line_of_json_in_the_access_log() -> None:
    """A request can be found and understood: by its id, its outcome, and what took how long."""
    line = _access_log_format()

    assert "\n" not in line
    assert set(json.loads(line)) == {
        "requestId",
        "traceId",
        "requestTimeEpoch",
        "ip",
        "method",
        "resourcePath",
        "status",
        "responseLatency",
        "responseType",
        "authorizerStatus",
        "authorizerLatency",
        "integrationStatus",
        "integrationLatency",
        "organizationId",
        "userId",
    }


def test_the_access_log_has_no_credentials() -> None:
    """Nothing that a caller could have put a token or a key into is written down: no header, query, path or body.

    Nor any message: that of an IncompleteSignatureException, which a session token gets on a route that does not exist,
    quotes the whole Authorization header.
    """
    variables = set(re.findall(r"\$[A-Za-z.]+", _access_log_format()))

    assert variables == {
        "$context.requestId",
        "$context.xrayTraceId",
        "$context.requestTimeEpoch",
        "$context.identity.sourceIp",
        "$context.httpMethod",
        "$context.resourcePath",
        "$context.status",
        "$context.responseLatency",
        "$context.error.responseType",
        "$context.authorizer.status",
        "$context.authorizer.latency",
        "$context.integration.status",
        "$context.integration.latency",
        "$context.authorizer.organizationId",
        "$context.authorizer.userId",
    }


def test_access_logs_are_deleted_after_the_days_the_operator_chose() -> None:
    """Addresses and user ids are not kept for ever."""
    assert properties("AccessLogs", LogRetentionDays="14") == {"RetentionInDays": "14"}


def test_the_session_authorizer_is_asked_by_token_and_its_answer_reused() -> None:
    """One invocation serves a session for five minutes."""
    authorizer = _session_authorizer()
    identity = mapping(authorizer["Identity"], "Identity")

    assert authorizer["FunctionPayloadType"] == "TOKEN"
    assert (identity["Header"], identity["ReauthorizeEvery"]) == ("Authorization", 300)


@pytest.mark.parametrize(
    "authorization",
    [
        f"Bearer {TOKEN}",
        f"bearer {TOKEN}",
        f"BEARER {TOKEN}",
        "Bearer hh.pp.ss",
        f"Bearer {LARGEST_TOKEN}",
    ],
    ids=["usual", "lower case", "upper case", "smallest", "largest"],
)
def test_what_can_be_a_session_token_reaches_the_authorizer(authorization: str) -> None:
    """The scheme may be written in any case (RFC 7235), and tokens may be as large as headers may be."""
    assert re.fullmatch(_validation_expression(), authorization)


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        TOKEN,
        f"Basic {TOKEN}",
        f"Bearer{TOKEN}",
        f"Bearer  {TOKEN}",
        f"Bearer\t{TOKEN}",
        f" Bearer {TOKEN}",
        f"Bearer {TOKEN} ",
        f"Bearer {TOKEN}\n",
        f"Bearer {TOKEN} {TOKEN}",
        f"Bearer {TOKEN},Bearer {TOKEN}",
        f"Bearer {HEADER}.{PAYLOAD}",
        f"Bearer {TOKEN}.{SIGNATURE}",
        f"Bearer {HEADER}.{PAYLOAD}.",
        f"Bearer {HEADER}..{SIGNATURE}",
        f"Bearer {TOKEN}=",
        f"Bearer {HEADER}.{PAYLOAD}+/.{SIGNATURE}",
        f"Bearer {HEADER}.{PAYLOAD}\N{LATIN SMALL LETTER E WITH ACUTE}.{SIGNATURE}",
        f"Bearer {'h' * 1025}.{PAYLOAD}.{SIGNATURE}",
        f"Bearer {HEADER}.{'p' * 5121}.{SIGNATURE}",
        f"Bearer {HEADER}.{PAYLOAD}.{'s' * 1401}",
        f"Bearer {HEADER}.{'p' * (8192 - len(HEADER) - len(SIGNATURE) - 2)}.{SIGNATURE}",
        "Bearer kk_" + "0" * 86,
    ],
)
def test_what_cannot_be_a_session_token_is_refused_by_the_gateway(authorization: str) -> None:
    """Neither noise nor an API key costs an invocation of the authorizer."""
    assert not re.fullmatch(_validation_expression(), authorization)


def test_the_validation_expression_is_read_alike_by_every_engine() -> None:
    """API Gateway's engine is Java's: only what Java and Python agree on, no flags or groups, anchored at both ends."""
    expression = _validation_expression()

    assert (expression[0], expression[-1]) == ("^", "$")
    assert "(" not in expression


def _method_settings(**parameters: str) -> dict[str, dict[str, Json]]:
    """Return the settings by method and path."""
    settings = [
        mapping(one, "MethodSettings")
        for one in sequence(properties("Api", **parameters)["MethodSettings"], "MethodSettings")
    ]
    return {f"{one['HttpMethod']} {one['ResourcePath']}": one for one in settings}


def _limits(settings: dict[str, Json]) -> tuple[Json, Json]:
    return settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]


def _within(value: Json) -> list[Json]:
    """Return a part of the template and everything in it."""
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [value, *(part for item in inner for part in _within(item))]


def _access_log_format() -> str:
    return text(mapping(properties("Api")["AccessLogSetting"], "AccessLogSetting")["Format"], "Format")


def _session_authorizer() -> dict[str, Json]:
    auth = mapping(properties("Api")["Auth"], "Auth")
    return mapping(mapping(auth["Authorizers"], "Authorizers")["SessionAuthorizer"], "SessionAuthorizer")


def _validation_expression() -> str:
    return text(mapping(_session_authorizer()["Identity"], "Identity")["ValidationExpression"], "Identity")
