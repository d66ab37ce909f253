"""`keys`: looking at them, and ending them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from keywright.operators import administration
from keywright.store import api_keys
from local.demo import ACTIVE_ORGANIZATION_ID, FROZEN_ORGANIZATION_ID
from tests import faults
from tests.world import KEY_ID, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.admin.conftest import Ended
    from tests.world import Table

EITHER = pytest.mark.parametrize("organization_id", [ACTIVE_ORGANIZATION_ID, FROZEN_ORGANIZATION_ID])


@pytest.fixture
def keys(table: Table) -> Table:
    """In each organization two keys of ada's and one of bob's."""
    for organization_id in (ACTIVE_ORGANIZATION_ID, FROZEN_ORGANIZATION_ID):
        for number, user_id in enumerate(["ada", "bob", "ada"]):
            table.put_key(nth_id(number), organization_id, created_by=user_id)
    return table


def ids(table: Table, organization_id: str) -> list[str]:
    """List the keys of an organization from the table."""
    return [item["sk"].removeprefix("KEY#") for item in table.under("KEY#") if item["pk"] == f"ORG#{organization_id}"]


@EITHER
def test_keys_are_listed(keys: Table, run: Callable[..., Ended], organization_id: str) -> None:
    """Newest first, as the API shows them; nothing of a hash."""
    keys.put_usage(nth_id(1), organization_id)

    ended = run("keys", "list", organization_id, "--json")

    found = ended.answered("keys")["keys"]
    assert [(nth_id(2), "ada", 0), (nth_id(1), "bob", 42), (nth_id(0), "ada", 0)] == [
        (key["id"], key["createdBy"], key["requestCount"]) for key in found
    ]
    assert "argon2" not in ended.output


@EITHER
@pytest.mark.usefixtures("keys")
def test_keys_of_one_maker_are_listed(run: Callable[..., Ended], organization_id: str) -> None:
    """For a look before they are revoked."""
    found = run("keys", "list", organization_id, "--created-by", "ada", "--json").answered("keys")["keys"]

    assert [nth_id(2), nth_id(0)] == [key["id"] for key in found]


@pytest.mark.usefixtures("keys")
def test_keys_are_listed_for_people(run: Callable[..., Ended]) -> None:
    """A line for each."""
    lines = run("keys", "list", ACTIVE_ORGANIZATION_ID).said().splitlines()

    assert [nth_id(2), nth_id(1), nth_id(0)] == [line.split()[0] for line in lines[2:]]


@EITHER
def test_a_key_is_shown(keys: Table, run: Callable[..., Ended], organization_id: str) -> None:
    """With everything that may be told of it."""
    keys.put_key(KEY_ID, organization_id, expires_at="2030-01-01T00:00:00.000Z")

    ended = run("keys", "show", organization_id, KEY_ID, "--json")

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
        "previousKeyExpiresAt": None,
        "lastUsedAt": None,
        "requestCount": 0,
    } == ended.answered("key")
    sheet = run("keys", "show", organization_id, KEY_ID).said()
    assert "permissions           sessions:read\n" in sheet
    assert 'metadata              {"plan": "pro"}\n' in sheet


@EITHER
def test_one_key_is_revoked(keys: Table, run: Callable[..., Ended], organization_id: str) -> None:
    """It alone; also in an organization that is scheduled for deletion."""
    answer = run("keys", "revoke", organization_id, nth_id(1), "--yes", "--json").answered("revoked-keys")

    assert {"organizationId": organization_id, "revoked": [nth_id(1)]} == answer
    assert [nth_id(0), nth_id(2)] == ids(keys, organization_id)
    assert 5 == len(keys.under("KEY#"))
    (record,) = keys.under("AUDIT#")
    assert ("api_key.deleted", nth_id(1), "operator") == (record["event"], record["target_id"], record["actor_type"])


@EITHER
@pytest.mark.parametrize(
    ("which", "left", "said"),
    [
        (["--all"], [], "3 keys are deleted.\n"),
        (["--created-by", "ada"], [nth_id(1)], "2 keys are deleted.\n"),
        (["--created-by", "bob"], [nth_id(0), nth_id(2)], "The key is deleted.\n"),
        (["--created-by", "eve"], [nth_id(0), nth_id(1), nth_id(2)], "No keys are deleted.\n"),
    ],
)
def test_several_keys_are_revoked(  # noqa: PLR0913, PLR0917 - a row of the table above
    keys: Table, run: Callable[..., Ended], organization_id: str, which: list[str], left: list[str], said: str
) -> None:
    """All of the organization, or all that somebody made; nobody else's."""
    assert said == run("keys", "revoke", organization_id, *which, "--yes").said()

    assert left == ids(keys, organization_id)
    assert 3 + len(left) == len(keys.under("KEY#"))
    assert 3 - len(left) == len(keys.under("AUDIT#"))


def test_a_program_learns_which_keys_are_gone(keys: Table, run: Callable[..., Ended]) -> None:
    """And that there were none the second time."""
    arguments = ["keys", "revoke", ACTIVE_ORGANIZATION_ID, "--created-by", "ada", "-y", "--json"]

    assert [nth_id(0), nth_id(2)] == sorted(run(*arguments).answered("revoked-keys")["revoked"])
    assert [] == run(*arguments).answered("revoked-keys")["revoked"]
    assert 4 == len(keys.under("KEY#"))


@pytest.mark.parametrize("command", [["show"], ["revoke", "--yes"]])
def test_a_key_that_is_not_there(keys: Table, run: Callable[..., Ended], command: list[str]) -> None:
    """Another organization's is the same."""
    keys.put_key(nth_id(7), FROZEN_ORGANIZATION_ID)
    before = keys.items()
    name, *options = command

    line = run("keys", name, ACTIVE_ORGANIZATION_ID, nth_id(7), *options, "--json").failed(3)

    assert "there is no such API key in this organization" == line
    assert before == keys.items()


@pytest.mark.parametrize("command", [["list"], ["revoke", "--all", "--yes"]])
def test_an_organization_that_is_not_there(keys: Table, run: Callable[..., Ended], command: list[str]) -> None:
    """A mistyped one has no keys, but that is not the answer."""
    before = keys.items()
    name, *options = command

    assert run("keys", name, "org_2abc", *options).failed(3).startswith("there is no organization ")
    assert before == keys.items()


def test_what_was_done_before_a_failure_is_told(
    keys: Table, run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it is known that the command has to be repeated; then it ends the rest."""
    revoke = administration.revoke_keys

    def interrupted(*arguments: Any) -> Any:
        yield next(revoke(*arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr(administration, "revoke_keys", interrupted)
    ended = run("keys", "revoke", ACTIVE_ORGANIZATION_ID, "--all", "--yes", "--json")
    monkeypatch.undo()

    assert (130, "") == (ended.code, ended.output)
    assert [
        "keywright-admin: 1 of 3 keys were deleted before this; run it again for the rest",
        "keywright-admin: stopped",
    ] == ended.errors.splitlines()
    assert 2 == len(ids(keys, ACTIVE_ORGANIZATION_ID))


def test_a_key_that_others_change_all_the_while(
    keys: Table, run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is one line, like everything else that is refused."""

    def overtaken(*_: object) -> None:
        raise api_keys.ChangedMeanwhileError

    monkeypatch.setattr(administration, "_revoke", overtaken)

    line = run("keys", "revoke", ACTIVE_ORGANIZATION_ID, nth_id(0), "--yes").failed(4)

    assert "the API key was changed by somebody else at the same time" == line
    assert 3 == len(ids(keys, ACTIVE_ORGANIZATION_ID))


def test_dynamodb_that_does_not_recover_is_one_line(
    keys: Table, run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what has to be known: that it may have been done."""
    revoke = administration.revoke_key

    def unanswered(*arguments: Any) -> None:
        with faults.injected(*[faults.error("ThrottlingException")] * 100):
            revoke(*arguments)

    monkeypatch.setattr(administration, "revoke_key", unanswered)

    line = run("keys", "revoke", ACTIVE_ORGANIZATION_ID, nth_id(0), "--yes").failed(6)

    assert line.startswith("AWS did not answer: ")
    assert line.endswith("; a change that was being made may have been made")
    assert 3 == len(ids(keys, ACTIVE_ORGANIZATION_ID))
