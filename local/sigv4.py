"""Routes with AWS_IAM: the signature of a request, computed again with the one credential there is here.

Sources: AWS Identity and Access Management User Guide, "Create a signed AWS API request" (what is signed, and how it
is written), "AWS Signature Version 4 for API requests" (a request has to arrive within five minutes of its time
stamp); Amazon API Gateway Developer Guide, "Gateway response types". The signature itself is computed by botocore
(botocore.auth.SigV4Auth), the signer of the AWS SDK for Python and of the AWS command line.

AWS documents the response types of missing credentials and of a wrong signature, and none for whatever else is wrong
with credentials, as an unknown access key: here all of it is INVALID_SIGNATURE. Credentials in the query (presigned
addresses) are not read: such a request has none.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes, urlsplit

from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.intrinsics import ACCOUNT_ID, REGION
from local.refusals import RefusalError
from local.server import HOST

if TYPE_CHECKING:
    from botocore.compat import HTTPHeaders

    from local.events import Request
    from local.intrinsics import Json

SERVICE = "execute-api"
MAXIMUM_SKEW_SECONDS = 300

_ACCESS_KEY_ID = "AKIDLOCALDEVELOPMENT"
_USER_ID = "AIDALOCALDEVELOPMENT"
_USER_ARN = f"arn:aws:iam::{ACCOUNT_ID}:user/local-developer"
_SECRET_BYTES = 30
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<scope>[^\s,]+), *SignedHeaders=(?P<names>[^\s,]+), *"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)
_TIMESTAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_BODY_DIGEST = "x-amz-content-sha256"


@dataclass(frozen=True, slots=True)
class Credential:
    """An access key of a user who may call every route with AWS_IAM."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str

    @classmethod
    def draw(cls) -> Credential:
        """Give the development credential: always the same access key id, and a secret that nobody had before."""
        return cls(_ACCESS_KEY_ID, secrets.token_urlsafe(_SECRET_BYTES), REGION)


def caller(request: Request, credential: Credential) -> dict[str, Json]:
    """Give what an event's `requestContext.identity` says of who signed a request.

    Args:
        request: as it came in; what was signed is read of it and of nothing else.
        credential: the only one that is accepted.

    Raises:
        RefusalError: nobody signed it, or not with this credential, not now, or something else.
    """
    lines = request.header_values("authorization")
    if not any(lines):
        raise RefusalError("MISSING_AUTHENTICATION_TOKEN")
    given = _AUTHORIZATION.fullmatch(lines[0])
    if len(lines) > 1 or given is None or not _is_current(request) or not _is_signed(request, credential, given):
        raise RefusalError("INVALID_SIGNATURE")
    return {
        "accessKey": credential.access_key_id,
        "accountId": ACCOUNT_ID,
        "caller": _USER_ID,
        "user": _USER_ID,
        "userArn": _USER_ARN,
    }


class _Signer(SigV4Auth):
    """Signs the headers that the client has signed; botocore on its own would choose them."""

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        return request.headers


def _is_signed(request: Request, credential: Credential, given: re.Match[str]) -> bool:
    """Tell whether the signature is the credential's, for this very request."""
    names = given["names"].split(";")
    signed = _signed_part(request, names)
    address = urlsplit(signed.url)
    if address.path != request.path:  # it has a character that no address has, and that would not be signed
        return False
    if not {"host", "x-amz-date"} <= set(names) or not _names_its_body(request, names):
        return False
    if request.header_values("x-amz-security-token"):  # of temporary credentials, which nobody issues here
        return False
    signer = _Signer(Credentials(credential.access_key_id, credential.secret_access_key), SERVICE, credential.region)
    text = signer.string_to_sign(signed, signer.canonical_request(signed))
    return (
        signer.scope(signed) == given["scope"]
        and signer.signed_headers(signed.headers) == given["names"]
        and hmac.compare_digest(signer.signature(text, signed), given["signature"])
    )


def _signed_part(request: Request, names: list[str]) -> AWSRequest:
    """Give what was signed in botocore's terms: method, path, query, body, and of the headers those named."""
    signed = AWSRequest(
        method=request.method,
        url=f"http://{HOST}{request.path}?{_canonical(request.query)}",
        data=request.body,
    )
    for name, value in request.headers:
        if name.lower() in names:
            signed.headers[name.lower()] = value  # another line, if there is one with this name already
    signed.context["timestamp"] = request.header("x-amz-date")
    return signed


def _canonical(query: str) -> str:
    """Write every name and value of a query the one way they are signed, however the client wrote them.

    botocore sorts them, but leaves them as they are. A plus is a space, as it is to the function.
    """
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return "&".join(f"{_encoded(name)}={_encoded(value)}" for name, _, value in pairs)


def _encoded(text: str) -> str:
    return quote(unquote_to_bytes(text.replace("+", " ")), safe="-_.~")


def _is_current(request: Request) -> bool:
    stamps = request.header_values("x-amz-date")
    if len(stamps) != 1 or not _TIMESTAMP.fullmatch(stamps[0]):
        return False
    try:
        moment = datetime.strptime(stamps[0], SIGV4_TIMESTAMP).replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs(moment.timestamp() - request.received_at) <= MAXIMUM_SKEW_SECONDS


def _names_its_body(request: Request, names: list[str]) -> bool:
    """Tell whether a digest that the request has of its body is right, and signed; it need not have any.

    What only stands for a digest, as UNSIGNED-PAYLOAD does for S3, is none.
    """
    digests = request.header_values(_BODY_DIGEST)
    return not digests or (_BODY_DIGEST in names and digests == [hashlib.sha256(request.body).hexdigest()])
