"""The operator's command line on a stack: texts of keys, which need the pepper or the API of the deployment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.e2e.__main__ import STACK
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from tests.api.deployment import Deployment


def administer(*arguments: str, text: str = "") -> dict[str, Any]:
    """Run a command on the stack, with a text on standard input; return its JSON."""
    path = os.pathsep.join([str(ROOT / "admin"), str(ROOT / "layers" / "shared" / "python")])
    finished = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "keywright_admin", "--stack", STACK, *arguments, "--json"],
        env={**os.environ, "PYTHONPATH": path},
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == finished.returncode, finished.stderr
    output: dict[str, Any] = json.loads(finished.stdout)
    return output


def test_a_text_is_identified_and_verified(deployment: Deployment) -> None:
    """A key that the API created is identified with the table alone, and verified by a signed request to the API."""
    created = deployment.create_key()

    identified = administer("keys", "identify", text=created["key"])
    verified = administer("keys", "verify", text=created["key"])

    assert (deployment.organization_id, created["id"]) == (identified["organizationId"], identified["keyId"])
    assert "VALID" == verified["code"]


def test_a_rotated_key(deployment: Deployment) -> None:
    """The command prints a new text, made with the stack's pepper, which the API takes in place of the old one."""
    created = deployment.create_key()

    rotated = administer("keys", "rotate", deployment.organization_id, created["id"], "--id", "--yes")
    codes = [administer("keys", "verify", text=text)["code"] for text in (created["key"], rotated["key"])]

    assert ["NOT_FOUND", "VALID"] == codes
