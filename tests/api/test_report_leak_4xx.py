"""POST /leaks: errors. No request leads to a 5xx."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.deployment import LEAKS, Deployment


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"keys": []},
        {"keys": "kk_"},
        {"keys": [1]},
        {"keys": ["a"] * 101},
        {"keys": ["a"], "url": ""},
        {"keys": ["a"], "url": "https://ada:lovelace@example.com/"},
        {"keys": ["a"], "url": "javascript:alert(1)"},
        {"keys": ["a"], "url": "https://example.com/" + "a" * 2048},
        {"keys": ["a"], "source": "github"},
        [],
    ],
)
def test_400(deployment: Deployment, body: Any) -> None:
    """A body that is not valid is a 400."""
    response = deployment.request("POST", LEAKS, persona=None, json=body)

    assert (400, "BAD_REQUEST") == deployment.refusal(response)


def test_413(deployment: Deployment) -> None:
    """A body of more than 64 KiB is a 413."""
    response = deployment.request("POST", LEAKS, persona=None, json={"keys": ["a" * 65_536]})

    assert (413, "PAYLOAD_TOO_LARGE") == deployment.refusal(response)
