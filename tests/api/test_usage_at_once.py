"""Uses of a key, where they are written at once, as the local service does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.api.deployment import data
from tests.api.moments import is_now

if TYPE_CHECKING:
    from tests.api.deployment import Deployment


def test_200_uses_are_counted(deployment: Deployment) -> None:
    """Those of the authorizer and those that backends verify, together; refusals do not count."""
    made = deployment.create_key()
    unused = deployment.get_key(made["id"])
    data(deployment.current(made["key"]))
    data(deployment.verify(made["key"]))
    data(deployment.verify(made["key"], "analytics:read"))
    data(deployment.verify(made["key"][:-1]))
    used = deployment.get_key(made["id"])

    assert (0, None, 2) == (unused["requestCount"], unused["lastUsedAt"], used["requestCount"])
    assert is_now(used["lastUsedAt"])


def test_200_a_deleted_keys_use_is_gone(deployment: Deployment) -> None:
    """A use after the deletion does not bring anything back."""
    made = deployment.create_key()
    data(deployment.verify(made["key"]))
    data(deployment.delete(made["id"]))
    data(deployment.verify(made["key"]))

    assert (404, "API_KEY_NOT_FOUND") == deployment.refusal(deployment.request("GET", f"/auth/api-keys/{made['id']}"))
