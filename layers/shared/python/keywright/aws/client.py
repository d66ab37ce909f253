"""AWS's JSON services without boto3's client, which costs more than a verification itself (docs/decisions/0030).

Callers retry with `keywright.aws.retries.with_retries`.
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from keywright.aws import endpoints
from keywright.aws.signing import Signer
from keywright.aws.transport import Host, NoAnswerError
from keywright.immutable import immutable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keywright.aws.endpoints import Service
    from keywright.aws.transport import Response

_OK = 200
_CHECKSUM_HEADER = "x-amz-crc32"


class AwsError(Exception):
    """A request that the service refused.

    Attributes:
        code: error code, for example ThrottlingException; the HTTP status if the body has no code.
        status: HTTP status.
        content: body if it is a JSON object, else empty.
    """

    def __init__(self, code: str, status: int, content: Mapping[str, Any]) -> None:
        self.code = code
        self.status = status
        self.content = content
        super().__init__(f"{code} ({status})")


@immutable
class Answer:
    """A successful answer; the names of headers are in lower case."""

    content: Mapping[str, Any]
    headers: Mapping[str, str]


class HttpClient:
    """A client of one service. Threads may share it.

    Args:
        service: service to call.
        environment: environment of the function: region, endpoints, credentials.
        connect_timeout_seconds: time-out of connecting.
        read_timeout_seconds: time-out of each read.
    """

    def __init__(
        self,
        service: Service,
        environment: Mapping[str, str],
        *,
        connect_timeout_seconds: float,
        read_timeout_seconds: float,
    ) -> None:
        self.endpoint = endpoints.endpoint(service, environment)
        self.host = Host(
            self.endpoint.url,
            connect_timeout_seconds=connect_timeout_seconds,
            read_timeout_seconds=read_timeout_seconds,
        )
        self._target = urlsplit(self.endpoint.url).path
        self._signer = Signer(service, self.endpoint, endpoints.keys(environment))

    def call(self, operation: str, parameters: Mapping[str, Any]) -> Answer:
        """Call an operation once, without retries.

        Args:
            operation: operation name, for example BatchGetItem.
            parameters: parameters in the format of the service's HTTP interface; binary values may be bytes.

        Raises:
            AwsError: the service refused the request.
            NoAnswerError: the outcome is unknown.
        """
        body = _ENCODER.encode(parameters).encode()
        response = self.send(self._signer.headers(operation, body), body)
        # botocore also compares DynamoDB's checksum, and retries on a mismatch.
        checksum = response.headers.get(_CHECKSUM_HEADER, "")
        if checksum.isdigit() and zlib.crc32(response.body) != int(checksum):
            raise NoAnswerError("the checksum of the answer does not agree")
        content = _object(response.body)
        if response.status != _OK:
            raise AwsError(_code(response.status, content), response.status, content or {})
        if content is None:
            raise NoAnswerError("the answer is not a JSON object")
        return Answer(content, response.headers)

    def send(self, headers: Mapping[str, str], body: bytes) -> Response:
        """Send a signed request and read the whole answer.

        Raises:
            NoAnswerError: the outcome is unknown.
        """
        return self.host.send("POST", self._target, headers, body)


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        content = json.loads(body)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _code(status: int, content: Mapping[str, Any] | None) -> str:
    """Return an error code like botocore's parser: the part of `__type` after the last `#`."""
    return str((content or {}).get("__type") or status).rpartition("#")[2]


def _base64(value: object) -> str:
    """Return bytes in Base64. Refuse every other type."""
    if not isinstance(value, bytes):
        raise TypeError(type(value).__name__)
    return base64.b64encode(value).decode()


_ENCODER = json.JSONEncoder(separators=(",", ":"), default=_base64)
