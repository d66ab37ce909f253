"""The answers of Lambda authorizers: who calls, as an IAM policy and a context that API Gateway understands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import sessions
from keywright.observability import logger

if TYPE_CHECKING:
    from keywright.apigateway import AuthorizerAnswer, TokenAuthorizerEvent


class Unauthorized(Exception):  # noqa: N818 - API Gateway looks for exactly this message
    """API Gateway answers 401 when an authorizer fails with the message "Unauthorized", and only then."""

    def __init__(self) -> None:
        super().__init__("Unauthorized")


def authorize_session(event: TokenAuthorizerEvent) -> AuthorizerAnswer:
    """Answer for a session token.

    The policy covers every route of the API, because API Gateway reuses the answer for all of them; what the
    person may do is decided later, from the table, in the transaction that does it.

    Raises:
        Unauthorized: the token is not valid.
        IdentityProviderUnavailable: it could not be checked; API Gateway gives its AUTHORIZER_FAILURE response.
    """
    session = sessions.read(event["authorizationToken"])
    if isinstance(session, sessions.Refused):
        logger().info("session refused", extra={"reason": session.reason})
        raise Unauthorized
    if session.organization_id is None:
        logger().info("session refused", extra={"reason": "no organization", "user_id": session.user_id})
        return _answer(event["methodArn"], session.user_id, "Deny", {})
    return _answer(
        event["methodArn"],
        session.user_id,
        "Allow",
        {
            "organizationId": str(session.organization_id),
            "userId": session.user_id,
            "expiresAt": str(session.expires_at),
        },
    )


def _answer(method_arn: str, principal_id: str, effect: str, context: dict[str, str]) -> AuthorizerAnswer:
    api, stage = method_arn.split("/")[:2]
    return {
        "principalId": principal_id,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": effect, "Resource": f"{api}/{stage}/*"}],
        },
        "context": context,
    }
