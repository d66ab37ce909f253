"""The runbook of the archive, docs/runbooks/archive.md: its files are batches that the function takes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from keywright import clock
from tests.support.archived_log import ArchivedLog, record_at
from tests.support.environment import ROOT
from tests.support.world import nth_id

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

RUNBOOK = (ROOT / "docs" / "runbooks" / "archive.md").read_text(encoding="utf-8")
COUNT = 2_500
BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_older_records_are_archived(
    tmp_path: Path, environment: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIVEN the records of a scan WHEN the function gets the files THEN `audit verify` finds each, archived by hand."""
    log = ArchivedLog()
    log.install(environment)
    monkeypatch.setattr(clock, "now", lambda: BEGAN)
    for number in range(COUNT):
        log.store(record_at(nth_id(number), BEGAN - timedelta(days=40, seconds=number)))
    (tmp_path / "records.json").write_text(json.dumps(list(log.items.values())), encoding="utf-8")
    (script,) = re.findall(r"^python3 - <<'PY'\n(.+?)^PY$", RUNBOOK, re.DOTALL | re.MULTILINE)
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)  # noqa: S603 - of this repository

    for file in sorted(tmp_path.glob("batch-*.json")):
        log.archive(*json.loads(file.read_text(encoding="utf-8"))["Records"])

    report = log.verify()
    assert [[], COUNT // 100, COUNT, COUNT] == [report.findings, report.objects, report.same, report.by_hand]
    assert {"file"} == {json.loads(body.splitlines()[0])["source"] for body in log.bodies.values()}


def test_the_scan_sees_records_of_a_moment_ago() -> None:
    """Every scan of the runbook is strongly consistent: a record that it misses is not archived again."""
    (scan,) = re.findall(r"aws dynamodb scan (?:[^\n]*\\\n)*[^\n]*", RUNBOOK)

    assert "--consistent-read" in scan.split()
