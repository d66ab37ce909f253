"""The streams of DynamoDB Local: the local service reads them, and publishes what is written."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local.backend import DYNAMODB_ENDPOINT
from tests.support.environment import LOOPBACK
from tests.support.local_service import local_service
from tests.support.stream_reader import check_real_stream

if TYPE_CHECKING:
    from pathlib import Path

    from local.template import Stack

pytestmark = pytest.mark.allow_hosts(LOOPBACK)

SECONDS = 30
URL = os.environ.get(DYNAMODB_ENDPOINT, "")


def test_the_stream_of_a_table(environment: pytest.MonkeyPatch, stack: Stack) -> None:
    """GIVEN the template's table and mapping WHEN items are written THEN the new audit records arrive, in order."""
    environment.setenv(DYNAMODB_ENDPOINT, URL)
    check_real_stream(stack)


def test_a_restart(tmp_path: Path) -> None:
    """GIVEN EVENTS=1 WHEN a key is created THEN its event is published, at once or at the stop, and never again."""
    created = []
    shown = []
    for _ in range(2):
        with local_service(tmp_path, EVENTS="1") as stack_file:
            stack = json.loads(stack_file.read_text())
            created += [_create(stack), _create(stack)]
            _until(tmp_path, created[-2])
        shown.append(_published(tmp_path))

    assert [created[:2], created[2:]] == [[one for one in targets if one in created] for targets in shown]


def _create(stack: dict[str, Any]) -> str:
    answer = httpx.post(
        f"{stack['base_url']}/auth/api-keys",
        headers={"authorization": f"Bearer {stack['tokens']['admin']}"},
        json={"name": "CI", "permissions": ["sessions:read"]},
        timeout=SECONDS,
        trust_env=False,
    )
    return str(answer.json()["data"]["id"])


def _until(directory: Path, target: str) -> None:
    deadline = time.monotonic() + SECONDS
    while target not in _published(directory):
        assert time.monotonic() < deadline, "not published"
        time.sleep(0.1)


def _published(directory: Path) -> list[str]:
    """Return the targets of the published events."""
    lines = (directory / "output.txt").read_text().splitlines(keepends=True)
    return [
        json.loads(line.split(" ", 2)[2])["targetId"]
        for line in lines
        if line.startswith("published ") and line.endswith("\n")
    ]
