"""POST /auth/orgs/cancel-delete: requests that are refused; test_personas.py has who is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.api.deployment import CANCEL_DELETE, data

if TYPE_CHECKING:
    import httpx

    from tests.api.deployment import Deployment


@pytest.mark.parametrize("persona", ["admin", "member", "outsider"])
def test_403_while_it_is_scheduled(deployment: Deployment, frozen: httpx.Response, persona: str) -> None:
    """Members who cannot request a deletion cannot cancel it; it stays scheduled."""
    assert data(frozen)

    response = deployment.request("POST", CANCEL_DELETE, persona=persona)

    assert (403, "FORBIDDEN") == deployment.refusal(response)
    assert (410, "ORGANIZATION_FROZEN") == deployment.refusal(deployment.create())


def test_409_the_second_time(deployment: Deployment, frozen: httpx.Response) -> None:
    """A canceled deletion cannot be canceled again."""
    assert data(frozen)
    assert data(deployment.request("POST", CANCEL_DELETE, persona="owner"))

    response = deployment.request("POST", CANCEL_DELETE, persona="owner")

    assert (409, "CONFLICT") == deployment.refusal(response)


def test_409_all_but_one_of_five_at_once(deployment: Deployment, frozen: httpx.Response) -> None:
    """Of those who cancel together one has done it."""
    assert data(frozen)
    with ThreadPoolExecutor(5) as pool:
        responses = list(pool.map(lambda _: deployment.request("POST", CANCEL_DELETE, persona="owner"), range(5)))

    assert [200, 409, 409, 409, 409] == sorted(response.status_code for response in responses)
