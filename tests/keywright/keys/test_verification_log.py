"""The log line of a verification: outcome and metrics in one line, and no trace of the key."""

from __future__ import annotations

import json
import logging
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from keywright import clock
from keywright.domain import keyring
from keywright.errors import ServiceError
from keywright.keys.usage import meter
from keywright.keys.verification import requiring, verify
from keywright.log import UNITS, describe
from tests.support import faults
from tests.support.client import UNANSWERED
from tests.support.sample_keys import WINDOW, SampleKey, secret_parts
from tests.support.world import KEY_ID, ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.world import Table, World

KEY = SampleKey()
WRONG = SampleKey(secret="another-than-the-right")
UNKNOWN_VERSION = SampleKey(pepper_version=9)
FOREIGN = keyring.derive(b"another pepper" * 4)
SECONDS = 1767357296.789
"""2026-01-02T12:34:56.789Z."""


@pytest.fixture
def table(world: World) -> Table:
    """A table with one organization."""
    world.table.put_organization()
    return world.table


@pytest.fixture
def line(table: Table, capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Verify a text and return the one line that it writes."""
    del table

    def verify_text(text: str, *required: str) -> dict[str, Any]:
        capsys.readouterr()
        verify(text, requiring(required))
        (written,) = capsys.readouterr().out.splitlines()
        content: dict[str, Any] = json.loads(written)
        return content

    return verify_text


def metrics(line: dict[str, Any]) -> dict[str, float]:
    """Return the metrics of a line, without latencies."""
    names = [metric["Name"] for directive in line["_aws"]["CloudWatchMetrics"] for metric in directive["Metrics"]]
    return {name: line[name] for name in names if not name.endswith("Latency")}


def test_a_line_has_outcome_reason_and_key(table: Table, line: Callable[..., dict[str, Any]]) -> None:
    """A line names the outcome, its reason, the organization and the key."""
    written = line(KEY.put(table))

    assert {
        "level": "INFO",
        "message": "verification",
        "service": "keywright",
        "code": "VALID",
        "reason": "valid",
        "organization_id": ORGANIZATION_ID,
        "api_key_id": KEY_ID,
        "Verifications": 1,
    }.items() <= written.items()


def test_a_line_of_an_unknown_key_has_no_ids(line: Callable[..., dict[str, Any]]) -> None:
    """The ids in a text prove nothing before its secret matches; only the log has the reason."""
    written = line(KEY.text())

    assert ("NOT_FOUND", "no such key", None, None) == tuple(
        written.get(name) for name in ("code", "reason", "organization_id", "api_key_id")
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (lambda: "kk_" + "0" * 85, {}),
        (lambda: KEY.text(FOREIGN), {"ForgedKeys": 1}),
        (lambda: UNKNOWN_VERSION.text(FOREIGN), {"ForgedKeys": 1, "UnknownPepperVersions": 1}),
        (lambda: SampleKey(key_id=ORGANIZATION_ID).text(), {}),
        (WRONG.text, {"Hashes": 1}),
        (KEY.text, {"Hashes": 1}),
    ],
    ids=["malformed", "forged", "unknown pepper version", "unknown key", "wrong secret", "valid"],
)
def test_metrics_count_each_outcome(
    table: Table, line: Callable[..., dict[str, Any]], text: Callable[[], str], expected: dict[str, int]
) -> None:
    """Counts of zero are written as well, for sums and rates."""
    KEY.put(table)
    nothing = {"Verifications": 1, "Hashes": 0, "RememberedMatches": 0, "ForgedKeys": 0, "UnknownPepperVersions": 0}

    assert nothing | expected == metrics(line(text()))


def test_a_remembered_match_is_counted(table: Table, line: Callable[..., dict[str, Any]]) -> None:
    """A remembered match counts in place of a hash."""
    text = KEY.put(table)
    line(text)

    assert {"Hashes": 0, "RememberedMatches": 1}.items() <= metrics(line(text)).items()


def test_an_upgrade_is_two_hashes(
    table: Table, line: Callable[..., dict[str, Any]], setting: Callable[[str, str], None]
) -> None:
    """An upgrade hashes once to compare and once to store."""
    setting("ARGON2_ITERATIONS", "2")

    assert 2 == metrics(line(KEY.put(table)))["Hashes"]


@pytest.mark.parametrize(
    ("scheme", "expected"), [("argon2id", [{"Hashes": 1}, True]), ("hmac-sha256", [{"Hashes": 0}, False])]
)
def test_an_hmac_is_no_hash(
    table: Table,
    line: Callable[..., dict[str, Any]],
    setting: Callable[[str, str], None],
    scheme: str,
    expected: list[object],
) -> None:
    """Number and latency of hashes are those of Argon2id, so that they show what a change of the setting saves."""
    setting("KEY_HASH", scheme)
    written = line(KEY.put(table, hash={"argon2id": KEY.hash(), "hmac-sha256": KEY.hmac_hash()}[scheme]))

    assert expected == [{"Hashes": written["Hashes"]}, "HashLatency" in written]


def test_only_stages_that_ran_have_a_latency(table: Table, line: Callable[..., dict[str, Any]]) -> None:
    """A skipped stage has no latency, not a latency of zero."""
    text = KEY.put(table)
    stages = [
        {name for name in line(presented) if name.endswith("Latency")}
        for presented in ("malformed", SampleKey(key_id=ORGANIZATION_ID).text(), text, text)
    ]

    whole, read, hash_ = "VerificationLatency", "ReadLatency", "HashLatency"
    assert [{whole}, {whole, read}, {whole, read, hash_}, {whole, read}] == stages


@pytest.mark.parametrize("text", [KEY.text, lambda: "malformed"], ids=["all stages", "one stage"])
def test_a_line_equals_what_powertools_writes(
    table: Table, line: Callable[..., dict[str, Any]], text: Callable[[], str]
) -> None:
    """GIVEN the same metrics WHEN Powertools serializes them THEN CloudWatch gets the same."""
    KEY.put(table)
    written = line(text())

    for directive in written["_aws"]["CloudWatchMetrics"]:
        provider = EphemeralMetrics(namespace="Keywright")
        provider.service = ""  # otherwise a dimension
        for name in directive["Dimensions"][0]:
            provider.add_dimension(name, written[name])
        for metric in directive["Metrics"]:
            provider.add_metric(metric["Name"], MetricUnit(metric["Unit"]), written[metric["Name"]])
        expected = provider.serialize_metric_set()

        assert expected["_aws"]["CloudWatchMetrics"] == [directive]
        assert expected.keys() <= written.keys()
        # Powertools writes lists of values; a single value needs no list.
        values = {name: written[name] for name in expected if name != "_aws"}
        assert {name: [value] if name in UNITS else value for name, value in values.items()} == {
            name: value for name, value in expected.items() if name != "_aws"
        }


def test_a_line_has_the_embedded_metric_format(table: Table, line: Callable[..., dict[str, Any]]) -> None:
    """Named dimensions and metrics exist; dimensions are texts, values are numbers (CloudWatch's specification)."""
    written = line(KEY.put(table))
    timestamp = written["_aws"]["Timestamp"]

    assert {"Timestamp", "CloudWatchMetrics"} == written["_aws"].keys()
    assert isinstance(timestamp, int)
    assert 1_600_000_000_000 < timestamp < 10_000_000_000_000
    for directive in written["_aws"]["CloudWatchMetrics"]:
        assert {"Namespace", "Dimensions", "Metrics"} == directive.keys()
        assert 1 <= len(directive["Metrics"]) <= 100
        for name in directive["Dimensions"][0]:
            assert isinstance(written[name], str)
            assert 1 <= len(written[name]) <= 1024
        for metric in directive["Metrics"]:
            assert {"Name", "Unit"} == metric.keys()
            assert isinstance(written[metric["Name"]], int | float)


def test_the_timestamp_of_a_line_is_rfc_3339(
    table: Table, line: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda filters by level only lines with such a timestamp; the metrics have the same millisecond."""
    monkeypatch.setattr(time, "time", lambda: SECONDS)
    written = line(KEY.put(table))

    assert "2026-01-02T12:34:56.789Z" == written["timestamp"]
    assert clock.rfc3339(datetime.fromtimestamp(SECONDS, UTC)) == written["timestamp"]
    assert 1767357296789 == written["_aws"]["Timestamp"]


# ---- Secrets ---------------------------------------------------------------------------------------------------


@pytest.fixture
def everything_written(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Collect all log records with all their fields, and both standard streams."""
    caplog.set_level(logging.DEBUG, logger="keywright")

    def gather() -> str:
        output = capsys.readouterr()
        records = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
        return "\n".join([*records, output.out, output.err])

    return gather


@pytest.fixture
def writing(setting: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment where each verification upgrades the hash and writes its use, without waits."""
    setting("ARGON2_ITERATIONS", "2")
    setting("USAGE_FLUSH_SECONDS", "0")
    monkeypatch.setattr("keywright.aws.retries.time.sleep", lambda _: None)


def test_no_outcome_leaves_a_trace_of_the_key(table: Table, everything_written: Callable[[], str]) -> None:
    """No line of a refusal contains a part of the text or a hash."""
    text, wrong, forged = KEY.put(table), WRONG.text(), KEY.text(FOREIGN)
    for refused in (text, wrong, forged, text[:-1], text + "0", f" {text}"):
        verify(refused, requiring(["webhooks:write"]))
    for attributes in ({"enabled": False}, {"expires_at": "2026-01-01T00:00:00.000Z"}, {"generation": 3}):
        KEY.put(table, **attributes)
        verify(text)

    written = everything_written()
    assert 9 == written.count('"message":"verification"')
    assert not [part for part in secret_parts(text) | secret_parts(wrong) if part in written]
    assert not [at for at in range(53, 79) if forged[at : at + WINDOW] in written]
    assert KEY.hash() not in written


@pytest.mark.usefixtures("writing")
def test_success_leaves_no_trace_of_the_key(table: Table, everything_written: Callable[[], str]) -> None:
    """The upgrade of the hash and the write of the use log nothing of the key."""
    text = KEY.put(table)
    verify(text)

    written = everything_written()
    assert 1 == written.count('"message":"verification"')
    assert not [part for part in secret_parts(text) if part in written]
    assert KEY.hash() not in written


@pytest.mark.usefixtures("writing")
@pytest.mark.parametrize("fault", [*UNANSWERED, faults.error("AccessDeniedException")])
@pytest.mark.parametrize("failing", [0, 1, 2], ids=["read", "upgrade", "use"])
def test_no_failure_leaves_a_trace_of_the_key(
    table: Table, everything_written: Callable[[], str], fault: faults.Fault, failing: int
) -> None:
    """Failures of the read, the upgrade and the write of the use are logged without a part of the key."""
    text, raised = KEY.put(table), ""
    with faults.injected(*[None] * failing, *[fault] * 100):
        try:
            verify(text)
        except Exception as error:  # noqa: BLE001 - any failure
            raised = describe(error) + repr(error)

    written = everything_written() + raised
    assert bool(raised) == (failing == 0)
    assert not [part for part in secret_parts(text) if part in written]
    assert KEY.hash() not in written


@pytest.mark.usefixtures("writing")
@pytest.mark.parametrize("failing", [0, 1, 2, None], ids=["read", "upgrade", "use", "nothing"])
def test_the_address_of_the_client_is_not_logged(
    table: Table, everything_written: Callable[[], str], failing: int | None
) -> None:
    """The address is written to the usage of the key only, and a failed write does not log it."""
    text = KEY.put(table)
    table.put_unused()
    faulty = [] if failing is None else [*[None] * failing, *[faults.error("ThrottlingException")] * 100]
    with faults.injected(*faulty), suppress(ServiceError):
        verify(text, requiring([], "203.0.113.77"))

    usage = table.under("USAGE#")[0]
    assert usage.get("last_used_ip") == ("203.0.113.77" if failing is None else None)
    assert "203.0.113.77" not in everything_written()


def test_a_damaged_hash_is_not_shown(table: Table) -> None:
    """Neither the exception nor its description contains a damaged hash."""
    text = KEY.put(table, hash="$argon2id$v=19$0123456789-and-still-not-to-be-disclosed-here")

    with pytest.raises(Exception, match=r"^(?!.*0123456789)") as caught:
        verify(text)

    assert not isinstance(caught.value, ServiceError)
    assert "0123456789" not in describe(caught.value)


def test_the_meter_does_not_hold_the_text(table: Table) -> None:
    """Uses are counted by ids: neither text nor secret is kept for it."""
    text = KEY.put(table)
    verify(text)

    assert text not in repr(meter()._pending)
