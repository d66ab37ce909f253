"""docs/runbooks/restore.md, followed against the emulator: a table restored to an earlier time, and a deleted one.

The emulator restores to the present instead of the given time, and creates no system backup of a deleted table: the
tests revoke a key only after the restore, and create the backup themselves. The runbook does everything else.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import pytest

from tests.api.deployment import Deployment, data
from tests.e2e.__main__ import STACK
from tests.e2e.emulator import PYTHON
from tests.e2e.guide import Block, Shell, blocks
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


RUNBOOK = ROOT / "docs" / "runbooks" / "restore.md"
GONE = "The table is gone"
BACK_IN_TIME = "The whole table has to go back in time"
SETTINGS = "Switch on what a restore leaves off"


def of(heading: str) -> list[Block]:
    """Return the blocks of a section that are run."""
    return [block for block in blocks(RUNBOOK) if block.heading == heading and block.reason is None]


@pytest.fixture
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shell]:
    """An administrator's shell in this repository, with the variables of the runbook's first block."""
    for name in ("tools", ".venv"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "aws").symlink_to(PYTHON.parent / "aws")
    (tmp_path / "bin" / "keywright-admin").symlink_to(ROOT / "admin" / "keywright-admin")
    stack = json.loads(request.config.getoption("--stack").read_text(encoding="utf-8"))
    environment = {
        "AWS_ENDPOINT_URL": stack["aws_endpoint_url"],
        "AWS_ACCESS_KEY_ID": stack["iam"]["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": stack["iam"]["secret_access_key"],
        "AWS_DEFAULT_REGION": stack["iam"]["region"],
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
    }
    opened = Shell(tmp_path, environment)
    (first,) = [block for block in blocks(RUNBOOK) if block.text.startswith("TABLE=")]
    run(opened, first)
    yield opened
    opened.close()


def run(shell: Shell, block: Block, moment: str = "") -> str:
    """Run a block for the stack of these tests and a restore time."""
    text = block.text.replace("--stack-name keywright", f"--stack-name {STACK}")
    text = text.replace("--stack keywright", f"--stack {STACK}").replace(
        "after_restore keywright", f"after_restore {STACK}"
    )
    return shell.run(text.replace("2026-01-31T12:00:00Z", moment))


def table_settings(name: str) -> dict[str, object]:
    """Return the settings that the template gives a table."""
    client = boto3.client("dynamodb")
    continuous = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    table = client.describe_table(TableName=name)["Table"]
    return {
        "deletion protection": table.get("DeletionProtectionEnabled", False),
        "stream": table.get("StreamSpecification", {}).get("StreamViewType"),
        "point-in-time recovery": continuous["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"],
        "time to live": client.describe_time_to_live(TableName=name)["TimeToLiveDescription"].get("AttributeName"),
    }


def test_a_full_restore_revives_revoked_keys_until_revoked_again(deployment: Deployment, shell: Shell) -> None:
    """GIVEN a key revoked after the restore time WHEN the table is restored THEN it is valid until revoked again."""
    restore, listing, exchange, again, forget = of(BACK_IN_TIME)
    kept, revoked = deployment.create_key(), deployment.create_key()
    moment = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"

    run(shell, restore, moment)
    data(deployment.delete(revoked["id"]))
    assert "NOT_FOUND" == deployment.outcome(revoked["key"])
    run(shell, listing)
    run(shell, exchange)
    outcomes = {"before": (deployment.outcome(kept["key"]), deployment.outcome(revoked["key"]))}
    run(shell, again)
    outcomes["after"] = (deployment.outcome(kept["key"]), deployment.outcome(revoked["key"]))
    run(shell, forget)

    assert {"before": ("VALID", "VALID"), "after": ("VALID", "NOT_FOUND")} == outcomes


def test_a_deleted_table_is_restored_under_its_name(deployment: Deployment, shell: Shell) -> None:
    """GIVEN a deleted table WHEN the runbook is followed THEN keys are valid, without a change of the stack."""
    name = shell.run('echo "$TABLE"')
    key = deployment.create_key()
    client = boto3.client("dynamodb")
    client.create_backup(TableName=name, BackupName="DeletedTableBackup")  # AWS creates it automatically
    client.update_table(TableName=name, DeletionProtectionEnabled=False)
    client.delete_table(TableName=name)
    client.get_waiter("table_not_exists").wait(TableName=name)
    assert 500 == deployment.verify(key["key"]).status_code

    for block in of(GONE):
        run(shell, block)
    assert "VALID" == deployment.outcome(key["key"])
    for block in of(SETTINGS):
        listed = run(shell, block)

    assert {
        "deletion protection": True,
        "stream": "NEW_IMAGE",
        "point-in-time recovery": "ENABLED",
        "time to live": "ttl",
    } == table_settings(name)
    assert deployment.organization_id in listed


def test_items_are_read_from_a_second_table(shell: Shell, deployment: Deployment) -> None:
    """After a mistake, items are read from a restored copy of the table, which is then deleted."""
    restore, look, forget = of("Something was deleted or changed by mistake")

    run(shell, restore, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
    output = run(
        shell, Block("", look.text.replace("01a20a38-9585-719d-81cb-3b8af1c594c2", deployment.organization_id), None)
    )
    run(shell, forget)

    assert f"ORG#{deployment.organization_id}" in output
    assert not [name for name in boto3.client("dynamodb").list_tables()["TableNames"] if name.endswith("-restored")]
