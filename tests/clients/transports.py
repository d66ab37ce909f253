"""Both ways to verify a key, over HTTP and by direct invocation, say the same in both languages."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.api.deployment import KEY
from tests.api.moments import in_the_future
from tests.clients.commands import StepFailed, newcomer, require, run, step
from tests.support.local_service import connected

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.api.deployment import Deployment

PROGRAMS = Path(__file__).with_name("programs")

PATIENCE_SECONDS = 60
TOLERANCE_SECONDS = 60
"""The times to wait shrink between two verifications, which are a moment apart."""


def check(stack_file: Path, python: Sequence[object], node: Path, project: Path) -> None:
    """Verify a key of every code both ways, with both clients.

    Args:
        stack_file: stack file of a deployment, whose organization this freezes for a moment.
        python: the command that runs Python with the client.
        node: Node.js.
        project: a folder in which Node.js finds the client.

    Raises:
        StepFailed: two results differ, or a result has another code than it must.
    """
    stack = json.loads(stack_file.read_text(encoding="utf-8"))
    program = project / "verify_twice.mjs"
    program.write_bytes((PROGRAMS / program.name).read_bytes())
    commands = ([*python, PROGRAMS / "verify_twice.py"], [node, program])
    with step("Transports: HTTP and direct invocation say the same in both languages, for each code"):
        for deployment in connected(stack_file):
            cases = _cases(deployment)
            for code, results in _verified(commands, stack, project, cases).items():
                _compare(code, results)
            with deployment.frozen():
                frozen = {"ORGANIZATION_FROZEN": cases["VALID"]}
                for code, results in _verified(commands, stack, project, frozen).items():
                    _compare(code, results)


def _cases(deployment: Deployment) -> dict[str, dict[str, Any]]:
    """Return a verification for each code, whose result no other verification changes."""
    used_up: tuple[dict[str, Any], ...] = (
        {"rateLimit": {"limit": 1, "windowSeconds": 3600}},
        {"quota": {"limit": 1, "period": "month"}},
    )
    rate_limited, quota_exceeded = (deployment.create_key(**limit)["key"] for limit in used_up)
    for key in (rate_limited, quota_exceeded):
        require("VALID", deployment.outcome(key), "the first use of a limited key")
    disabled = deployment.create_key()
    deployment.request("PATCH", KEY.format(id=disabled["id"]), json={"enabled": False})
    expired = deployment.create_key(expiresAt=in_the_future(seconds=1))["key"]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while deployment.outcome(expired) == "VALID" and time.monotonic() < deadline:
        time.sleep(0.1)
    limits: dict[str, Any] = {"rateLimit": {"limit": 5, "windowSeconds": 60}, "quota": {"limit": 9, "period": "day"}}
    limited = deployment.create_key(**limits, metadata={"plan": "pro", "seats": 2.5, "trial": False}, name="Zoë")["key"]
    return {
        "VALID": {"key": limited, "permissions": ["sessions:read"], "cost": 0},
        "NOT_FOUND": {"key": "kk_unknown"},
        "EXPIRED": {"key": expired},
        "DISABLED": {"key": disabled["key"]},
        "IP_NOT_ALLOWED": {
            "key": deployment.create_key(allowedIps=["192.0.2.0/24"])["key"],
            "clientIp": "198.51.100.1",
        },
        "INSUFFICIENT_PERMISSIONS": {"key": limited, "permissions": ["analytics:read", "webhooks:write"]},
        "RATE_LIMITED": {"key": rate_limited},
        "QUOTA_EXCEEDED": {"key": quota_exceeded},
    }


def _verified(
    commands: Sequence[Sequence[object]],
    stack: Mapping[str, Any],
    directory: Path,
    cases: Mapping[str, Mapping[str, Any]],
) -> dict[str, list[Any]]:
    """Return the results of each case by code: Python's over HTTP and directly, then TypeScript's."""
    iam = stack["iam"]
    environment = newcomer(
        AWS_ACCESS_KEY_ID=iam["access_key_id"],
        AWS_SECRET_ACCESS_KEY=iam["secret_access_key"],
        AWS_ENDPOINT_URL_LAMBDA=stack["lambda_url"],
    )
    task = {
        "url": stack["base_url"],
        "region": iam["region"],
        "function": stack["function_arn"],
        "cases": list(cases.values()),
    }
    printed = [json.loads(run(command, directory, environment, json.dumps(task))) for command in commands]
    return {
        code: [result for of_case in both for result in of_case] for code, *both in zip(cases, *printed, strict=True)
    }


def _compare(code: str, results: Sequence[dict[str, Any]]) -> None:
    require(code, results[0].get("code"), "the code of a verification")
    plain = [_without_seconds(result) for result in results]
    for other, seconds in plain[1:]:
        require(plain[0][0], other, f"two results with the code {code}")
        if any(abs(one - another) > TOLERANCE_SECONDS for one, another in zip(plain[0][1], seconds, strict=True)):
            raise StepFailed(f"two results with the code {code} differ in their times: {plain[0][1]} and {seconds}")


def _without_seconds(result: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
    """Return a result with null for the seconds to wait, and these."""
    result = json.loads(json.dumps(result))
    seconds = []
    for holder in (result, result.get("rateLimit") or {}):
        for name in ("retryAfterSeconds", "resetSeconds"):
            if holder.get(name) is not None:
                seconds.append(holder[name])
                holder[name] = "seconds"
    return result, seconds
