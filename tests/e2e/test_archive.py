"""The archive of the deployed stack: the second mapping of the stream, the bucket, `audit verify`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import boto3

from keywright_admin.failures import ExitCode
from tests.api.deployment import data
from tests.e2e.__main__ import STACK
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from tests.api.deployment import Deployment

SECONDS = 60
"""For a record to be archived; the emulator does not collect batches."""


def verify() -> tuple[int, dict[str, Any]]:
    """Return the exit code and the JSON of `audit verify` on the stack."""
    path = os.pathsep.join([str(ROOT / "admin"), str(ROOT / "layers" / "shared" / "python")])
    finished = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "keywright_admin", "--stack", STACK, "audit", "verify", "--json"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode in {ExitCode.DONE, ExitCode.FOUND}, finished.stderr
    return finished.returncode, json.loads(finished.stdout)


def test_a_changed_record_of_the_stack_is_named(deployment: Deployment) -> None:
    """GIVEN a key that was made and deleted WHEN its records are archived THEN they agree, until one is changed."""
    key = deployment.create_key()
    data(deployment.delete(key["id"]))
    end = time.monotonic() + SECONDS
    while True:
        code, report = verify()
        is_archived = not report["pending"] and report["same"]
        if is_archived or time.monotonic() > end:
            break
        time.sleep(1)

    assert [ExitCode.DONE, 0, []] == [code, report["pending"], report["findings"]]
    assert report["same"] >= len(("created", "deleted"))

    table: Any = boto3.resource("dynamodb").Table(_table_name())
    (record,) = [
        item
        for item in table.scan(ConsistentRead=True)["Items"]
        if item["sk"].startswith("AUDIT#") and item["target_id"] == key["id"] and item["event"] == "api_key.deleted"
    ]
    table.put_item(Item={**record, "actor_id": "another"})

    code, report = verify()

    table.put_item(Item=record)
    assert ExitCode.FOUND == code
    assert [("changed", "table", record["sk"].removeprefix("AUDIT#"))] == [
        (finding["what"], finding["place"], finding["recordId"]) for finding in report["findings"]
    ]
    assert ExitCode.DONE == verify()[0]


def _table_name() -> str:
    (stack,) = boto3.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    return next(output["OutputValue"] for output in stack["Outputs"] if output["OutputKey"] == "TableName")
