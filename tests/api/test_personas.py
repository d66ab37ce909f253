"""The status of every route for every persona."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.deployment import (
    AUDIT_LOGS,
    CANCEL_DELETE,
    CONSOLE,
    CONSOLE_SCRIPT,
    CREATE,
    CURRENT,
    DOCS,
    FIRST_PAGE,
    KEY,
    LEAKS,
    LEAKS_OF_GITHUB,
    OPENAPI,
    ORGANIZATION,
    REQUEST_DELETE,
    ROTATE,
    USAGE,
    VALID_BODY,
    VERIFY,
    VERIFY_BATCH,
    Deployment,
    data,
    listed,
)
from tests.api.key_text import unused_id

if TYPE_CHECKING:
    from local.template import Stack

PERSONAS = (
    "owner", "admin", "member", "suspended", "outsider", "frozen_admin", "expired", "wrong_audience", None,
)  # fmt: skip
"""The names of the tokens in stack.json; None is a caller without a token."""

CODES = {
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "API_KEY_NOT_FOUND",
    409: "CONFLICT",
    410: "ORGANIZATION_FROZEN",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A request to a route, and the status for each persona, in the order of PERSONAS.

    Attributes:
        path: {id} is replaced by the id of a new key, which belongs to the organization of all personas except
            frozen_admin.
    """

    method: str
    path: str
    body: Any
    statuses: tuple[int, ...]
    is_list: bool = False
    is_document: bool = False

    def code(self, status: int) -> str:
        """Return the error code for a status. Without a signature, a route for backends is unknown."""
        return "NOT_FOUND" if self.path in {VERIFY, VERIFY_BATCH} and status == 404 else CODES[status]


# fmt: off
MATRIX = [
    #                                               owner admin memb. susp. outs. frozen expired audience none
    Row("POST", CREATE, VALID_BODY,                 (200, 200, 403, 403, 403, 410, 401, 401, 401)),
    Row("GET", CREATE, None,                        (200, 200, 403, 403, 403, 200, 401, 401, 401), is_list=True),
    Row("GET", KEY, None,                           (200, 200, 403, 403, 403, 404, 401, 401, 401)),
    Row("GET", USAGE, None,                         (200, 200, 403, 403, 403, 404, 401, 401, 401)),
    Row("PATCH", KEY, {"enabled": False},           (200, 200, 403, 403, 403, 410, 401, 401, 401)),
    Row("DELETE", KEY, None,                        (200, 200, 403, 403, 403, 410, 401, 401, 401)),
    Row("POST", ROTATE, {"gracePeriodSeconds": 60}, (200, 200, 403, 403, 403, 410, 401, 401, 401)),
    Row("GET", ORGANIZATION, None,                  (200, 200, 200, 403, 403, 200, 401, 401, 401)),
    Row("GET", AUDIT_LOGS, None,                    (200, 200, 403, 403, 403, 200, 401, 401, 401), is_list=True),
    Row("POST", REQUEST_DELETE, None,               (200, 403, 403, 403, 403, 403, 401, 401, 401)),
    Row("POST", CANCEL_DELETE, None,                (409, 403, 403, 403, 403, 403, 401, 401, 401)),
    Row("GET", OPENAPI, None,                       (200, 200, 200, 200, 200, 200, 200, 200, 200), is_document=True),
    Row("GET", DOCS, None,                          (200, 200, 200, 200, 200, 200, 200, 200, 200), is_document=True),
    Row("GET", CONSOLE, None,                       (200, 200, 200, 200, 200, 200, 200, 200, 200), is_document=True),
    Row("GET", CONSOLE_SCRIPT, None,                (200, 200, 200, 200, 200, 200, 200, 200, 200), is_document=True),
    Row("POST", LEAKS, {"keys": ["kk_"]},           (200, 200, 200, 200, 200, 200, 200, 200, 200)),
    # For keys, backends and GitHub: a session is none of them.
    Row("GET", CURRENT, None,                       (401, 401, 401, 401, 401, 401, 401, 401, 401)),
    Row("DELETE", CURRENT, None,                    (401, 401, 401, 401, 401, 401, 401, 401, 401)),
    Row("POST", VERIFY, {"key": "kk_"},             (401, 401, 401, 401, 401, 401, 401, 401, 404)),
    Row("POST", VERIFY_BATCH, {"verifications": []}, (401, 401, 401, 401, 401, 401, 401, 401, 404)),
    Row("POST", LEAKS_OF_GITHUB, [],                (401, 401, 401, 401, 401, 401, 401, 401, 401)),
]
# fmt: on
CELLS = [
    pytest.param(row, persona, status, id=f"{row.method} {row.path} {persona or 'anonymous'}")
    for row in MATRIX
    for persona, status in zip(PERSONAS, row.statuses, strict=True)
]


@pytest.mark.parametrize(("row", "persona", "status"), CELLS)
def test_status(deployment: Deployment, row: Row, persona: str | None, status: int) -> None:
    """Each persona gets its status in the row; an error has the code of its status."""
    key_id = deployment.create_key()["id"] if "{id}" in row.path else ""

    try:
        response = deployment.request(row.method, row.path.format(id=key_id), json=row.body, persona=persona)
    finally:
        if row.path == REQUEST_DELETE:  # the other tests need the organization
            deployment.cancel_deletion()

    assert status == response.status_code, response.text
    if status != 200:
        # A 401 comes from the gateway and has no pagination.
        pagination = FIRST_PAGE if row.is_list and status != 401 else None
        assert (status, row.code(status)) == deployment.refusal(response, pagination)
    elif row.is_document:
        assert response.text
    elif row.is_list:
        assert listed(response)
    else:
        assert data(response)


@pytest.mark.parametrize(
    "row", [row for row in MATRIX if "{id}" in row.path], ids=lambda row: f"{row.method} {row.path}"
)
@pytest.mark.parametrize("persona", ["member", "suspended", "outsider"])
def test_403_comes_before_404(deployment: Deployment, row: Row, persona: str) -> None:
    """A caller who cannot see keys does not learn which keys exist."""
    path = row.path.format(id=unused_id())

    assert (403, "FORBIDDEN") == deployment.refusal(
        deployment.request(row.method, path, json=row.body, persona=persona)
    )


def test_every_route_is_here(stack: Stack) -> None:
    """Every route of the template has a row."""
    served = {(route.method, route.path) for route in stack.api.routes if route.method != "OPTIONS"}

    assert served == {(row.method, row.path) for row in MATRIX}


def test_every_persona_is_here(deployment: Deployment) -> None:
    """Every persona of the deployment has a column."""
    assert set(deployment.tokens) == set(PERSONAS) - {None}


@pytest.mark.parametrize(
    "row", [row for row in MATRIX if not row.is_document], ids=lambda row: f"{row.method} {row.path}"
)
def test_members_and_outsiders_get_the_same_error(deployment: Deployment, row: Row) -> None:
    """A forbidden caller does not learn the reason: membership is not disclosed."""
    path = row.path.format(id=unused_id())
    personas = ["suspended", "outsider"] if row.path == ORGANIZATION else ["member", "suspended", "outsider"]
    answers = [deployment.request(row.method, path, json=row.body, persona=persona).json() for persona in personas]

    assert answers[:1] * len(personas) == answers
