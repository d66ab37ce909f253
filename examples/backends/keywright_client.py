"""Verifies API keys with a deployed Keywright. Copy this file into your backend.

It needs boto3, the URL of the API in KEYWRIGHT_URL (the stack's output ApiUrl), and AWS credentials that allow
`execute-api:Invoke` on the stack's output VerifyApiKeyArn.
"""

from __future__ import annotations

import functools
import json
import os
from typing import Any

import boto3
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

# A verification changes nothing, so any failure can be retried. Redirects are not followed: the signature is valid for
# this URL only.
_RETRIES = urllib3.Retry(total=2, redirect=0, backoff_factor=0.1, status_forcelist=(429, 503), allowed_methods=None)
_HTTP = urllib3.PoolManager(timeout=urllib3.Timeout(connect=1, read=5), retries=_RETRIES, maxsize=32)


class VerificationUnavailable(Exception):  # noqa: N818 - reads best in a log
    """Keywright did not answer. The key may be valid, so answer 503 and not 401."""


@functools.cache
def _session() -> boto3.Session:
    """Return the session of this process, which refreshes its credentials before they expire."""
    return boto3.Session()


def verify(key: str, *permissions: str) -> dict[str, Any]:
    """Return the result of verifying a key: `valid`, `code`, and the key's details unless the code is NOT_FOUND.

    Args:
        key: the key that the caller presented.
        permissions: the permissions that the request needs.

    Raises:
        VerificationUnavailable: Keywright did not answer, or not with 200.
    """
    credentials = _session().get_credentials()
    if credentials is None:
        raise VerificationUnavailable("no AWS credentials")
    url = f"{os.environ['KEYWRIGHT_URL'].rstrip('/')}/auth/api-keys/verify"
    body = json.dumps({"key": key, "permissions": permissions}).encode()
    request = AWSRequest("POST", url, data=body, headers={"content-type": "application/json"})
    SigV4Auth(credentials, "execute-api", _session().region_name).add_auth(request)
    try:
        response = _HTTP.request("POST", url, body=body, headers=dict(request.headers.items()))
    except urllib3.exceptions.HTTPError as error:
        raise VerificationUnavailable(type(error).__name__) from None
    if response.status != 200:
        raise VerificationUnavailable(f"answered {response.status}")
    answer: dict[str, Any] = response.json()["data"]
    return answer
