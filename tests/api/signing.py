"""AWS signatures (Signature Version 4) of requests to routes for backends, and of invocations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Mapping


def signed(
    url: str, body: bytes, iam: Mapping[str, str], method: str = "POST", service: str = "execute-api"
) -> dict[str, str]:
    """Return the headers of a signed request with a JSON body.

    Args:
        url: the whole address.
        body: the body of the request.
        iam: access_key_id, secret_access_key and region, and a session_token if they are temporary.
        method: of the request.
        service: that the request is for.
    """
    request = AWSRequest(method, url, {"content-type": "application/json"}, body)
    credentials = Credentials(iam["access_key_id"], iam["secret_access_key"], iam.get("session_token"))
    SigV4Auth(credentials, service, iam["region"]).add_auth(request)
    return dict(request.headers.items())
