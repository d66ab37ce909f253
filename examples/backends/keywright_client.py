"""Asks a deployed Keywright about API keys: copy this file into your backend.

Needs boto3, the address of the API in KEYWRIGHT_URL (the stack's output ApiUrl), and AWS credentials that may call it:
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

# Verifying changes nothing, so whatever goes wrong can be tried again. Redirects are not followed: the signature is
# for this address alone.
_RETRIES = urllib3.Retry(total=2, redirect=0, backoff_factor=0.1, status_forcelist=(429, 503), allowed_methods=None)
_HTTP = urllib3.PoolManager(timeout=urllib3.Timeout(connect=1, read=5), retries=_RETRIES, maxsize=32)


class VerificationUnavailable(Exception):  # noqa: N818 - what it says is what the log shows
    """Keywright did not answer: the key may be valid, so answer 503 and not 401."""


@functools.cache
def _session() -> boto3.Session:
    """Give one session for the process: it keeps credentials, and renews them before they expire."""
    return boto3.Session()


def verify(key: str, *permissions: str) -> dict[str, Any]:
    """Give what Keywright says of a key: `valid`, `code`, and unless the code is NOT_FOUND all about the key.

    Args:
        key: what the caller presented.
        permissions: what it must be permitted to do.

    Raises:
        VerificationUnavailable: no answer, or none that tells anything.
    """
    credentials = _session().get_credentials()
    if credentials is None:
        raise VerificationUnavailable("there are no AWS credentials")
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
