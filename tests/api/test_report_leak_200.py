"""POST /leaks: successes, without credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.api.deployment import LEAKS, Deployment, data

if TYPE_CHECKING:
    import httpx

URL = "https://github.com/octocat/Hello-World/blob/main/.env"


def reported(deployment: Deployment, *texts: str) -> list[str]:
    """Report texts; return their outcomes."""
    answer: httpx.Response = deployment.request("POST", LEAKS, persona=None, json={"keys": list(texts), "url": URL})
    return [result["outcome"] for result in data(answer)["results"]]


def test_200_reported(deployment: Deployment) -> None:
    """GIVEN a key WHEN anyone reports its text THEN the next verification refuses it, and the audit log says why."""
    made = deployment.create_key()
    assert "VALID" == deployment.outcome(made["key"])

    assert ["reported", "unknown"] == reported(deployment, made["key"], made["key"][:-1] + "_")

    assert "DISABLED" == deployment.outcome(made["key"])
    record = deployment.records(made["id"])[0]
    assert "api_key.leak_reported" == record["event"]
    assert {"type": "system", "id": "leak_reports", "name": "leak reports"} == record["actor"]
    assert record["changes"]["after"]["enabled"] is False
    assert URL == record["changes"]["after"]["leak"]["url"]


def test_200_already_reported(deployment: Deployment) -> None:
    """A second report writes no record."""
    made = deployment.create_key()
    reported(deployment, made["key"])
    before = deployment.records(made["id"])

    assert ["already_reported"] == reported(deployment, made["key"])

    assert before == deployment.records(made["id"])


def test_200_within_a_grace_period(deployment: Deployment) -> None:
    """Reporting the previous text ends its grace period; the key works with the current one."""
    made = deployment.create_key()
    rotated = data(deployment.rotate(made["id"], {"gracePeriodSeconds": 3600}))
    assert "VALID" == deployment.outcome(made["key"])

    assert ["reported"] == reported(deployment, made["key"])

    assert "NOT_FOUND" == deployment.outcome(made["key"])
    assert "VALID" == deployment.outcome(rotated["key"])
    assert deployment.get_key(made["id"])["previousKeyExpiresAt"] is None
