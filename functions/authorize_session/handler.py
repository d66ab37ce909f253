"""The authorizer of session tokens: who is calling, and for which organization."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import authorizing

if TYPE_CHECKING:
    from keywright.apigateway import AuthorizerAnswer, LambdaContext, TokenAuthorizerEvent


def handler(event: TokenAuthorizerEvent, _: LambdaContext) -> AuthorizerAnswer:
    """Let a valid session call the whole API; refuse anything else."""
    return authorizing.authorize_session(event)
