"""The page of events, docs/events.md: its table, its example and its template."""

from __future__ import annotations

import json
import re

import jsonschema

from keywright.domain.audit_event import AuditEvent
from tests.support.environment import ROOT
from tests.support.published_events import SCHEMAS

PAGE = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")


def test_each_event_is_in_the_table() -> None:
    """The table has each event once, with its schema."""
    rows = re.findall(r"^\| \[`(.+?)`\]\((.+?)\) \|", PAGE, re.MULTILINE)

    assert [(event, f"schemas/events/{event}.json") for event in sorted(AuditEvent)] == sorted(rows)


def test_the_example_is_an_event() -> None:
    """The example is as its schema says."""
    (text,) = re.findall(r"^```json\n(.+?)^```", PAGE, re.DOTALL | re.MULTILINE)
    event = json.loads(text)

    jsonschema.validate(event, SCHEMAS[event["detail-type"]], format_checker=jsonschema.FormatChecker())


def test_the_template_is_the_example() -> None:
    """The page shows the template of examples/events, which cfn-lint checks."""
    (text,) = re.findall(r"^```yaml\n(.+?)^```", PAGE, re.DOTALL | re.MULTILINE)

    assert (ROOT / "examples" / "events" / "template.yaml").read_text(encoding="utf-8") == text
