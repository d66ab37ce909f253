"""The answers of authorize_session: an IAM policy, and who calls as its context."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.authorizers import policies, session_token
from keywright.authorizers.session_token import Refused
from keywright.errors import NO_ORGANIZATION, Unauthorized
from keywright.log import logger

if TYPE_CHECKING:
    from keywright.api.lambda_types import AuthorizerAnswer, TokenAuthorizerEvent


_NO_ORGANIZATION = {"code": NO_ORGANIZATION.code, "message": NO_ORGANIZATION.message, "hint": NO_ORGANIZATION.hint}
"""Context of the denial. The API's ACCESS_DENIED response takes code, message and hint from it."""


def authorize_session(event: TokenAuthorizerEvent) -> AuthorizerAnswer:
    """Return the answer for a session token.

    The policy covers every route of the API, because API Gateway reuses the answer for all of them. The transaction of
    each request checks in the table what the person may do.

    Raises:
        Unauthorized: the token is invalid.
        IdentityProviderUnavailable: the token could not be checked; API Gateway sends its AUTHORIZER_FAILURE response.
    """
    session = session_token.read(event["authorizationToken"])
    if isinstance(session, Refused):
        logger().info("session refused", extra={"reason": session.reason})
        raise Unauthorized
    every_route = f"{policies.stage_of(event['methodArn'])}*"
    if session.organization_id is None:
        logger().info("session refused", extra={"reason": "no organization", "user_id": session.user_id})
        return policies.answer(session.user_id, [policies.deny(every_route)], _NO_ORGANIZATION)
    return policies.answer(
        session.user_id,
        [policies.allow(every_route)],
        {
            "organizationId": str(session.organization_id),
            "userId": session.user_id,
            "expiresAt": str(session.expires_at),
        },
    )
