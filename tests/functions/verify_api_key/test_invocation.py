"""verify_api_key without API Gateway: backends invoke the function with the body of a request as its event."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.changes import written
from tests.support.cases import REQUESTS
from tests.support.client import REQUEST_ID, calling
from tests.support.depth import size
from tests.support.matchers import differences
from tests.support.replay import invoke, items, prepare
from tests.support.sample_keys import SampleKey, secret_parts
from tests.support.world import Context

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.cases import Case
    from tests.support.client import Call
    from tests.support.world import World

KEY = SampleKey()
ADDRESS = "https://abc.execute-api.eu-central-1.amazonaws.com/v1"
LONGEST_BODY_BYTES = 64 * 1024
SHARED_HEADERS = {"x-request-id", "retry-after"}
"""The headers that depend on the answer, and not on HTTP."""

ONLY_OVER_HTTP = {
    "200_base64_body": "only API Gateway's events have a body in base64",
    "400_invalid_json": "Lambda refuses a payload that is not JSON, and does not invoke the function",
    "400_unknown_parameter": "an event has no query",
}
CASES = [case for case in REQUESTS if case.function == "verify_api_key"]

call = calling("verify_api_key")


@pytest.fixture
def invoked(call: Call) -> Callable[[object], Any]:
    """Invoke the function with an event of any type."""
    return lambda event: call.handler(event, Context(aws_request_id=REQUEST_ID))


# ---- As over HTTP --------------------------------------------------------------------------------------------


def test_only_these_requests_cannot_be_invocations() -> None:
    """Every other recorded request has an event that says the same."""
    assert ONLY_OVER_HTTP.keys() == ONLY_OVER_HTTP.keys() & {case.name for case in CASES}


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize("case", [case for case in CASES if case.name not in ONLY_OVER_HTTP], ids=str)
def test_an_invocation_is_answered_as_its_request(
    case: Case, world: World, setting: Callable[[str, str], None], load_handler: Callable[[str], Callable[..., object]]
) -> None:
    """GIVEN the seed of a request WHEN its body is the event THEN answer and writes are those over HTTP."""
    context = case.event["requestContext"]
    setting("PUBLIC_URL", f"https://{context['domainName']}/{context['stage']}")
    prepare(case.seed, world, setting)
    before = items(world)
    invocation = Context(aws_request_id=context["requestId"])

    outcome = invoke(load_handler(case.function), json.loads(case.event["body"]), replace(world, context=invocation))

    expected = {**case.expected, "answer": direct(case.expected["answer"])}
    assert [] == differences(expected, {**outcome, **written(before, items(world))})


def direct(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to an invocation that says the same as an answer over HTTP."""
    headers = {name: value for name, value in answer["headers"].items() if name in SHARED_HEADERS}
    return {"status": answer["statusCode"], "headers": headers, **answer["body"]}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=[]))
    | st.sampled_from(["sessions:read", "203.0.113.7", f"kk_{'0' * 92}"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=[])), inner),
    max_leaves=size("LEAVES", 10, full=100),
)
FIELDS = ("key", "permissions", "clientIp", "cost", "httpMethod", "headers", "body")
ALMOST_OF_API_GATEWAY = st.fixed_dictionaries(
    {
        "httpMethod": JSON,
        "headers": JSON,
        "body": JSON,
        "requestContext": JSON | st.fixed_dictionaries({"stage": JSON}),
    },
    optional={"key": JSON, "queryStringParameters": JSON, "isBase64Encoded": JSON},
)
EVENTS = JSON | st.dictionaries(st.sampled_from(FIELDS), JSON) | ALMOST_OF_API_GATEWAY


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(event=EVENTS)
def test_any_event_is_answered_as_the_request_with_it(
    call: Call, invoked: Callable[[object], Any], event: object
) -> None:
    """Any JSON value is a body, valid or not, and is answered; the function does not raise."""
    over_http = call(json.dumps(event), requestContext=call_context())
    answer = invoked(event)

    body = json.loads(over_http["body"])
    assert {"status", "headers", "data", "error"} == answer.keys()
    assert over_http["statusCode"] == answer["status"]
    assert body["data"] == answer["data"]
    assert without_link(body["error"]) == without_link(answer["error"])


def call_context() -> dict[str, Any]:
    """Return the context of a request that API Gateway has authorized."""
    identity = {"sourceIp": "203.0.113.7", "accountId": "123456789012", "caller": "AROA", "userArn": "arn:aws:iam::1"}
    return {"requestId": REQUEST_ID, "stage": "v1", "domainName": "d", "identity": identity}


def without_link(error: dict[str, str] | None) -> dict[str, str] | None:
    """Return an error without the address of its documentation, which a function does not know."""
    return error and {name: text for name, text in error.items() if name != "docs"}


# ---- What only an invocation has -----------------------------------------------------------------------------


def test_an_error_links_to_a_path(invoked: Callable[[object], Any]) -> None:
    """Without a public URL the function does not know the API's address, so the link is the path."""
    assert "/v1/docs#BAD_REQUEST" == invoked({})["error"]["docs"]


def test_an_error_links_to_the_public_url(
    invoked: Callable[[object], Any], setting: Callable[[str, str], None]
) -> None:
    """With a public URL the link is that over HTTP."""
    setting("PUBLIC_URL", ADDRESS)

    assert f"{ADDRESS}/docs#BAD_REQUEST" == invoked({})["error"]["docs"]


@pytest.mark.parametrize("letter", ["k", "\u00e9", "\u20ac", "\U0001f511", "\ud800"])
def test_the_largest_event(invoked: Callable[[object], Any], letter: str) -> None:
    """The limit is 64 KiB of JSON in UTF-8 without white space; a lone surrogate is its escape of six bytes."""
    size_of_one = 6 if letter == "\ud800" else len(letter.encode())
    room = LONGEST_BODY_BYTES - len('{"key":""}')
    largest = letter * (room // size_of_one) + "k" * (room % size_of_one)

    assert 413 != invoked({"key": largest})["status"]
    assert 413 == invoked({"key": f"{largest}k"})["status"]


def test_an_event_that_is_nested_too_deeply(invoked: Callable[[object], Any]) -> None:
    """A nesting that Python cannot write is a bad request, as over HTTP."""
    event: object = []
    for _ in range(100_000):
        event = [event]

    assert "The body is nested too deeply" == invoked(event)["error"]["message"]


def test_the_log_has_the_line_of_a_request(
    call: Call, invoked: Callable[[object], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """The line has the fields of a request over HTTP, with the id of the invocation and no caller."""
    text = KEY.put(call.table)
    invoked({"key": text})

    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    del line["timestamp"]
    assert {
        "level": "INFO",
        "message": "request",
        "service": "keywright",
        "operation": "verify_api_key",
        "request_id": REQUEST_ID,
        "status": 200,
        "code": "OK",
    } == line


def test_a_misplaced_key_is_not_repeated(
    call: Call,
    invoked: Callable[[object], Any],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A key in the wrong place of an event is neither in the answer nor in the log."""
    text = KEY.put(call.table)
    with caplog.at_level(logging.DEBUG, logger="keywright"):
        answers = [invoked(event) for event in (text, [text], {text: text}, {"key": [text]}, {"body": text})]

    shown = str([{**answer, "error": answer["error"] | {"message": ""}} for answer in answers])
    records = capsys.readouterr().out + "".join(str(record.__dict__) for record in caplog.records)
    assert [400] * 5 == [answer["status"] for answer in answers]
    assert not [part for part in secret_parts(text) if part in shown + records]


def test_an_unexpected_error_is_answered(
    invoked: Callable[[object], Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """GIVEN a defect THEN the answer is a 500 that shows nothing of it, and the log has the details."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError("a detail")

    monkeypatch.setattr("keywright.keys.introspect.verification.verify", fail)
    with caplog.at_level(logging.INFO, logger="keywright"):
        answer = invoked({"key": "kk_"})

    assert 500 == answer["status"]
    assert "detail" not in str(answer)
    assert "a detail" in "".join(str(record.__dict__.get("details")) for record in caplog.records)


def test_an_answer_comes_before_the_time_limit(call: Call) -> None:
    """GIVEN too little time for a request to DynamoDB THEN the answer is a 503 that says when to retry."""
    text = KEY.put(call.table)

    answer = call.handler({"key": text}, Context(remaining_milliseconds=3_500))

    assert 503 == answer["status"]
    assert "1" == answer["headers"]["retry-after"]


@pytest.mark.parametrize("name", ["httpMethod", "requestContext"])
def test_one_field_of_api_gateway_makes_no_request(invoked: Callable[[object], Any], name: str) -> None:
    """An event with one of the fields of API Gateway's events is a body with an unknown field."""
    error = invoked({"key": "kk_", name: "POST"})["error"]

    assert f"{name} is not a field of this request" == error["message"]


@pytest.mark.parametrize(("milliseconds", "failures"), [(3_500, [1]), (10_000, [])], ids=["503", "200"])
def test_a_failed_invocation_is_counted(
    call: Call, capsys: pytest.CaptureFixture[str], milliseconds: int, failures: list[int]
) -> None:
    """The log line of an invocation without a result carries a metric: Lambda itself counts it as a success."""
    text = KEY.put(call.table)

    call.handler({"key": text}, Context(remaining_milliseconds=milliseconds))

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    counted = [line for line in lines if "FailedInvocations" in line]
    assert failures == [line["FailedInvocations"] for line in counted]
    assert [
        {
            "Namespace": "Keywright",
            "Dimensions": [["stack"]],
            "Metrics": [{"Name": "FailedInvocations", "Unit": "Count"}],
        }
        for _ in failures
    ] == [directive for line in counted for directive in line["_aws"]["CloudWatchMetrics"]]


def test_a_failed_request_is_no_failed_invocation(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    """API Gateway has metrics of its own for the errors of requests."""
    text = KEY.put(call.table)

    assert 503 == call.with_time_left(3_500).fails({"key": text}).status
    assert "FailedInvocations" not in capsys.readouterr().out


def test_a_forged_caller_changes_nothing(call: Call, invoked: Callable[[object], Any]) -> None:
    """An invoker that writes an event as API Gateway would gets what it gets for the body alone."""
    content = {"key": KEY.put(call.table), "permissions": ["sessions:read"]}
    identity = {"sourceIp": "127.0.0.1", "accountId": "0", "caller": "root", "userArn": "arn:aws:iam::0:root"}
    forged = call(content, requestContext={**call_context(), "identity": identity})

    assert json.loads(forged["body"])["data"] == invoked(content)["data"]
