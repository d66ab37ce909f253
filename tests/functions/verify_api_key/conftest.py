"""POST /v1/auth/api-keys/verify: called by a backend of the account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.calling import REQUEST_ID, Call

if TYPE_CHECKING:
    from collections.abc import Callable

BACKEND = "arn:aws:sts::123456789012:assumed-role/backend/worker-1"
SIGNER = {"accountId": "123456789012", "caller": "AROAEXAMPLEBACKEND0001:worker-1", "userArn": BACKEND}
"""What API Gateway adds to an event's identity on a route with AWS_IAM."""


@dataclass(frozen=True, slots=True)
class Verify(Call):
    """The function, called as API Gateway does once it has checked an AWS signature."""

    def __call__(self, body: object = None, **changes: Any) -> dict[str, Any]:
        """Send a body."""
        context = {
            "requestId": REQUEST_ID,
            "stage": "v1",
            "domainName": "abc.execute-api.eu-central-1.amazonaws.com",
            "identity": {"sourceIp": "203.0.113.7", **SIGNER},
        }
        return Call.__call__(self, body, **{"requestContext": context} | changes)


@pytest.fixture
def call(functions: Callable[[str], Call]) -> Verify:
    """The function, over a table with one organization."""
    made = functions("verify_api_key")
    return Verify(made.route, made.handler, made.world)
