"""Shutdown of a container: usage in memory is written on Lambda's signal."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.runtime.deployments import PATIENCE
from tests.support.cases import CASES
from tests.support.world import create_event, signed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.runtime.deployments import Deployed, Deployments

CREATE = next(case for case in CASES if (case.function, case.name) == ("create_api_key", "200_minimal"))
USES = 3
CONTAINERS = 3


def test_usage_is_written_at_shutdown(deployments: Deployments) -> None:
    """GIVEN a key verified three times within a minute WHEN Lambda stops the container THEN three uses are counted."""

    def uses() -> int:
        with used_before_shutdown(deployments, generation=0, code="VALID") as creating:
            (used,) = creating.world.table.under("USAGE#")
            assert used["request_count"] == sum(used["days"].values())
            return int(used["request_count"])

    assert USES == first_written(uses)


def test_uses_of_a_rotated_out_text_are_written_at_shutdown(deployments: Deployments) -> None:
    """GIVEN a rotated key whose old text is used three times WHEN Lambda stops the container THEN three are counted."""

    def uses() -> int:
        with used_before_shutdown(deployments, generation=1, code="NOT_FOUND") as creating:
            (used,) = creating.world.table.under("USAGE#")
            (record,) = [
                item for item in creating.world.table.under("AUDIT#") if item["event"] == "api_key.retired_secret_used"
            ]
            assert 1 == json.loads(record["changes"])["after"]["count"]
            return int(used["retired"])

    assert USES - 1 == first_written(uses)


@contextmanager
def used_before_shutdown(deployments: Deployments, generation: int, code: str) -> Iterator[Deployed]:
    """Create a key, and use it three times in a container that is then stopped."""
    with deployments.running("create_api_key", **PATIENCE) as creating:
        creating.prepare(CREATE)
        key = creating.replay(CREATE)["answer"]["body"]["data"]
        same = {"TABLE_NAME": creating.world.table.name, "PEPPER_SECRET_ID": creating.world.table.name}
        (item,) = creating.world.table.under("KEY#")
        creating.world.table.put(**item | {"generation": generation})
        with deployments.running("verify_api_key", **PATIENCE, **same) as verifying:
            assert [code] * USES == [verified(verifying, key["key"]) for _ in range(USES)]
            (usage,) = creating.world.table.under("USAGE#")
            assert 0 == usage["request_count"] + usage.get("retired", 0)
        yield creating


def first_written(uses: Callable[[], int]) -> int:
    """Return the uses that a container wrote at its end: a busy machine can be slower than Lambda waits, not always."""
    return next((count for _ in range(CONTAINERS) if (count := uses())), 0)


def verified(deployed: Deployed, text: str) -> Any:
    """Verify a key and return the code."""
    event = signed(create_event({"key": text}, resource="/auth/api-keys/verify", path="/auth/api-keys/verify"))
    answer = deployed.container.invoke(event)["answer"]
    assert 200 == answer["statusCode"], answer
    return json.loads(answer["body"])["data"]["code"]
