"""Calls to AWS without boto3's client: to the same place, as safely."""

from __future__ import annotations

import hashlib
import hmac
import json
import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.endpoint_provider import EndpointProvider
from botocore.loaders import create_loader
from hypothesis import given
from hypothesis import strategies as st

from keywright.settings import ConfigurationError
from keywright.store.aws_environment import DYNAMODB, SECRETS_MANAGER, Endpoint, FixedKeys, Service, endpoint
from keywright.store.aws_http import AwsError, HttpClient, NoAnswerError
from keywright.store.signing import Signer
from tests.canned import Canned, answer, serving

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from botocore.awsrequest import AWSPreparedRequest

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

SERVICES = [DYNAMODB, SECRETS_MANAGER]
SESSION = boto3.Session(aws_access_key_id="a", aws_secret_access_key="b")
ENVIRONMENT = {
    "AWS_REGION": "eu-central-1",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "example-secret",
    "AWS_SESSION_TOKEN": "example-token",
}


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the proxies of whoever runs the tests away: botocore reads them from the process's environment."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_no_region_of_the_partitions_is_left_out(service: Service) -> None:
    """Addresses that are worked out here are those of botocore's rules, everywhere."""
    loader = create_loader()
    partitions = loader.load_data("partitions")
    rules = EndpointProvider(loader.load_service_model(service.name, "endpoint-rule-set-1"), partitions)
    regions = [region for partition in partitions["partitions"] for region in partition["regions"]]
    for region in [*regions, "eu-nowhere-9"]:
        expected = rules.resolve_endpoint(Region=region, UseFIPS=False, UseDualStack=False).url
        if region.startswith("aws-"):
            continue
        assert Endpoint(f"{expected}/", region) == endpoint(service, {"AWS_REGION": region})


def client(environment: Mapping[str, str], service: Service = DYNAMODB, read_timeout_seconds: float = 5) -> HttpClient:
    """Make a client with time-outs for tests."""
    return HttpClient(
        service,
        environment,
        connect_timeout_seconds=5,
        read_timeout_seconds=read_timeout_seconds,
        maximum_connections=4,
    )


def to(server: Canned, **changes: str) -> dict[str, str]:
    """Give the environment of a function whose DynamoDB is the server."""
    return {**ENVIRONMENT, "AWS_ENDPOINT_URL": server.url, **changes}


class Sent(Exception):  # noqa: N818 - it ends a request where it would be sent
    """Says where a request would have gone."""


def sent_to(service: Service, region: str, *, fips: bool, dualstack: bool) -> str:
    """Let boto3's client make a request, and see where it would go."""
    config = Config(use_fips_endpoint=fips, use_dualstack_endpoint=dualstack)
    made: Any = SESSION.client(service.name, config=config, region_name=region)  # type: ignore[call-overload]

    def stop(request: AWSPreparedRequest, **_: object) -> None:
        raise Sent(request.url)

    made.meta.events.register("before-send", stop)
    with pytest.raises(Sent) as caught:
        made.list_tables() if service is DYNAMODB else made.list_secrets()
    return str(caught.value)


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
@pytest.mark.parametrize(
    ("region", "flags"),
    [
        ("us-east-1", ""),
        ("us-east-1", "fips"),
        ("us-east-1", "dualstack"),
        ("us-east-1", "fips and dualstack"),
        ("cn-north-1", ""),
        ("cn-north-1", "dualstack"),
        ("us-gov-west-1", "fips"),
        ("us-gov-west-1", "fips and dualstack"),
        ("us-iso-east-1", ""),
        ("us-isob-east-1", "fips"),
        ("eusc-de-east-1", "dualstack"),
    ],
)
@pytest.mark.usefixtures("environment")
def test_it_goes_where_the_client_goes(service: Service, region: str, flags: str) -> None:
    """In each partition of AWS, with FIPS and dual-stack endpoints."""
    fips, dualstack = "fips" in flags, "dualstack" in flags
    environment = {
        "AWS_REGION": region,
        "AWS_USE_FIPS_ENDPOINT": str(fips).lower(),
        "AWS_USE_DUALSTACK_ENDPOINT": str(dualstack).lower(),
    }
    found = endpoint(service, environment)

    assert sent_to(service, region, fips=fips, dualstack=dualstack) == found.url
    assert region == found.region


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"AWS_ENDPOINT_URL": "http://a"}, "http://a/"),
        ({"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_DYNAMODB": "http://b"}, "http://b/"),
        ({"AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://b"}, "https://dynamodb.eu-central-1.amazonaws.com/"),
        (
            {"AWS_ENDPOINT_URL": "http://a", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
            "https://dynamodb.eu-central-1.amazonaws.com/",
        ),
    ],
    ids=["all services", "its own first", "another service's", "ignored"],
)
def test_endpoints_can_be_set(variables: dict[str, str], expected: str) -> None:
    """By the variables that every AWS SDK reads."""
    assert expected == endpoint(DYNAMODB, {**ENVIRONMENT, **variables}).url


def test_secrets_manager_has_a_variable_of_its_own() -> None:
    """Its name has an underscore there."""
    environment = {**ENVIRONMENT, "AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://b"}

    assert "http://b/" == endpoint(SECRETS_MANAGER, environment).url


def test_without_a_region_there_is_no_endpoint() -> None:
    """As with the client."""
    with pytest.raises(ConfigurationError):
        endpoint(DYNAMODB, {"AWS_ENDPOINT_URL": "http://a"})


def test_a_call_is_what_the_service_expects() -> None:
    """The protocol of its HTTP interface, and a signature that can be computed again from what has arrived."""
    with serving(answer({"Responses": {}})) as server:
        found = client(to(server)).call("BatchGetItem", {"RequestItems": {"t": {}}})

    (request,) = server.received
    assert {"Responses": {}} == found.content
    assert "VVVVVVVV" == found.headers["x-amzn-requestid"]
    assert "POST / HTTP/1.1" == request.line
    assert b'{"RequestItems":{"t":{}}}' == request.body
    assert "application/x-amz-json-1.0" == request.headers["content-type"]
    assert "DynamoDB_20120810.BatchGetItem" == request.headers["x-amz-target"]
    assert "example-token" == request.headers["x-amz-security-token"]
    assert signature(request.headers, request.body) == request.headers["authorization"].rpartition("=")[2]


def signature(headers: Mapping[str, str], body: bytes) -> str:
    """Sign a request as AWS's documentation says (Signature Version 4)."""
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
    """Whatever is signed, whenever, with whichever keys."""
    signer = Signer(service, Endpoint(url, "eu-central-1"), lambda: FixedKeys("AKIDEXAMPLE", secret, token))
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
    """A second call does not connect again."""
    with serving(answer({})) as server:
        caller = client(to(server))
        for _ in range(3):
            caller.call("BatchGetItem", {})

    assert [1, 1, 1] == [request.connection for request in server.received]


def test_a_connection_that_was_closed_meanwhile_is_made_anew() -> None:
    """As DynamoDB closes idle ones, without a failed attempt."""
    with serving(
        answer({}, connection="close").replace(b"connection: close", b"Connection: close"), answer({})
    ) as server:
        caller = client(to(server))
        caller.call("BatchGetItem", {})
        caller.call("BatchGetItem", {})

    assert [1, 2] == [request.connection for request in server.received]


def test_threads_share_it() -> None:
    """Each call gets its own answer."""
    with serving(answer({"Table": "t"})) as server, ThreadPoolExecutor(8) as threads:
        caller = client(to(server))
        found = list(threads.map(lambda number: caller.call("DescribeTable", {"n": number}).content, range(64)))

    assert [{"Table": "t"}] * 64 == found
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
    """The checksum is compared as botocore does it, for errors too; what was read is not in the exception."""
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
    """With the code and the status that the client would give, whoever answers."""
    with serving(answer(content, status=status)) as server, pytest.raises(AwsError) as caught:
        client(to(server)).call("BatchGetItem", {})

    assert (code, status) == (caught.value.code, caught.value.status)


def test_a_redirection_is_not_followed() -> None:
    """Credentials stay with the host that they were signed for."""
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
    """One kind of exception for all of them, which the retry policy knows; nothing is tried twice here."""
    with serving(unanswered) as server, pytest.raises(NoAnswerError):
        client(to(server)).call("BatchGetItem", {})

    assert 1 == len(server.received)


def test_an_answer_that_comes_too_late_is_not_waited_for() -> None:
    """The read time-out is the client's."""
    with serving(b"HTTP/1.1 200 OK\r\n") as server, pytest.raises(NoAnswerError, match="TimeoutError"):
        client(to(server), read_timeout_seconds=0.2).call("BatchGetItem", {})


def test_nobody_listening_is_a_failure_of_the_connection() -> None:
    """As for the client."""
    with serving(None) as server:
        environment = to(server)

    with pytest.raises(NoAnswerError):
        client(environment).call("BatchGetItem", {})


def container(access_key_id: str, expires_in: timedelta) -> bytes:
    """Answer as the credentials endpoint of a container does."""
    expires_at = (datetime.now(UTC) + expires_in).strftime("%Y-%m-%dT%H:%M:%SZ")
    content = {"AccessKeyId": access_key_id, "SecretAccessKey": "s", "Token": "t", "Expiration": expires_at}
    return answer(content, content_type="application/json")


def test_credentials_of_a_container_are_renewed_before_they_expire() -> None:
    """Lambda gives these to functions with SnapStart, whose environment outlives any credentials."""
    about_to_expire, fresh = container("FIRST", timedelta(minutes=5)), container("SECOND", timedelta(hours=6))
    with serving(about_to_expire, fresh) as credentials, serving(answer({})) as server:
        environment = {
            name: value for name, value in to(server).items() if name not in {"AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN"}
        }
        environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"{credentials.url}/credentials"
        environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "authorization"
        caller = client(environment)
        caller.call("BatchGetItem", {})
        caller.call("BatchGetItem", {})

    used = [
        request.headers["authorization"].partition("Credential=")[2].partition("/")[0] for request in server.received
    ]
    assert ["SECOND", "SECOND"] == used
    assert {"authorization"} == {request.headers["authorization"] for request in credentials.received}


@pytest.mark.usefixtures("environment")
def test_elsewhere_credentials_are_found_as_the_client_finds_them(
    tmp_path: Path, environment: pytest.MonkeyPatch
) -> None:
    """On a developer's machine they are in a profile."""
    profile = tmp_path / "credentials"
    profile.write_text("[default]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = s\n")
    environment.delenv("AWS_ACCESS_KEY_ID")
    environment.setenv("AWS_SHARED_CREDENTIALS_FILE", str(profile))
    with serving(answer({})) as server:
        client({"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": server.url}).call("BatchGetItem", {})

    assert "Credential=AKIDPROFILE/" in server.received[0].headers["authorization"]


@pytest.mark.usefixtures("environment")
def test_without_credentials_nothing_is_sent(environment: pytest.MonkeyPatch) -> None:
    """As with the client."""
    environment.delenv("AWS_ACCESS_KEY_ID")

    with pytest.raises(ConfigurationError):
        client({"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"})


def test_a_proxy_is_used_where_one_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain HTTP names the whole address, so that the proxy knows where to."""
    with serving(answer({})) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        client({**ENVIRONMENT, "AWS_ENDPOINT_URL": "http://dynamodb.example:8000"}).call("BatchGetItem", {})

    (request,) = proxy.received
    assert "POST http://dynamodb.example:8000/ HTTP/1.1" == request.line
    assert "dynamodb.example:8000" == request.headers["host"]


def test_tls_goes_through_a_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy is asked for a tunnel, and does not see what is in it."""
    with serving(b"HTTP/1.1 407 No\r\nConnection: close\r\ncontent-length: 0\r\n\r\n") as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        with pytest.raises(NoAnswerError):
            client({**ENVIRONMENT, "AWS_ENDPOINT_URL": "https://dynamodb.example"}).call("BatchGetItem", {})

    assert ["CONNECT dynamodb.example:443"] == [request.line.rpartition(" ")[0] for request in proxy.received]


def test_certificates_are_checked(tmp_path: Path) -> None:
    """Against botocore's authorities, or those of AWS_CA_BUNDLE; always with the host's name."""
    nobody = tmp_path / "nobody.pem"
    nobody.write_text("")
    context = client(ENVIRONMENT)._route.tls

    assert context is not None
    assert (ssl.CERT_REQUIRED, True) == (context.verify_mode, context.check_hostname)
    assert len(context.get_ca_certs()) > 100
    with pytest.raises(ssl.SSLError):
        client({**ENVIRONMENT, "AWS_CA_BUNDLE": str(nobody)})


def test_a_refused_handshake_is_a_failure_of_the_connection() -> None:
    """A server without TLS, or with a certificate of nobody's, gets nothing."""
    with serving(b"not TLS") as server:
        environment = {**ENVIRONMENT, "AWS_ENDPOINT_URL": server.url.replace("http:", "https:")}
        with pytest.raises(NoAnswerError):
            client(environment, read_timeout_seconds=0.5).call("BatchGetItem", {})

    assert [] == [request for request in server.received if "authorization" in request.headers]
