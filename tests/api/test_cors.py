"""Requests of a page whose origin is not allowed, at any deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.deployment import PATHS, data

if TYPE_CHECKING:
    from tests.api.deployment import Deployment

FOREIGN = ["https://elsewhere.invalid", "null", "https://app.example.com.elsewhere.invalid"]


@pytest.mark.parametrize("origin", FOREIGN)
def test_200_says_nothing_to_another_origin(deployment: Deployment, origin: str) -> None:
    """Without the header the browser keeps the answer from the page."""
    response = deployment.create(headers={"origin": origin})

    assert {"id", "key"} == data(response).keys()
    assert [] == [name for name in response.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("origin", FOREIGN)
def test_401_never_names_another_origin(deployment: Deployment, origin: str) -> None:
    """The gateway's own answers do not depend on who asks; they never allow everyone, nor whoever asks."""
    response = deployment.create(persona=None, headers={"origin": origin})

    assert response.headers.get("access-control-allow-origin") not in {origin, "*"}


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize("path", PATHS)
def test_204_preflight_allows_nothing_to_another_origin(deployment: Deployment, path: str, origin: str) -> None:
    """A preflight is answered without credentials, and without permission."""
    headers = {"origin": origin, "access-control-request-method": "POST"}
    response = deployment.request("OPTIONS", path.format(id="any"), persona=None, headers=headers)

    assert (204, b"") == (response.status_code, response.content)
    assert [] == [name for name in response.headers if name.startswith("access-control-")]
