"""POST /auth/orgs/cancel-delete: errors. test_personas.py has the callers that are refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.api.deployment import Deployment, data

if TYPE_CHECKING:
    import httpx


@pytest.mark.parametrize("persona", ["admin", "member", "outsider"])
def test_403_while_it_is_scheduled(deployment: Deployment, frozen: httpx.Response, persona: str) -> None:
    """Callers who cannot request a deletion cannot cancel it; it stays scheduled."""
    assert data(frozen)

    response = deployment.cancel_deletion(persona)

    assert (403, "FORBIDDEN") == deployment.refusal(response)
    assert (410, "ORGANIZATION_FROZEN") == deployment.refusal(deployment.create())


def test_409_the_second_time(deployment: Deployment, frozen: httpx.Response) -> None:
    """A canceled deletion cannot be canceled again."""
    assert data(frozen)
    assert data(deployment.cancel_deletion())

    response = deployment.cancel_deletion()

    assert (409, "CONFLICT") == deployment.refusal(response)


def test_409_all_but_one_of_five_at_once(deployment: Deployment, frozen: httpx.Response) -> None:
    """One of several concurrent cancellations succeeds."""
    assert data(frozen)
    with ThreadPoolExecutor(5) as pool:
        responses = list(pool.map(lambda _: deployment.cancel_deletion(), range(5)))

    assert [200, 409, 409, 409, 409] == sorted(response.status_code for response in responses)
