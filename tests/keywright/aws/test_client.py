"""The client of AWS's JSON services: the same endpoints, signatures and errors as boto3's client."""

from __future__ import annotations

import hashlib
import hmac
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.endpoint_provider import EndpointProvider
from botocore.loaders import create_loader
from hypothesis import given
from hypothesis import strategies as st

from keywright.aws.client import AwsError, HttpClient
from keywright.aws.endpoints import DYNAMODB, SECRETS_MANAGER, SQS, Endpoint, Keys, Service, endpoint
from keywright.aws.signing import Signer
from keywright.aws.transport import NoAnswerError
from keywright.settings import ConfigurationError
from tests.support.canned_server import Canned, answer, serving

if TYPE_CHECKING:
    from collections.abc import Mapping


pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

SERVICES = [DYNAMODB, SECRETS_MANAGER]
SESSION = boto3.Session(aws_access_key_id="a", aws_secret_access_key="b")
ENVIRONMENT = {
    "AWS_REGION": "eu-central-1",
    "AWS_URL_SUFFIX": "amazonaws.com",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "example-secret",
    "AWS_SESSION_TOKEN": "example-token",
}


def client(
    environment: Mapping[str, str],
    service: Service = DYNAMODB,
    *,
    connect_timeout_seconds: float = 5,
    read_timeout_seconds: float = 5,
) -> HttpClient:
    """Return a client with time-outs for tests."""
    return HttpClient(
        service,
        environment,
        connect_timeout_seconds=connect_timeout_seconds,
        read_timeout_seconds=read_timeout_seconds,
    )


def to(server: Canned, **changes: str) -> dict[str, str]:
    """Return the environment of a function with the server as DynamoDB."""
    return {**ENVIRONMENT, "AWS_ENDPOINT_URL": server.url, **changes}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"AWS_ENDPOINT_URL": "http://a"}, "http://a/"),
        ({"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_DYNAMODB": "http://b"}, "http://b/"),
        ({"AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://b"}, "https://dynamodb.eu-central-1.amazonaws.com/"),
        ({"AWS_URL_SUFFIX": "amazonaws.com.cn"}, "https://dynamodb.eu-central-1.amazonaws.com.cn/"),
    ],
    ids=["all services", "its own first", "another service's", "another partition"],
)
def test_endpoints_can_be_set(variables: dict[str, str], expected: str) -> None:
    """Endpoints come from the variables that every AWS SDK reads."""
    assert expected == endpoint(DYNAMODB, {**ENVIRONMENT, **variables}).url


def test_secrets_manager_has_a_variable_of_its_own() -> None:
    """The variable of Secrets Manager has an underscore."""
    environment = {**ENVIRONMENT, "AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://b"}

    assert "http://b/" == endpoint(SECRETS_MANAGER, environment).url


REGIONS = [
    "us-east-1",
    "eu-south-2",
    "cn-north-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "us-isob-east-1",
    "eusc-de-east-1",
]


@pytest.mark.parametrize("service", [DYNAMODB, SECRETS_MANAGER, SQS], ids=lambda service: service.name)
@pytest.mark.parametrize("region", REGIONS)
def test_the_endpoint_is_the_one_of_the_region(service: Service, region: str) -> None:
    """Endpoints equal those of botocore's rules in each partition. AWS::URLSuffix is the partition's `dnsSuffix`."""
    loader = create_loader()
    partitions = loader.load_data("partitions")
    rules = EndpointProvider(loader.load_service_model(service.name, "endpoint-rule-set-1"), partitions)
    (suffix,) = (part["outputs"]["dnsSuffix"] for part in partitions["partitions"] if region in part["regions"])
    expected = rules.resolve_endpoint(Region=region, UseFIPS=False, UseDualStack=False).url

    actual = endpoint(service, {"AWS_REGION": region, "AWS_URL_SUFFIX": suffix})
    assert Endpoint(f"{expected}/", region) == actual


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_URL_SUFFIX", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_what_is_not_set_is_named(name: str) -> None:
    """GIVEN an environment without a variable WHEN a client is made THEN the error names it, and nothing is sent."""
    environment = {key: value for key, value in ENVIRONMENT.items() if key != name}

    with pytest.raises(ConfigurationError, match=name):
        client(environment)


def test_a_call_is_what_the_service_expects() -> None:
    """A call has the format of the service's HTTP interface, and a valid signature."""
    with serving(answer({"Responses": {}})) as server:
        result = client(to(server)).call("BatchGetItem", {"RequestItems": {"t": {}}})

    (request,) = server.received
    assert {"Responses": {}} == result.content
    assert "VVVVVVVV" == result.headers["x-amzn-requestid"]
    assert "POST / HTTP/1.1" == request.line
    assert b'{"RequestItems":{"t":{}}}' == request.body
    assert "application/x-amz-json-1.0" == request.headers["content-type"]
    assert "DynamoDB_20120810.BatchGetItem" == request.headers["x-amz-target"]
    assert "example-token" == request.headers["x-amz-security-token"]
    assert signature(request.headers, request.body) == request.headers["authorization"].rpartition("=")[2]


def signature(headers: Mapping[str, str], body: bytes) -> str:
    """Sign a request according to AWS's documentation (Signature Version 4)."""
    scope, names = (part.partition("=")[2] for part in headers["authorization"].split(", ")[:2])
    assert {"host", "x-amz-date", "x-amz-target", "content-type"} <= set(names.split(";"))
    lines = [f"{name}:{headers[name]}" for name in names.split(";")]
    canonical = "\n".join(["POST", "/", "", *lines, "", names, hashlib.sha256(body).hexdigest()])
    _, *place = scope.split("/")
    text = "\n".join(
        ["AWS4-HMAC-SHA256", headers["x-amz-date"], "/".join(place), hashlib.sha256(canonical.encode()).hexdigest()]
    )
    key = b"AWS4example-secret"
    for part in place:
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
@pytest.mark.parametrize("url", ["https://dynamodb.eu-central-1.amazonaws.com/", "http://127.0.0.1:8000/a b/"])
@pytest.mark.parametrize("token", [None, "example-token"])
@given(body=st.binary(max_size=200), seconds=st.integers(0, 4_000_000_000), secret=st.text(min_size=1, max_size=60))
def test_signatures_are_those_of_botocore(  # noqa: PLR0913, PLR0917 - all that a signature depends on
    service: Service, url: str, token: str | None, body: bytes, seconds: int, secret: str
) -> None:
    """Signatures equal botocore's for any request, time and credentials."""
    signer = Signer(service, Endpoint(url, "eu-central-1"), lambda: Keys("AKIDEXAMPLE", secret, token))
    for _ in range(2):  # the second time with a key that is remembered
        headers = signer.headers("BatchGetItem", body, seconds)
    authorization = headers.pop("authorization")
    request = AWSRequest("POST", url, headers, body)
    botocore = SigV4Auth(Credentials("AKIDEXAMPLE", secret, token), service.name, "eu-central-1")
    moment = datetime.fromtimestamp(seconds, UTC)
    with patch("botocore.auth.get_current_datetime", lambda: moment):
        botocore.add_auth(request)

    assert request.headers["Authorization"] == authorization


def test_the_connection_is_kept() -> None:
    """A second call uses the connection of the first."""
    with serving(answer({})) as server:
        caller = client(to(server))
        for _ in range(3):
            caller.call("BatchGetItem", {})

    assert [1, 1, 1] == [request.connection for request in server.received]


def test_a_connection_that_was_closed_meanwhile_is_made_anew() -> None:
    """A closed idle connection is replaced without a failed attempt: DynamoDB closes idle connections."""
    with serving(
        answer({}, connection="close").replace(b"connection: close", b"Connection: close"), answer({})
    ) as server:
        caller = client(to(server))
        caller.call("BatchGetItem", {})
        caller.call("BatchGetItem", {})

    assert [1, 2] == [request.connection for request in server.received]


def test_threads_share_it() -> None:
    """Each thread gets the answer to its call."""
    with serving(answer({"Table": "t"})) as server, ThreadPoolExecutor(8) as threads:
        caller = client(to(server))
        contents = list(threads.map(lambda number: caller.call("DescribeTable", {"n": number}).content, range(64)))

    assert [{"Table": "t"}] * 64 == contents
    assert set(range(64)) == {json.loads(request.body)["n"] for request in server.received}


DAMAGED = {
    "another body": answer({"Responses": {}}, x_amz_crc32="1"),
    "another body with an error": answer({"__type": "x#ValidationException"}, status=400, x_amz_crc32="1"),
    "no JSON": answer(b'{"cut of'),
    "no object": answer([]),
    "no text": answer(b"\xff"),
}


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_answer_is_none(damaged: bytes) -> None:
    """The checksum is compared as in botocore, for errors too. The exception contains nothing of the answer."""
    with serving(damaged) as server, pytest.raises(NoAnswerError):
        client(to(server)).call("BatchGetItem", {})


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (
            {"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "slow"},
            400,
            "ThrottlingException",
        ),
        ({"__type": "ResourceNotFoundException", "Message": "slow"}, 400, "ResourceNotFoundException"),
        (b"", 503, "503"),
        (b"<html>", 502, "502"),
        ([1], 500, "500"),
    ],
)
def test_errors_are_those_of_the_client(content: Any, status: int, code: str) -> None:
    """Errors have the code and the status that boto3's client returns, also behind a proxy."""
    with serving(answer(content, status=status)) as server, pytest.raises(AwsError) as caught:
        client(to(server)).call("BatchGetItem", {})

    assert (code, status) == (caught.value.code, caught.value.status)


def test_a_redirection_is_not_followed() -> None:
    """Redirects are not followed: signed credentials stay with their host."""
    with (
        serving(answer(b"", status=307, location="http://127.0.0.1:1/")) as server,
        pytest.raises(AwsError) as caught,
    ):
        client(to(server)).call("BatchGetItem", {})

    assert "307" == caught.value.code


UNANSWERED = {
    "closed": None,
    "half a body": answer(b"{}", content_length="99", Connection="close"),
    "no HTTP": b"nonsense\r\nConnection: close\r\n\r\n",
}


@pytest.mark.parametrize("unanswered", UNANSWERED.values(), ids=UNANSWERED)
def test_an_answer_that_does_not_come_is_a_failure_of_the_connection(unanswered: bytes | None) -> None:
    """Every broken answer raises NoAnswerError, which the retry policy retries. The client itself retries nothing."""
    with serving(unanswered) as server, pytest.raises(NoAnswerError):
        client(to(server)).call("BatchGetItem", {})

    assert 1 == len(server.received)


def test_an_answer_that_comes_too_late_is_not_waited_for() -> None:
    """The read time-out of the client applies."""
    with serving(b"HTTP/1.1 200 OK\r\n") as server, pytest.raises(NoAnswerError, match="TimeoutError"):
        client(to(server), read_timeout_seconds=0.2).call("BatchGetItem", {})


def test_a_refused_connection_is_a_failure_of_the_connection() -> None:
    """A refused connection raises NoAnswerError."""
    with serving(None) as server:
        environment = to(server)

    with pytest.raises(NoAnswerError):
        client(environment).call("BatchGetItem", {})


def test_a_refused_handshake_is_a_failure_of_the_connection() -> None:
    """A server without TLS or with an untrusted certificate receives no request."""
    with serving(b"not TLS") as server:
        environment = {**ENVIRONMENT, "AWS_ENDPOINT_URL": server.url.replace("http:", "https:")}
        with pytest.raises(NoAnswerError):
            client(environment, connect_timeout_seconds=0.2).call("BatchGetItem", {})  # a handshake is part of it

    assert [] == [request for request in server.received if "authorization" in request.headers]
