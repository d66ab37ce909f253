"""The authorizer of session tokens: who is calling, and for which organization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.authorizers import session

if TYPE_CHECKING:
    from keywright.api.lambda_types import AuthorizerAnswer, LambdaContext, TokenAuthorizerEvent


def handler(event: TokenAuthorizerEvent, _: LambdaContext) -> AuthorizerAnswer:
    """Let a valid session call the whole API; refuse anything else."""
    return session.authorize_session(event)
