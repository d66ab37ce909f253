"""Verifies API keys with a deployed Keywright. Copy this file into your backend.

It needs boto3, a region, the URL of the API in KEYWRIGHT_URL (the stack's output ApiUrl), and AWS credentials that
allow `execute-api:Invoke` on the stack's output VerifyApiKeyArn.
"""

from __future__ import annotations

import functools
import json
import logging
import os
from typing import Any, NoReturn

import boto3
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError

logger = logging.getLogger(__name__)

# Any failure can be retried: at worst, a verification counts twice for the limits of the key. Redirects are not
# followed: the signature is valid for this URL only.
_RETRIES = urllib3.Retry(total=2, redirect=0, backoff_factor=0.1, status_forcelist=(429, 503), allowed_methods=None)
_HTTP = urllib3.PoolManager(timeout=urllib3.Timeout(connect=1, read=5), retries=_RETRIES, maxsize=32)


class VerificationUnavailable(Exception):  # noqa: N818 - reads best in a log
    """Keywright did not answer. The key may be valid, so answer 503 and not 401."""


def presented_key(x_api_key: str | None, authorization: str | None) -> str | None:
    """Return the key of a request, from the header `x-api-key` or else `Authorization: Bearer`; None if there is none.

    Keywright's own routes and its authorizer read the same headers, in the same order.
    """
    if x_api_key:
        return x_api_key
    scheme, _, key = (authorization or "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


def verify(key: str, *permissions: str, client_ip: str | None) -> dict[str, Any]:
    """Return the result of verifying a key: `valid`, `code`, and the key's details unless the code is NOT_FOUND.

    Args:
        key: the key that the caller presented.
        permissions: the permissions that the request needs.
        client_ip: the caller's address, from the connection or a proxy of your own, never from a header that callers
            can set. Without one, keys with allowed addresses are refused.

    Raises:
        VerificationUnavailable: Keywright did not answer, or not with 200. The reason is logged.
    """
    url = f"{os.environ['KEYWRIGHT_URL'].rstrip('/')}/auth/api-keys/verify"
    body = json.dumps({"key": key, "permissions": permissions, "clientIp": client_ip}).encode()
    request = AWSRequest("POST", url, data=body, headers={"content-type": "application/json"})
    _sign(request)
    try:
        response = _HTTP.request("POST", url, body=body, headers=dict(request.headers.items()))
    except urllib3.exceptions.HTTPError as error:
        reason = getattr(error, "reason", None) or error  # of the last attempt
        _fail(f"{type(reason).__name__}: {reason}")
    if response.status != 200:
        _fail(f"answered {response.status}", response.headers.get("x-request-id"))
    try:
        answer: dict[str, Any] = response.json()["data"]
    except (KeyError, TypeError, ValueError):
        _fail("answered 200 without a result: KEYWRIGHT_URL is not that of Keywright")
    return answer


def _sign(request: AWSRequest) -> None:
    # boto3 reads AWS_DEFAULT_REGION and profiles. Lambda and ECS set AWS_REGION, which other SDKs read.
    region = _session().region_name or os.environ.get("AWS_REGION")
    if not region:
        _fail("no region: set AWS_REGION, AWS_DEFAULT_REGION or the region of the profile")
    try:
        credentials = _session().get_credentials()
        if credentials is None:
            _fail("no AWS credentials")
        SigV4Auth(credentials, "execute-api", region).add_auth(request)
    except (BotoCoreError, ClientError) as error:  # for example, the role's credentials cannot be refreshed
        _fail(f"AWS credentials: {type(error).__name__}")


@functools.cache
def _session() -> boto3.Session:
    """Return the session of this process, which refreshes its credentials before they expire."""
    return boto3.Session()


def _fail(reason: str, request_id: str | None = None) -> NoReturn:
    """Log why a key could not be verified, without the key, and raise VerificationUnavailable."""
    logger.error("API key not verified: %s%s", reason, f" (x-request-id {request_id})" if request_id else "")
    raise VerificationUnavailable(reason)
