"""The answers of authorize_session: who calls, as an IAM policy and a context that API Gateway understands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.authorizers import session_token
from keywright.errors import FORBIDDEN, Unauthorized
from keywright.log import logger

if TYPE_CHECKING:
    from keywright.api.lambda_types import AuthorizerAnswer, TokenAuthorizerEvent


_NO_ORGANIZATION = {
    "code": FORBIDDEN.code,
    "message": "The session does not act for an organization",
    "hint": "Sign in with an organization selected and use that session token.",
}
"""What the API's ACCESS_DENIED response says; it takes code, message and hint from the context of the denial."""


def authorize_session(event: TokenAuthorizerEvent) -> AuthorizerAnswer:
    """Answer for a session token.

    The policy covers every route of the API, because API Gateway reuses the answer for all of them; what the
    person may do is decided later, from the table, in the transaction that does it.

    Raises:
        Unauthorized: the token is not valid.
        IdentityProviderUnavailable: it could not be checked; API Gateway gives its AUTHORIZER_FAILURE response.
    """
    session = session_token.read(event["authorizationToken"])
    if isinstance(session, session_token.Refused):
        logger().info("session refused", extra={"reason": session.reason})
        raise Unauthorized
    if session.organization_id is None:
        logger().info("session refused", extra={"reason": "no organization", "user_id": session.user_id})
        return _answer(event["methodArn"], session.user_id, "Deny", _NO_ORGANIZATION)
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
