"""The local gateway behaves as API Gateway's REST API."""

from __future__ import annotations

import base64
import concurrent.futures
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from local.events import Request, method_arn
from tests.local.serving import ANSWER_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from local.template import Stack
    from tests.local.serving import Served

    Read = Callable[..., Stack]
    Serve = Callable[[Stack], Served]

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


class TestEvent:
    """The event that a function receives."""

    def test_has_the_fields_of_a_rest_proxy_event(self, served: Served) -> None:
        """An event has exactly the fields that API Gateway sends."""
        event = served.client.get("/v1/open").json()["event"]

        assert {
            "resource", "path", "httpMethod", "headers", "multiValueHeaders", "queryStringParameters",
            "multiValueQueryStringParameters", "pathParameters", "stageVariables", "requestContext", "body",
            "isBase64Encoded",
        } == set(event)  # fmt: skip

    def test_has_the_fields_of_a_request_context(self, served: Served) -> None:
        """Without an authorizer, the request context has exactly the fields that API Gateway sends."""
        context = served.client.get("/v1/open").json()["event"]["requestContext"]

        assert {
            "resourceId", "resourcePath", "httpMethod", "extendedRequestId", "requestTime", "path", "accountId",
            "protocol", "stage", "domainPrefix", "requestTimeEpoch", "requestId", "identity", "domainName",
            "deploymentId", "apiId",
        } == set(context)  # fmt: skip

    def test_paths_are_with_and_without_stage(self, served: Served) -> None:
        """Only requestContext.path has the stage; resource is the path of the route."""
        event = served.client.get("/v1/things/t-1").json()["event"]

        assert "/things/t-1" == event["path"]
        assert "/v1/things/t-1" == event["requestContext"]["path"]
        assert "/things/{id}" == event["resource"]

    def test_absent_parts_are_null(self, served: Served) -> None:
        """Absent body, query and path parameters are null, not empty."""
        event = served.client.get("/v1/open").json()["event"]

        assert [None, None, None, None] == [
            event[name]
            for name in ("body", "queryStringParameters", "multiValueQueryStringParameters", "pathParameters")
        ]

    def test_query_has_last_and_all_values(self, served: Served) -> None:
        """A repeated query parameter has its last value and all values."""
        event = served.client.get("/v1/open?a=1&a=2%20&b=").json()["event"]

        assert {"a": "2 ", "b": ""} == event["queryStringParameters"]
        assert {"a": ["1", "2 "], "b": [""]} == event["multiValueQueryStringParameters"]

    def test_headers_keep_case_and_every_value(self, served: Served) -> None:
        """Header names keep their case, and repeated lines stay separate."""
        event = served.client.get("/v1/open", headers=[("X-ThinG", "1"), ("x-thing", "2")]).json()["event"]

        assert "2" == event["headers"]["X-ThinG"]
        assert ["1", "2"] == event["multiValueHeaders"]["X-ThinG"]

    def test_forwarding_headers_cannot_be_chosen(self, served: Served) -> None:
        """A client cannot spoof its address."""
        event = served.client.get("/v1/open", headers={"x-forwarded-for": "6.6.6.6"}).json()["event"]

        assert ["127.0.0.1"] == event["multiValueHeaders"]["X-Forwarded-For"]

    def test_text_body(self, served: Served) -> None:
        """A UTF-8 body is passed as text."""
        event = served.client.post("/v1/open", content="é".encode()).json()["event"]

        assert "é" == event["body"]
        assert event["isBase64Encoded"] is False

    def test_binary_body(self, served: Served) -> None:
        """A body that is not UTF-8 is passed base64-encoded."""
        event = served.client.post("/v1/open", content=b"\xff\x00").json()["event"]

        assert base64.b64encode(b"\xff\x00").decode() == event["body"]
        assert event["isBase64Encoded"] is True

    def test_time_counts_down_from_the_template(self, read: Read, serve: Serve) -> None:
        """The remaining time of the context starts at the Timeout of the function."""
        served = serve(read(("Timeout: 7", "Timeout: 900")))
        remaining = served.client.get("/v1/open").json()["milliseconds"]

        assert 900_000 - ANSWER_SECONDS * 1000 < remaining <= 900_000


class TestRouting:
    """The function that receives a request."""

    def test_literal_path_wins(self, served: Served) -> None:
        """A literal segment takes precedence over a parameter."""
        assert "/things/current" == served.client.get("/v1/things/current").json()["event"]["resource"]

    def test_parameter_is_decoded(self, served: Served) -> None:
        """A path parameter is percent-decoded, and may have an encoded slash."""
        assert {"id": "a/ü"} == served.client.get("/v1/things/a%2F%C3%BC").json()["event"]["pathParameters"]

    def test_greedy_parameter(self, served: Served) -> None:
        """A {parameter+} matches the rest of the path."""
        assert {"path": "a/b"} == served.client.get("/v1/files/a/b").json()["event"]["pathParameters"]

    @pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/v2/open", "/v1/nothing", "/v1/open/", "/v1/things/a/b"])
    def test_unknown_path(self, served: Served, path: str) -> None:
        """An unknown path is answered with MISSING_AUTHENTICATION_TOKEN."""
        response = served.client.get(path)

        assert 404 == response.status_code
        assert {"missing": True} == response.json()

    def test_unknown_method(self, served: Served) -> None:
        """A method that the path lacks is refused, even if a less specific path has it."""
        assert 404 == served.client.post("/v1/things/current").status_code

    def test_head_has_no_body(self, served: Served) -> None:
        """HEAD is answered with the length of the body but without it."""
        response = served.client.head("/v1/open")

        assert 200 == response.status_code
        assert b"" == response.content
        assert int(response.headers["content-length"]) > 0

    def test_requests_run_concurrently(
        self, read: Read, serve: Serve, write_function: Callable[[str, str], None]
    ) -> None:
        """Two requests that wait for each other both end."""
        write_function(
            "meet",
            """
            import threading
            barrier = threading.Barrier(2, timeout=60)
            def handler(event, context):
                barrier.wait()
                return {"statusCode": 200}
            """,
        )
        served = serve(read(("functions/say", "functions/meet")))
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            statuses = list(pool.map(lambda _: served.client.post("/v1/say").status_code, range(2)))

        assert [200, 200] == statuses

    def test_added_function(self, read: Read, serve: Serve, write_function: Callable[[str, str], None]) -> None:
        """A function that is added to the template and to functions/ is served without further changes."""
        write_function("late", "def handler(event, context):\n    return {'statusCode': 201, 'body': 'late'}\n")
        addition = """
  Late:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/late
      Events: {Late: {Type: Api, Properties: {Path: '/late/{id}', Method: patch, Auth: {Authorizer: NONE}}}}
  Say:
"""
        served = serve(read(("\n  Say:\n", addition)))
        response = served.client.patch("/v1/late/1")

        assert 201 == response.status_code
        assert "late" == response.text


class TestAuthorizer:
    """Lambda authorizers."""

    def test_allowed(self, served: Served) -> None:
        """The function receives the principal and the context of the authorizer, as strings."""
        event = served.post("/v1/things", "allow").json()["event"]

        assert {
            "principalId": "someone",
            "organizationId": "o-1",
            "number": "1",
            "truth": "true",
            "reason": "allow",
            "details": '{"word": "allow"}',
        } == event["requestContext"]["authorizer"]

    def test_question(self, served: Served) -> None:
        """A TOKEN authorizer receives the whole header and the method ARN."""
        served.post("/v1/things", "allow")

        assert [
            {
                "type": "TOKEN",
                "authorizationToken": "Bearer allow",
                "methodArn": "arn:aws:execute-api:us-east-1:123456789012:local/v1/POST/things",
            }
        ] == served.asked

    def test_the_method_arn_has_the_path_unchanged(self) -> None:
        """The path is not normalized, so the authorizer decides on the path that the backend receives."""
        arns = {
            path: method_arn(Request("GET", f"/v1{path}", "", (), b"", "203.0.113.7", "localhost", 80), "v1")
            for path in ("//things", "/%74hings", "/x/../things", "/things/", "/", "")
        }

        prefix = "arn:aws:execute-api:us-east-1:123456789012:local/v1/GET"
        assert {path: f"{prefix}/{path.removeprefix('/')}" for path in arns} == arns

    def test_no_token(self, served: Served) -> None:
        """Without the identity header the answer is 401, and the authorizer is not asked."""
        response = served.client.post("/v1/things")

        assert 401 == response.status_code
        assert [] == served.asked

    def test_invalid_token(self, served: Served) -> None:
        """A token that does not match the validation expression is 401, and the authorizer is not asked."""
        response = served.post("/v1/things", "NOT a token")

        assert 401 == response.status_code
        assert [] == served.asked

    def test_two_tokens(self, served: Served) -> None:
        """Two identity headers are refused, even if each is valid."""
        tokens = [("Authorization", "Bearer allow"), ("Authorization", "Bearer allow")]

        assert 401 == served.client.post("/v1/things", headers=tokens).status_code
        assert [] == served.asked

    def test_unauthorized(self, served: Served) -> None:
        """An authorizer that raises "Unauthorized" is 401."""
        assert 401 == served.post("/v1/things", "unauthorized").status_code

    @pytest.mark.parametrize(
        ("token", "kind"),
        [("crash", "AUTHORIZER_CONFIGURATION_ERROR"), ("malformed", "AUTHORIZER_CONFIGURATION_ERROR")],
    )
    def test_failure(self, served: Served, token: str, kind: str) -> None:
        """Another exception or a malformed answer is a server error."""
        response = served.post("/v1/things", token)

        assert 500 == response.status_code
        assert kind == response.headers["x-amzn-errortype"]

    @pytest.mark.parametrize("token", ["deny", "nothing"])
    def test_denied(self, served: Served, token: str) -> None:
        """A Deny wins over an Allow, and the default is to deny."""
        response = served.post("/v1/things", token)

        assert 403 == response.status_code
        assert "ACCESS_DENIED" == response.json()["type"]

    def test_token_of_another_header(self, served: Served) -> None:
        """The template names the identity header; without a validation expression every value is accepted."""
        response = served.client.get("/v1/fresh", headers={"x-token": "allow", "Authorization": "Bearer deny"})

        assert 200 == response.status_code
        assert ["allow"] == [question["authorizationToken"] for question in served.asked]

    def test_answer_is_not_cached(self, served: Served) -> None:
        """With ReauthorizeEvery 0, every request asks the authorizer."""
        for _ in range(2):
            served.client.get("/v1/fresh", headers={"x-token": "allow"})

        assert 2 == len(served.asked)

    def test_denial_is_cached(self, served: Served) -> None:
        """A denial is cached with its context."""
        first, second = (served.post("/v1/things", "deny").json() for _ in range(2))

        assert first == second
        assert 1 == len(served.asked)

    def test_answer_is_cached(self, served: Served) -> None:
        """The authorizer is asked once about a token until its answer expires."""
        for _ in range(3):
            served.post("/v1/things", "allow")
        served.now = 299

        assert 200 == served.post("/v1/things", "allow").status_code
        assert 1 == len(served.asked)

    def test_cached_answer_expires(self, served: Served) -> None:
        """After ReauthorizeEvery seconds the authorizer is asked again."""
        served.post("/v1/things", "allow")
        served.now = 300
        served.post("/v1/things", "allow")

        assert 2 == len(served.asked)

    def test_failure_is_not_cached(self, served: Served) -> None:
        """After a failure, the next request asks the authorizer again."""
        served.post("/v1/things", "crash")
        served.post("/v1/things", "crash")

        assert 2 == len(served.asked)

    def test_request_authorizer(self, served: Served) -> None:
        """A REQUEST authorizer receives the request without its body."""
        served.client.get("/v1/asked", headers={"x-api-key": "k"})
        question = served.asked[0]

        assert "REQUEST" == question["type"]
        assert "/asked" == question["path"]
        assert "body" not in question

    def test_request_authorizer_gets_empty_for_null(self, served: Served) -> None:
        """An absent query is an empty object for an authorizer, not null as for a function."""
        event = served.client.get("/v1/asked", headers={"x-api-key": "allow"}).json()["event"]
        names = (
            "queryStringParameters",
            "multiValueQueryStringParameters",
            "pathParameters",
            "stageVariables",
        )

        assert [None] * 4 == [event[name] for name in names]
        assert [{}] * 4 == [served.asked[0][name] for name in names]

    def test_request_authorizer_gets_query_and_path(self, served: Served) -> None:
        """Query and path parameters are those of the function's event; the method ARN is added."""
        served.client.get("/v1/asked/7?a=1&a=2", headers={"x-api-key": "allow"})
        question = served.asked[0]

        assert {"id": "7"} == question["pathParameters"]
        assert {"a": "2"} == question["queryStringParameters"]
        assert {"a": ["1", "2"]} == question["multiValueQueryStringParameters"]
        assert "arn:aws:execute-api:us-east-1:123456789012:local/v1/GET/asked/7" == question["methodArn"]

    def test_events_are_copied(self, read: Read, serve: Serve, project: Path) -> None:
        """Changes that an authorizer makes to its event do not reach the function."""
        handler = project / "functions" / "authorize" / "handler.py"
        spoiling = 'event["headers"].clear(); event["requestContext"]["identity"]["sourceIp"] = "6.6.6.6"; return {'
        handler.write_text(handler.read_text().replace('return {\n        "principalId"', f'{spoiling}"principalId"'))
        served = serve(read())
        event = served.client.get("/v1/asked", headers={"x-api-key": "allow"}).json()["event"]

        assert "allow" == event["headers"]["x-api-key"]
        assert "127.0.0.1" == event["requestContext"]["identity"]["sourceIp"]

    def test_request_authorizer_without_identity(self, served: Served) -> None:
        """Without the identity sources, the authorizer is not asked."""
        response = served.client.get("/v1/asked")

        assert 401 == response.status_code
        assert [] == served.asked


class TestGatewayResponses:
    """Gateway responses."""

    def test_template_is_filled(self, served: Served) -> None:
        """$context variables in a body are replaced and escaped for JSON."""
        response = served.client.post("/v1/things", headers={"user-agent": 'a "quoted" agent'})

        assert {
            "message": "Unauthorized",
            "path": "/v1/things",
            "id": response.headers["x-request-id"],
            "agent": 'a "quoted" agent',
            "docs": "https://docs.example/v1#x",
        } == response.json()

    def test_headers(self, served: Served) -> None:
        """Headers are static values, $context variables, or copies of request headers."""
        headers = served.client.post("/v1/things", headers={"origin": "https://app.example"}).headers

        assert "Bearer" == headers["www-authenticate"]
        assert "https://app.example" == headers["x-origin"]

    def test_header_without_value_is_left_out(self, served: Served) -> None:
        """A copy of an absent request header is omitted."""
        assert "x-origin" not in served.client.post("/v1/things").headers

    def test_denial_has_the_context_of_the_authorizer(self, served: Served) -> None:
        """The context of a denial is in $context; JSON in it is inserted unescaped."""
        response = served.post("/v1/things", "deny")

        assert 403 == response.status_code
        assert {
            "type": "ACCESS_DENIED",
            "reason": "deny",
            "missing": "",
            "who": "someone",
            "details": {"word": "deny"},
            "truth": True,
        } == response.json()

    def test_denial_with_headers_of_the_context(self, served: Served) -> None:
        """Headers can have values of the context; absent values are omitted."""
        headers = served.post("/v1/things", "deny").headers

        assert "deny" == headers["x-reason"]
        assert "x-missing" not in headers

    def test_context_is_not_escaped(self, served: Served) -> None:
        """A quotation mark in the context of an authorizer ends the JSON string around it."""
        response = served.client.get("/v1/fresh", headers={"x-token": "nothing%22"})

        assert '"reason": "nothing"", ' in response.text

    def test_context_with_a_line_break(self, served: Served) -> None:
        """A line break in the context does not create another header."""
        response = served.client.get("/v1/fresh", headers={"x-token": "a%0D%0Ax-injected:%201"})

        assert 403 == response.status_code
        assert "x-reason" not in response.headers
        assert "x-injected" not in response.headers

    def test_context_with_a_surrogate(self, served: Served) -> None:
        """Half a surrogate pair in the context does not prevent an answer."""
        response = served.client.get("/v1/fresh", headers={"x-token": "surrogate"})

        assert 403 == response.status_code
        assert '"reason": "?", ' in response.text

    def test_other_refusals_have_no_context(self, read: Read, serve: Serve) -> None:
        """Without an answer of an authorizer, its context is empty."""
        served = serve(read(('{"missing": true}', '{"reason": "$context.authorizer.reason"}')))

        assert {"reason": ""} == served.client.get("/v1/nothing", headers={"x-token": "deny"}).json()

    def test_default_of_aws(self, read: Read, serve: Serve) -> None:
        """Without a gateway response in the template, the default of AWS is used."""
        served = serve(read(("MISSING_AUTHENTICATION_TOKEN:", "THROTTLED:"), ("DEFAULT_4XX:", "WAF_FILTERED:")))
        response = served.client.get("/v1/nothing")

        assert 403 == response.status_code
        assert {"message": "Missing Authentication Token"} == response.json()

    def test_large_body(self, served: Served) -> None:
        """A body of more than 10 MB is refused with REQUEST_TOO_LARGE."""
        response = served.client.post("/v1/open", content=b"x" * (10 * 1024 * 1024 + 1))

        assert 413 == response.status_code
        assert {"large": True} == response.json()

    @pytest.mark.parametrize(
        "header",
        [b"bad header", b"Content-Length: x", b"Content-Length: " + b"1" * 5000, b"Transfer-Encoding: gzip, chunked"],
        ids=["no header", "no length", "long length", "other coding"],
    )
    def test_malformed_request(self, served: Served, header: bytes) -> None:
        """A malformed request is answered with a gateway response, and never with 5xx."""
        with socket.create_connection((served.client.base_url.host, served.client.base_url.port or 0)) as connection:
            connection.sendall(b"GET /v1/open HTTP/1.1\r\n" + header + b"\r\n\r\n")
            answer = connection.makefile("rb").read()

        assert b" 400 Bad Request\r\n" in answer
        assert b'{"default": "4xx"' in answer

    def test_every_answer_has_one_length(self, served: Served) -> None:
        """A content-length header of a function is not added to that of the server."""
        response = served.say({"statusCode": 200, "headers": {"Content-Length": "99"}, "body": "four"})

        assert ["4"] == response.headers.get_list("content-length")


class TestProxyAnswers:
    """Answers of functions."""

    def test_exception(self, served: Served) -> None:
        """An exception of a function is answered with DEFAULT_5XX."""
        response = served.client.post("/v1/say")

        assert 500 == response.status_code
        assert {"default": "5xx"} == response.json()

    @pytest.mark.parametrize(
        "answer",
        [
            "text",
            {},
            {"statusCode": "x"},
            {"statusCode": 99},
            {"statusCode": 200, "body": {"not": "text"}},
            {"statusCode": 200, "extra": 1},
            {"statusCode": 200, "headers": {"x": "a\r\nb: c"}},
            {"statusCode": 200, "headers": ["x"]},
            {"statusCode": 200, "body": "%", "isBase64Encoded": True},
            {"statusCode": 200, "body": "\ud800"},
        ],
        ids=str,
    )
    def test_malformed(self, served: Served, answer: object) -> None:
        """A malformed answer is answered with DEFAULT_5XX."""
        assert 500 == served.say(answer).status_code
        assert {"default": "5xx"} == served.say(answer).json()

    def test_multiple_values(self, served: Served) -> None:
        """A name in multiValueHeaders overrides the same name in headers and may have several lines."""
        answer = {"statusCode": 200, "headers": {"X-A": "0"}, "multiValueHeaders": {"x-a": ["1", "2"]}}

        assert ["1", "2"] == served.say(answer).headers.get_list("x-a")

    def test_binary_answer(self, served: Served) -> None:
        """A base64-encoded body is decoded."""
        answer = {"statusCode": 200, "body": base64.b64encode(b"\xff").decode(), "isBase64Encoded": True}

        assert b"\xff" == served.say(answer).content

    def test_remapped_header(self, served: Served) -> None:
        """The www-authenticate header of a function is renamed, as by API Gateway."""
        headers = served.say({"statusCode": 401, "headers": {"WWW-Authenticate": "Bearer"}}).headers

        assert "www-authenticate" not in headers
        assert "Bearer" == headers["x-amzn-remapped-www-authenticate"]

    def test_content_type_by_default(self, served: Served) -> None:
        """An answer without content type is JSON."""
        assert "application/json" == served.say({"statusCode": 200}).headers["content-type"]

    def test_no_content(self, served: Served) -> None:
        """A 204 has neither body nor length."""
        response = served.say({"statusCode": 204, "body": "ignored"})

        assert 204 == response.status_code
        assert b"" == response.content
        assert "content-length" not in response.headers


class TestTerminal:
    """The request log on the terminal."""

    def test_one_line_without_secrets(self, served: Served) -> None:
        """A request is one line with method, path, status and time, without token, query and body."""
        served.client.post("/v1/things?q=secret", headers={"Authorization": "Bearer secret"}, content="secret")

        assert ["POST /v1/things 403"] == [line.rsplit(" ", 2)[0] for line in served.lines]


def test_stop_ends_the_thread(serve: Serve, read: Read) -> None:
    """A stopped server leaves no thread behind."""
    served = serve(read())
    port = served.client.base_url.port
    served.client.get("/v1/open")
    served.server.stop()

    assert f"http-{port}" not in {thread.name for thread in threading.enumerate()}
