"""Shutdown of a container: usage in memory is written on Lambda's signal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.runtime.deployments import PATIENCE
from tests.support.cases import CASES
from tests.support.world import create_event, signed

if TYPE_CHECKING:
    from tests.runtime.deployments import Deployed, Deployments

CREATE = next(case for case in CASES if (case.function, case.name) == ("create_api_key", "200_minimal"))
USES = 3


def test_usage_is_written_at_shutdown(deployments: Deployments) -> None:
    """GIVEN a key verified three times within a minute WHEN Lambda stops the container THEN three uses are counted."""
    with deployments.running("create_api_key", **PATIENCE) as creating:
        creating.prepare(CREATE)
        key = creating.replay(CREATE)["answer"]["body"]["data"]
        same = {"TABLE_NAME": creating.world.table.name, "PEPPER_SECRET_ID": creating.world.table.name}

        with deployments.running("verify_api_key", **PATIENCE, **same) as verifying:
            assert ["VALID"] * USES == [verified(verifying, key["key"]) for _ in range(USES)]
            assert [0] == [item["request_count"] for item in creating.world.table.under("USAGE#")]

        (used,) = creating.world.table.under("USAGE#")
        assert f"USAGE#{key['id']}" == used["sk"]
        assert USES == used["request_count"]
        assert USES == sum(used["days"].values())


def test_uses_of_a_rotated_out_text_are_written_at_shutdown(deployments: Deployments) -> None:
    """GIVEN a rotated key whose old text is used three times WHEN Lambda stops the container THEN three are counted."""
    with deployments.running("create_api_key", **PATIENCE) as creating:
        creating.prepare(CREATE)
        key = creating.replay(CREATE)["answer"]["body"]["data"]
        same = {"TABLE_NAME": creating.world.table.name, "PEPPER_SECRET_ID": creating.world.table.name}
        (item,) = creating.world.table.under("KEY#")
        creating.world.table.put(**item | {"generation": 1})

        with deployments.running("verify_api_key", **PATIENCE, **same) as verifying:
            assert ["NOT_FOUND"] * USES == [verified(verifying, key["key"]) for _ in range(USES)]
            assert [0] == [item["retired"] for item in creating.world.table.under("USAGE#")]

        (used,) = creating.world.table.under("USAGE#")
        assert USES - 1 == used["retired"]
        (record,) = [
            item for item in creating.world.table.under("AUDIT#") if item["event"] == "api_key.retired_secret_used"
        ]
        assert 1 == json.loads(record["changes"])["after"]["count"]


def verified(deployed: Deployed, text: str) -> Any:
    """Verify a key and return the code."""
    event = signed(create_event({"key": text}, resource="/auth/api-keys/verify", path="/auth/api-keys/verify"))
    answer = deployed.container.invoke(event)["answer"]
    assert 200 == answer["statusCode"], answer
    return json.loads(answer["body"])["data"]["code"]
