"""The command `audit`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jsonschema
import pytest

from keywright_admin.failures import ExitCode
from local.demo import ACTIVE_ORGANIZATION_ID
from tests.support.command_result import SCHEMAS
from tests.support.world import nth_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.support.command_result import CommandResult
    from tests.support.world import Table

ORGANIZATION = ACTIVE_ORGANIZATION_ID
NOW = "2030-01-31T12:00:00.000Z"
MOTO = "arn:aws:sts::123456789012:user/moto"


@pytest.fixture
def log(table: Table, run: Callable[..., CommandResult], stop_clock: Callable[[str], datetime]) -> Table:
    """Return the table after three changes, an hour apart."""
    changes = "set-role demo-admin member", "suspend demo-admin", "suspend demo-member"
    for hour, arguments in enumerate(changes):
        stop_clock(f"2030-01-31T1{hour}:00:00.000Z")
        command, *rest = arguments.split()
        run("members", command, ORGANIZATION, *rest).text()
    return table


@pytest.mark.usefixtures("log")
def test_each_record_is_a_line_for_other_programs(run: Callable[..., CommandResult]) -> None:
    """Without a terminal each record is one line, the newest at the end."""
    role, *suspensions = run("audit", "show", ORGANIZATION).text().splitlines()

    by = f'by operator {MOTO} "moto"'
    assert (
        f'2030-01-31T10:00:00.000Z  member.role_changed  member demo-admin  {by}  role: "admin" -> "member"'
    ) == role
    assert [
        f'{at}  member.suspended  member {user}  {by}  suspendedAt: null -> "{at}"'
        for at, user in (("2030-01-31T11:00:00.000Z", "demo-admin"), ("2030-01-31T12:00:00.000Z", "demo-member"))
    ] == suspensions


@pytest.mark.parametrize("name", ["Nightly import", 'CI" from 192.0.2.1  reason: other', "größe\\"])
def test_the_name_of_a_key_is_quoted(table: Table, run: Callable[..., CommandResult], name: str) -> None:
    """GIVEN a key that deleted itself THEN its name is beside its id, and cannot pass for other parts of the line."""
    put_deletion_by_holder(table, name)

    quoted = json.dumps(name, ensure_ascii=False)
    assert f"  by api_key {nth_id(1)} {quoted} from 203.0.113.7  " in run("audit", "show", ORGANIZATION).text()
    (record,) = run("audit", "show", ORGANIZATION, "--json").json("audit-records")["records"]
    assert {"type": "api_key", "id": nth_id(1), "name": name} == record["actor"]


def put_deletion_by_holder(table: Table, name: str) -> None:
    """Write the record of a key that deleted itself."""
    unset = dict.fromkeys(("expiresAt", "rateLimit", "quota", "allowedIps"))
    before: dict[str, object] = {
        "name": name,
        "enabled": True,
        "permissions": ["sessions:read"],
        "metadata": {},
        **unset,
    }
    table.put_audit(
        nth_id(2),
        ORGANIZATION,
        event="api_key.deleted",
        actor_type="api_key",
        actor_id=nth_id(1),
        target_id=nth_id(1),
        changes=json.dumps({"before": before, "after": None}),
    )


def test_a_long_name_fits_into_the_terminal(
    table: Table, run: Callable[..., CommandResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In 80 columns, the longest name of an actor is wrapped and the id is whole."""
    put_deletion_by_holder(table, "Nightly import " * 8)
    monkeypatch.setenv("COLUMNS", "80")

    lines = run("audit", "show", ORGANIZATION).text().splitlines()

    assert [] == [line for line in lines if len(line) > 80]
    assert lines[2].startswith(f'    by api_key {nth_id(1)} "Nightly import Nightly')


FILTERS = [
    ([], ["member.role_changed", "member.suspended", "member.suspended"]),
    (["--event", "member.role_changed"], ["member.role_changed"]),
    (["--event", "member.role_changed", "--event", "api_key.deleted"], ["member.role_changed"]),
    (["--target", "demo-member"], ["member.suspended"]),
    (["--actor", MOTO, "--actor-type", "operator"], ["member.role_changed", "member.suspended", "member.suspended"]),
    (["--actor-type", "user"], []),
    (
        ["--actor-type", "operator", "--actor-type", "user", "--event", "member.role_changed"],
        ["member.role_changed"],
    ),
    (["--actor", "ada"], []),
    (["--since", "2030-01-31T11:00:00Z"], ["member.suspended", "member.suspended"]),
    (["--since", "2030-01-31", "--until", "2030-01-31T10:59:59+00:00"], ["member.role_changed"]),
    (["--since", "90m"], ["member.suspended", "member.suspended"]),
    (["--since", "1d", "--until", "3600s"], ["member.role_changed", "member.suspended"]),
    (["--until", "2029-12-31"], []),
]


@pytest.mark.parametrize(("options", "events"), FILTERS, ids=[" ".join(case[0]) for case in FILTERS])
@pytest.mark.usefixtures("log")
def test_filters(run: Callable[..., CommandResult], options: list[str], events: list[str]) -> None:
    """Each filter leaves the records that it describes."""
    output = run("audit", "show", ORGANIZATION, *options, "--json").json("audit-records")

    assert events == [record["event"] for record in output["records"]]
    assert output["hasMore"] is False


@pytest.mark.usefixtures("log")
def test_a_limit(run: Callable[..., CommandResult]) -> None:
    """The latest records are kept; that there are older ones is said on standard error, or in the JSON."""
    result = run("audit", "show", ORGANIZATION, "--limit", "2")

    assert 0 == result.code
    assert ["demo-admin", "demo-member"] == [line.split()[3] for line in result.output.splitlines()]
    assert "There are older records; --limit shows more than 2.\n" == result.errors
    assert run("audit", "show", ORGANIZATION, "--limit", "2", "--json").json("audit-records")["hasMore"]


@pytest.mark.usefixtures("table")
def test_an_empty_log(run: Callable[..., CommandResult]) -> None:
    """An empty log is not an error; a missing organization is."""
    assert "No records.\n" == run("audit", "show", ORGANIZATION).text()
    assert "there is no organization org_2abc" == run("audit", "show", "org_2abc").failure(ExitCode.NOT_FOUND)


def test_new_records_are_followed_until_ctrl_c(
    log: Table,
    run: Callable[..., CommandResult],
    monkeypatch: pytest.MonkeyPatch,
    stop_clock: Callable[[str], datetime],
) -> None:
    """GIVEN --follow and --json WHEN a record is written THEN it is printed as one line of its own schema."""
    slept: list[float] = []

    def meanwhile(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) > 1:
            raise KeyboardInterrupt
        later = "2030-01-31T12:00:01.000Z"
        (item, *_) = [item for item in log.under("AUDIT#") if item["target_id"] == "demo-member"]
        record_id = "01ba05c5-4be8-7000-8000-000000000000"
        log.put(**item | {"sk": f"AUDIT#{record_id}", "target_id": "new", "created_at": later, "received_at": later})
        stop_clock(later)

    monkeypatch.setattr("time.sleep", meanwhile)

    result = run("audit", "show", ORGANIZATION, "--follow", "--limit", "1", "--json")

    records = [json.loads(line) for line in result.output.splitlines()]
    for record in records:
        jsonschema.validate(record, SCHEMAS["audit-record"], format_checker=jsonschema.FormatChecker())
    assert ["demo-member", "new"] == [record["targetId"] for record in records]
    assert ExitCode.STOPPED == result.code
    assert "keywright-admin: stopped\n" == result.errors
