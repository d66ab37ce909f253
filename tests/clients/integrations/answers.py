"""Keywright as tests want it to answer: results of verifications, and a service that returns one."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import httpx

KEY = "kk_1thisIsOnlyATextThatLooksLikeAKey"
"""What the caller presents."""
REQUIRED = ["analytics:read", "reports:read"]
"""The permissions that the route of each application requires."""
CODES = (
    "NOT_FOUND",
    "EXPIRED",
    "DISABLED",
    "ORGANIZATION_FROZEN",
    "IP_NOT_ALLOWED",
    "INSUFFICIENT_PERMISSIONS",
    "RATE_LIMITED",
    "QUOTA_EXCEEDED",
    "SOMETHING_NEW",
)
"""The codes of refusals, and one that no version of the client knows."""
RATE_LIMIT = {"limit": 60, "remaining": 8, "resetSeconds": 2}
QUOTA = {"limit": 100_000, "used": 2, "remaining": 99_998, "resetsAt": None}


def verification(code: str, **fields: Any) -> dict[str, Any]:
    """Return the result of a verification as the API has it."""
    if code in {"NOT_FOUND", "SOMETHING_NEW"}:
        return {"valid": False, "code": code}
    return {
        "valid": code == "VALID",
        "code": code,
        "id": "01a20a38-9585-719d-81cb-3b8af1c594c2",
        "organizationId": "5f0c2c0e-3f0e-4bd4-a5a4-6e5d5a3c1b11",
        "name": "CI",
        "permissions": ["analytics:read"],
        "missingPermissions": [],
        "metadata": {},
        "expiresAt": None,
        "allowedIps": None,
        "rateLimit": None,
        "quota": None,
        "retryAfterSeconds": None,
        "leak": None,
        **fields,
    }


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer without a result.

    Attributes:
        code: the code of Keywright's error; None if the answer is not Keywright's.
    """

    status: int
    code: str | None
    headers: dict[str, str] = field(default_factory=dict)

    def response(self) -> httpx.Response:
        """Return the answer."""
        if self.code is None:
            return httpx.Response(self.status, html="<p>of something else</p>", headers=self.headers)
        error = {"code": self.code, "message": "of Keywright", "hint": "of Keywright", "docs": "/v1/docs"}
        return httpx.Response(self.status, json={"data": None, "error": error}, headers=self.headers)


@dataclass(slots=True)
class Service:
    """Keywright, which returns one answer to every request.

    Attributes:
        answer: the data of a successful answer, or a failure; None refuses the connection.
        asked: the bodies of the requests.
    """

    answer: dict[str, Any] | Failure | None
    asked: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Return the answer to a request."""
        self.asked.append(json.loads(request.content))
        if self.answer is None:
            raise httpx.ConnectError("refused", request=request)
        if isinstance(self.answer, Failure):
            return self.answer.response()
        return httpx.Response(200, json={"data": self.answer, "error": None}, headers={"x-request-id": "request-1"})
