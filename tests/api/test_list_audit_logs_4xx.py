"""GET /auth/orgs/audit-logs: errors. No query leads to a 5xx, and every error has a pagination."""

from __future__ import annotations

import pytest

from tests.api.deployment import AUDIT_LOGS, FIRST_PAGE, Deployment

INVALID = {
    "limit is 0": "limit=0",
    "limit is 101": "limit=101",
    "limit in Arabic digits": "limit=%D9%A3",
    "starting_after is empty": "starting_after=",
    "starting_after is a sort key": "starting_after=AUDIT%2301a20a38-9585-719d-81cb-3b8af1c594c2",
    "event is empty": "event=",
    "event is unknown": "event=api_key.stolen",
    "one event of two is unknown": "event=api_key.created,x",
    "event ends with a comma": "event=api_key.created,",
    "event in capitals": "event=API_KEY.CREATED",
    "5,000 events": "event=" + ",".join(["x"] * 2000),
    "event is no UTF-8": "event=%FF",
    "actor_type is empty": "actor_type=",
    "one type of actors of two is unknown": "actor_type=user,key",
    "actor_type in capitals": "actor_type=USER",
    "created_from is empty": "created_from=",
    "created_from is a date": "created_from=2026-01-01",
    "created_from is a number": "created_from=1767225600",
    "created_from is a week": "created_from=2026-W01-1T00:00:00Z",
    "created_from without its zone": "created_from=2026-01-01T00:00:00",
    "created_from before year 1": "created_from=0001-01-01T00:00:00%2B14:00",
    "created_to after year 9999": "created_to=9999-12-31T23:59:59-14:00",
    "created_to of no calendar": "created_to=2026-02-30T00:00:00Z",
    "created_to in other digits": "created_to=%D9%A2026-01-01T00:00:00Z",
    "created_to is a zero byte": "created_to=%00",
}


@pytest.mark.parametrize("query", INVALID.values(), ids=INVALID.keys())
def test_400_names_the_parameter(deployment: Deployment, query: str) -> None:
    """The message of an invalid parameter begins with its name."""
    response = deployment.request("GET", f"{AUDIT_LOGS}?{query}")

    assert (400, "BAD_REQUEST") == deployment.refusal(response, FIRST_PAGE)
    assert query.partition("=")[0] == response.json()["error"]["message"].split(" ")[0]


def test_400_lists_the_events(deployment: Deployment) -> None:
    """The hint for an unknown event lists the known ones."""
    response = deployment.request("GET", f"{AUDIT_LOGS}?event=x&limit=5")

    assert (400, "BAD_REQUEST") == deployment.refusal(response, {**FIRST_PAGE, "limit": 5})
    assert "organization.deletion_requested" in response.json()["error"]["hint"]
