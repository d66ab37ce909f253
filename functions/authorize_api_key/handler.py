"""Lambda authorizer for API keys, for this API and every other API of the account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.authorizers import api_key
from keywright.domain import key_hash
from keywright.keys import retired_secrets, usage
from keywright.keys.meter import SHUTDOWN_SECONDS
from keywright.shutdown import before_shutdown

if TYPE_CHECKING:
    from keywright.api.lambda_types import AuthorizerAnswer, AuthorizerEvent, LambdaContext, SimpleAnswer

key_hash.load()
before_shutdown(lambda: usage.meter().flush_all(retired_secrets.meter(), seconds=SHUTDOWN_SECONDS))


def handler(event: AuthorizerEvent, context: LambdaContext) -> AuthorizerAnswer | SimpleAnswer:
    """Allow a valid key what its permissions allow, and deny everything else."""
    return api_key.authorize_api_key(event, context)
