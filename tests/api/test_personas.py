"""Who may do what: every route, as everybody. A route that is missing here fails the suite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.deployment import VALID_BODY

if TYPE_CHECKING:
    from local.template import Stack
    from tests.api.deployment import Deployment

PERSONAS = (
    "owner", "admin", "member", "suspended", "outsider", "frozen_admin", "expired", "wrong_audience", None,
)  # fmt: skip
"""The tokens of stack.json; None is a caller without one."""

CODES = {401: "UNAUTHORIZED", 403: "FORBIDDEN", 410: "ORGANIZATION_FROZEN"}


@dataclass(frozen=True, slots=True)
class Row:
    """One route, a request to it, and the statuses that the personas get, in their order."""

    method: str
    path: str
    body: Any
    statuses: tuple[int, ...]


MATRIX = [
    #                                      owner admin memb. susp. outs. frozen expired audience none
    Row("POST", "/auth/api-keys", VALID_BODY, (200, 200, 403, 403, 403, 410, 401, 401, 401)),
]
CELLS = [
    pytest.param(row, persona, status, id=f"{row.method} {row.path} {persona or 'nobody'}")
    for row in MATRIX
    for persona, status in zip(PERSONAS, row.statuses, strict=True)
]


@pytest.mark.parametrize(("row", "persona", "status"), CELLS)
def test_status(deployment: Deployment, row: Row, persona: str | None, status: int) -> None:
    """Each persona gets the status of its row; a refusal has the one code that goes with it."""
    response = deployment.request(row.method, row.path, json=row.body, persona=persona)

    assert status == response.status_code, response.text
    if status in CODES:
        assert (status, CODES[status]) == deployment.refusal(response)


def test_every_route_is_here(stack: Stack) -> None:
    """A route of the template without a row would be one that nobody has thought about."""
    served = {(route.method, route.path) for route in stack.api.routes if route.method != "OPTIONS"}

    assert served == {(row.method, row.path) for row in MATRIX}


def test_every_persona_is_here(deployment: Deployment) -> None:
    """So would be a kind of caller without a column."""
    assert set(deployment.tokens) == set(PERSONAS) - {None}


def test_refusals_of_members_and_outsiders_are_the_same(deployment: Deployment) -> None:
    """Who is not allowed learns nothing about why: membership is the organization's business."""
    answers = [deployment.create(persona=persona).json() for persona in ("member", "suspended", "outsider")]

    assert answers[:1] * 3 == answers
