"""Lambda's Invoke on one machine: which invocations are accepted, how others are refused, and what the caller gets."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from local.lambda_api import PAYLOAD_LIMIT_BYTES
from local.sigv4 import SigningCredential

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.template import Stack
    from tests.local.serving import Served

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

ARN = "arn:aws:lambda:us-east-1:123456789012:function:keywright-local-Echo"
"""The only function behind a route with AWS_IAM whose ARN is an output."""
PATH = "/2015-03-31/functions/keywright-local-Echo/invocations"


@dataclass(frozen=True)
class Outcome:
    """An answer to boto3, or the error that boto3 raises for one."""

    status: int
    headers: dict[str, str]
    payload: Any
    error: str | None = None
    message: str | None = None


def invoke(
    served: Served,
    *,
    function: str = ARN,
    payload: bytes = b"{}",
    credential: SigningCredential | None = None,
    region: str = "us-east-1",
    **options: str,
) -> Outcome:
    """Invoke a function as backends do, with boto3, once."""
    key = served.credential if credential is None else credential
    with closing(
        boto3.client(
            "lambda",
            endpoint_url=served.server.url,
            region_name=region,
            aws_access_key_id=key.access_key_id,
            aws_secret_access_key=key.secret_access_key,
            config=Config(retries={"total_max_attempts": 1}, proxies={}),
        )
    ) as client:
        try:
            answer: Any = client.invoke(FunctionName=function, Payload=payload, **options)
        except ClientError as error:
            metadata = error.response["ResponseMetadata"]
            described = error.response["Error"]
            return Outcome(
                metadata["HTTPStatusCode"], metadata["HTTPHeaders"], None, described["Code"], described["Message"]
            )
        metadata = answer["ResponseMetadata"]
        return Outcome(metadata["HTTPStatusCode"], metadata["HTTPHeaders"], json.loads(answer["Payload"].read()))


def received(outcome: Outcome) -> Any:
    """Return the event that the function echoed."""
    assert 200 == outcome.status
    return json.loads(outcome.payload["body"])["event"]


class TestAccepted:
    """Invocations that reach the function."""

    @pytest.mark.parametrize("event", [{"a": [1, "\u00e9", None]}, [], "text", 1.5, None, True], ids=str)
    def test_any_json_is_an_event(self, served: Served, event: object) -> None:
        """The payload is the event, of whatever type."""
        assert event == received(invoke(served, payload=json.dumps(event).encode()))

    def test_no_payload_is_an_empty_object(self, served: Served) -> None:
        """A function that is invoked without a payload gets an empty object."""
        assert {} == received(invoke(served, payload=b""))

    @pytest.mark.parametrize("name", [ARN, "123456789012:function:keywright-local-Echo", "keywright-local-Echo"])
    def test_forms_of_the_name(self, served: Served, name: str) -> None:
        """A function is named by its ARN, a part of it, or its name."""
        assert 200 == invoke(served, function=name).status

    def test_headers(self, served: Served) -> None:
        """The answer says that it is JSON, of which version, and under which id."""
        headers = invoke(served).headers

        assert "application/json" == headers["content-type"]
        assert "$LATEST" == headers["x-amz-executed-version"]
        assert 36 == len(headers["x-amzn-requestid"])
        assert "x-amz-function-error" not in headers

    def test_the_explicit_type(self, served: Served) -> None:
        """RequestResponse can be asked for."""
        assert 200 == invoke(served, InvocationType="RequestResponse").status

    def test_the_terminal_has_a_line(self, served: Served) -> None:
        """The terminal shows an invocation as a request."""
        invoke(served, function="keywright-local-Echo")

        (line,) = served.lines
        assert line.startswith("POST /2015-03-31/functions/keywright-local-Echo/invocations 200 ")

    def test_other_paths_are_for_api_gateway(self, served: Served) -> None:
        """Other methods and paths are requests to the API."""
        answers = [served.client.get(PATH), served.client.post(f"{PATH}/more"), served.client.post("/v1/open")]

        assert [404, 404, 200] == [answer.status_code for answer in answers]


class TestFunctionErrors:
    """Functions that raise."""

    @pytest.fixture
    def failing(
        self,
        read: Callable[..., Stack],
        serve: Callable[[Stack], Served],
        write_function: Callable[[str, str], None],
    ) -> Served:
        """Serve a function that raises its event's text, in place of the one that echoes."""
        write_function("fail", "def handler(event, context):\n    raise LookupError(context.aws_request_id)\n")
        return serve(read(("CodeUri: functions/echo", "CodeUri: functions/fail")))

    def test_a_report_in_place_of_the_answer(self, failing: Served) -> None:
        """The status is 200, a header says that the function failed, and the payload is the report of the exception."""
        outcome = invoke(failing)

        assert 200 == outcome.status
        assert "Unhandled" == outcome.headers["x-amz-function-error"]
        assert {"errorMessage", "errorType", "requestId", "stackTrace"} == outcome.payload.keys()
        assert "LookupError" == outcome.payload["errorType"]

    def test_the_id_of_the_context(self, failing: Served) -> None:
        """The function's context has the id that the caller gets."""
        outcome = invoke(failing)

        assert outcome.payload["errorMessage"] == outcome.headers["x-amzn-requestid"]


class TestRefused:
    """Invocations that Lambda answers itself: status, name of the error, and no invocation."""

    @pytest.mark.parametrize(
        "name",
        [
            "nothing",
            f"{ARN}:1",
            f"{ARN}:$LATEST",
            "keywright-local-Echo:live",
            ARN.replace("us-east-1", "eu-central-1"),
            ARN.replace("123456789012", "210987654321"),
        ],
    )
    def test_404_an_unknown_function(self, served: Served, name: str) -> None:
        """No other name, version, region or account is found."""
        outcome = invoke(served, function=name)

        assert 404 == outcome.status
        assert "ResourceNotFoundException" == outcome.error
        assert name.rpartition(":function:")[2] in str(outcome.message)

    def test_404_a_version(self, served: Served) -> None:
        """A version as a parameter of the query is not found either."""
        assert "ResourceNotFoundException" == invoke(served, Qualifier="1").error

    def test_403_another_function(self, served: Served) -> None:
        """The access key may invoke functions whose ARN is an output only, even behind a route with AWS_IAM."""
        outcome = invoke(served, function="keywright-local-Say")

        assert 403 == outcome.status
        assert "AccessDeniedException" == outcome.error
        assert "is not authorized to perform: lambda:InvokeFunction on resource" in str(outcome.message)

    @pytest.mark.parametrize(
        "payload",
        [b"{", b"\xff", b"NaN", b"[Infinity]", b"{} {}", b"[" * 100_000],
        ids=["cut off", "not UTF-8", "NaN", "Infinity", "two values", "nested too deeply"],
    )
    def test_400_not_json(self, served: Served, payload: bytes) -> None:
        """A payload that is not JSON reaches no function."""
        outcome = invoke(served, payload=payload)

        assert 400 == outcome.status
        assert "InvalidRequestContentException" == outcome.error

    def test_413_too_large(self, served: Served) -> None:
        """A payload has at most 6 MB."""
        largest = b'"' + b"k" * (PAYLOAD_LIMIT_BYTES - 2) + b'"'

        assert 200 == invoke(served, payload=largest).status
        assert "RequestTooLargeException" == invoke(served, payload=largest + b" ").error

    @pytest.mark.parametrize("kind", ["Event", "DryRun"])
    def test_400_another_type(self, served: Served, kind: str) -> None:
        """Asynchronous invocations and dry runs are refused, not ignored."""
        outcome = invoke(served, InvocationType=kind)

        assert 400 == outcome.status
        assert "InvalidParameterValueException" == outcome.error

    def test_403_no_signature(self, served: Served) -> None:
        """An invocation must be signed."""
        answer = served.client.post(PATH, content=b"{}")

        assert 403 == answer.status_code
        assert "MissingAuthenticationTokenException" == answer.headers["x-amzn-errortype"]

    def test_403_a_token(self, served: Served) -> None:
        """A session token is no signature."""
        answer = served.client.post(PATH, content=b"{}", headers={"authorization": "Bearer allow"})

        assert 403 == answer.status_code
        assert "IncompleteSignatureException" == answer.headers["x-amzn-errortype"]

    def test_403_another_secret(self, served: Served) -> None:
        """The signature must be that of the access key."""
        outcome = invoke(served, credential=SigningCredential.generate())

        assert 403 == outcome.status
        assert "InvalidSignatureException" == outcome.error

    def test_403_another_region(self, served: Served) -> None:
        """The signature must be for the region of the function."""
        assert "InvalidSignatureException" == invoke(served, region="eu-central-1").error

    def test_403_for_another_service(self, served: Served) -> None:
        """A signature for API Gateway is none for Lambda."""
        request = AWSRequest("POST", f"{served.server.url}{PATH}", data=b"{}")
        credentials = Credentials(served.credential.access_key_id, served.credential.secret_access_key)
        SigV4Auth(credentials, "execute-api", "us-east-1").add_auth(request)

        answer = served.client.post(PATH, content=b"{}", headers=dict(request.headers.items()))

        assert "InvalidSignatureException" == answer.headers["x-amzn-errortype"]

    @pytest.mark.parametrize("minutes", [-6, 6])
    def test_403_a_wrong_clock(self, served: Served, monkeypatch: pytest.MonkeyPatch, minutes: int) -> None:
        """GIVEN a clock that is off by more than five minutes THEN the refusal has the right time."""
        wrong = datetime.now(UTC) + timedelta(minutes=minutes)
        monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: wrong)

        outcome = invoke(served)

        assert "InvalidSignatureException" == outcome.error
        assert 60 > abs((parsedate_to_datetime(outcome.headers["date"]) - datetime.now(UTC)).total_seconds())
