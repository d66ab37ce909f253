"""The answers of authorize_session to API Gateway."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import pytest

from keywright.authorizers.discovery import IdentityProviderUnavailable
from keywright.authorizers.session import authorize_session
from keywright.authorizers.session_token import LEEWAY_SECONDS
from keywright.errors import Unauthorized
from tests.support.identity_provider import ORGANIZATION_ID

if TYPE_CHECKING:
    from keywright.api.lambda_types import TokenAuthorizerEvent
    from tests.support.identity_provider import Issuer

pytestmark = pytest.mark.usefixtures("trusted_issuer")

API = "arn:aws:execute-api:eu-central-1:123456789012:abcdef1234/v1"


def event(token: str) -> TokenAuthorizerEvent:
    """Return the event that API Gateway sends for a token."""
    return {"type": "TOKEN", "authorizationToken": f"Bearer {token}", "methodArn": f"{API}/POST/auth/api-keys"}


def test_a_valid_session_may_call_every_route(issuer: Issuer) -> None:
    """The policy covers the whole stage, because API Gateway reuses it for other routes."""
    expires_at = int(time.time()) + 600

    answer = authorize_session(event(issuer.token(exp=expires_at)))

    assert {
        "principalId": "user_1",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": f"{API}/*"}],
        },
        "context": {
            "organizationId": ORGANIZATION_ID,
            "userId": "user_1",
            "expiresAt": str(expires_at + LEEWAY_SECONDS),
        },
    } == answer


def test_an_invalid_token_is_unauthorized(issuer: Issuer) -> None:
    """API Gateway turns exactly this message into 401."""
    with pytest.raises(Unauthorized, match=r"^Unauthorized$"):
        authorize_session(event(issuer.token(aud="another")))


def test_a_session_without_organization_is_denied(issuer: Issuer) -> None:
    """A known person without an organization gets 403, not 401."""
    answer = authorize_session(event(issuer.token(org_id=None)))

    assert "Deny" == answer["policyDocument"]["Statement"][0]["Effect"]
    assert "FORBIDDEN" == answer["context"]["code"]
    assert "The session does not act for an organization" == answer["context"]["message"]


def test_a_provider_that_is_down_is_not_unauthorized(issuer: Issuer) -> None:
    """An outage is AUTHORIZER_FAILURE, a 5xx, which API Gateway does not reuse."""
    issuer.status = 503

    with pytest.raises(IdentityProviderUnavailable):
        authorize_session(event(issuer.token()))


def test_the_token_is_not_logged(issuer: Issuer, caplog: pytest.LogCaptureFixture) -> None:
    """The log has the reason of a refusal, and no part of the token."""
    token = issuer.token(aud="another")
    with caplog.at_level(logging.INFO, logger="keywright"), pytest.raises(Unauthorized):
        authorize_session(event(token))

    logged = " ".join(str(record.__dict__) for record in caplog.records)
    assert "InvalidAudienceError" in logged
    assert not any(part in logged for part in token.split("."))
