"""Asks the API of the deployment, in requests that are signed with the operator's AWS credentials."""

from __future__ import annotations

import json
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

from keywright_admin.failures import ApiError, ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keywright_admin.deployment import Signer

_ATTEMPTS = 3
_PAUSE_SECONDS = 0.3
_TIMEOUT_SECONDS = 30  # API Gateway answers within 29
_RETRIED = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


def verify(
    signer: Signer, text: str, permissions: Sequence[str], client_ip: str | None = None, cost: int = 1
) -> dict[str, Any]:
    """Verify a key as a backend does, and return the answer.

    Raises:
        UsageError: the API does not know a permission, or the address or the cost is not valid.
        ApiError: it refuses the credentials, or does not answer.
        HTTPClientError: it cannot be reached.
    """
    use = {"permissions": list(permissions), "clientIp": client_ip, "cost": cost}
    body = json.dumps({"key": text, **{name: value for name, value in use.items() if value is not None}}).encode()
    for attempt in range(_ATTEMPTS):
        time.sleep(attempt * _PAUSE_SECONDS)
        status, answer = _post(signer, "/auth/api-keys/verify", body)
        if status not in _RETRIED:
            break
    data, error = answer.get("data"), answer.get("error") or {}
    if status == HTTPStatus.OK and isinstance(data, dict):
        return data
    message = f"the API returned {status} {error.get('code', '')}".rstrip() + f": {error.get('message', 'no answer')}"
    if status == HTTPStatus.BAD_REQUEST:
        raise UsageError(message)
    if status == HTTPStatus.UNAUTHORIZED:
        raise ApiError(message, ExitCode.NO_ACCESS)
    if status == HTTPStatus.FORBIDDEN:
        raise ApiError(f"{message}; allow execute-api:Invoke on its verify route", ExitCode.NO_ACCESS)
    raise ApiError(message, ExitCode.UNAVAILABLE)


def _post(signer: Signer, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
    request = AWSRequest("POST", signer.url + path, data=body, headers={"content-type": "application/json"})
    credentials = Credentials(signer.access_key, signer.secret_key, signer.token)
    SigV4Auth(credentials, "execute-api", signer.region).add_auth(request)
    response = URLLib3Session(timeout=_TIMEOUT_SECONDS).send(request.prepare())
    try:
        answer = json.loads(response.content)
    except ValueError:
        answer = None
    return response.status_code, answer if isinstance(answer, dict) else {}
