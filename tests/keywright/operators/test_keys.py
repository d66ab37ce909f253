"""Operators' changes of a key's state and text, and the key that a text names."""

from __future__ import annotations

import uuid
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from keywright.domain import key_text
from keywright.domain.principals import Actor, ActorType
from keywright.errors import ServiceError
from keywright.keys.verification import verify
from keywright.operators import keys as operator_keys
from keywright.operators.keys import KeyState
from keywright.operators.refusals import NotFoundError, RefusedError
from tests.support import faults
from tests.support.client import meanwhile
from tests.support.world import KEY_ID, ORGANIZATION_ID, OTHER_ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.support.world import Table, World

OPERATOR = Actor(ActorType.OPERATOR, "arn:aws:sts::123456789012:assumed-role/Ops/ada")
ID, KEY = uuid.UUID(ORGANIZATION_ID), uuid.UUID(KEY_ID)
NOW = "2030-01-31T12:00:00.000Z"


@pytest.fixture
def table(world: World) -> Table:
    """Return the table with an organization and a key."""
    world.table.put_organization()
    world.table.put_key()
    return world.table


ACTS: dict[str, Callable[[uuid.UUID, uuid.UUID], object]] = {
    "disable": partial(operator_keys.disable_key, OPERATOR),
    "enable": partial(operator_keys.enable_key, OPERATOR),
    "rotate": lambda organization, key: operator_keys.rotate_key(OPERATOR, organization, key, timedelta()),
}
every_act = pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())


@pytest.mark.parametrize("is_frozen", [False, True])
def test_a_key_is_disabled_and_enabled_once(table: Table, is_frozen: bool) -> None:  # noqa: FBT001 - a case
    """A repeated act changes nothing and writes no record, also while a deletion is scheduled."""
    if is_frozen:
        table.freeze()
    results, states = [], []
    for act in ("disable", "disable", "enable", "enable"):
        results.append(ACTS[act](ID, KEY))
        states.append(table.item(f"KEY#{KEY_ID}")["enabled"])

    assert [True, False, True, False] == results
    assert [False, False, True, True] == states
    records = table.under("AUDIT#")
    assert ["api_key.updated"] * 2 == [record["event"] for record in records]
    assert [
        '{"before": {"enabled": true}, "after": {"enabled": false}}',
        '{"before": {"enabled": false}, "after": {"enabled": true}}',
    ] == [record["changes"] for record in records]
    assert {("operator", OPERATOR.id, KEY_ID)} == {
        (record["actor_type"], record["actor_id"], record["target_id"]) for record in records
    }


def test_a_rotated_key_has_a_new_text(table: Table) -> None:
    """The new text verifies, the record names the operator, and the hash of the previous text is gone."""
    rotated = operator_keys.rotate_key(OPERATOR, ID, KEY, timedelta())

    assert "VALID" == verify(rotated.key).code
    assert rotated.previous_key_expires_at is None
    item = table.item(f"KEY#{KEY_ID}")
    assert 1 == item["generation"]
    assert "previous_hash" not in item
    (record,) = table.under("AUDIT#")
    assert "api_key.rotated" == record["event"]
    assert "operator" == record["actor_type"]
    assert OPERATOR.id == record["actor_id"]


def test_the_previous_text_works_for_the_grace_period(table: Table, stop_clock: Callable[[str], datetime]) -> None:
    """The grace period begins with the rotation."""
    stop_clock(NOW)

    rotated = operator_keys.rotate_key(OPERATOR, ID, KEY, timedelta(hours=1))

    assert "2030-01-31T13:00:00.000Z" == rotated.previous_key_expires_at
    assert "2030-01-31T13:00:00.000Z" == table.item(f"KEY#{KEY_ID}")["previous_expires_at"]


@every_act
def test_another_organizations_key_is_not_found(table: Table, act: Callable[[uuid.UUID, uuid.UUID], object]) -> None:
    """A key of another organization stays as it is."""
    table.put_organization(OTHER_ORGANIZATION_ID)
    before = table.items()

    with pytest.raises(ServiceError) as caught:
        act(uuid.UUID(OTHER_ORGANIZATION_ID), KEY)

    assert "API_KEY_NOT_FOUND" == caught.value.error.code
    assert before == table.items()


@every_act
def test_a_missing_organization_is_named(table: Table, act: Callable[[uuid.UUID, uuid.UUID], object]) -> None:
    """A mistyped organization is not reported as a missing key."""
    del table

    with pytest.raises(NotFoundError, match=f"there is no organization {OTHER_ORGANIZATION_ID}"):
        act(uuid.UUID(OTHER_ORGANIZATION_ID), KEY)


@every_act
def test_a_purge_wins(table: Table, act: Callable[[uuid.UUID, uuid.UUID], object]) -> None:
    """Nothing is written into an organization that is being purged."""
    table.put_key(enabled=act is ACTS["disable"])
    table.put(pk=f"PURGED#{ORGANIZATION_ID}", sk="PURGED")
    before = table.items()

    with pytest.raises(RefusedError, match="was deleted for good"):
        act(ID, KEY)

    assert before == table.items()


@every_act
def test_a_change_meanwhile_is_kept(table: Table, act: Callable[[uuid.UUID, uuid.UUID], object]) -> None:
    """GIVEN a key that is renamed between read and write THEN the act is repeated on the renamed key."""
    enabled = act is not ACTS["enable"]
    table.put_key(enabled=enabled)

    with faults.injected(None, meanwhile(lambda: table.put_key(name="New", version=2, enabled=enabled))):
        act(ID, KEY)

    item = table.item(f"KEY#{KEY_ID}")
    assert "New" == item["name"]
    assert 3 == item["version"]


def test_a_key_is_revoked_once(table: Table) -> None:
    """A key that was deleted before is not an error, one that never existed is."""
    assert operator_keys.revoke_key(OPERATOR, ID, KEY)
    before = table.items()

    assert not operator_keys.revoke_key(OPERATOR, ID, KEY)
    with pytest.raises(ServiceError):
        operator_keys.revoke_key(OPERATOR, ID, uuid.UUID(int=KEY.int + 1))
    assert before == table.items()


# ---- The key that a text names -------------------------------------------------------------------------------


@pytest.fixture
def text(table: Table) -> str:
    """Return the text of the key, as a rotation issued it: generation 1."""
    del table
    return operator_keys.rotate_key(OPERATOR, ID, KEY, timedelta()).key


def state(text: str) -> KeyState:
    """Return the state of a text."""
    identified = operator_keys.identify(text)
    assert identified is not None
    assert ID == identified.organization_id
    assert KEY == identified.key_id
    return identified.state


def test_a_text_names_its_key_without_the_pepper(text: str) -> None:
    """Organization and key are read from the text, and the table says the rest."""
    with faults.injected() as operations:
        identified = operator_keys.identify(text)

    assert ["BatchGetItem"] == operations
    assert identified is not None
    assert KeyState.ACTIVE == identified.state
    assert identified.organization is not None
    assert "Acme" == identified.organization.name
    assert identified.key is not None
    assert "CI" == identified.key.name


def test_every_state(table: Table, text: str, stop_clock: Callable[[str], datetime]) -> None:
    """A text has the state that a verification would find, and more of it."""
    stop_clock(NOW)
    assert KeyState.ACTIVE == state(text)
    operator_keys.disable_key(OPERATOR, ID, KEY)
    assert KeyState.DISABLED == state(text)
    operator_keys.enable_key(OPERATOR, ID, KEY)
    table.freeze()
    assert KeyState.FROZEN == state(text)
    table.put_organization()
    operator_keys.rotate_key(OPERATOR, ID, KEY, timedelta(hours=1))
    assert KeyState.PREVIOUS == state(text)
    stop_clock("2030-01-31T13:01:00.000Z")
    assert KeyState.ROTATED_OUT == state(text)
    operator_keys.rotate_key(OPERATOR, ID, KEY, timedelta(hours=1))
    assert KeyState.ROTATED_OUT == state(text)
    operator_keys.revoke_key(OPERATOR, ID, KEY)
    assert KeyState.DELETED == state(text)


def test_an_expired_key(table: Table, text: str) -> None:
    """A key that is expired is named so."""
    item = table.item(f"KEY#{KEY_ID}")
    table.put(**item | {"expires_at": "2020-01-01T00:00:00.000Z"})

    assert KeyState.EXPIRED == state(text)


@pytest.mark.parametrize("generation", [0, 1, 2, 3])
def test_a_made_up_text_is_unknown_or_rotated_out(text: str, generation: int) -> None:
    """A text with the ids of a key, but not its last characters, is never called active."""
    del text
    payload = key_text.payload(
        pepper_version=1, organization_id=ID, key_id=KEY, generation=generation, secret=bytes(key_text.SECRET_BYTES)
    )

    found = state(key_text.encode("kk_", payload, b"another tag key"))

    assert (KeyState.ROTATED_OUT if generation == 0 else KeyState.UNKNOWN) == found


def test_a_text_of_a_missing_organization_is_unknown(table: Table, text: str) -> None:
    """Neither organization nor key are shown."""
    for item in table.items():
        table.client.delete_item(TableName=table.name, Key={"pk": {"S": item["pk"]}, "sk": {"S": item["sk"]}})

    identified = operator_keys.identify(text)

    assert identified is not None
    assert KeyState.UNKNOWN == identified.state
    assert identified.organization is None
    assert identified.key is None


@pytest.mark.parametrize("change", ["", "short", "no prefix", "other alphabet", "too large", "other format"])
def test_texts_without_the_form_of_a_key(text: str, change: str) -> None:
    """Anything else names no key."""
    others = {
        "": "",
        "short": text[:-1],
        "no prefix": text[3:],
        "other alphabet": text[:-1] + "!",
        "too large": "kk_" + "z" * 92,
        "other format": "kk_" + "0" * 92,
    }

    assert operator_keys.identify(others[change]) is None
