"""Verifying keys that were issued elsewhere: who is let in, and what it costs."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import boto3
import pytest

from keywright.domain import key_hash
from keywright.domain.limits import RateLimit
from keywright.keys import imported as imported_keys
from keywright.keys.outcome import Code, IdentifiedKey, UnknownKey
from keywright.keys.verification import requiring, verify
from keywright.operators import keys as operator_keys
from keywright.settings import settings
from tests.support import faults
from tests.support.costs import counted
from tests.support.depth import size
from tests.support.environment import ROOT, new_container
from tests.support.imported_keys import FIELDS, KINDS, OPERATOR, ORGANIZATION, imported, new_text
from tests.support.sample_keys import SampleKey
from tests.support.world import OTHER_ORGANIZATION_ID, PENDING_DELETION_AT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.costs import Costs
    from tests.support.world import Table, World

READ, WRITE = "BatchGetItem", "UpdateItem"
KEYS = size("IMPORTED", 25, full=200)
"""Keys of each kind."""
FORGED = 10


@pytest.fixture
def table(world: World, setting: Callable[[str, str], None]) -> Table:
    """A table with one organization, in a deployment that takes imported keys."""
    world.table.put_organization()
    setting("IMPORTED_KEYS", "on")
    return world.table


@pytest.fixture
def costs(table: Table) -> Iterator[Costs]:
    """The counted costs of verifications."""
    del table
    with counted() as costs:
        yield costs


def key_item(table: Table) -> dict[str, object]:
    """Return the item of the only key."""
    (item,) = table.under("KEY#")
    return item


def pointers(table: Table) -> list[str]:
    """Return the partitions of all items that name keys of texts."""
    return [item["pk"] for item in table.items() if item["pk"].startswith("IMPORTED#")]


# ---- Who is let in ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_imported_keys_verify_with_their_texts(table: Table, kind: str) -> None:
    """GIVEN many imported keys THEN each text verifies as its own key, and forged texts as none."""
    texts = [new_text() for _ in range(KEYS)]
    keys = {text: imported(text, kind).key_id for text in texts}
    assert KEYS == len(pointers(table))

    for text, key_id in keys.items():
        outcome = verify(text, requiring(["sessions:read"]))
        assert isinstance(outcome, IdentifiedKey)
        assert Code.VALID is outcome.code
        assert key_id == outcome.key.key_id

    forged = [forgery for text in texts[:FORGED] for forgery in (text[:-1], f"{text}x", text.swapcase(), text[::-1])]
    assert {UnknownKey("malformed")} == {verify(text) for text in [*forged, *(new_text() for _ in range(KEYS // 10))]}


def test_off_no_imported_key_is_let_in(table: Table, setting: Callable[[str, str], None]) -> None:
    """The setting turns all of them off at once."""
    del table
    text = new_text()
    imported(text)
    assert Code.VALID == verify(text).code

    setting("IMPORTED_KEYS", "off")

    assert UnknownKey("malformed") == verify(text)


def test_a_key_is_refused_for_the_same_reasons(table: Table) -> None:
    """Expiry, state, organization, permissions, limits and addresses hold for an imported key too."""
    text = new_text()
    rate = RateLimit(1, 3600, 1)
    imported(text, rate_limit=rate, allowed_ips=("192.0.2.0/24",))
    allowed = requiring(["sessions:read"], "192.0.2.1")

    assert Code.IP_NOT_ALLOWED == verify(text, requiring([], "198.51.100.1")).code
    assert Code.INSUFFICIENT_PERMISSIONS == verify(text, requiring(["webhooks:read"], "192.0.2.1")).code
    assert [Code.VALID, Code.RATE_LIMITED] == [verify(text, allowed).code for _ in range(2)]
    table.put_organization(pending_deletion_at=PENDING_DELETION_AT)
    assert Code.ORGANIZATION_FROZEN == verify(text, allowed).code
    item = key_item(table)
    table.put(**item | {"enabled": False})
    assert Code.DISABLED == verify(text, allowed).code
    table.put(**item | {"expires_at": "2020-01-01T00:00:00.000Z"})
    assert Code.EXPIRED == verify(text, allowed).code


def test_a_stored_hash_does_not_verify_for_another_key(table: Table) -> None:
    """GIVEN the hash of one key copied to another one WHEN its text is made to name that THEN it is a wrong secret."""
    text, other = new_text(), new_text()
    mine, theirs = imported(text), imported(other)
    items = {item["sk"]: item for item in table.under("KEY#")}
    table.put(**items[f"KEY#{theirs.key_id}"] | {"hash": items[f"KEY#{mine.key_id}"]["hash"]})
    (pointer,) = [item for item in table.items() if item.get("key_id") == str(mine.key_id)]
    table.put(**pointer | {"key_id": str(theirs.key_id)})

    assert UnknownKey("wrong secret") == verify(text)


def test_a_table_alone_names_no_text(table: Table) -> None:
    """GIVEN another pepper WHEN a text of this table is verified THEN it is not found: what is stored is keyed."""
    text = new_text()
    imported(text)
    secrets_manager = boto3.client("secretsmanager")
    secrets_manager.put_secret_value(SecretId=table.name, SecretString=json.dumps({"current": 1, "1": "x" * 64}))
    new_container()

    assert UnknownKey("malformed") == verify(text)


def test_texts_are_found_under_every_version_of_the_pepper(table: Table) -> None:
    """GIVEN keys imported before and after the pepper was rotated THEN both verify."""
    texts = [new_text(), new_text()]
    imported(texts[0])
    secrets_manager = boto3.client("secretsmanager")
    old = json.loads(secrets_manager.get_secret_value(SecretId=table.name)["SecretString"])
    secret = old | {"current": 2, "2": "y" * 64}
    secrets_manager.put_secret_value(SecretId=table.name, SecretString=json.dumps(secret))
    new_container()
    imported(texts[1])

    assert [Code.VALID] * 2 == [verify(text).code for text in texts]
    assert [1, 2] == sorted(int(item["pepper_version"]) for item in table.items() if "pepper_version" in item)


# ---- The costs -------------------------------------------------------------------------------------------------


def test_off_it_costs_nothing(costs: Costs, setting: Callable[[str, str], None]) -> None:
    """No request for a text of another form."""
    setting("IMPORTED_KEYS", "off")
    costs.spent()

    verify(new_text())

    assert ([], 0, 0) == costs.spent()


def test_off_nothing_more_is_loaded() -> None:
    """A function that verifies does not load the modules of imported keys."""
    script = "import json, sys, handler; print(json.dumps([name for name in sys.modules if 'imported' in name]))"
    for function in ("authorize_api_key", "verify_api_key"):
        finished = subprocess.run(  # noqa: S603 - this interpreter
            [sys.executable, "-c", script],
            cwd=ROOT / "functions" / function,
            env={"PYTHONPATH": str(ROOT / "layers/shared/python")},
            check=True,
            capture_output=True,
            text=True,
        )
        assert [] == json.loads(finished.stdout)


def test_the_first_use_hashes_the_secret(table: Table, costs: Costs) -> None:
    """GIVEN an imported key WHEN it is used THEN its hash becomes Argon2id; later uses cost a read more than others."""
    text = new_text()
    imported(text)
    assert not key_hash.is_argon2id(str(key_item(table)["hash"]))
    costs.spent()

    assert Code.VALID == verify(text).code
    first = costs.spent()
    assert Code.VALID == verify(text).code
    second = costs.spent()

    assert ([READ, READ, WRITE], 1, 0) == first
    assert ([READ, READ], 0, 0) == second
    assert key_hash.is_current(str(key_item(table)["hash"]), settings().argon2)


def test_the_first_use_writes_nothing_where_hmac_is_set(
    table: Table, costs: Costs, setting: Callable[[str, str], None]
) -> None:
    """GIVEN a deployment set to HMAC WHEN an imported key is used THEN its hash stays, and none is computed."""
    setting("KEY_HASH", "hmac-sha256")
    text = new_text()
    imported(text)
    before = key_item(table)
    costs.spent()

    assert Code.VALID == verify(text).code

    assert ([READ, READ], 0, 0) == costs.spent()
    assert before == key_item(table)


def test_a_reused_record_has_the_hash_that_was_made(costs: Costs, setting: Callable[[str, str], None]) -> None:
    """GIVEN records that are reused WHEN an imported key's hash has been replaced THEN later uses hash nothing."""
    setting("RECORD_REUSE_SECONDS", "30")
    text = new_text()
    imported(text)
    costs.spent()

    assert [Code.VALID] * 3 == [verify(text).code for _ in range(3)]

    assert 1 == costs.hashes


def test_a_forged_text_costs_one_read(costs: Costs) -> None:
    """A made-up text takes one request of reads, and no hash."""
    verify(new_text())
    costs.spent()

    verify(new_text())

    assert ([READ], 0, 0) == costs.spent()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "short",
        "x" * 513,
        "tab\tin it",
        "\xfcmlaut in it",
        "\ud800" * 20,
        SampleKey().text,
        lambda: SampleKey().text()[:-1] + "!",
        lambda: SampleKey().text()[:-7] + "0" + SampleKey().text()[-6:],
    ],
    ids=["empty", "short", "long", "a tab", "not ASCII", "lone surrogates", "our own", "wrong checksum", "mistyped"],
)
def test_texts_that_are_not_looked_up(table: Table, costs: Costs, text: str | Callable[[], str]) -> None:
    """Texts that no import takes, and those of our form, cost no more than with the setting off."""
    del table
    presented = text if isinstance(text, str) else text()
    costs.spent()

    verify(presented)

    is_ours = presented == SampleKey().text()
    assert ([READ] if is_ours else [], 0) == costs.spent()[:2]


def test_a_key_issued_here_costs_what_it_did(table: Table, costs: Costs) -> None:
    """The setting changes nothing for the service's own keys."""
    text = SampleKey().put(table)
    costs.spent()

    assert Code.VALID == verify(text).code

    assert [READ] == costs.spent()[0]


# ---- Finding many texts ----------------------------------------------------------------------------------------


def test_many_texts_are_found_at_once(table: Table) -> None:
    """GIVEN a hundred texts, one of them twice WHEN they are looked up THEN each has its key's parts, in order."""
    del table
    texts = [new_text() for _ in range(50)]
    keys = [imported(text, KINDS[number % 3]).key_id for number, text in enumerate(texts)]
    asked = [part for pair in zip(texts, (new_text() for _ in texts), strict=True) for part in pair]

    with faults.injected() as operations:
        found = imported_keys.find([*asked, texts[0], "short"])

    assert [READ] * 2 == operations
    assert keys == [each.key_id for each in found[:100:2] if each]
    assert [None] * 50 == found[1:100:2]
    assert found[100] == found[0]
    assert found[101] is None
    assert {ORGANIZATION} == {each.organization_id for each in found if each}


def test_nothing_is_asked_about_no_text(table: Table) -> None:
    """No text that could be imported, no request."""
    del table
    with faults.injected() as operations:
        assert [] == imported_keys.find([])
        assert [None] == imported_keys.find(["short"])

    assert [] == operations


# ---- Its end ---------------------------------------------------------------------------------------------------


def test_a_deleted_key_leaves_nothing(table: Table) -> None:
    """GIVEN an imported key, rotated or not WHEN it is deleted THEN no item names it, and its text is not found."""
    texts = [new_text(), new_text(), new_text()]
    ids = [UUID(str(imported(text, rate_limit=RateLimit(9, 9, 9)).key_id)) for text in texts]
    operator_keys.rotate_key(OPERATOR, ORGANIZATION, ids[1], timedelta())
    operator_keys.rotate_key(OPERATOR, ORGANIZATION, ids[2], timedelta(hours=1))

    for key_id in ids:
        assert operator_keys.revoke_key(OPERATOR, ORGANIZATION, key_id)

    assert {UnknownKey("malformed")} == {verify(text) for text in texts}
    assert [] == pointers(table)
    assert {f"ORG#{ORGANIZATION}"} == {item["pk"] for item in table.items()}


@pytest.mark.parametrize("is_used", [False, True])
def test_a_rotated_key_has_a_text_of_ours(table: Table, is_used: bool) -> None:  # noqa: FBT001 - a case
    """GIVEN a grace period THEN both texts work, and after the next rotation the imported one does not."""
    text = new_text()
    key_id = imported(text).key_id
    assert key_id is not None
    if is_used:
        verify(text)

    rotated = operator_keys.rotate_key(OPERATOR, ORGANIZATION, key_id, timedelta(hours=1))
    assert rotated.key.startswith("kk_")
    assert [Code.VALID, Code.VALID] == [verify(text).code, verify(rotated.key).code]
    assert rotated.api_key.hint == f"kk_...{rotated.key[-4:]}"
    again = operator_keys.rotate_key(OPERATOR, ORGANIZATION, key_id, timedelta(hours=1))

    assert UnknownKey("rotated out") == verify(text)
    assert [Code.VALID] * 2 == [verify(each.key).code for each in (rotated, again)]
    assert 1 == len(pointers(table))


def test_a_text_that_was_rotated_out_is_recognized_and_refused(table: Table) -> None:
    """GIVEN no grace period THEN the text is refused at once; its item stays, so that no import revives it."""
    text = new_text()
    key_id = imported(text).key_id
    assert key_id is not None

    operator_keys.rotate_key(OPERATOR, ORGANIZATION, key_id, timedelta())

    assert UnknownKey("rotated out") == verify(text)
    assert 1 == len(pointers(table))
    assert "already there" == imported(text).result


def test_a_deleted_organizations_keys_are_not_found(table: Table) -> None:
    """An item that names a key of an organization that is gone lets nothing in."""
    text = new_text()
    imported(text)
    for item in table.items():
        if item["pk"].startswith("ORG#"):
            table.client.delete_item(TableName=table.name, Key={"pk": {"S": item["pk"]}, "sk": {"S": item["sk"]}})

    assert UnknownKey("no such key") == verify(text)


def test_fields_are_stored_as_given(table: Table) -> None:
    """Every field that an import may set is in the key's item."""
    imported(new_text(), created_by="user_7", enabled=False)

    item = key_item(table)
    assert "user_7" == item["created_by"]
    assert False is item["enabled"]
    assert FIELDS["name"] == item["name"]
    assert OTHER_ORGANIZATION_ID not in str(item)
