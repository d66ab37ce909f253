"""GET /v1/auth/api-keys/current, called by the holder of a key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.client import REQUEST_ID, Call
from tests.support.world import KEY_ID, ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Show(Call):
    """The function, called as API Gateway calls it once the authorizer has allowed the key."""

    def __call__(self, body: object = None, **changes: Any) -> dict[str, Any]:
        """Send a request."""
        about = {"organizationId": ORGANIZATION_ID, "apiKeyId": KEY_ID, "keyName": "CI", "permissions": "sessions:read"}
        context = {
            "requestId": REQUEST_ID,
            "stage": "v1",
            "domainName": "abc.execute-api.eu-central-1.amazonaws.com",
            "identity": {"sourceIp": "203.0.113.7"},
            "authorizer": {"principalId": KEY_ID, **about},
        }
        return Call.__call__(self, body, **{"requestContext": context} | changes)


@pytest.fixture
def call(functions: Callable[[str], Call]) -> Show:
    """The function, over a table with one organization."""
    made = functions("get_current_api_key")
    return Show(made.route, made.handler, made.world)
