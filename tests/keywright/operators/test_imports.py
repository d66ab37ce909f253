"""Importing keys: each exactly once, whatever happens meanwhile."""

from __future__ import annotations

import json
import random
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from keywright.aws.client import HttpClient
from keywright.domain import imported_text
from keywright.domain.imported_text import Algorithm
from keywright.domain.limits import Period, Quota, RateLimit
from keywright.errors import ServiceError
from keywright.keys.verification import verify
from keywright.operators import imports
from keywright.operators import keys as operator_keys
from keywright.operators.imports import Line, Result, Source
from keywright.operators.refusals import NotFoundError, RefusedError
from tests.support import faults
from tests.support.client import UNANSWERED
from tests.support.depth import size
from tests.support.imported_keys import FIELDS, KINDS, OPERATOR, ORGANIZATION, imported, new_text, run_import, source
from tests.support.one_at_a_time import OneAtATime
from tests.support.sample_keys import SampleKey
from tests.support.world import ORGANIZATION_ID, OTHER_ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from keywright.aws.client import Answer
    from tests.support.world import Table, World

WRITE = "TransactWriteItems"
OTHER = UUID(OTHER_ORGANIZATION_ID)
RACES = size("IMPORT_RACES", 10, full=40)


@pytest.fixture
def table(world: World, setting: Callable[[str, str], None]) -> Table:
    """A table with one organization, in a deployment that takes imported keys."""
    world.table.put_organization()
    setting("IMPORTED_KEYS", "on")
    return world.table


def many(number: int) -> list[Source]:
    """Return sources of every kind, with their lines."""
    return [source(new_text(), KINDS[line % 3], line) for line in range(2, number + 2)]


def results(lines: Sequence[Line]) -> list[Result]:
    """Return the results of lines."""
    return [line.result for line in lines]


# ---- What is written -------------------------------------------------------------------------------------------


def test_an_import_is_one_transaction(table: Table) -> None:
    """Key, usage, the item of its text and the audit record, on the condition that the organization is there."""
    with faults.injected() as operations:
        line = imported(new_text())

    assert [WRITE] == operations
    assert Result.CREATED is line.result
    kinds = [item["sk"].partition("#")[0] for item in table.items() if item["pk"] == f"ORG#{ORGANIZATION_ID}"]
    assert ["AUDIT", "KEY", "ORG", "USAGE"] == kinds
    (record,) = table.under("AUDIT#")
    assert "api_key.imported" == record["event"]
    assert "operator" == record["actor_type"]
    assert OPERATOR.id == record["actor_id"]
    assert str(line.key_id) == record["target_id"]
    changes = json.loads(record["changes"])
    assert changes["before"] is None
    expected = {"name": "CI", "enabled": True, "permissions": ["sessions:read"], "metadata": {"plan": "pro"}}
    assert expected.items() <= changes["after"].items()


def test_a_key_with_limits_has_their_item(table: Table) -> None:
    """As a key that was created with limits."""
    line = imported(new_text(), rate_limit=RateLimit(9, 9, 9), quota=Quota(1, Period.DAY))

    assert [f"LIMIT#{line.key_id}"] == [item["pk"] for item in table.items() if item["sk"] == "LIMIT"]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_that_is_stored_holds_the_text_or_an_unkeyed_hash(table: Table, kind: str) -> None:
    """GIVEN the table WHEN it is searched for the text and its hashes in hex and base64 THEN none is found."""
    text = new_text()
    imported(text, kind)

    stored = str(table.items()).lower()
    hashes = [imported_text.hash_of(text, each) for each in Algorithm]
    assert text.lower()[:-4] not in stored
    assert not any(each.hex()[:16] in stored for each in hashes)


def test_keys_are_listed_with_the_others(table: Table) -> None:
    """Created by the operator, unless the file says by whom."""
    del table
    imported(new_text(), created_by="user_7")
    text = new_text()
    imported(text)

    keys = list(operator_keys.list_keys(ORGANIZATION))

    assert [OPERATOR.id, "user_7"] == [key.created_by for key in keys]
    assert f"...{text[-4:]}" == keys[0].hint


# ---- Exactly once ----------------------------------------------------------------------------------------------


def test_a_second_import_changes_nothing(table: Table) -> None:
    """GIVEN imported keys WHEN the same file is imported again THEN every key is there, found in one read for many."""
    sources = many(30)
    first = run_import(sources)
    before = table.items()

    with faults.injected() as operations:
        second = run_import(sources)

    assert {Result.CREATED} == set(results(first))
    assert {Result.ALREADY_THERE} == set(results(second))
    assert [line.key_id for line in first] == [line.key_id for line in second]
    assert ["BatchGetItem"] * 2 == operations  # the organization, and 40 digests
    assert before == table.items()


@pytest.mark.parametrize("second", KINDS)
def test_a_key_is_recognized_by_its_text(table: Table, second: str) -> None:
    """GIVEN a key imported by a hash WHEN its text is imported THEN it is there; and the same hash again."""
    del table
    text = new_text()
    imported(text, second)

    assert [Result.ALREADY_THERE] * 2 == results([run_import([source(text, each)])[0] for each in ("text", second)])


class Killed(BaseException):
    """The process was killed."""


@pytest.mark.parametrize("written", range(6))
def test_a_killed_import_is_continued(table: Table, written: int) -> None:
    """GIVEN an import that is killed after any of its writes WHEN it runs again THEN each key is there once."""
    sources = many(5)

    def kill(_: object) -> None:
        raise Killed

    with (
        pytest.raises(Killed) if written < len(sources) else faults.injected(),
        faults.injected(None, None, *[None] * written, kill),  # type: ignore[arg-type]  # it never returns
    ):
        run_import(sources)

    lines = run_import(sources)

    expected = [Result.ALREADY_THERE] * written + [Result.CREATED] * (5 - written)
    assert expected == results(lines)
    assert 5 == len(table.under("KEY#")) == len(table.under("USAGE#")) == len(table.under("AUDIT#"))


def test_a_lost_answer_is_not_a_second_key(table: Table) -> None:
    """GIVEN a write whose answer is lost WHEN it is repeated THEN the key was created once."""
    with faults.injected(faults.lost_answer):
        line = imported(new_text())

    assert Result.CREATED is line.result
    assert [f"KEY#{line.key_id}"] == [item["sk"] for item in table.under("KEY#")]


@pytest.mark.parametrize("fault", UNANSWERED, ids=range(len(UNANSWERED)))
def test_a_write_is_repeated(table: Table, fault: faults.Fault) -> None:
    """Failures of DynamoDB that pass do not stop an import."""
    with faults.injected(fault):
        assert Result.CREATED is imported(new_text()).result

    assert 1 == len(table.under("KEY#"))


@pytest.mark.parametrize("seed", range(RACES))
def test_two_imports_at_once(table: Table, seed: int) -> None:
    """GIVEN two imports of one file, in any order of their requests THEN each key is there once, and both know it."""
    sources = many(4)

    first, second = OneAtATime(random.Random(seed)).run([partial(run_import, sources)] * 2)  # noqa: S311 - a repeatable test

    assert [line.key_id for line in first] == [line.key_id for line in second]
    for lines in zip(first, second, strict=True):
        assert {Result.CREATED, Result.ALREADY_THERE} == set(results(lines))
    assert 4 == len(table.under("KEY#")) == len(table.under("AUDIT#"))


# ---- Refusals --------------------------------------------------------------------------------------------------


def test_a_key_of_another_organization_is_refused(table: Table) -> None:
    """Also if it is imported there after the check. Nothing is written."""
    table.put_organization(OTHER_ORGANIZATION_ID)
    text = new_text()
    imported(text)
    before = table.items()

    by_check = run_import([source(text)], OTHER)
    by_write = imports.import_key(OPERATOR, OTHER, source(text))

    reason = f"the key belongs to organization {ORGANIZATION_ID}"
    assert [Line(2, Result.REFUSED, "CI", reason=reason)] * 2 == [*by_check, by_write]
    assert before == table.items()


@pytest.mark.parametrize("second", KINDS)
def test_a_key_is_in_a_file_once(table: Table, second: str) -> None:
    """The second line is refused, and names the first."""
    del table
    text = new_text()

    lines = run_import([source(text, line=2), source(new_text(), line=3), source(text, second, line=4)])

    assert [Result.CREATED, Result.CREATED, Result.REFUSED] == results(lines)
    assert "the same key is on line 2" == lines[2].reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("short", "the key must have 8 to 512 printable ASCII characters"),
        ("x" * 513, "the key must have 8 to 512 printable ASCII characters"),
        ("with\ttab", "the key must have 8 to 512 printable ASCII characters"),
        (lambda: SampleKey().text(), "the key has the form of a key of this deployment"),
        (lambda: SampleKey().text()[:-1] + "_", "the key has the form of a key of this deployment"),
    ],
    ids=["short", "long", "a tab", "ours", "mistyped"],
)
def test_texts_that_would_never_be_looked_up_are_refused(
    table: Table, text: str | Callable[[], str], reason: str
) -> None:
    """A text that a verification does not look up would be imported in vain."""
    del table
    with pytest.raises(RefusedError, match=reason):
        source(text if isinstance(text, str) else text())


@pytest.mark.parametrize("act", [run_import, lambda sources: imports.import_key(OPERATOR, ORGANIZATION, sources[0])])
def test_an_organization_that_cannot_be_changed(table: Table, act: Callable[[list[Source]], object]) -> None:
    """One that does not exist, and one that is scheduled for deletion, get no key."""
    sources = many(1)
    table.freeze()
    before = table.items()
    with pytest.raises(RefusedError, match="is scheduled for deletion"):
        act(sources)
    assert before == table.items()

    for item in table.items():
        table.client.delete_item(TableName=table.name, Key={"pk": {"S": item["pk"]}, "sk": {"S": item["sk"]}})
    with pytest.raises(NotFoundError, match="there is no organization"):
        act(sources)
    assert [] == table.items()


def test_dynamodb_does_not_answer(table: Table) -> None:
    """The error says so; nothing is written."""
    with faults.injected(*[faults.timeout] * 8), pytest.raises(ServiceError) as caught:
        imported(new_text())

    assert "SERVICE_UNAVAILABLE" == caught.value.error.code
    assert [] == table.under("KEY#")


# ---- The cost --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_argon2")
@pytest.mark.parametrize("scheme", ["argon2id", "hmac-sha256"])
def test_an_import_runs_no_argon2(table: Table, setting: Callable[[str, str], None], scheme: str) -> None:
    """Ten thousand keys take ten thousand writes, and no expensive hash, whichever is set for keys issued here."""
    setting("KEY_HASH", scheme)

    lines = run_import(many(9))

    assert {Result.CREATED} == set(results(lines))
    assert {True} == {item["hash"].startswith("$hmac-sha256$") for item in table.under("KEY#")}


def test_requests_of_an_import(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read of the organization, one for each 100 digests, and a write for each key; five items and one condition."""
    del table
    parts: list[int] = []
    call = HttpClient.call

    def recording(client: HttpClient, operation: str, parameters: Mapping[str, object]) -> Answer:
        if operation == WRITE:
            parts.append(len(parameters["TransactItems"]))  # type: ignore[arg-type]  # a list
        return call(client, operation, parameters)

    monkeypatch.setattr(HttpClient, "call", recording)
    sources = [source(new_text(), line=line) for line in range(2, 62)]

    with faults.injected() as operations:
        run_import(sources)

    assert ["BatchGetItem"] * 3 + [WRITE] * 60 == operations
    assert {5} == set(parts)


def test_keys_work_as_soon_as_they_are_imported(table: Table) -> None:
    """Every line that was created verifies, of every kind."""
    del table
    texts = {kind: new_text() for kind in KINDS}
    lines = run_import([source(text, kind, line) for line, (kind, text) in enumerate(texts.items(), 2)])

    assert {Result.CREATED} == set(results(lines))
    assert {"VALID"} == {verify(text).code for text in texts.values()}
    assert FIELDS["name"] == lines[0].name
