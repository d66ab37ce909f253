"""Objects of one bucket of S3, without boto3's client (docs/decisions/0030).

Callers retry with `keywright.aws.retries.with_retries`.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

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
_CODE = re.compile(rb"<Code>([A-Za-z0-9.]+)</Code>")
_DENIED_KEY = b"kms:"
"""In the message of AccessDenied, if the caller may read the object, and not use the KMS key of its encryption."""
_LISTED = re.compile(rb"<Key>([^<]*)</Key>")
_END_OF_LIST = b"</ListBucketResult>"


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
        }
        response = self._send("PUT", key, headers=headers, body=body)
        if response.status == _TAKEN:
            return False
        _require_success(response)
        return True

    def get(self, key: str, maximum_bytes: int) -> bytes:
        """Return the first bytes of an object, at most so many.

        Raises:
            AwsError: S3 refused the request; NoSuchKey if there is no such object, KMS.AccessDenied if the caller may
                not use its KMS key.
            NoAnswerError: the outcome is unknown.
        """
        response = self._send("GET", key, maximum_bytes=maximum_bytes)
        _require_success(response)
        return response.body

    def first_key_after(self, key: str, prefix: str) -> str | None:
        """Return the first key after another one that begins so; None if there is none.

        Amazon S3 API Reference, "ListObjectsV2": keys are in the order of their UTF-8 bytes.

        Raises:
            AwsError: S3 refused the request.
            NoAnswerError: the answer is not complete.
        """
        query = f"list-type=2&max-keys=1&prefix={quote(prefix, safe='')}&start-after={quote(key, safe='')}"
        response = self._send("GET", f"?{query}")
        _require_success(response)
        if _END_OF_LIST not in response.body:
            raise NoAnswerError("the list is not complete")
        listed = _LISTED.search(response.body)
        return listed[1].decode() if listed else None

    def _send(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        maximum_bytes: int | None = None,
    ) -> Response:
        target = f"{self._path}{target}"
        signed = self._signer.object_headers(method, target, body or b"", headers or {})
        return self._host.send(method, target, signed, body, maximum_bytes)


def _require_success(response: Response) -> None:
    if response.status != _OK:
        found = _CODE.search(response.body)
        code = found[1].decode() if found else str(response.status)
        if code == "AccessDenied" and _DENIED_KEY in response.body:
            code = "KMS.AccessDenied"
        raise AwsError(code, response.status, {})
    if _REQUEST_ID_HEADER not in response.headers:
        raise NoAnswerError("the answer does not come from S3")
