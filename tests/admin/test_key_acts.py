"""Disabling, enabling and rotating keys, and repeated acts."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from keywright.keys.verification import verify
from keywright_admin.failures import ExitCode
from local.demo import ACTIVE_ORGANIZATION_ID
from tests.support.world import KEY_ID, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.command_result import CommandResult
    from tests.support.world import Table

ORGANIZATION = ACTIVE_ORGANIZATION_ID


@pytest.fixture
def key(table: Table) -> Table:
    """Return the table with a key."""
    table.put_key(organization_id=ORGANIZATION)
    return table


def test_a_key_is_disabled_and_enabled(key: Table, run: Callable[..., CommandResult]) -> None:
    """Each act is reported in one sentence; the second time nothing is written and the exit code is 0."""
    texts = [
        run("keys", act, ORGANIZATION, KEY_ID).text() for act in ("enable", "disable", "disable", "enable", "enable")
    ]

    assert [
        f"{KEY_ID} is already enabled.\n",
        f"Disabled {KEY_ID}.\n",
        f"{KEY_ID} is already disabled.\n",
        f"Enabled {KEY_ID}.\n",
        f"{KEY_ID} is already enabled.\n",
    ] == texts
    assert 2 == len(key.under("AUDIT#"))


def test_a_changed_key_as_json(key: Table, run: Callable[..., CommandResult]) -> None:
    """The output says whether something changed, and shows the key."""
    del key

    first, second = (run("keys", "disable", ORGANIZATION, KEY_ID, "--json").json("changed-key") for _ in range(2))

    assert True is first["changed"]
    assert False is second["changed"]
    assert ORGANIZATION == first["organizationId"]
    assert KEY_ID == first["key"]["id"]
    assert False is first["key"]["enabled"]


LEAK = '{"generation":0,"reportedAt":"2026-01-02T13:00:00.000Z","source":"github","url":"https://example.com/1"}'


def test_a_leaked_key_is_not_enabled(key: Table, run: Callable[..., CommandResult]) -> None:
    """A key that was reported as leaked stays disabled: the message has the remedies, and nothing is written."""
    key.put_key(organization_id=ORGANIZATION, enabled=False, leak=LEAK)
    before = key.items()

    line = run("keys", "enable", ORGANIZATION, KEY_ID).failure(ExitCode.REFUSED)

    assert (f"{KEY_ID} was reported as leaked: rotate it without a grace period first, or pass --clear-leak") == line
    assert before == key.items()


@pytest.mark.parametrize("enabled", [False, True])
def test_the_report_of_a_leak_is_cleared(key: Table, run: Callable[..., CommandResult], enabled: bool) -> None:  # noqa: FBT001 - a case
    """--clear-leak enables the key and clears the report, also of a key that is enabled; the second time nothing."""
    key.put_key(organization_id=ORGANIZATION, enabled=enabled, leak=LEAK)
    texts = [run("keys", "enable", ORGANIZATION, KEY_ID, "--clear-leak").text() for _ in range(2)]

    item = key.item(f"KEY#{KEY_ID}", ORGANIZATION)
    assert [f"Enabled {KEY_ID}.\n", f"{KEY_ID} is already enabled.\n"] == texts
    assert item["enabled"]
    assert "leak" not in item


def test_a_rotation_lets_a_leaked_key_be_enabled(key: Table, run: Callable[..., CommandResult]) -> None:
    """Without a grace period, a rotation clears the report."""
    key.put_key(organization_id=ORGANIZATION, enabled=False, leak=LEAK)
    run("keys", "rotate", ORGANIZATION, KEY_ID, "--yes", "--reason", "compromised").text()

    assert f"Enabled {KEY_ID}.\n" == run("keys", "enable", ORGANIZATION, KEY_ID).text()


@pytest.mark.parametrize(
    ("arguments", "event"),
    [
        (["disable", ORGANIZATION, KEY_ID], "api_key.updated"),
        (["rotate", ORGANIZATION, KEY_ID, "--yes"], "api_key.rotated"),
        (["revoke", ORGANIZATION, KEY_ID, "--yes"], "api_key.deleted"),
        (["revoke", ORGANIZATION, "--all", "--yes"], "api_key.deleted"),
    ],
    ids=["disable", "rotate", "revoke", "revoke all"],
)
def test_a_reason_is_in_the_audit_log(
    key: Table, run: Callable[..., CommandResult], arguments: list[str], event: str
) -> None:
    """--reason is kept in the audit record, which shows it as text and as JSON."""
    del key
    run("keys", *arguments, "--reason", "no_longer_used").text()

    (record,) = run("audit", "show", ORGANIZATION, "--json").json("audit-records")["records"]
    assert event == record["event"]
    assert "no_longer_used" == record["reason"]
    assert "  reason: no_longer_used" in run("audit", "show", ORGANIZATION).text()


@pytest.mark.parametrize("act", [["disable"], ["rotate", "--yes"], ["revoke", "--yes"]], ids=lambda act: act[0])
def test_another_reason(key: Table, run: Callable[..., CommandResult], act: list[str]) -> None:
    """A reason that there is not is an error of usage, which lists the reasons."""
    before = key.items()

    line = run("keys", act[0], ORGANIZATION, KEY_ID, *act[1:], "--reason", "leaked").failure(ExitCode.USAGE)

    assert "no_longer_used" in line
    assert before == key.items()


def test_a_rotated_key_is_shown_once(key: Table, run: Callable[..., CommandResult]) -> None:
    """The new text is the last line, and verifies."""
    lines = run("keys", "rotate", ORGANIZATION, KEY_ID, "--yes").text().splitlines()

    assert [
        f"Rotated {KEY_ID}. The previous text works no longer.",
        "The new text, which is never shown again:",
    ] == lines[:2]
    assert "VALID" == verify(lines[2]).code
    assert 1 == key.item(f"KEY#{KEY_ID}", ORGANIZATION)["generation"]


def test_a_rotated_key_as_json(key: Table, run: Callable[..., CommandResult]) -> None:
    """With a grace period the previous text works until its end."""
    del key

    output = run("keys", "rotate", ORGANIZATION, KEY_ID, "--yes", "--grace-period", "60", "--json").json("rotated-key")

    assert "VALID" == verify(output["key"]).code
    assert output["previousKeyExpiresAt"] is not None


class Terminal(io.StringIO):
    """A terminal on standard input."""

    def isatty(self) -> bool:
        """Return true."""
        return True


def test_a_rotation_asks_first(key: Table, run: Callable[..., CommandResult], monkeypatch: pytest.MonkeyPatch) -> None:
    """The question names the key and when its text stops working."""
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    before = key.items()

    result = run("keys", "rotate", ORGANIZATION, KEY_ID)

    assert ExitCode.STOPPED == result.code
    assert result.errors.startswith(f"Replace the text of the key CI, {KEY_ID}, which stops working now? [y/N] ")
    assert before == key.items()


def test_a_rotation_hashes_as_the_deployment_does(
    key: Table, run: Callable[..., CommandResult], environment: pytest.MonkeyPatch
) -> None:
    """GIVEN a deployment set to HMAC-SHA-256 THEN the new text has such a hash, and verifies."""
    environment.setenv("KEY_HASH", "hmac-sha256")

    rotated = run("keys", "rotate", ORGANIZATION, KEY_ID, "--yes").text().splitlines()[-1]

    assert key.item(f"KEY#{KEY_ID}", ORGANIZATION)["hash"].startswith("$hmac-sha256$")
    assert "VALID" == verify(rotated).code


@pytest.mark.parametrize("name", ["KEY_HASH", "ARGON2_MEMORY_KIB"])
def test_a_rotation_without_the_settings_of_hashes(
    key: Table, run: Callable[..., CommandResult], environment: pytest.MonkeyPatch, name: str
) -> None:
    """A missing setting is named, and no hash is chosen in its place: nothing is written."""
    environment.delenv(name)
    before = key.items()

    line = run("keys", "rotate", ORGANIZATION, KEY_ID, "--yes").failure(ExitCode.USAGE)

    assert f"the environment variable {name} is not set" == line
    assert before == key.items()


def test_a_rotation_without_the_pepper(
    key: Table, run: Callable[..., CommandResult], environment: pytest.MonkeyPatch
) -> None:
    """A table that was named without its stack has no pepper: the message names the setting, nothing is written."""
    environment.delenv("PEPPER_SECRET_ID")
    before = key.items()

    line = run("keys", "rotate", ORGANIZATION, KEY_ID, "--yes").failure(ExitCode.USAGE)

    assert "the environment variable PEPPER_SECRET_ID is not set" == line
    assert before == key.items()


REPEATED = [
    (["keys", "revoke", ORGANIZATION, KEY_ID, "--yes"], f"{KEY_ID} was deleted before."),
    (["members", "add", ORGANIZATION, "ada", "--role", "admin"], "ada is a member already, with the role admin."),
    (["members", "remove", ORGANIZATION, "demo-admin", "--yes"], "demo-admin was removed before."),
    (
        ["organizations", "create", "0ca8f1f6-6df4-4f0c-9d5e-3d1d6f5a7b11", "--name", "Acme", "--owner", "ada"],
        "Organization 0ca8f1f6-6df4-4f0c-9d5e-3d1d6f5a7b11 exists, with the owner ada.",
    ),
]


@pytest.mark.parametrize(("arguments", "text"), REPEATED, ids=[" ".join(case[0][:2]) for case in REPEATED])
def test_a_repeated_act_changes_nothing(
    key: Table, run: Callable[..., CommandResult], arguments: list[str], text: str
) -> None:
    """The second time, the output says that there is nothing to do, and the exit code is 0."""
    run(*arguments).text()
    before = key.items()

    assert f"{text}\n" == run(*arguments).text()
    assert 0 == run(*arguments, "--json").code
    assert before == key.items()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--name", "Other", "--owner", "ada"], "organization org_2abc exists already"),
        (["--name", "Acme", "--owner", "bob"], "organization org_2abc exists already"),
    ],
)
def test_another_creation_is_refused(
    key: Table, run: Callable[..., CommandResult], arguments: list[str], line: str
) -> None:
    """An organization with another name or owner is not taken for the repeated one; the message has what was typed."""
    run("organizations", "create", "org_2abc", "--name", "Acme", "--owner", "ada").text()
    before = key.items()

    assert line == run("organizations", "create", "org_2abc", *arguments).failure(ExitCode.REFUSED)
    assert before == key.items()


@pytest.mark.parametrize("act", [["show"], ["disable"], ["enable"], ["rotate", "--yes"], ["revoke", "--yes"]])
def test_errors_name_what_was_typed(key: Table, run: Callable[..., CommandResult], act: list[str]) -> None:
    """A missing key is named with the organization as it was typed."""
    run("organizations", "create", "org_2abc", "--name", "Acme", "--owner", "ada").text()
    before = key.items()

    line = run("keys", act[0], "org_2abc", nth_id(9), *act[1:]).failure(ExitCode.NOT_FOUND)

    assert f"organization org_2abc has no API key {nth_id(9)}" == line
    assert before == key.items()


def test_a_purged_organization_is_named_as_typed(key: Table, run: Callable[..., CommandResult]) -> None:
    """The name of a purged organization cannot be used again, and is not replaced by its id."""
    run("organizations", "create", "org_2abc", "--name", "Acme", "--owner", "ada").text()
    (item,) = [item for item in key.items() if item["sk"] == "ORG" and item["name"] == "Acme"]
    key.put(pk=item["pk"].replace("ORG#", "PURGED#"), sk="PURGED")

    line = run("organizations", "rename", "org_2abc", "New").failure(ExitCode.REFUSED)

    assert "organization org_2abc was deleted for good, and cannot come back" == line
