"""Lambda authorizer for session tokens: identifies the user and the organization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.authorizers import session

if TYPE_CHECKING:
    from keywright.api.lambda_types import AuthorizerAnswer, LambdaContext, TokenAuthorizerEvent


def handler(event: TokenAuthorizerEvent, _: LambdaContext) -> AuthorizerAnswer:
    """Allow a valid session every route, and deny everything else."""
    return session.authorize_session(event)
