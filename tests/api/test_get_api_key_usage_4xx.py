"""GET /auth/api-keys/{id}/usage: refusals. test_personas.py has those of callers."""

from __future__ import annotations

import pytest

from tests.api.deployment import USAGE, Deployment


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"from": "2020-01-01"}, "from must be one of the last 90 days"),
        ({"to": "2020-01-01"}, "to must be one of the last 90 days"),
        ({"to": "9999-12-31"}, "to must be one of the last 90 days"),
        ({"from": "yesterday"}, "from must be a date"),
        ({"to": "2026-02-30"}, "to must be a date"),
        ({"From": "2026-01-01"}, "From is not a query parameter of this request"),
    ],
    ids=str,
)
def test_400_names_the_parameter(deployment: Deployment, query: dict[str, str], message: str) -> None:
    """A range that is not kept, something that is no date, and an unknown parameter are refused."""
    response = deployment.request("GET", USAGE.format(id=deployment.create_key()["id"]), params=query)

    assert (400, "BAD_REQUEST") == deployment.refusal(response)
    assert message == response.json()["error"]["message"]


@pytest.mark.parametrize("key_id", ["01980000-0000-7000-8000-000000000001", "no-id", "current"])
def test_404_without_such_a_key(deployment: Deployment, key_id: str) -> None:
    """An unknown key has no usage."""
    response = deployment.request("GET", USAGE.format(id=key_id))

    assert (404, "API_KEY_NOT_FOUND") == deployment.refusal(response)


def test_404_of_a_deleted_key(deployment: Deployment) -> None:
    """The usage is deleted with its key."""
    key_id = deployment.create_key()["id"]
    deployment.delete(key_id)

    assert (404, "API_KEY_NOT_FOUND") == deployment.refusal(deployment.request("GET", USAGE.format(id=key_id)))
