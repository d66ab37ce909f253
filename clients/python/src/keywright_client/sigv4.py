"""Signs with botocore, and with a time of the client's choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
from botocore.awsrequest import AWSRequest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from botocore.credentials import ReadOnlyCredentials

    from keywright_client.signing import FrozenCredentials


class _Signer(SigV4Auth):
    """Signs at a time of the caller's choice.

    `SigV4Auth.add_auth` reads the clock of this machine. It also logs what it signs, session token included.
    """

    def sign(self, request: AWSRequest, moment: datetime) -> None:
        request.context["timestamp"] = moment.strftime(SIGV4_TIMESTAMP)
        self._modify_request_before_signing(request)  # type: ignore[attr-defined] # not in the stubs
        text = self.string_to_sign(request, self.canonical_request(request))
        self._inject_signature_to_request(request, self.signature(text, request))  # type: ignore[attr-defined]


def signed(  # noqa: PLR0913 - all that a signature depends on, by keyword
    *,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    credentials: FrozenCredentials,
    scope: tuple[str, str],
    moment: datetime,
) -> dict[str, str]:
    """Return the headers of a POST request, with a signature of all of them.

    Args:
        url: address as it is sent.
        headers: further headers, `host` among them.
        body: body as it is sent.
        credentials: AWS credentials.
        scope: service and region.
        moment: time of the signature, in UTC.
    """
    request = AWSRequest("POST", url, headers=headers, data=body)
    service, region = scope
    _Signer(cast("ReadOnlyCredentials", credentials), service, region).sign(request, moment)
    return dict(request.headers.items())
