"""The runbook of events, docs/runbooks/events.md: its files are events that the function takes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any, cast

from boto3.dynamodb.types import TypeSerializer

from keywright.organizations import publish
from keywright.store import event_bus
from tests.support.environment import ROOT
from tests.support.published_events import RECORD, invalid_events
from tests.support.world import Context

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pytest

    from keywright.api.lambda_types import LambdaContext
    from keywright.store.event_bus import OutgoingEvent

_write = TypeSerializer().serialize


def test_records_are_published_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN the records of a scan WHEN the function gets the files THEN each is published once, in order."""
    records = [RECORD | {"sk": f"AUDIT#01980000-0000-7000-8000-{number:012}"} for number in range(250)]
    items = [{name: _write(value) for name, value in record.items()} for record in reversed(records)]
    (tmp_path / "records.json").write_text(json.dumps(items), encoding="utf-8")
    published: list[str] = []

    def put(events: Sequence[OutgoingEvent], taken: Callable[[OutgoingEvent], object]) -> None:
        for event in events:
            published.append(json.loads(event.detail)["id"])
            taken(event)

    monkeypatch.setattr(event_bus, "put", put)
    runbook = (ROOT / "docs" / "runbooks" / "events.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"^python3 - <<'PY'\n(.+?)^PY$", runbook, re.DOTALL | re.MULTILINE)
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)  # noqa: S603 - of this repository

    context = cast("LambdaContext", Context())
    answers: list[Any] = [
        publish.publish(json.loads(file.read_text(encoding="utf-8")), context)
        for file in sorted(tmp_path.glob("batch-*.json"))
    ]

    assert [] == invalid_events(records)
    assert [{"batchItemFailures": []}] * 5 == answers
    assert [record["sk"].removeprefix("AUDIT#") for record in records] == published
