"""The commands of `keys`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from keywright.operators import keys as operator_keys
from keywright.store.table import Conflict
from local.demo import ACTIVE_ORGANIZATION_ID, FROZEN_ORGANIZATION_ID
from tests.support import faults
from tests.support.world import KEY_ID, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.command_result import CommandResult
    from tests.support.world import Table

EITHER = pytest.mark.parametrize("organization_id", [ACTIVE_ORGANIZATION_ID, FROZEN_ORGANIZATION_ID])


@pytest.fixture
def keys(table: Table) -> Table:
    """Return the table with two keys of ada and one of bob in each organization."""
    for organization_id in (ACTIVE_ORGANIZATION_ID, FROZEN_ORGANIZATION_ID):
        for number, user_id in enumerate(["ada", "bob", "ada"]):
            table.put_key(nth_id(number), organization_id, created_by=user_id)
    return table


def ids(table: Table, organization_id: str) -> list[str]:
    """Return the key ids of an organization from the table."""
    return [item["sk"].removeprefix("KEY#") for item in table.under("KEY#") if item["pk"] == f"ORG#{organization_id}"]


@EITHER
def test_keys_are_listed(keys: Table, run: Callable[..., CommandResult], organization_id: str) -> None:
    """Keys are listed newest first, as the API shows them, without the hash."""
    keys.put_usage(nth_id(1), organization_id)

    result = run("keys", "list", organization_id, "--json")

    listed = result.json("keys")["keys"]
    assert [(nth_id(2), "ada", 0), (nth_id(1), "bob", 42), (nth_id(0), "ada", 0)] == [
        (key["id"], key["createdBy"], key["requestCount"]) for key in listed
    ]
    assert "argon2" not in result.output


EXPIRIES = [
    ("2030-01-31T13:00:00Z", [1, 0]),
    ("2030-02-01", [1, 0]),
    ("1h", [0]),
    ("3601s", [1, 0]),
    ("30d", [1, 0]),
    ("2029-01-01", []),
]


@pytest.mark.parametrize(("time", "numbers"), EXPIRIES, ids=[case[0] for case in EXPIRIES])
def test_keys_that_expire_soon_are_listed(
    keys: Table,
    run: Callable[..., CommandResult],
    stop_clock: Callable[[str], object],
    time: str,
    numbers: list[int],
) -> None:
    """--expires-before lists the keys that expire before a time or have expired; a span is from now on."""
    stop_clock("2030-01-31T11:00:00.000Z")
    keys.put_key(nth_id(0), ACTIVE_ORGANIZATION_ID, expires_at="2030-01-01T00:00:00.000Z")
    keys.put_key(nth_id(1), ACTIVE_ORGANIZATION_ID, expires_at="2030-01-31T12:00:00.000Z")

    listed = run("keys", "list", ACTIVE_ORGANIZATION_ID, "--expires-before", time, "--json").json("keys")["keys"]

    assert [nth_id(number) for number in numbers] == [key["id"] for key in listed]


@EITHER
@pytest.mark.usefixtures("keys")
def test_keys_of_one_user_are_listed(run: Callable[..., CommandResult], organization_id: str) -> None:
    """--created-by lists the keys of one user."""
    listed = run("keys", "list", organization_id, "--created-by", "ada", "--json").json("keys")["keys"]

    assert [nth_id(2), nth_id(0)] == [key["id"] for key in listed]


@pytest.mark.usefixtures("keys")
def test_keys_are_listed_as_a_table(run: Callable[..., CommandResult]) -> None:
    """Each key has a row."""
    lines = run("keys", "list", ACTIVE_ORGANIZATION_ID).text().splitlines()

    assert [nth_id(2), nth_id(1), nth_id(0)] == [line.split()[0] for line in lines[2:]]


@EITHER
def test_a_key_is_shown(keys: Table, run: Callable[..., CommandResult], organization_id: str) -> None:
    """A key is shown with all fields of the API, as JSON and as text."""
    keys.put_key(
        KEY_ID,
        organization_id,
        expires_at="2030-01-01T00:00:00.000Z",
        rate_limit='{"limit":60,"windowSeconds":30,"burst":10}',
        quota='{"limit":1000,"period":"month"}',
        allowed_ips=["192.0.2.0/24"],
        leak='{"generation":0,"reportedAt":"2026-01-02T13:00:00.000Z","source":"report","url":null}',
    )

    result = run("keys", "show", organization_id, KEY_ID, "--json")

    assert {
        "id": KEY_ID,
        "name": "CI",
        "enabled": True,
        "permissions": ["sessions:read"],
        "metadata": {"plan": "pro"},
        "hint": "kk_...wxyz",
        "createdBy": "user_9",
        "createdAt": "2026-01-02T03:04:05.678Z",
        "updatedAt": "2026-01-02T03:04:05.678Z",
        "expiresAt": "2030-01-01T00:00:00.000Z",
        "rateLimit": {"limit": 60, "windowSeconds": 30, "burst": 10},
        "quota": {"limit": 1000, "period": "month"},
        "allowedIps": ["192.0.2.0/24"],
        "leak": {"reportedAt": "2026-01-02T13:00:00.000Z", "source": "report", "url": None},
        "previousKeyExpiresAt": None,
        "previousKeyLastUsedAt": None,
        "lastUsedAt": None,
        "lastUsedIp": None,
        "requestCount": 0,
    } == result.json("key")
    text = run("keys", "show", organization_id, KEY_ID).text()
    assert "permissions              sessions:read\n" in text
    assert 'metadata                 {"plan": "pro"}\n' in text
    assert "rate limit               60 in 30 seconds, 10 at once\n" in text
    assert "quota                    1000 (month)\n" in text
    assert "allowed IPs              192.0.2.0/24\n" in text
    assert "leak                     reported at 2026-01-02T13:00:00.000Z (report)\n" in text


@pytest.mark.parametrize(
    ("attributes", "state"),
    [
        ({}, "active, leaked"),
        ({"enabled": False}, "disabled, leaked"),
        ({"expires_at": "2020-01-01T00:00:00.000Z"}, "expired, leaked"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_leak_is_listed(
    table: Table, run: Callable[..., CommandResult], attributes: dict[str, Any], state: str
) -> None:
    """The state of a key that was reported as leaked says so."""
    leak = '{"generation":0,"reportedAt":"2026-01-02T13:00:00.000Z","source":"github","url":"https://example.com/1"}'
    table.put_key(KEY_ID, ACTIVE_ORGANIZATION_ID, leak=leak, **attributes)

    assert f"{KEY_ID}  CI    {state}" in run("keys", "list", ACTIVE_ORGANIZATION_ID).text()
    shown = run("keys", "show", ACTIVE_ORGANIZATION_ID, KEY_ID).text()
    assert "reported at 2026-01-02T13:00:00.000Z (github), found at https://example.com/1\n" in shown


@EITHER
def test_one_key_is_revoked(keys: Table, run: Callable[..., CommandResult], organization_id: str) -> None:
    """Only the named key is deleted, also in an organization that is scheduled for deletion."""
    answer = run("keys", "revoke", organization_id, nth_id(1), "--yes", "--json").json("revoked-keys")

    assert {"organizationId": organization_id, "revoked": [nth_id(1)]} == answer
    assert [nth_id(0), nth_id(2)] == ids(keys, organization_id)
    assert 5 == len(keys.under("KEY#"))
    (record,) = keys.under("AUDIT#")
    assert "api_key.deleted" == record["event"]
    assert nth_id(1) == record["target_id"]
    assert "operator" == record["actor_type"]


@EITHER
@pytest.mark.parametrize(
    ("selection", "remaining", "text"),
    [
        (["--all"], [], "Deleted 3 keys.\n"),
        (["--created-by", "ada"], [nth_id(1)], "Deleted 2 keys.\n"),
        (["--created-by", "bob"], [nth_id(0), nth_id(2)], "Deleted 1 key.\n"),
        (["--created-by", "eve"], [nth_id(0), nth_id(1), nth_id(2)], "Deleted 0 keys.\n"),
    ],
)
def test_several_keys_are_revoked(  # noqa: PLR0913, PLR0917 - a row of the table
    keys: Table,
    run: Callable[..., CommandResult],
    organization_id: str,
    selection: list[str],
    remaining: list[str],
    text: str,
) -> None:
    """All keys of the organization, or all keys of one user, are deleted, and no others."""
    assert text == run("keys", "revoke", organization_id, *selection, "--yes").text()

    assert remaining == ids(keys, organization_id)
    assert 3 + len(remaining) == len(keys.under("KEY#"))
    assert 3 - len(remaining) == len(keys.under("AUDIT#"))


def test_revoked_keys_are_returned_as_json(keys: Table, run: Callable[..., CommandResult]) -> None:
    """The revoked keys are listed as JSON; the second time the list is empty."""
    arguments = ["keys", "revoke", ACTIVE_ORGANIZATION_ID, "--created-by", "ada", "-y", "--json"]

    assert [nth_id(0), nth_id(2)] == sorted(run(*arguments).json("revoked-keys")["revoked"])
    assert [] == run(*arguments).json("revoked-keys")["revoked"]
    assert 4 == len(keys.under("KEY#"))


@pytest.mark.parametrize("command", [["show"], ["revoke", "--yes"]])
def test_missing_key(keys: Table, run: Callable[..., CommandResult], command: list[str]) -> None:
    """A key of another organization is reported as missing."""
    keys.put_key(nth_id(7), FROZEN_ORGANIZATION_ID)
    before = keys.items()
    name, *options = command

    line = run("keys", name, ACTIVE_ORGANIZATION_ID, nth_id(7), *options, "--json").failure(3)

    assert f"organization {ACTIVE_ORGANIZATION_ID} has no API key {nth_id(7)}" == line
    assert before == keys.items()


@pytest.mark.parametrize("command", [["list"], ["revoke", "--all", "--yes"]])
def test_missing_organization(keys: Table, run: Callable[..., CommandResult], command: list[str]) -> None:
    """A mistyped organization is an error, not an empty list."""
    before = keys.items()
    name, *options = command

    assert run("keys", name, "org_2abc", *options).failure(3).startswith("there is no organization ")
    assert before == keys.items()


def test_an_interruption_reports_the_progress(
    keys: Table, run: Callable[..., CommandResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an interruption the operator learns how many keys are deleted, and to run the command again."""
    revoke = operator_keys.revoke_keys

    def interrupted(*arguments: Any) -> Any:
        yield next(revoke(*arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr(operator_keys, "revoke_keys", interrupted)
    result = run("keys", "revoke", ACTIVE_ORGANIZATION_ID, "--all", "--yes", "--json")
    monkeypatch.undo()

    assert 130 == result.code
    assert "" == result.output
    assert [
        "keywright-admin: deleted 1 of 3 keys before the failure; run the command again for the rest",
        "keywright-admin: stopped",
    ] == result.errors.splitlines()
    assert 2 == len(ids(keys, ACTIVE_ORGANIZATION_ID))


def test_lost_optimistic_locks(keys: Table, run: Callable[..., CommandResult], monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that always changes in between is refused with one line."""

    def overtaken(*_: object) -> None:
        raise Conflict

    monkeypatch.setattr(operator_keys, "_revoke", overtaken)

    line = run("keys", "revoke", ACTIVE_ORGANIZATION_ID, nth_id(0), "--yes").failure(4)

    assert "the resource was changed by another request at the same time" == line
    assert 3 == len(ids(keys, ACTIVE_ORGANIZATION_ID))


def test_unavailable_dynamodb(keys: Table, run: Callable[..., CommandResult], monkeypatch: pytest.MonkeyPatch) -> None:
    """If DynamoDB does not answer, one line says that the change may have been made."""
    revoke = operator_keys.revoke_key

    def unanswered(*arguments: Any) -> None:
        with faults.injected(*[faults.error("ThrottlingException")] * 100):
            revoke(*arguments)

    monkeypatch.setattr(operator_keys, "revoke_key", unanswered)

    line = run("keys", "revoke", ACTIVE_ORGANIZATION_ID, nth_id(0), "--yes").failure(6)

    assert line.startswith("AWS did not answer: ")
    assert line.endswith("; the change may have been made")
    assert 3 == len(ids(keys, ACTIVE_ORGANIZATION_ID))
