"""Output on a terminal of 80 columns, and without a terminal."""

from __future__ import annotations

import io
import json
import os
import re
from datetime import timedelta
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from rich.cells import cell_len

from keywright import clock
from keywright.domain.audit_event import AuditEvent
from keywright.domain.limits import Period, Quota, RateLimit
from keywright.domain.organization_state import OrganizationChange
from keywright.ids import organization_uuid
from keywright.organizations.apply import ProviderEvent, apply
from keywright_admin.command_line import main
from keywright_admin.terminal import Column, print_fields, print_table
from local.demo import ACTIVE_ORGANIZATION_ID
from tests.support.environment import new_container
from tests.support.world import nth_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.command_result import CommandResult
    from tests.support.world import Table, World

ORGANIZATION = ACTIVE_ORGANIZATION_ID
USER = "auth0|64f1c0ffee64f1c0ffee64f1"
LONG = "Nightly export of all reports to the accounting department, do not delete"
WIDE = "経理部への毎晩のレポート出力、削除しないでください、お願いします、本当に"
NAMES = ["CI", LONG, WIDE, "Ключ для выгрузки отчётов в бухгалтерию каждую ночь", "e\u0301" * 60, "👩‍💻 laptop"]
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@pytest.fixture
def screen(table: Table, run: object, monkeypatch: pytest.MonkeyPatch) -> Table:
    """Return a table with names and ids of every length; the terminal has 80 columns."""
    del run  # it removes COLUMNS of the terminal in which the tests run
    for number, name in enumerate(NAMES):
        organization_id = nth_id(100 + number)
        pending = {"pending_deletion_at": "2030-01-01T00:00:00.000Z"} if number % 2 else {}
        limits = {
            "rate_limit": RateLimit(10_000, 3600, 9_999).stored(),
            "quota": Quota(10**12, Period.MONTH).stored(),
            "usage_plan_key": "k" * 128,
        }
        created = {"created_at": "2026-01-01T00:00:00.000Z"}
        table.put(pk=f"ORG#{organization_id}", sk="ORG", name=name, **created, **pending, **limits)
        table.put_key(nth_id(number), ORGANIZATION, name=name, created_by=USER, hint=f"kk_...{number:04}")
        table.put_usage(nth_id(number), ORGANIZATION)
    table.put_member(USER, "member", ORGANIZATION, suspended_at="2026-01-01T00:00:00.000Z")
    monkeypatch.setenv("COLUMNS", "80")
    return table


COMMANDS = [
    ["organizations", "list"],
    ["organizations", "show", ORGANIZATION],
    ["organizations", "show", nth_id(101)],
    ["members", "list", ORGANIZATION],
    ["keys", "list", ORGANIZATION],
    *(["keys", "show", ORGANIZATION, nth_id(number)] for number in range(len(NAMES))),
    ["audit", "show", ORGANIZATION],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_no_line_is_wider_than_the_terminal(
    screen: Table, run: Callable[..., CommandResult], arguments: list[str]
) -> None:
    """Every line of every list fits into 80 columns, with any names stored."""
    screen.put_key(nth_id(50), ORGANIZATION)
    run("keys", "disable", ORGANIZATION, nth_id(50)).text()

    lines = run(*arguments).text().splitlines()

    # A name without spaces, and a text that takes as many columns as it has characters, are the terminal's to wrap.
    assert [] == [line for line in lines if cell_len(line) > 80 and WIDE not in line and "e\u0301" not in line]


def test_a_leaked_key_fits_into_the_terminal(screen: Table, run: Callable[..., CommandResult]) -> None:
    """The longest state is whole beside the longest names; the address of a leak is whole on its line."""
    url = "https://github.com/acme/a-repository-with-a-long-name/blob/3f2a9c1d5e6b7a8c9d0e1f2a3b4c5d6e7f8a9b0c/.env"
    leak = json.dumps({"generation": 0, "reportedAt": "2026-01-02T13:00:00.000Z", "source": "github", "url": url})
    screen.put_key(nth_id(50), ORGANIZATION, name=LONG, enabled=False, leak=leak)

    listed = run("keys", "list", ORGANIZATION).text().splitlines()
    shown = run("keys", "show", ORGANIZATION, nth_id(50)).text().splitlines()

    assert [] == [line for line in listed if cell_len(line) > 80]
    assert "disabled, leaked  kk_...wxyz" in listed[2]
    assert [url] == [line.strip() for line in shown if cell_len(line) > 80]


@pytest.mark.parametrize("columns", ["20", "60", "80", "100", "200"])
def test_ids_never_break(
    screen: Table, run: Callable[..., CommandResult], monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    """An id is whole and on one line at every width, and rows have one line each."""
    del screen
    monkeypatch.setenv("COLUMNS", columns)

    keys = run("keys", "list", ORGANIZATION).text().splitlines()[2:]
    organizations = run("organizations", "list").text().splitlines()[2:]

    assert [nth_id(number) for number in reversed(range(len(NAMES)))] == [_UUID.findall(line)[0] for line in keys]
    assert 2 + len(NAMES) == len(organizations) == sum(len(_UUID.findall(line)) for line in organizations)
    assert USER in run("members", "list", ORGANIZATION).text()


def headings(text: str) -> list[str]:
    """Return the headings of a table."""
    return re.split(r" {2,}", text.splitlines()[0])


def test_wide_terminals_show_more(
    screen: Table, run: Callable[..., CommandResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 80 columns there is what identifies a key, at 200 everything; without a terminal nothing is cut off."""
    del screen
    narrow = run("keys", "list", ORGANIZATION).text()
    monkeypatch.setenv("COLUMNS", "200")
    wide = run("keys", "list", ORGANIZATION).text()
    monkeypatch.delenv("COLUMNS")
    piped = run("keys", "list", ORGANIZATION).text()

    assert ["id", "name", "state", "hint"] == headings(narrow)
    everything = ["id", "name", "state", "hint", "last used", "requests", "created by", "created", "expires"]
    assert everything == headings(wide) == headings(piped)
    assert LONG not in narrow
    assert "Nightly export" in narrow
    assert LONG in piped
    assert "\N{HORIZONTAL ELLIPSIS}" in narrow
    assert "\N{HORIZONTAL ELLIPSIS}" not in piped


def test_columns_are_aligned(screen: Table, run: Callable[..., CommandResult]) -> None:
    """Columns begin at the same place in every row, also after names of wide characters."""
    del screen

    header, _, *rows = run("keys", "list", ORGANIZATION).text().splitlines()

    assert {cell_len(header.partition("hint")[0])} == {cell_len(row[: row.index("kk_...")]) for row in rows}


def test_a_record_is_a_block_on_a_terminal(screen: Table, run: Callable[..., CommandResult]) -> None:
    """A record of the audit log has a heading and indented lines."""
    del screen
    run("keys", "disable", ORGANIZATION, nth_id(0)).text()

    heading, *lines = run("audit", "show", ORGANIZATION).text().splitlines()

    assert heading.endswith("Z  api_key.updated")
    assert [
        f"    api_key {nth_id(0)}",
        '    by operator arn:aws:sts::123456789012:user/moto "moto"',
        "    enabled: true -> false",
    ] == lines


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["organizations", "list"], "No organizations.\n"),
        (["members", "list", nth_id(1)], "No members.\n"),
        (["keys", "list", nth_id(1)], "No keys.\n"),
    ],
)
def test_empty_lists(table: Table, run: Callable[..., CommandResult], arguments: list[str], text: str) -> None:
    """An empty list is a sentence, not a heading without rows."""
    for item in table.items():
        table.client.delete_item(TableName=table.name, Key={"pk": {"S": item["pk"]}, "sk": {"S": item["sk"]}})
    if arguments[0] != "organizations":
        table.put_organization(nth_id(1))

    assert text == run(*arguments).text()


@pytest.mark.deep
def test_a_thousand_rows(table: Table, run: Callable[..., CommandResult], monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand keys are a thousand rows of one width."""
    for number in range(1000):
        table.put_key(nth_id(number), ORGANIZATION, name=f"key {number}", hint="kk_...wxyz")
    monkeypatch.setenv("COLUMNS", "80")

    rows = run("keys", "list", ORGANIZATION).text().splitlines()[2:]

    assert [f"key {number}" for number in reversed(range(1000))] == [row[38:46].strip() for row in rows]
    assert 1 == len({row.index("kk_...") for row in rows})


def test_a_state_is_shown_instead_of_its_parts(table: Table, run: Callable[..., CommandResult]) -> None:
    """An expired key is expired even if it is enabled."""
    table.put_key(nth_id(0), ORGANIZATION)
    table.put_key(nth_id(1), ORGANIZATION, enabled=False)
    table.put_key(nth_id(2), ORGANIZATION, expires_at="2020-01-01T00:00:00.000Z")

    rows = run("keys", "list", ORGANIZATION).text().splitlines()[2:]

    assert ["expired", "disabled", "active"] == [row.split()[2] for row in rows]


def test_a_terminal_without_unicode(screen: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that the terminal cannot show is escaped; the command does not fail."""
    del screen
    output = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(output, "ascii", write_through=True))
    new_container()

    with mock.patch.dict(os.environ):
        code = main(["keys", "list", ORGANIZATION])

    assert 0 == code
    assert b"\\u041a\\u043b\\u044e\\u0447" in output.getvalue()


def test_names_of_the_identity_provider_are_listed(world: World, run: Callable[..., CommandResult]) -> None:
    """An organization has the name that the provider's latest event gave it, and "-" before the first."""
    named, unnamed = (organization_uuid(name) for name in ("org_1", "org_2"))
    for number, organization_id, change in (
        (1, named, OrganizationChange(AuditEvent.ORGANIZATION_CREATED, "Acme")),
        (2, named, OrganizationChange(AuditEvent.ORGANIZATION_UPDATED, "Acme Ltd")),
        (3, unnamed, OrganizationChange(AuditEvent.ORGANIZATION_DELETION_REQUESTED)),
    ):
        at = clock.now() - timedelta(minutes=9 - number)
        apply(ProviderEvent("provider", str(number), at, organization_id, change))
    del world

    rows = run("organizations", "list").text().splitlines()[2:]

    names = {row.split("  ")[0]: row.split("  ")[1].strip() for row in rows}
    assert {str(named): "Acme Ltd", str(unnamed): "-"} == names


def test_a_row_has_a_cell_for_each_column() -> None:
    """A row that has lost a cell is an error, not a shifted row."""
    with pytest.raises(ValueError, match="zip"):
        print_table([Column("id"), Column("name")], [["1"]], "Nothing.")


def test_fields_are_wrapped_between_words(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A value continues under its beginning; a word is never broken."""
    monkeypatch.setenv("COLUMNS", "40")

    print_fields([("id", "x" * 60), ("permissions", [f"resource{number}:read" for number in range(3)]), ("none", [])])

    assert [
        f"id           {'x' * 60}",
        "permissions  resource0:read,",
        "             resource1:read,",
        "             resource2:read",
        "none         -",
    ] == capsys.readouterr().out.splitlines()
