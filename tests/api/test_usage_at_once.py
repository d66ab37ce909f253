"""The usage of keys, which the local service writes at once."""

from __future__ import annotations

from tests.api.deployment import USAGE, Deployment, data
from tests.api.moments import is_now


def test_200_uses_are_counted(deployment: Deployment) -> None:
    """Uses through the authorizer and successful verifications count, others do not."""
    made = deployment.create_key()
    unused = deployment.get_key(made["id"])
    data(deployment.current(made["key"]))
    data(deployment.verify(made["key"]))
    data(deployment.verify(made["key"], "analytics:read"))
    data(deployment.verify(made["key"][:-1]))
    used = deployment.get_key(made["id"])

    assert 0 == unused["requestCount"]
    assert unused["lastUsedAt"] is None
    assert 2 == used["requestCount"]
    assert is_now(used["lastUsedAt"])


def test_200_uses_are_counted_for_today(deployment: Deployment) -> None:
    """The last of the days, or the two around midnight, have all uses."""
    made = deployment.create_key()
    for _ in range(3):
        data(deployment.verify(made["key"]))
    shown = data(deployment.request("GET", USAGE.format(id=made["id"])))

    assert 3 == shown["requestCount"] == sum(day["requestCount"] for day in shown["days"][-2:])


def test_200_the_previous_text_in_its_grace_period(deployment: Deployment) -> None:
    """It shows whether the grace period can end."""
    made = deployment.create_key()
    rotated = data(deployment.rotate(made["id"], {"gracePeriodSeconds": 3600}))
    data(deployment.verify(rotated["key"]))
    unused = deployment.get_key(made["id"])
    data(deployment.verify(made["key"]))
    used = deployment.get_key(made["id"])

    assert unused["previousKeyLastUsedAt"] is None
    assert is_now(used["previousKeyLastUsedAt"])


def test_200_a_deleted_key_stays_deleted(deployment: Deployment) -> None:
    """A use after the deletion does not restore the key."""
    made = deployment.create_key()
    data(deployment.verify(made["key"]))
    data(deployment.delete(made["id"]))
    data(deployment.verify(made["key"]))

    assert (404, "API_KEY_NOT_FOUND") == deployment.refusal(deployment.request("GET", f"/auth/api-keys/{made['id']}"))
