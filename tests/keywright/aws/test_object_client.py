"""The client of a bucket: the addresses, signatures and errors of S3, as boto3's client."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from keywright.aws.client import AwsError
from keywright.aws.endpoints import S3, Endpoint, Keys, bucket_endpoint
from keywright.aws.object_client import ObjectClient
from keywright.aws.signing import Signer
from keywright.aws.transport import NoAnswerError
from tests.support.canned_server import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

BUCKET = "keywright-auditarchivebucket-1a2b3c"
ENVIRONMENT = {
    "AWS_REGION": "eu-central-1",
    "AWS_URL_SUFFIX": "amazonaws.com",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "example-secret",
}
KEY = "audit/000000000001.jsonl"


CALLS: list[Callable[[ObjectClient], object]] = [
    lambda each: each.put_new(KEY, b""),
    lambda each: each.get(KEY, 1_000),
    lambda each: each.first_key_after(KEY, "audit/"),
]


def client(url: str) -> ObjectClient:
    """Return a client of an emulator."""
    environment = {**ENVIRONMENT, "AWS_ENDPOINT_URL_S3": url}
    return ObjectClient(BUCKET, environment, connect_timeout_seconds=5, read_timeout_seconds=5)


def answer(status: int, body: bytes = b"", request_id: str | None = "1A2B") -> bytes:
    """Return an answer of S3."""
    named = f"x-amz-request-id: {request_id}\r\n" if request_id else ""
    return f"HTTP/1.1 {status} -\r\n{named}content-length: {len(body)}\r\n\r\n".encode() + body


def error(code: str, message: str = "") -> bytes:
    """Return the body of an error."""
    text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({}, f"https://{BUCKET}.s3.eu-central-1.amazonaws.com/"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, f"http://127.0.0.1:4566/{BUCKET}/"),
        ({"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_S3": "http://b/"}, f"http://b/{BUCKET}/"),
    ],
    ids=["AWS", "an emulator", "another one for S3"],
)
def test_the_host_or_the_path_names_the_bucket(variables: Mapping[str, str], url: str) -> None:
    """AWS's host has the bucket's name, as botocore's rules say; an emulator's path has it."""
    assert Endpoint(url, "eu-central-1") == bucket_endpoint(BUCKET, {**ENVIRONMENT, **variables})


@given(
    request=st.sampled_from([("GET", KEY), ("PUT", KEY), ("GET", "?list-type=2&prefix=audit%2F")]),
    body=st.binary(max_size=100),
    more=st.dictionaries(st.sampled_from(["if-none-match", "content-type", "x-amz-meta-a"]), st.just("*")),
    token=st.none() | st.just("example-token"),
    moment=st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1)).map(lambda naive: naive.replace(tzinfo=UTC)),  # noqa: DTZ001
)
def test_signatures_are_those_of_botocore(
    request: tuple[str, str], body: bytes, more: dict[str, str], token: str | None, moment: datetime
) -> None:
    """Signatures equal botocore's for any method, body, headers, time and credentials."""
    method, target = request
    url = f"https://{BUCKET}.s3.eu-central-1.amazonaws.com/{target}"
    signer = Signer(S3, Endpoint(url, "eu-central-1"), lambda: Keys("AKIDEXAMPLE", "example-secret", token))

    signed = signer.object_headers(method, f"/{target}", body, more, moment.timestamp())

    expected = AWSRequest(method, url, {**more}, body)
    botocore = S3SigV4Auth(Credentials("AKIDEXAMPLE", "example-secret", token), "s3", "eu-central-1")
    with patch("botocore.auth.get_current_datetime", lambda: moment):
        botocore.add_auth(expected)
    assert expected.headers["Authorization"] == signed["authorization"]
    assert hashlib.sha256(body).hexdigest() == signed["x-amz-content-sha256"]


def test_an_object_is_written_on_a_condition_and_with_a_checksum() -> None:
    """A request to write has the condition and the checksum that a bucket with Object Lock requires."""
    with serving(answer(200)) as server:
        assert client(server.url).put_new(KEY, b"{}\n")

    (request,) = server.received
    digest = base64.b64encode(hashlib.sha256(b"{}\n").digest()).decode()
    assert [f"PUT /{BUCKET}/{KEY} HTTP/1.1", b"{}\n"] == [request.line, request.body]
    assert {"if-none-match": "*", "x-amz-checksum-sha256": digest} == {
        name: value
        for name, value in request.headers.items()
        if name.startswith(("if-", "x-amz-checksum", "x-amz-sdk"))
    }


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (403, error("AccessDenied"), "AccessDenied"),
        (403, error("AccessDenied", "not authorized to perform: kms:Decrypt on resource"), "KMS.AccessDenied"),
        (400, error("KMS.DisabledException"), "KMS.DisabledException"),
        (404, error("NoSuchBucket"), "NoSuchBucket"),
        (409, error("ConditionalRequestConflict"), "ConditionalRequestConflict"),
        (503, error("SlowDown"), "SlowDown"),
        (500, b"<html>", "500"),
    ],
)
def test_refusals_have_their_code(status: int, body: bytes, code: str) -> None:
    """GIVEN an error of S3, or of a proxy THEN the exception has its code, or the status."""
    for call in CALLS:
        with serving(answer(status, body)) as server, pytest.raises(AwsError) as caught:
            call(client(server.url))

        assert [code, status] == [caught.value.code, caught.value.status]


def test_an_object_that_is_there_is_not_written() -> None:
    """GIVEN 412 THEN there is an object, which is no error."""
    with serving(answer(412, error("PreconditionFailed"))) as server:
        assert not client(server.url).put_new(KEY, b"")


def test_an_answer_without_a_request_id_is_not_trusted() -> None:
    """GIVEN 200 of a proxy THEN the outcome is unknown."""
    for call in CALLS:
        with serving(answer(200, b"", None)) as server, pytest.raises(NoAnswerError):
            call(client(server.url))


def test_an_object_is_read() -> None:
    """GIVEN an object THEN its bytes are returned as they are."""
    with serving(answer(200, b"\x00\xff\n")) as server:
        assert b"\x00\xff\n" == client(server.url).get(KEY, 3)


def test_no_more_is_read_than_asked_for() -> None:
    """GIVEN an object that is larger THEN its first bytes are returned."""
    with serving(answer(200, b"12345")) as server:
        assert b"12" == client(server.url).get(KEY, 2)


@pytest.mark.parametrize("key", [KEY, None])
def test_the_first_key_after_another_is_found(key: str | None) -> None:
    """The query has the prefix and the key, and its answer at most one key."""
    listed = f"<Contents><Key>{key}</Key></Contents>" if key else ""
    body = f"<ListBucketResult>{listed}</ListBucketResult>".encode()
    with serving(answer(200, body)) as server:
        assert key == client(server.url).first_key_after("audit/000000000000.jsonl", "audit/")

    (request,) = server.received
    query = "list-type=2&max-keys=1&prefix=audit%2F&start-after=audit%2F000000000000.jsonl"
    assert f"GET /{BUCKET}/?{query} HTTP/1.1" == request.line


def test_a_list_that_is_cut_off_is_not_trusted() -> None:
    """GIVEN an answer without its end THEN the outcome is unknown, and not that there is no key."""
    with serving(answer(200, b"<ListBucketResult>")) as server, pytest.raises(NoAnswerError):
        client(server.url).first_key_after(KEY, "audit/")
