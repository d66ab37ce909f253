"""`organizations update`: limits of all keys of an organization together, and its usage plan key."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from local.demo import ACTIVE_ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.support.command_result import CommandResult
    from tests.support.world import Table

ORGANIZATION = ACTIVE_ORGANIZATION_ID
LIMIT = f"LIMIT#{ORGANIZATION}"
VALUE = "apikey1234abcdefghij0123456789"
OTHER_VALUE = "another_value_of_an_api_key_wxyz"


@pytest.fixture
def update(run: Callable[..., CommandResult]) -> Callable[..., dict[str, Any]]:
    """Return a function that updates the organization, and returns the output without id, name and times."""

    def updating(*options: str) -> dict[str, Any]:
        output = run("organizations", "update", ORGANIZATION, *options, "--json").json("changed-organization")
        settings = {name: output["organization"][name] for name in ("rateLimit", "quota", "usagePlanKey")}
        return {"changed": output["changed"], **settings}

    return updating


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that puts a text on standard input."""
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


def records(table: Table) -> list[dict[str, Any]]:
    """Return the changes of the organization in the audit log, in order."""
    items = table.under("AUDIT#")
    assert {"organization.updated"} >= {item["event"] for item in items}
    changes: list[dict[str, Any]] = [json.loads(item["changes"]) for item in items]
    return changes


def limits(table: Table) -> list[str]:
    """Return the partition keys of all items of limits."""
    return [item["pk"] for item in table.items() if item["pk"].startswith("LIMIT#")]


@pytest.mark.parametrize(
    ("text", "limit", "window_seconds", "burst", "shown"),
    [
        ("100/1s", 100, 1, 100, "100/1s"),
        ("100/60s,burst=20", 100, 60, 20, "100/60s,burst=20"),
        ("600/15m", 600, 900, 600, "600/900s"),
        ("10000/1h,burst=10000", 10_000, 3600, 10_000, "10000/3600s"),
        ("1/1s,burst=1", 1, 1, 1, "1/1s"),
    ],
)
def test_a_rate_limit_is_set(  # noqa: PLR0913, PLR0917 - a row of the table
    table: Table,
    run: Callable[..., CommandResult],
    text: str,
    limit: int,
    window_seconds: int,
    burst: int,
    shown: str,
) -> None:
    """A rate limit is stored as verifications read it, and shown as it can be typed again."""
    said = run("organizations", "update", ORGANIZATION, "--rate-limit", text).text()
    again = run("organizations", "update", ORGANIZATION, "--rate-limit", shown).text()

    assert f"Changed the organization: rate limit {shown}.\n" == said
    assert f"The organization already has rate limit {shown}.\n" == again
    stored = {"limit": limit, "windowSeconds": window_seconds, "burst": burst}
    assert stored == json.loads(table.item("ORG", ORGANIZATION)["rate_limit"])
    assert f"rate limit          {shown}" in run("organizations", "show", ORGANIZATION).text().splitlines()
    assert shown in run("organizations", "list").text()


@pytest.mark.parametrize("period", ["day", "week", "month", "total"])
def test_a_quota_is_set(table: Table, run: Callable[..., CommandResult], period: str) -> None:
    """A quota is stored as verifications read it, and shown as it was typed."""
    said = run("organizations", "update", ORGANIZATION, "--quota", f"10000/{period}").text()

    assert f"Changed the organization: quota 10000/{period}.\n" == said
    assert {"limit": 10_000, "period": period} == json.loads(table.item("ORG", ORGANIZATION)["quota"])
    assert f"quota               10000/{period}" in run("organizations", "show", ORGANIZATION).text().splitlines()
    assert f"10000/{period}" in run("organizations", "list").text()


def test_what_is_not_named_stays(table: Table, update: Callable[..., dict[str, Any]]) -> None:
    """GIVEN a rate limit WHEN a quota is set THEN both hold, and the record has the quota alone."""
    rate = {"limit": 5, "windowSeconds": 60, "burst": 5}
    quota = {"limit": 10, "period": "day"}

    assert {"changed": True, "rateLimit": rate, "quota": None, "usagePlanKey": None} == update("--rate-limit", "5/1m")
    assert {"changed": True, "rateLimit": rate, "quota": quota, "usagePlanKey": None} == update("--quota", "10/day")
    assert [
        {"before": {"rateLimit": None}, "after": {"rateLimit": rate}},
        {"before": {"quota": None}, "after": {"quota": quota}},
    ] == records(table)


def test_a_record_has_what_differs(table: Table, update: Callable[..., dict[str, Any]]) -> None:
    """GIVEN a rate limit WHEN it is set again, with a quota THEN only the quota is recorded."""
    update("--rate-limit", "5/60s")

    update("--rate-limit", "5/60s", "--quota", "10/day")

    assert {"before": {"quota": None}, "after": {"quota": {"limit": 10, "period": "day"}}} == records(table)[-1]


def test_a_repeated_update_changes_nothing(table: Table, update: Callable[..., dict[str, Any]]) -> None:
    """A second update with the same limits writes nothing, not even a record."""
    update("--rate-limit", "5/60s", "--quota", "10/day")
    before = table.items()

    assert not update("--rate-limit", "5/1m,burst=5", "--quota", "10/day")["changed"]
    assert before == table.items()


@pytest.mark.usefixtures("table")
def test_clearing_what_is_not_set(run: Callable[..., CommandResult]) -> None:
    """Clearing limits that are not set changes nothing, and says so."""
    said = run("organizations", "update", ORGANIZATION, "--rate-limit", "none", "--quota", "none").text()

    assert "The organization already has rate limit none, quota none.\n" == said


def test_uses_count_as_long_as_there_is_a_limit(
    table: Table, update: Callable[..., dict[str, Any]], stop_clock: Callable[[str], datetime]
) -> None:
    """The item of limits is written with the first limit, keeps what was used, and is deleted with the last."""
    stop_clock("2030-01-31T12:00:00.000Z")
    update("--rate-limit", "5/60s")
    assert [LIMIT] == limits(table)
    table.put(pk=LIMIT, sk="LIMIT", tat=7)

    update("--quota", "10/day")
    update("--rate-limit", "none")
    assert {"pk": LIMIT, "sk": "LIMIT", "tat": 7} in table.items()

    update("--quota", "none")
    assert [] == limits(table)
    assert not {"rate_limit", "quota"} & table.item("ORG", ORGANIZATION).keys()


def test_a_usage_plan_key_is_read_from_input(
    table: Table, update: Callable[..., dict[str, Any]], run: Callable[..., CommandResult], typed: Callable[[str], None]
) -> None:
    """The value is stored for the authorizer. Output and audit log have its last characters only; it is no limit."""
    typed(f"  {VALUE}\n")
    assert "...6789" == update("--usage-plan-key", "-")["usagePlanKey"]
    typed(OTHER_VALUE)
    said = run("organizations", "update", ORGANIZATION, "--usage-plan-key", "-").text()

    assert OTHER_VALUE == table.item("ORG", ORGANIZATION)["usage_plan_key"]
    assert "Changed the organization: usage plan key ...wxyz.\n" == said
    assert [
        {"before": {"usagePlanKey": None}, "after": {"usagePlanKey": "...6789"}},
        {"before": {"usagePlanKey": "...6789"}, "after": {"usagePlanKey": "...wxyz"}},
    ] == records(table)
    shown = run("organizations", "show", ORGANIZATION).text()
    assert "usage plan key      ...wxyz" in shown.splitlines()
    assert OTHER_VALUE not in shown + run("organizations", "list", "--json").output
    assert [] == limits(table)


def test_a_usage_plan_key_is_removed(
    table: Table, update: Callable[..., dict[str, Any]], typed: Callable[[str], None]
) -> None:
    """The key is removed without a value on standard input."""
    typed(VALUE)
    update("--usage-plan-key", "-")
    typed("")

    assert {"changed": True, "rateLimit": None, "quota": None, "usagePlanKey": None} == update(
        "--usage-plan-key", "none"
    )
    assert "usage_plan_key" not in table.item("ORG", ORGANIZATION)


@pytest.mark.parametrize("text", ["", "\n", "x" * 19, "x" * 129, "x" * 20 + " y", "ключ" * 5])
def test_another_text_is_no_usage_plan_key(
    table: Table, run: Callable[..., CommandResult], typed: Callable[[str], None], text: str
) -> None:
    """A text that API Gateway would refuse as a key is refused, and not repeated."""
    before = table.items()
    typed(text)

    line = run("organizations", "update", ORGANIZATION, "--usage-plan-key", "-").failure(2)

    assert (
        "standard input must have the value of an API key of API Gateway: 20 to 128 printable ASCII characters, "
        "without spaces"
    ) == line
    assert before == table.items()


MISTAKES = {
    "--rate-limit": (
        "100/day",
        (
            "a rate limit is 100/1s, 600/15m or 600/60s,burst=20: 1 to 10000 uses in 1s to 1h, of which at most "
            "`burst` at once; none removes it"
        ),
    ),
    "--quota": (
        "10000/hour",
        "a quota is 10000/month: 1 to 1000000000000 uses a day, week or month, or in total; none removes it",
    ),
    "--usage-plan-key": (
        VALUE,
        (
            "pass - and the value on standard input, not as an argument, which other users and your history see; "
            "none removes it"
        ),
    ),
}


@pytest.mark.parametrize("option", MISTAKES)
@pytest.mark.usefixtures("table")
def test_a_mistake_is_explained(run: Callable[..., CommandResult], option: str) -> None:
    """The error names the option and what it takes. It does not repeat a usage plan key."""
    text, remedy = MISTAKES[option]

    assert f"Invalid value for '{option}': {remedy}" == run(
        "organizations", "update", ORGANIZATION, option, text
    ).failure(2)


@pytest.mark.usefixtures("table")
def test_nothing_to_change(run: Callable[..., CommandResult]) -> None:
    """An update without an option is wrong usage."""
    line = run("organizations", "update", ORGANIZATION).failure(2)

    assert "nothing to change: pass --rate-limit, --quota or --usage-plan-key" == line
