"""Calling a function as API Gateway does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.world import create_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.world import World

VALID_BODY: dict[str, Any] = {"name": "CI", "permissions": ["sessions:read", "webhooks:write"]}


@dataclass(frozen=True, slots=True)
class CreateApiKey:
    """The function under test, in an organization with one admin."""

    handler: Callable[..., Any]
    world: World

    def __call__(self, body: object = None, **changes: Any) -> dict[str, Any]:
        """Send a body, by default a valid one."""
        event = create_event(VALID_BODY if body is None else body, **changes)
        answer: dict[str, Any] = self.handler(event, self.world.context)
        return answer
