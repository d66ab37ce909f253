"""The REST API of the template: who gets in, how fast, and what is written down about it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import partial

import pytest

from local.intrinsics import Json, mapping, sequence, text
from tests.support.cloudformation import function_ids, properties, resource
from tests.support.mistakes import GONE, Mistake, about, checks_in, mistakes

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
    """Routes are served under /v1, and SAM adds no second stage."""
    api = properties("Api")

    assert api["StageName"] == "v1"
    assert api["OpenApiVersion"] == "3.0.1"


@each_route
def test_the_path_of_a_route_leaves_the_version_to_the_stage(route: Route) -> None:
    """No route is served under /v1/v1."""
    assert not route.path.startswith("/v1")


AUTHORIZERS = {
    "/auth/api-keys/current": "ApiKeyAuthorizer",
    "/auth/api-keys/verify": "AWS_IAM",
    "/auth/api-keys/verify-batch": "AWS_IAM",
    "/console": "NONE",
    "/console/keywright.js": "NONE",
    "/docs": "NONE",
    "/leaks": "NONE",
    "/leaks/github": "NONE",
    "/openapi.json": "NONE",
}
"""The routes without a session authorizer. The other ones are public: documents, and reports of leaked keys."""


@each_route
def test_a_route_has_an_authorizer_unless_it_answers_preflight_requests(route: Route) -> None:
    """Every route but documents and reports of leaks needs credentials; preflight requests need none."""
    expected = AUTHORIZERS.get(route.path, "SessionAuthorizer")

    assert route.authorizer == ("NONE" if route.method == "OPTIONS" else expected)


@pytest.mark.parametrize("route", [route for route in declared_routes() if route.authorizer != "AWS_IAM"], ids=str)
def test_a_path_answers_preflight_requests(route: Route) -> None:
    """A page of an allowed origin can use every route, but for those of programs with AWS credentials."""
    assert "OPTIONS" in {other.method for other in declared_routes() if other.path == route.path}


def test_documents_travel_compressed_and_answers_with_a_key_do_not() -> None:
    """Documents are compressed; an answer with a key is too short for it, so compression reveals nothing of the key."""
    assert 10_000 <= int(text(properties("Api")["MinimumCompressionSize"], "MinimumCompressionSize")) <= 100_000


def test_requests_are_traced_from_the_gateway_on() -> None:
    """API Gateway traces requests with X-Ray."""
    assert properties("Api")["TracingEnabled"] is True


OWN_LIMITS = [
    "POST /~1auth~1api-keys~1verify",
    "GET /~1docs",
    "GET /~1openapi.json",
    "POST /~1leaks",
    "POST /~1leaks~1github",
    "GET /~1console",
    "GET /~1console~1keywright.js",
]
"""Routes with separate settings, as AWS::ApiGateway::Stage MethodSetting has them: ~1 stands for a slash."""


def test_every_route_is_throttled() -> None:
    """Every route has a limit: no caller can use up the account's quota."""
    settings = _method_settings(ThrottlingRate="5", ThrottlingBurst="9")

    assert ["* /*", *OWN_LIMITS] == list(settings)
    assert ("5", "9") == _limits(settings["* /*"])


def test_verification_is_throttled_apart() -> None:
    """Verification has its own limit, which management of keys does not use up."""
    settings = _method_settings(VerifyThrottlingRate="700", VerifyThrottlingBurst="800")

    assert ("700", "800") == _limits(settings["POST /~1auth~1api-keys~1verify"])
    assert (100, 200) == _limits(settings["* /*"])


@pytest.mark.parametrize("route", ["GET /~1docs", "GET /~1openapi.json"])
def test_public_documents_are_throttled_low(route: str) -> None:
    """The public documents have low limits: a flood of requests for 2 MB pages stays cheap."""
    rate, burst = _limits(_method_settings(ThrottlingRate="9000", ThrottlingBurst="4000")[route])

    assert 2 == rate
    assert 10 == burst


@pytest.mark.parametrize(("route", "limits"), [("POST /~1leaks", (2, 10)), ("POST /~1leaks~1github", (10, 20))])
def test_reports_of_leaks_are_throttled_low(route: str, limits: tuple[int, int]) -> None:
    """Public routes that write have low limits: a report of a hundred keys takes a hundred transactions."""
    assert limits == _limits(_method_settings(ThrottlingRate="9000", ThrottlingBurst="4000")[route])


@pytest.mark.parametrize("route", ["GET /~1console", "GET /~1console~1keywright.js"])
def test_the_console_is_throttled_low(route: str) -> None:
    """Page and script of the console have low limits, enough for people: a sign-in loads the page twice."""
    assert (10, 20) == _limits(_method_settings(ThrottlingRate="9000", ThrottlingBurst="4000")[route])


def test_separate_limits_are_those_of_routes_that_exist() -> None:
    """Each separate limit names a route of the API: API Gateway refuses a stage with others."""
    routes = {f"{route.method} /{route.path.replace('/', '~1')}" for route in declared_routes()}

    assert routes >= set(OWN_LIMITS)
    assert {key for key in _method_settings() if key != "* /*"} <= routes


def test_public_routes_have_separate_limits() -> None:
    """Each route without an authorizer has its own limit."""
    opened = {route for route in declared_routes() if route.authorizer == "NONE" and route.method != "OPTIONS"}

    assert {f"{route.method} /{route.path.replace('/', '~1')}" for route in opened} <= _method_settings().keys()


def test_every_route_is_measured() -> None:
    """Each method setting enables metrics: the settings of a route replace the general ones."""
    assert [True] * (1 + len(OWN_LIMITS)) == [one["MetricsEnabled"] for one in _method_settings().values()]


def test_the_gateway_logs_no_headers_and_no_bodies() -> None:
    """Execution logs, which are never deleted, are off: they would hold tokens and keys."""
    for settings in _method_settings().values():
        assert settings["LoggingLevel"] == "OFF"
        assert settings["DataTraceEnabled"] is False


def test_each_deployment_of_the_stack_reaches_the_stage() -> None:
    """A deployment with other AllowedOrigins or another PublicUrl changes the gateway's own answers at once."""
    assert properties("Api")["AlwaysDeploy"] is True


def test_access_logs_wait_for_the_log_role_where_the_stack_sets_it() -> None:
    """The access log refers to the log role if the stack sets it; a DependsOn would be refused if it does not."""
    written = mapping(mapping(resource("Api")["Properties"], "Api")["AccessLogSetting"], "AccessLogSetting")

    assert {"Ref": "ApiGatewayAccount"} in _within(written["DestinationArn"])
    assert "DependsOn" not in resource("Api")
    for manages in ("true", "false"):
        resolved = mapping(properties("Api", ManageApiGatewayLogRole=manages)["AccessLogSetting"], "AccessLogSetting")
        assert text(resolved["DestinationArn"], "DestinationArn").endswith(":keywright-local-AccessLogs")


def test_a_request_is_one_line_of_json_in_the_access_log() -> None:
    """A line of the access log has the request's id, route, outcome and latencies."""
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
    """The access log has no field that a caller could put a token or key into: header, query, path, body or message.

    A message can quote the whole Authorization header: that of an IncompleteSignatureException, which a session token
    gets on a route that does not exist.
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
    """Access logs, with addresses and user ids, are deleted after LogRetentionDays."""
    assert properties("AccessLogs", LogRetentionDays="14") == {"RetentionInDays": "14"}


def test_the_session_authorizer_is_asked_by_token_and_its_answer_reused() -> None:
    """The session authorizer gets the Authorization header, and its answer is cached for five minutes."""
    authorizer = _session_authorizer()
    identity = mapping(authorizer["Identity"], "Identity")

    assert authorizer["FunctionPayloadType"] == "TOKEN"
    assert identity["Header"] == "Authorization"
    assert identity["ReauthorizeEvery"] == 300


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
        "Bearer kk_" + "0" * 92,
    ],
)
def test_what_cannot_be_a_session_token_is_refused_by_the_gateway(authorization: str) -> None:
    """Malformed tokens and API keys are refused without an invocation of the authorizer."""
    assert not re.fullmatch(_validation_expression(), authorization)


def test_the_validation_expression_is_read_alike_by_every_engine() -> None:
    """The expression means the same in Java and Python: no flags, no groups, anchored at both ends."""
    expression = _validation_expression()

    assert expression[0] == "^"
    assert expression[-1] == "$"
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


AUTH = "Resources.{}.Properties.Events.Route.Properties.Auth"
API = "Resources.Api.Properties"
SESSION = f"{API}.Auth.Authorizers.SessionAuthorizer"
LOG_FORMAT = f"{API}.AccessLogSetting.Format"
DESTINATION = f"{API}.AccessLogSetting.DestinationArn"


def each_declared_route() -> list[tuple[Route]]:
    """Return the cases of a check that is made for each route."""
    return [(route,) for route in declared_routes()]


def each_route_of_pages() -> list[tuple[Route]]:
    """Return the cases of a check that is made for each route that pages may call."""
    return [(route,) for route in declared_routes() if route.authorizer != "AWS_IAM"]


def settings_of(number: int, **wrong: object) -> list[tuple[str, object]]:
    """Return mistakes in one of the method settings, one for each name."""
    return [(f"{API}.MethodSettings.{number}.{name}", value) for name, value in wrong.items()]


MISTAKES = [
    *mistakes(test_the_stage_is_the_version_in_the_path, (f"{API}.StageName", "prod"), (f"{API}.OpenApiVersion", GONE)),
    *mistakes(
        test_the_path_of_a_route_leaves_the_version_to_the_stage,
        ("Resources.CreateApiKey.Properties.Events.Route.Properties.Path", "/v1/auth/api-keys"),
        cases=each_declared_route,
    ),
    *mistakes(
        test_a_route_has_an_authorizer_unless_it_answers_preflight_requests,
        (f"{API}.Auth.DefaultAuthorizer", "NONE"),
        (AUTH.format("ListApiKeys"), {"Authorizer": "NONE"}),
        (AUTH.format("VerifyApiKey"), GONE),
        (AUTH.format("GetCurrentApiKey"), GONE),
        (AUTH.format("RevokeCurrentApiKey"), GONE),
        cases=each_declared_route,
    ),
    *mistakes(
        test_a_path_answers_preflight_requests,
        ("Resources.CreateApiKey.Properties.Events.Preflight", GONE),
        cases=each_route_of_pages,
    ),
    *mistakes(test_documents_travel_compressed_and_answers_with_a_key_do_not, (f"{API}.MinimumCompressionSize", 0)),
    *mistakes(test_requests_are_traced_from_the_gateway_on, (f"{API}.TracingEnabled", False)),
    *mistakes(
        test_every_route_is_throttled,
        *settings_of(
            0,
            ThrottlingRateLimit=10_000,
            ThrottlingBurstLimit=GONE,
            HttpMethod="GET",
            ResourcePath="/auth/api-keys",
        ),
    ),
    *mistakes(
        test_verification_is_throttled_apart,
        *settings_of(
            1,
            ThrottlingRateLimit={"Ref": "ThrottlingRate"},
            ThrottlingBurstLimit=GONE,
            ResourcePath="/auth/api-keys/verify",
        ),
    ),
    *(
        mistake
        for number, route in ((2, "GET /~1docs"), (3, "GET /~1openapi.json"))
        for mistake in mistakes(
            test_public_documents_are_throttled_low,
            *settings_of(
                number,
                ThrottlingRateLimit={"Ref": "ThrottlingRate"},
                ThrottlingBurstLimit={"Ref": "ThrottlingBurst"},
            ),
            cases=about(route),
        )
    ),
    *(
        mistake
        for number, route, limits in ((4, "POST /~1leaks", (2, 10)), (5, "POST /~1leaks~1github", (10, 20)))
        for mistake in mistakes(
            test_reports_of_leaks_are_throttled_low,
            *settings_of(number, ThrottlingRateLimit={"Ref": "ThrottlingRate"}, ThrottlingBurstLimit=GONE),
            cases=partial(list, [(route, limits)]),
        )
    ),
    *(
        mistake
        for number, route in ((6, "GET /~1console"), (7, "GET /~1console~1keywright.js"))
        for mistake in mistakes(
            test_the_console_is_throttled_low,
            *settings_of(number, ThrottlingRateLimit={"Ref": "ThrottlingRate"}, ThrottlingBurstLimit=GONE),
            cases=about(route),
        )
    ),
    *mistakes(
        test_separate_limits_are_those_of_routes_that_exist,
        *settings_of(2, ResourcePath="/docs"),
        *settings_of(2, ResourcePath="/~1documents"),
        *settings_of(2, HttpMethod="*"),
    ),
    *mistakes(
        test_public_routes_have_separate_limits,
        (f"{API}.MethodSettings.3", GONE),
        (AUTH.format("ListApiKeys"), {"Authorizer": "NONE"}),
    ),
    *mistakes(
        test_every_route_is_measured,
        *settings_of(0, MetricsEnabled=False),
        *settings_of(1, MetricsEnabled=GONE),
        *settings_of(2, MetricsEnabled=False),
    ),
    *mistakes(
        test_the_gateway_logs_no_headers_and_no_bodies,
        *(wrong for number in range(4) for wrong in settings_of(number, LoggingLevel="INFO", DataTraceEnabled=True)),
        *(wrong for number in range(4) for wrong in settings_of(number, LoggingLevel=GONE)),
    ),
    *mistakes(
        test_each_deployment_of_the_stack_reaches_the_stage,
        (f"{API}.AlwaysDeploy", GONE),
        (f"{API}.AlwaysDeploy", False),
    ),
    *mistakes(
        test_access_logs_wait_for_the_log_role_where_the_stack_sets_it,
        ("Resources.Api.DependsOn", "ApiGatewayAccount"),
        (DESTINATION, {"Fn::GetAtt": ["AccessLogs", "Arn"]}),
        (f"{DESTINATION}.Fn::Select.0", 1),
    ),
    *mistakes(test_a_request_is_one_line_of_json_in_the_access_log, (LOG_FORMAT, "$context.requestId")),
    *mistakes(
        test_the_access_log_has_no_credentials,
        (LOG_FORMAT, '{"token": "$context.authorizer.token", "path": "$context.path"}'),
    ),
    *mistakes(test_access_logs_are_deleted_after_the_days_the_operator_chose, ("Resources.AccessLogs.Properties", {})),
    *mistakes(
        test_the_session_authorizer_is_asked_by_token_and_its_answer_reused,
        (f"{SESSION}.FunctionPayloadType", "REQUEST"),
        (f"{SESSION}.Identity.Header", "X-Token"),
        (f"{SESSION}.Identity.ReauthorizeEvery", 3600),
    ),
    *mistakes(
        test_what_can_be_a_session_token_reaches_the_authorizer,
        (f"{SESSION}.Identity.ValidationExpression", "^Bearer .+$"),
        cases=about(f"bearer {TOKEN}"),
    ),
    *mistakes(
        test_what_cannot_be_a_session_token_is_refused_by_the_gateway,
        (f"{SESSION}.Identity.ValidationExpression", ".*"),
        cases=about(f"Bearer {TOKEN} "),
    ),
    *mistakes(
        test_the_validation_expression_is_read_alike_by_every_engine,
        (f"{SESSION}.Identity.ValidationExpression", "(?i)bearer [a-z.]+"),
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_a_mistake_is_noticed(mistake: Mistake, monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN a template that passes WHEN one thing in it is wrong THEN its check fails."""
    mistake.assert_noticed(monkeypatch)


def test_each_check_has_a_mistake() -> None:
    """Every check above has a mistake that it notices."""
    assert checks_in(globals()) == {mistake.check.__name__ for mistake in MISTAKES}
