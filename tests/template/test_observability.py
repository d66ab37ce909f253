"""Alarms and dashboard: they look at metrics that there are."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from keywright.errors import SERVICE_UNAVAILABLE
from keywright.keys.outcome import Code
from keywright.log import UNITS
from local.intrinsics import mapping, sequence, text
from tests.support.cloudformation import properties, resources
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from local.intrinsics import Json

TOPIC = "arn:aws:sns:eu-central-1:123456789012:alarms"
ALARMS = sorted(resources("AWS::CloudWatch::Alarm"))

each_alarm = pytest.mark.parametrize("name", ALARMS)


def metrics(alarm: dict[str, Json]) -> list[tuple[str, str]]:
    """Return namespace and name of every metric of an alarm."""
    if "MetricName" in alarm:
        return [(text(alarm["Namespace"], "alarm"), text(alarm["MetricName"], "alarm"))]
    queries = [mapping(query, "query") for query in sequence(alarm["Metrics"], "alarm")]
    stats = [
        mapping(mapping(query["MetricStat"], "stat")["Metric"], "metric") for query in queries if "MetricStat" in query
    ]
    return [(text(metric["Namespace"], "metric"), text(metric["MetricName"], "metric")) for metric in stats]


def widgets() -> list[dict[str, Json]]:
    """Return the widgets of the dashboard."""
    body = json.loads(text(properties("Dashboard")["DashboardBody"], "Dashboard"))
    return [mapping(widget["properties"], "widget") for widget in body["widgets"]]


def test_errors_latency_throttles_and_attacks_raise_alarms() -> None:
    """Forged, unknown and rotated-out keys, latency, errors, throttling and limits that were not asked have alarms."""
    assert {
        "ForgedKeysAlarm", "InvocationErrorsAlarm", "LatencyAlarm", "LimiterFailuresAlarm", "RetiredSecretsAlarm",
        "ServerErrorsAlarm", "ThrottlesAlarm", "UndecidedKeysAlarm", "UnknownPepperVersionAlarm",
    } <= set(ALARMS)  # fmt: skip


def test_a_made_up_key_alone_raises_no_alarm() -> None:
    """A single forged key with an unknown pepper version does not raise the alarm."""
    alarm = properties("UnknownPepperVersionAlarm")

    assert 300 == alarm["Period"]
    assert 3 == alarm["EvaluationPeriods"]
    assert 2 == alarm["DatapointsToAlarm"]
    assert "GreaterThanOrEqualToThreshold" == alarm["ComparisonOperator"]
    assert 10 == alarm["Threshold"]


def test_single_uses_of_rotated_out_secrets_raise_no_alarm() -> None:
    """A program that keeps using an old secret does; the audit log has every use."""
    alarm = properties("RetiredSecretsAlarm")

    assert (300, 3, 2, 10) == tuple(
        alarm[name] for name in ("Period", "EvaluationPeriods", "DatapointsToAlarm", "Threshold")
    )


@each_alarm
def test_an_alarm_looks_at_metrics_that_are_written(name: str) -> None:
    """Every metric of Keywright in an alarm is one that the functions write."""
    own = {metric for namespace, metric in metrics(properties(name)) if namespace == "Keywright"}

    assert own <= UNITS.keys()
    assert metrics(properties(name))


@each_alarm
def test_an_alarm_goes_to_the_topic(name: str) -> None:
    """An alarm notifies the topic of AlarmTopicArn; it has no action without one."""
    assert [TOPIC] == properties(name, AlarmTopicArn=TOPIC)["AlarmActions"]
    assert [] == [action for action in sequence(properties(name)["AlarmActions"], name) if action]


@each_alarm
def test_silence_is_no_alarm(name: str) -> None:
    """Missing data raises no alarm: most metrics have none without requests."""
    assert "notBreaching" == properties(name)["TreatMissingData"]


@each_alarm
def test_a_runbook_that_an_alarm_names_is_there(name: str) -> None:
    """Alarm descriptions name an existing runbook."""
    named = re.findall(r"docs/[a-z/-]+[.]md", text(properties(name)["AlarmDescription"], name))

    assert [] == [path for path in named if not (ROOT / path).is_file()]


def test_some_alarms_name_runbooks() -> None:
    """The test above applies to existing alarms."""
    assert 2 <= sum("docs/runbooks/" in text(properties(name)["AlarmDescription"], name) for name in ALARMS)


def test_the_dashboard_shows_metrics_that_are_written() -> None:
    """Every Keywright metric on the dashboard is written."""
    shown = {
        metric[1]
        for widget in widgets()
        for metric in (sequence(entry, "metric") for entry in sequence(widget["metrics"], "metrics"))
        if metric[0] == "Keywright"
    }

    assert UNITS.keys() == shown


def test_the_dashboard_shows_every_outcome() -> None:
    """The dashboard has a line for each code of a verification, and for keys of batches that were not decided."""
    shown = {entry for metric in sequence(widgets()[0]["metrics"], "metrics") for entry in sequence(metric, "metric")}

    assert {*Code, SERVICE_UNAVAILABLE.code} <= shown
