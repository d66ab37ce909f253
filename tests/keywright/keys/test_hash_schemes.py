"""Verifying keys whose hash is Argon2id or HMAC-SHA-256, in deployments that are set to one or to the other.

A hash of the other scheme is replaced on use, in either direction.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import pytest

from keywright.domain import key_hash
from keywright.keys import verification
from keywright.keys.outcome import Code, UnknownKey
from keywright.keys.verification import verify
from keywright.settings import Argon2Parameters, settings
from keywright.store import pepper
from tests.support import faults
from tests.support.client import UNANSWERED, meanwhile
from tests.support.costs import counted
from tests.support.environment import new_container
from tests.support.hashes import is_hash_of
from tests.support.sample_keys import SampleKey
from tests.support.world import KEY_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.costs import Costs
    from tests.support.world import Table, World

KEY = SampleKey()
NEXT = SampleKey(generation=1, secret="the-secret-after-that-")
WRONG = SampleKey(secret="another-than-the-right")
OF_SECOND_PEPPER = SampleKey(pepper_version=2)
READ = ["BatchGetItem"]
READ_AND_WRITE = ["BatchGetItem", "UpdateItem"]
ARGON2ID, HMAC = "argon2id", "hmac-sha256"
FUTURE = "2099-01-01T00:00:00.000Z"
HASHED: dict[str, Callable[[SampleKey], str]] = {ARGON2ID: SampleKey.hash, HMAC: SampleKey.hmac_hash}
"""Scheme -> the stored hash of a key."""
COST = {ARGON2ID: 1, HMAC: 0}
"""Argon2id hashes that it takes to make or compare one hash."""


class Move(NamedTuple):
    """A deployment that was set to one scheme, and is now set to the other."""

    stored: str
    configured: str


@pytest.fixture
def table(world: World) -> Table:
    """A table with one organization."""
    world.table.put_organization()
    return world.table


@pytest.fixture
def costs(table: Table) -> Iterator[Costs]:
    """The counted costs of verifications."""
    del table
    with counted() as costs:
        yield costs


@pytest.fixture(params=[ARGON2ID, HMAC])
def scheme(request: pytest.FixtureRequest, setting: Callable[[str, str], None]) -> str:
    """A deployment set to each of the schemes."""
    setting("KEY_HASH", request.param)
    return str(request.param)


@pytest.fixture(params=[Move(ARGON2ID, HMAC), Move(HMAC, ARGON2ID)], ids="_to_".join)
def move(request: pytest.FixtureRequest, setting: Callable[[str, str], None]) -> Move:
    """A change of the setting, in each direction."""
    moved: Move = request.param
    setting("KEY_HASH", moved.configured)
    return moved


def put(table: Table, stored: str, **attributes: object) -> str:
    """Write the key with a hash of a scheme; return its text."""
    return KEY.put(table, hash=HASHED[stored](KEY), **attributes)


def item(table: Table) -> dict[str, Any]:
    """Return the key's item."""
    return table.item(f"KEY#{KEY_ID}")


def spent(costs: Costs) -> tuple[list[str], int]:
    """Return requests to DynamoDB and Argon2id hashes since the last call."""
    requests, hashes, _ = costs.spent()
    return requests, hashes


# ---- The scheme that is set ------------------------------------------------------------------------------------


def test_a_hash_of_the_scheme_that_is_set_stays(table: Table, costs: Costs, scheme: str) -> None:
    """The first use of a key in a container hashes once with Argon2id, never with HMAC; nothing is written."""
    text = put(table, scheme)
    before = item(table)
    costs.spent()

    assert Code.VALID is verify(text).code
    first = spent(costs)
    assert Code.VALID is verify(text).code

    assert (READ, COST[scheme]) == first
    assert (READ, 0) == spent(costs)
    assert before == item(table)


def test_a_wrong_secret_is_refused(table: Table, costs: Costs, scheme: str) -> None:
    """It is compared each time, and not remembered."""
    put(table, scheme)
    text = WRONG.text()
    costs.spent()

    assert [UnknownKey("wrong secret")] * 2 == [verify(text) for _ in range(2)]
    assert (READ * 2, 2 * COST[scheme]) == spent(costs)


def test_a_hash_of_another_key_is_refused(table: Table, scheme: str) -> None:
    """A hash that is copied from another generation of the key verifies nothing."""
    KEY.put(table, hash=HASHED[scheme](SampleKey(generation=1)))

    assert UnknownKey("wrong secret") == verify(KEY.text())


def test_the_cost_of_argon2id_is_nothing_to_hmac(
    table: Table, costs: Costs, setting: Callable[[str, str], None]
) -> None:
    """GIVEN a deployment set to HMAC WHEN the cost of Argon2id is changed THEN no hash is replaced."""
    setting("KEY_HASH", HMAC)
    setting("ARGON2_ITERATIONS", "2")
    text = put(table, HMAC)
    costs.spent()

    assert Code.VALID is verify(text).code
    assert (READ, 0) == spent(costs)


@pytest.mark.usefixtures("no_argon2")
def test_a_container_that_meets_no_argon2id_hash_loads_none(table: Table, setting: Callable[[str, str], None]) -> None:
    """GIVEN HMAC hashes in a deployment set to HMAC THEN right and wrong secrets are told apart without Argon2."""
    setting("KEY_HASH", HMAC)
    texts = [put(table, HMAC), WRONG.text()]

    assert [Code.VALID, Code.NOT_FOUND] == [verify(text).code for text in texts]


# ---- The other scheme ------------------------------------------------------------------------------------------


def test_a_hash_of_the_other_scheme_is_replaced_once(table: Table, costs: Costs, move: Move) -> None:
    """One conditional write changes only the hash, to one of the scheme that is set. Then the key is as any other."""
    text = put(table, move.stored)
    before = item(table)
    costs.spent()

    assert Code.VALID is verify(text).code
    first = spent(costs)
    assert Code.VALID is verify(text).code

    after = item(table)
    assert (READ_AND_WRITE, 1) == first
    assert (READ, 0) == spent(costs)
    assert before == after | {"hash": before["hash"]}
    assert after["hash"].startswith(f"${move.configured}$")
    assert is_hash_of(after["hash"], text)


def test_another_container_finds_the_replaced_hash(table: Table, move: Move) -> None:
    """Another container writes nothing, and hashes only if the new hash is Argon2id."""
    text = put(table, move.stored)
    verify(text)
    new_container()

    with counted() as costs:
        assert Code.VALID is verify(text).code

        assert (READ, COST[move.configured]) == spent(costs)


def test_the_new_hash_is_what_a_container_remembers(table: Table, move: Move) -> None:
    """After the replacement, the memory of matches has the hash that is in the table."""
    text = put(table, move.stored)
    verify(text)

    digest = key_hash.keyed_digest(KEY.payload, pepper.keyring().current.hash_key)
    assert item(table)["hash"] == verification.matches().get(digest)


def test_a_reused_record_has_the_new_hash(
    table: Table, costs: Costs, setting: Callable[[str, str], None], move: Move
) -> None:
    """GIVEN records that are reused WHEN a hash has been replaced THEN it is read once more, and not hashed again."""
    setting("RECORD_REUSE_SECONDS", "30")
    text = put(table, move.stored)
    costs.spent()

    assert [Code.VALID] * 3 == [verify(text).code for _ in range(3)]
    assert ([*READ_AND_WRITE, *READ], 1) == spent(costs)


def test_a_key_is_replaced_under_its_own_pepper(table: Table, move: Move) -> None:
    """GIVEN keys of two versions of the pepper WHEN they are used THEN each new hash verifies in another container."""
    old = put(table, move.stored)
    client, name = boto3.client("secretsmanager"), settings().pepper_secret_id
    content = json.loads(client.get_secret_value(SecretId=name)["SecretString"])
    client.put_secret_value(SecretId=name, SecretString=json.dumps({**content, "current": 2, "2": "second" * 11}))
    new_container()

    codes = [verify(old).code]
    new_container()
    codes.append(verify(old).code)
    new = OF_SECOND_PEPPER.put(table, hash=HASHED[move.stored](OF_SECOND_PEPPER))
    codes.append(verify(new).code)
    new_container()
    codes.append(verify(new).code)

    assert [Code.VALID] * 4 == codes
    assert item(table)["hash"].startswith(f"${move.configured}$")


def test_a_disabled_key_is_replaced_too(table: Table, move: Move) -> None:
    """The state of a key does not matter to its hash."""
    text = put(table, move.stored, enabled=False)

    assert Code.DISABLED is verify(text).code
    assert item(table)["hash"].startswith(f"${move.configured}$")


def test_a_wrong_secret_replaces_nothing(table: Table, costs: Costs, move: Move) -> None:
    """Only the holder of the right secret causes a write."""
    put(table, move.stored)
    text = WRONG.text()
    costs.spent()

    assert UnknownKey("wrong secret") == verify(text)
    assert (READ, COST[move.stored]) == spent(costs)


def test_the_previous_secret_works_and_keeps_its_hash(table: Table, costs: Costs, move: Move) -> None:
    """In a grace period, the hash of the previous secret is not replaced, because the secret ends soon."""
    previous = HASHED[move.stored](KEY)
    NEXT.put(table, hash=HASHED[move.configured](NEXT), previous_hash=previous, previous_expires_at=FUTURE)
    text = KEY.text()
    costs.spent()

    assert [Code.VALID] * 2 == [verify(text).code for _ in range(2)]
    assert (READ * 2, COST[move.stored]) == spent(costs)
    assert previous == item(table)["previous_hash"]


@pytest.mark.parametrize(
    "fault", [*UNANSWERED, faults.error("AccessDeniedException"), faults.error("ValidationException")]
)
def test_a_failed_write_leaves_the_key_valid(table: Table, move: Move, fault: faults.Fault) -> None:
    """On any error of DynamoDB the key is as before, and the next container replaces its hash."""
    text = put(table, move.stored)
    before = table.items()
    with faults.injected(None, fault) as operations:
        failed = verify(text).code
    unchanged = table.items()
    verification.matches.cache_clear()

    assert [Code.VALID] * 2 == [failed, verify(text).code]
    assert READ_AND_WRITE == operations
    assert before == unchanged
    assert item(table)["hash"].startswith(f"${move.configured}$")


def rotate(table: Table, move: Move, **attributes: object) -> None:
    """Rotate the key, like another request at the same time."""
    NEXT.put(table, hash=HASHED[move.configured](NEXT), version=2, **attributes)


def rotate_with_grace(table: Table, move: Move) -> None:
    """Rotate the key with a grace period."""
    rotate(table, move, previous_hash=HASHED[move.stored](KEY), previous_expires_at=FUTURE)


def delete(table: Table, move: Move) -> None:
    """Delete the key."""
    del move
    name = {"pk": {"S": f"ORG#{KEY.organization_id}"}, "sk": {"S": f"KEY#{KEY_ID}"}}
    table.client.delete_item(TableName=table.name, Key=name)


def replace(table: Table, move: Move) -> None:
    """Replace the hash, like another container."""
    put(table, move.configured)


@pytest.mark.parametrize("change", [rotate, rotate_with_grace, delete, replace])
def test_a_change_at_the_same_time_stays(table: Table, move: Move, change: Callable[[Table, Move], None]) -> None:
    """A hash is replaced only while it is the one that was read: a rotated key keeps its new secret."""
    text = put(table, move.stored)
    expected = list[Any]()

    def overtake() -> None:
        change(table, move)
        expected.extend(table.items())

    with faults.injected(None, meanwhile(overtake)) as operations:
        assert Code.VALID is verify(text).code

    assert READ_AND_WRITE == operations
    assert expected == table.items()


def test_two_containers_replace_a_hash_once(table: Table, move: Move) -> None:
    """GIVEN two containers that have read the same hash WHEN both replace it THEN the first one's stays, and works."""
    text = put(table, move.stored)

    def overtake() -> None:
        verification.matches.cache_clear()
        verify(text)

    with faults.injected(None, meanwhile(overtake)) as operations:
        codes = [verify(text).code]
    first = item(table)["hash"]
    verification.matches.cache_clear()
    codes.append(verify(text).code)

    assert [Code.VALID] * 2 == codes
    assert 2 == operations.count("UpdateItem")
    assert first == item(table)["hash"]
    assert first.startswith(f"${move.configured}$")


def test_a_change_back_replaces_the_hash_again(table: Table, setting: Callable[[str, str], None], move: Move) -> None:
    """GIVEN a hash that was replaced WHEN the setting changes back THEN the next use replaces it again."""
    text = put(table, move.stored)
    verify(text)
    setting("KEY_HASH", move.stored)
    new_container()

    assert Code.VALID is verify(text).code
    assert item(table)["hash"].startswith(f"${move.stored}$")
    assert is_hash_of(item(table)["hash"], text)


def test_a_new_argon2id_hash_has_the_cost_that_is_set(table: Table, setting: Callable[[str, str], None]) -> None:
    """A hash that replaces HMAC has the parameters of the deployment."""
    setting("ARGON2_MEMORY_KIB", "16")
    text = put(table, HMAC)

    assert Code.VALID is verify(text).code
    assert key_hash.is_current(item(table)["hash"], Argon2Parameters(memory_kib=16, iterations=1, parallelism=1))
