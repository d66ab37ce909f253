"""Verifies AWS Signature Version 4, on routes with AWS_IAM and invocations, with the access key of the local service.

Sources: AWS Identity and Access Management User Guide, "Create a signed AWS API request" (canonical request and string
to sign) and "AWS Signature Version 4 for API requests" (a request must arrive within five minutes of its timestamp);
Amazon API Gateway Developer Guide, "Gateway response types". The signature is computed by botocore
(botocore.auth.SigV4Auth), the signer of the AWS SDK for Python and of the AWS CLI.

AWS documents the response types for missing credentials and for a wrong signature, but none for other invalid
credentials, such as an unknown access key: here all of them are INVALID_SIGNATURE. So is a signature that is out of
time, which API Gateway names InvalidSignatureException as well. Credentials in the query (presigned
URLs) are not supported and count as missing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto
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

MAXIMUM_SKEW_SECONDS = 300
USER_ARN = f"arn:aws:iam::{ACCOUNT_ID}:user/local-developer"
"""The owner of the access key."""

_API_GATEWAY = "execute-api"
_ACCESS_KEY_ID = "AKIDLOCALDEVELOPMENT"
_USER_ID = "AIDALOCALDEVELOPMENT"
_SECRET_BYTES = 30
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<scope>[^\s,]+), *SignedHeaders=(?P<names>[^\s,]+), *"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)
_TIMESTAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_BODY_DIGEST = "x-amz-content-sha256"


@dataclass(frozen=True, slots=True)
class SigningCredential:
    """An access key of a user who may call every route with AWS_IAM, and invoke the functions of these routes."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    region: str

    @classmethod
    def generate(cls) -> SigningCredential:
        """Return the development access key: a fixed id with a new random secret."""
        return cls.with_secret(secrets.token_urlsafe(_SECRET_BYTES))

    @classmethod
    def with_secret(cls, secret: str) -> SigningCredential:
        """Return the development access key with a secret of an earlier start."""
        return cls(_ACCESS_KEY_ID, secret, REGION)


class Defect(Enum):
    """What is wrong with a signature."""

    MISSING = auto()
    INCOMPLETE = auto()
    NOT_CURRENT = auto()
    WRONG = auto()


class SignatureError(Exception):
    """A request is not signed, or its signature is not valid; the message says why."""

    def __init__(self, defect: Defect, reason: str) -> None:
        super().__init__(reason)
        self.defect = defect


def check(request: Request, credential: SigningCredential, service: str) -> None:
    """Verify that a request is signed with an access key.

    Args:
        request: the request as received.
        credential: the only access key that is accepted.
        service: that the request is for, such as execute-api.

    Raises:
        SignatureError: the request is not signed, or its signature is not valid for this access key, service, time and
            content.
    """
    lines = request.header_values("authorization")
    if not any(lines):
        raise SignatureError(Defect.MISSING, "the request has no AWS signature")
    signature = _AUTHORIZATION.fullmatch(lines[0])
    if len(lines) > 1 or signature is None:
        raise SignatureError(Defect.INCOMPLETE, "Authorization is not one AWS signature of version 4")
    if not _is_current(request):
        raise SignatureError(Defect.NOT_CURRENT, f"X-Amz-Date is not within {MAXIMUM_SKEW_SECONDS} seconds of now")
    if not _is_signed(request, credential, service, signature):
        raise SignatureError(Defect.WRONG, "the AWS signature is not that of the access key in the stack file")


def caller(request: Request, credential: SigningCredential) -> dict[str, Json]:
    """Return the signer of a request to an API, as in the `requestContext.identity` of an event.

    Args:
        request: the request as received.
        credential: the only access key that is accepted.

    Raises:
        RefusalError: as of `check`.
    """
    try:
        check(request, credential, _API_GATEWAY)
    except SignatureError as error:
        kind = "MISSING_AUTHENTICATION_TOKEN" if error.defect is Defect.MISSING else "INVALID_SIGNATURE"
        raise RefusalError(kind, reason=str(error)) from error
    return {
        "accessKey": credential.access_key_id,
        "accountId": ACCOUNT_ID,
        "caller": _USER_ID,
        "user": _USER_ID,
        "userArn": USER_ARN,
    }


class _Signer(SigV4Auth):
    """Signs the headers that the client signed; botocore would select others."""

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        return request.headers


def _is_signed(request: Request, credential: SigningCredential, service: str, signature: re.Match[str]) -> bool:
    """Return whether the signature is that of the access key for this service and request."""
    names = signature["names"].split(";")
    signed = _signed_part(request, names)
    address = urlsplit(signed.url)
    if address.path != request.path:  # a character that urlsplit removes would not be signed
        return False
    if not {"host", "x-amz-date"} <= set(names) or not _has_valid_digest(request, names):
        return False
    if request.header_values("x-amz-security-token"):  # temporary credentials are not issued here
        return False
    signer = _Signer(Credentials(credential.access_key_id, credential.secret_access_key), service, credential.region)
    text = signer.string_to_sign(signed, signer.canonical_request(signed))
    return (
        signer.scope(signed) == signature["scope"]
        and signer.signed_headers(signed.headers) == signature["names"]
        and hmac.compare_digest(signer.signature(text, signed), signature["signature"])
    )


def _signed_part(request: Request, names: list[str]) -> AWSRequest:
    """Return the signed parts as a botocore request: method, path, query, body and the named headers."""
    signed = AWSRequest(
        method=request.method,
        url=f"http://{HOST}{request.path}?{_canonical(request.query)}",
        data=request.body,
    )
    for name, value in request.headers:
        if name.lower() in names:
            signed.headers[name.lower()] = value  # adds a line, it does not replace one
    signed.context["timestamp"] = request.header("x-amz-date")
    return signed


def _canonical(query: str) -> str:
    """Return a query in its canonical encoding.

    botocore sorts names and values but does not encode them. A plus is a space, as it is for the function.
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


def _has_valid_digest(request: Request, names: list[str]) -> bool:
    """Return whether the request has no digest of its body, or one that is correct and signed.

    A placeholder such as UNSIGNED-PAYLOAD, which S3 accepts, is not a digest.
    """
    digests = request.header_values(_BODY_DIGEST)
    return not digests or (_BODY_DIGEST in names and digests == [hashlib.sha256(request.body).hexdigest()])
