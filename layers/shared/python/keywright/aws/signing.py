"""Signature Version 4 for requests of AWS's JSON services, and of S3.

Source: AWS Identity and Access Management User Guide, "Create a signed AWS API request". A test
compares the signatures with those of botocore, whose import takes a tenth of a cold start.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from keywright.aws.endpoints import Endpoint, Keys, Service

_ALGORITHM = "AWS4-HMAC-SHA256"


class Signer:
    """A signer of requests to one service.

    Args:
        service: service to sign for.
        endpoint: endpoint of the service.
        keys: provider of the credentials of each request.
    """

    def __init__(self, service: Service, endpoint: Endpoint, keys: Callable[[], Keys]) -> None:
        self.service, self.endpoint, self.keys = service, endpoint, keys
        address = urlsplit(endpoint.url)
        self._host, self._path = address.netloc, quote(address.path, safe="/-_.~")
        self._derived = ("", "", b"")

    def headers(self, operation: str, body: bytes, now_seconds: float | None = None) -> dict[str, str]:
        """Return the headers of a signed request.

        Args:
            operation: operation name, for example BatchGetItem.
            body: body of the request.
            now_seconds: seconds since the Unix epoch; the current time if absent.
        """
        keys = self.keys()
        timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now_seconds))
        headers = {
            "content-type": f"application/x-amz-json-{self.service.json_version}",
            "host": self._host,
            "x-amz-date": timestamp,
        }
        if keys.token:
            headers["x-amz-security-token"] = keys.token
        headers["x-amz-target"] = f"{self.service.target}.{operation}"
        # Signature Version 4 requires the order of names, which is the order above.
        self._sign("POST", self._path, headers, keys, hashlib.sha256(body).hexdigest())
        return headers

    def object_headers(
        self, method: str, target: str, body: bytes, more: Mapping[str, str], now_seconds: float | None = None
    ) -> dict[str, str]:
        """Return the headers of a signed request to S3, which has the digest of the body in a header.

        Args:
            method: HTTP method.
            target: path from the root of the host, without characters that need an escape; and query, whose
                parameters are in the order of their names.
            body: body of the request.
            more: other headers, by name in lower case.
            now_seconds: seconds since the Unix epoch; the current time if absent.
        """
        keys = self.keys()
        digest = hashlib.sha256(body).hexdigest()
        headers = {
            **more,
            "host": self._host,
            "x-amz-content-sha256": digest,
            "x-amz-date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now_seconds)),
        }
        if keys.token:
            headers["x-amz-security-token"] = keys.token
        headers = dict(sorted(headers.items()))
        self._sign(method, target, headers, keys, digest)
        return headers

    def _sign(self, method: str, target: str, headers: dict[str, str], keys: Keys, digest: str) -> None:
        """Add the signature to headers, which are in the order of their names."""
        timestamp = headers["x-amz-date"]
        names = ";".join(headers)
        fields = (f"{name}:{value}" for name, value in headers.items())
        path, _, query = target.partition("?")
        canonical = "\n".join((method, path, query, *fields, "", names, digest))
        scope = f"{timestamp[:8]}/{self.endpoint.region}/{self.service.name}/aws4_request"
        text = "\n".join((_ALGORITHM, timestamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))
        signature = hmac.digest(self._key(keys.secret_key, timestamp[:8]), text.encode(), "sha256").hex()
        headers["authorization"] = (
            f"{_ALGORITHM} Credential={keys.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        )

    def _key(self, secret_key: str, day: str) -> bytes:
        """Derive the signing key of a day, once for all requests of that day."""
        known_secret_key, known_day, key = self._derived
        if (known_secret_key, known_day) == (secret_key, day):
            return key
        key = f"AWS4{secret_key}".encode()
        for part in (day, self.endpoint.region, self.service.name, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        self._derived = (secret_key, day, key)
        return key
