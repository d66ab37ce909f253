"""POST /auth/api-keys/verify-batch, signed with AWS credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.deployment import VERIFY_BATCH, Deployment, data

if TYPE_CHECKING:
    import httpx

UNKNOWN = {"valid": False, "code": "NOT_FOUND"}


def send(deployment: Deployment, *verifications: dict[str, object], **iam: str) -> httpx.Response:
    """Verify keys as a backend; `iam` overrides parts of the credentials."""
    return deployment.send_signed(VERIFY_BATCH, {"verifications": verifications}, **iam)


def test_200_results_are_those_of_single_verifications(deployment: Deployment) -> None:
    """Each result, in the order of the keys, is the data of the route that verifies one key."""
    asked: list[dict[str, object]] = [
        {"key": deployment.create_key(name="First")["key"], "permissions": ["analytics:read"]},
        {"key": "kk_not_a_key"},
        {"key": deployment.create_key(name="Second")["key"]},
    ]

    results = data(send(deployment, *asked))["results"]

    assert [data(deployment.use(each)) for each in asked] == results
    assert ["INSUFFICIENT_PERMISSIONS", "NOT_FOUND", "VALID"] == [result["code"] for result in results]


@pytest.mark.deep
def test_200_a_hundred_keys(deployment: Deployment) -> None:
    """The most keys of one request get as many results."""
    made = deployment.create_key()

    results = data(send(deployment, *[{"key": made["key"]}] * 100))["results"]

    assert ["VALID"] * 100 == [result["code"] for result in results]


def test_200_limits_are_taken_in_order(deployment: Deployment) -> None:
    """GIVEN a key with one use left that is there twice THEN the first place gets it."""
    made = deployment.create_key(quota={"limit": 1, "period": "total"})

    results = data(send(deployment, {"key": made["key"]}, {"key": made["key"]}))["results"]

    assert ["VALID", "QUOTA_EXCEEDED"] == [result["code"] for result in results]


def test_400_one_more_than_a_hundred(deployment: Deployment) -> None:
    """The number of keys is limited."""
    asked: list[dict[str, object]] = [{"key": "kk_"}] * 101
    response = send(deployment, *asked)

    assert (400, "BAD_REQUEST") == deployment.refusal(response)
    assert "verifications must have at most 100 items" == response.json()["error"]["message"]


def test_401_signed_with_another_secret(deployment: Deployment) -> None:
    """A signature with another secret is refused."""
    assert (401, "UNAUTHORIZED") == deployment.refusal(send(deployment, {"key": "kk_"}, secret_access_key="another"))
