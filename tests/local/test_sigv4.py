"""Routes with AWS_IAM: the signatures that the local gateway accepts."""

from __future__ import annotations

import hashlib
import hmac
import json
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.sigv4 import SigningCredential
from tests.local.serving import ANSWER_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.local.serving import Served

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

Headers = list[tuple[str, str]]

BODY = b'{"key": "kk_..."}'
INVALID = (401, {"signature": "INVALID_SIGNATURE"})
MISSING = (404, {"missing": True})


@dataclass(frozen=True)
class Sent:
    """A request as it is sent, byte for byte."""

    method: str
    target: str
    headers: Headers
    body: bytes = b""

    def with_header(self, name: str, value: str) -> Sent:
        """Return the request with a header set or replaced."""
        return replace(self.without(name), headers=[*self.without(name).headers, (name, value)])

    def without(self, name: str) -> Sent:
        """Return the request without a header."""
        return replace(self, headers=[line for line in self.headers if line[0].lower() != name.lower()])

    def header(self, name: str) -> str:
        """Return the value of a header."""
        return next(value for key, value in self.headers if key.lower() == name.lower())


def signed(  # noqa: PLR0913 - keyword arguments
    served: Served,
    *,
    method: str = "POST",
    target: str = "/v1/signed",
    body: bytes = BODY,
    headers: Headers | None = None,
    credential: SigningCredential | None = None,
    region: str | None = None,
    service: str = "execute-api",
    token: str | None = None,
) -> Sent:
    """Sign a request with botocore, as clients of AWS do."""
    access_key = served.credential if credential is None else credential
    request = AWSRequest(method, f"{served.server.url}{target}", headers=dict(headers or []), data=body)
    request.headers["Host"] = f"127.0.0.1:{served.server.port}"
    credentials = Credentials(access_key.access_key_id, access_key.secret_access_key, token)
    SigV4Auth(credentials, service, region or access_key.region).add_auth(request)
    return Sent(method, target, list(request.headers.items()), body)


def by_hand(  # noqa: PLR0913 - keyword arguments
    served: Served,
    *,
    target: str,
    path: str,
    query: str,
    headers: Iterable[tuple[str, str]] = (),
    canonical_headers: tuple[str, ...] = (),
    body: bytes = b"",
    at: datetime | None = None,
) -> Sent:
    """Sign a GET without botocore, which the gateway uses too: a bug of botocore would go unnoticed.

    Args:
        served: the gateway.
        target: the request target that is sent.
        path: path of the canonical request.
        query: query of the canonical request.
        headers: headers that are sent besides host and date.
        canonical_headers: their lines in the canonical request.
        body: the body that is sent.
        at: the time of the signature, by default now.
    """
    stamp = (datetime.now(UTC) if at is None else at).strftime("%Y%m%dT%H%M%SZ")
    host = f"127.0.0.1:{served.server.port}"
    lines = sorted([f"host:{host}", f"x-amz-date:{stamp}", *canonical_headers])
    names = ";".join(line.partition(":")[0] for line in lines)
    canonical = "\n".join(["GET", path, query, *lines, "", names, hashlib.sha256(body).hexdigest()])
    scope = f"{stamp[:8]}/us-east-1/execute-api/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{served.credential.secret_access_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={served.credential.access_key_id}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return Sent(
        "GET", target, [("Host", host), ("X-Amz-Date", stamp), *headers, ("Authorization", authorization)], body
    )


def answer(served: Served, sent: Sent) -> tuple[int, Any]:
    """Send a request; return status and body."""
    with closing(HTTPConnection("127.0.0.1", served.server.port, timeout=ANSWER_SECONDS)) as connection:
        connection.putrequest(sent.method, sent.target, skip_host=True, skip_accept_encoding=True)
        for name, value in [*sent.headers, ("Content-Length", str(len(sent.body)))]:
            connection.putheader(name, value)
        connection.endheaders(sent.body)
        response = connection.getresponse()
        return response.status, json.loads(response.read())


def status(served: Served, sent: Sent) -> int:
    """Send a request; return the status."""
    return answer(served, sent)[0]


class TestGoodSignature:
    """Valid signatures."""

    def test_of_botocore(self, served: Served) -> None:
        """A request that the AWS SDK for Python signed is accepted, and reaches the function unchanged."""
        code, content = answer(served, signed(served))

        assert 200 == code
        assert BODY.decode() == content["event"]["body"]

    def test_names_the_caller(self, served: Served) -> None:
        """The function receives the identity of an IAM user as from API Gateway, without an authorizer context."""
        context = answer(served, signed(served))[1]["event"]["requestContext"]
        identity = context["identity"]

        assert ["AKIDLOCALDEVELOPMENT", "123456789012", "arn:aws:iam::123456789012:user/local-developer"] == [
            identity[name] for name in ("accessKey", "accountId", "userArn")
        ]
        assert identity["caller"] == identity["user"] == "AIDALOCALDEVELOPMENT"
        assert identity["cognitoIdentityId"] is None
        assert "127.0.0.1" == identity["sourceIp"]
        assert "authorizer" not in context

    def test_without_body(self, served: Served) -> None:
        """A GET without query and body can be signed."""
        assert 200 == status(served, signed(served, method="GET", target="/v1/signed/a", body=b""))

    def test_of_a_body_that_is_not_text(self, served: Served) -> None:
        """The digest is of the bytes of the body, not of its form in the event."""
        assert 200 == status(served, signed(served, body=b"\xff\x00\r\n"))

    def test_with_the_digest_of_the_body_in_a_header(self, served: Served) -> None:
        """A client may send the correct digest in x-amz-content-sha256."""
        digest = hashlib.sha256(BODY).hexdigest()

        assert 200 == status(served, signed(served, headers=[("X-Amz-Content-SHA256", digest)]))

    def test_does_not_cover_other_headers(self, served: Served) -> None:
        """Unsigned headers may be added and removed, as by proxies."""
        assert 200 == status(served, signed(served).with_header("Via", "1.1 proxy"))

    @pytest.mark.parametrize("seconds", [-200, 290])
    def test_of_a_clock_that_is_a_little_off(self, served: Served, seconds: int) -> None:
        """A timestamp may be a few minutes in the past or in the future."""
        at = datetime.now(UTC) + timedelta(seconds=seconds)

        assert 200 == status(served, by_hand(served, target="/v1/signed/a", path="/v1/signed/a", query="", at=at))

    def test_written_without_spaces(self, served: Served) -> None:
        """The parts of the header may be separated without spaces."""
        sent = signed(served)
        compact = sent.header("Authorization").replace(", ", ",")

        assert 200 == status(served, sent.with_header("Authorization", compact))


class TestCanonicalRequest:
    """The canonical request as AWS documents it, signed without botocore."""

    @pytest.mark.parametrize(
        ("target", "path"),
        [
            ("/v1/signed/a%20b", "/v1/signed/a%2520b"),
            ("/v1/signed/a%2Fb", "/v1/signed/a%252Fb"),
            ("/v1/signed/%C3%BC", "/v1/signed/%25C3%25BC"),
            ("/v1/signed/a:b(c)=@", "/v1/signed/a%3Ab%28c%29%3D%40"),
            ("/v1/signed/a.b-c_d~e", "/v1/signed/a.b-c_d~e"),
            ("/v1/signed/a//b/", "/v1/signed/a/b/"),
            ("/v1/signed/a/../b/./c", "/v1/signed/b/c"),
        ],
    )
    def test_path(self, served: Served, target: str, path: str) -> None:
        """The path is encoded once more; empty and dot segments are removed."""
        assert 200 == status(served, by_hand(served, target=target, path=path, query=""))

    @pytest.mark.parametrize(
        ("sent", "canonical"),
        [
            ("", ""),
            ("?", ""),
            ("?a=1", "a=1"),
            ("?b=2&a=1", "a=1&b=2"),
            ("?a=2&a=1&a=10", "a=1&a=10&a=2"),
            ("?aa=1&a=1&A=1", "A=1&a=1&aa=1"),
            ("?a", "a="),
            ("?a=", "a="),
            ("?a=b=c", "a=b%3Dc"),
            ("?a=1&&b=2&", "a=1&b=2"),
            ("?a=x%20y", "a=x%20y"),
            ("?a=x+y", "a=x%20y"),
            ("?a=x%2By", "a=x%2By"),
            ("?a=%c3%bc", "a=%C3%BC"),
            ("?a=%7e-._%41", "a=~-._A"),
            ("?a=/:,@", "a=%2F%3A%2C%40"),
            ("?%C3%BC=1&a%26b=2", "%C3%BC=1&a%26b=2"),
            ("?a=%FF", "a=%FF"),
            ("?a=%zz", "a=%25zz"),
        ],
    )
    def test_query(self, served: Served, sent: str, canonical: str) -> None:
        """Query names and values are sorted and have one encoding, regardless of that of the client."""
        target = f"/v1/signed/a{sent}"

        assert 200 == status(served, by_hand(served, target=target, path="/v1/signed/a", query=canonical))

    def test_header_in_several_lines(self, served: Served) -> None:
        """The values of a repeated header are trimmed and joined by commas, in order."""
        sent = by_hand(
            served,
            target="/v1/signed/a",
            path="/v1/signed/a",
            query="",
            headers=[("X-Thing", "  b   c "), ("x-other", "1"), ("x-thing", "a")],
            canonical_headers=("x-thing:b c,a",),
        )

        assert 200 == status(served, sent)

    def test_header_of_several_lines_in_another_order(self, served: Served) -> None:
        """The order of repeated header lines is signed."""
        sent = by_hand(
            served,
            target="/v1/signed/a",
            path="/v1/signed/a",
            query="",
            headers=[("X-Thing", "a"), ("X-Thing", "b")],
            canonical_headers=("x-thing:b,a",),
        )

        assert INVALID == answer(served, sent)

    def test_header_that_is_empty(self, served: Served) -> None:
        """A header without a value can be signed."""
        sent = by_hand(
            served,
            target="/v1/signed/a",
            path="/v1/signed/a",
            query="",
            headers=[("X-Thing", "")],
            canonical_headers=("x-thing:",),
        )

        assert 200 == status(served, sent)

    def test_body(self, served: Served) -> None:
        """The digest of the body is signed, even that of a GET."""
        sent = by_hand(served, target="/v1/signed/a", path="/v1/signed/a", query="", body=BODY)

        assert 200 == status(served, sent)
        assert 401 == status(served, replace(sent, body=b""))


def with_header(name: str, value: str) -> Callable[[Sent], Sent]:
    """Return a change that sets a header of a signed request."""
    return lambda sent: sent.with_header(name, value)


def without_header(name: str) -> Callable[[Sent], Sent]:
    """Return a change that removes a header of a signed request."""
    return lambda sent: sent.without(name)


def with_another_line(name: str) -> Callable[[Sent], Sent]:
    """Return a change that repeats a header of a signed request."""
    return lambda sent: replace(sent, headers=[*sent.headers, (name, sent.header(name))])


def with_signature_in_capitals(sent: Sent) -> Sent:
    """Return the request with its signature in capital letters."""
    head, _, signature = sent.header("Authorization").rpartition("=")
    return sent.with_header("Authorization", f"{head}={signature.upper()}")


def with_names_in_another_order(sent: Sent) -> Sent:
    """Return the request with unsorted names of signed headers."""
    authorization = sent.header("Authorization")
    assert "content-type;host" in authorization
    return sent.with_header("Authorization", authorization.replace("content-type;host", "host;content-type"))


CHANGED_LATER: dict[str, Callable[[Sent], Sent]] = {
    "another method": lambda sent: replace(sent, method="PUT"),
    "another path": lambda sent: replace(sent, target="/v1/signed/b?a=1&b=2"),
    "another encoding of the path": lambda sent: replace(sent, target="/v1/signed/%61?a=1&b=2"),
    "a space behind the path": lambda sent: replace(sent, target="/v1/signed/a%20?a=1&b=2"),
    "characters that no URL path has": lambda sent: replace(sent, target="/v1/signed/a#b?a=1&b=2"),
    "another value in the query": lambda sent: replace(sent, target="/v1/signed/a?a=1&b=3"),
    "a parameter less": lambda sent: replace(sent, target="/v1/signed/a?a=1"),
    "another parameter": lambda sent: replace(sent, target="/v1/signed/a?a=1&b=2&c=3"),
    "a parameter twice": lambda sent: replace(sent, target="/v1/signed/a?a=1&b=2&a=1"),
    "no query": lambda sent: replace(sent, target="/v1/signed/a"),
    "a longer body": lambda sent: replace(sent, body=BODY + b" "),
    "no body": lambda sent: replace(sent, body=b""),
    "another host": with_header("Host", "elsewhere.example"),
    "another content type": with_header("Content-Type", "text/plain"),
    "another date": with_header("X-Amz-Date", "20200101T000000Z"),
    "another signed header": with_header("X-Thing", "2"),
    "no host": without_header("Host"),
    "no date": without_header("X-Amz-Date"),
    "a signed header less": without_header("X-Thing"),
    "another line of a signed header": with_another_line("X-Thing"),
    "another line of the date": with_another_line("X-Amz-Date"),
    "an empty date": with_header("X-Amz-Date", ""),
    "no time as the date": with_header("X-Amz-Date", "now"),
    "a day that does not exist": with_header("X-Amz-Date", "20260230T000000Z"),
    "a date in another form": with_header("X-Amz-Date", "2026-01-01T00:00:00Z"),
    "a digest that is not signed": with_header("X-Amz-Content-SHA256", hashlib.sha256(BODY).hexdigest()),
    "two signatures": with_another_line("Authorization"),
    "a signature in capitals": with_signature_in_capitals,
    "names of headers in another order": with_names_in_another_order,
    "a session token": with_header("Authorization", "Bearer allow"),
    "an algorithm alone": with_header("Authorization", "AWS4-HMAC-SHA256"),
    "a wrong signature": with_header(
        "Authorization", "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host;x-amz-date, Signature=" + "0" * 64
    ),
    "a signature that is not ASCII": with_header(
        "Authorization", "AWS4-HMAC-SHA256 Credential=\xe9, SignedHeaders=\xe9, Signature=" + "0" * 64
    ),
    "another algorithm": with_header(
        "Authorization", "AWS4-ECDSA-P256-SHA256 Credential=a, SignedHeaders=host, Signature=00"
    ),
}
"""Changes of a request after it was signed; none may reach the function."""


def with_digest(digest: str) -> Callable[[Served], Sent]:
    """Return a request that is signed with a digest of its body in a header."""
    return lambda served: signed(served, headers=[("X-Amz-Content-SHA256", digest)])


def with_a_clock_off(seconds: int) -> Callable[[Served], Sent]:
    """Return a request that is signed by a clock that is wrong."""
    path = "/v1/signed/a"
    return lambda served: by_hand(
        served, target=path, path=path, query="", at=datetime.now(UTC) + timedelta(seconds=seconds)
    )


WRONGLY_SIGNED: dict[str, Callable[[Served], Sent]] = {
    "another access key id": lambda served: signed(
        served, credential=replace(served.credential, access_key_id="AKIDSOMEBODYELSE")
    ),
    "the secret of another run": lambda served: signed(served, credential=SigningCredential.generate()),
    "another region": lambda served: signed(served, region="eu-central-1"),
    "another service": lambda served: signed(served, service="dynamodb"),
    "the service of invocations": lambda served: signed(served, service="lambda"),
    "temporary credentials, which are never issued": lambda served: signed(served, token="session-token"),
    "no digest of the body": with_digest("UNSIGNED-PAYLOAD"),
    "the digest of another body": with_digest(hashlib.sha256(b"another").hexdigest()),
    "an empty digest": with_digest(""),
    "a clock that is five minutes late": with_a_clock_off(-310),
    "a clock that is ten minutes early": with_a_clock_off(600),
    "a signature of last year": with_a_clock_off(-86400 * 365),
}


class TestWrongSignature:
    """Invalid signatures."""

    @pytest.mark.parametrize("change", CHANGED_LATER.values(), ids=CHANGED_LATER)
    def test_a_request_cannot_change_after_signing(self, served: Served, change: Callable[[Sent], Sent]) -> None:
        """A signed request is accepted as it is, and refused after any change of what is signed."""
        headers = [("Content-Type", "application/json"), ("X-Thing", "1")]
        sent = signed(served, target="/v1/signed/a?a=1&b=2", headers=headers)

        assert 200 == status(served, sent)
        assert INVALID == answer(served, change(sent))

    @pytest.mark.parametrize("wrong", WRONGLY_SIGNED.values(), ids=WRONGLY_SIGNED)
    def test_a_wrong_signature_is_refused(self, served: Served, wrong: Callable[[Served], Sent]) -> None:
        """A signature with other credentials, for another place, body or time is refused."""
        assert INVALID == answer(served, wrong(served))

    def test_a_refusal_has_the_time(self, served: Served) -> None:
        """A client whose clock is wrong can correct it: the refusal has a date, as every answer."""
        moments = [parsedate_to_datetime(served.client.post(path).headers["date"]) for path in ("/v1/signed", "/v1/no")]

        assert [] == [
            moment for moment in moments if abs((moment - datetime.now(UTC)).total_seconds()) > ANSWER_SECONDS
        ]

    @pytest.mark.parametrize("name", ["host", "x-amz-date"])
    def test_required_headers(self, served: Served, name: str) -> None:
        """A correct signature that does not cover host or date is refused."""
        whole = signed(served)
        names = sorted({line[0].lower() for line in whole.headers} - {"authorization", name})
        headers = dict(whole.headers)
        request = AWSRequest("POST", served.server.url + whole.target, headers=headers, data=BODY)

        class _Signer(SigV4Auth):
            def headers_to_sign(self, request: AWSRequest) -> Any:
                chosen = super().headers_to_sign(request)
                del chosen[name]
                return chosen

        credential = served.credential
        credentials = Credentials(credential.access_key_id, credential.secret_access_key)
        _Signer(credentials, "execute-api", credential.region).add_auth(request)
        sent = Sent("POST", whole.target, list(request.headers.items()), BODY)

        assert f"SignedHeaders={';'.join(names)}," in sent.header("Authorization")
        assert INVALID == answer(served, sent)


class TestNoSignature:
    """Requests without credentials."""

    def test_no_header(self, served: Served) -> None:
        """A request without an Authorization header is answered with MISSING_AUTHENTICATION_TOKEN."""
        assert MISSING == answer(served, signed(served).without("Authorization"))

    def test_empty_header(self, served: Served) -> None:
        """An empty Authorization header counts as missing."""
        assert MISSING == answer(served, signed(served).with_header("Authorization", ""))

    def test_signature_in_the_query(self, served: Served) -> None:
        """Credentials in the query are not supported."""
        query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Signature=b"

        assert MISSING == answer(served, Sent("POST", f"/v1/signed?{query}", [("Host", "127.0.0.1")], BODY))


def test_secret_is_not_shown() -> None:
    """The representation of an access key, as in a traceback, does not show its secret."""
    credential = SigningCredential.generate()

    assert credential.access_key_id in repr(credential)
    assert credential.secret_access_key not in repr(credential)
