"""Objects of one bucket of S3, without boto3's client (docs/decisions/0030).

Callers retry with `keywright.aws.retries.with_retries`.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from keywright.aws import endpoints
from keywright.aws.client import AwsError
from keywright.aws.signing import Signer
from keywright.aws.transport import Host, NoAnswerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keywright.aws.transport import Response

_OK = 200
_TAKEN = 412
_REQUEST_ID_HEADER = "x-amz-request-id"
_CODE = re.compile(rb"<Code>([A-Za-z0-9]+)</Code>")


class ObjectClient:
    """A client of one bucket. Threads may share it.

    Args:
        bucket: its name.
        environment: environment of the function: region, endpoints, credentials.
        connect_timeout_seconds: time-out of connecting.
        read_timeout_seconds: time-out of each read and write.
    """

    def __init__(
        self,
        bucket: str,
        environment: Mapping[str, str],
        *,
        connect_timeout_seconds: float,
        read_timeout_seconds: float,
    ) -> None:
        endpoint = endpoints.bucket_endpoint(bucket, environment)
        self._host = Host(
            endpoint.url,
            connect_timeout_seconds=connect_timeout_seconds,
            read_timeout_seconds=read_timeout_seconds,
        )
        self._path = urlsplit(endpoint.url).path
        self._signer = Signer(endpoints.S3, endpoint, endpoints.keys(environment))

    def put_new(self, key: str, body: bytes) -> bool:
        """Write an object unless there is one; return whether it was written.

        Amazon S3 API Reference, "PutObject": If-None-Match, with 412 if there is one. A bucket with Object Lock
        requires a checksum.

        Raises:
            AwsError: S3 refused the request; ConditionalRequestConflict if another one writes the object now.
            NoAnswerError: the outcome is unknown.
        """
        headers = {
            "content-type": "application/x-ndjson",
            "if-none-match": "*",
            "x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(body).digest()).decode(),
            "x-amz-sdk-checksum-algorithm": "SHA256",
        }
        response = self._send("PUT", key, headers, body)
        if response.status == _TAKEN:
            return False
        _require_success(response)
        return True

    def get(self, key: str) -> bytes:
        """Read an object.

        Raises:
            AwsError: S3 refused the request; NoSuchKey if there is no such object.
            NoAnswerError: the outcome is unknown.
        """
        response = self._send("GET", key, {}, None)
        _require_success(response)
        return response.body

    def _send(self, method: str, key: str, headers: Mapping[str, str], body: bytes | None) -> Response:
        path = f"{self._path}{key}"
        return self._host.send(method, path, self._signer.object_headers(method, path, body or b"", headers), body)


def _require_success(response: Response) -> None:
    if response.status != _OK:
        code = _CODE.search(response.body)
        raise AwsError(code[1].decode() if code else str(response.status), response.status, {})
    if _REQUEST_ID_HEADER not in response.headers:
        raise NoAnswerError("the answer does not come from S3")
