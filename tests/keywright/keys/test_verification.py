"""Verifying a key: the order of outcomes, the cost of each, and what a container may remember."""

from __future__ import annotations

import itertools
import json
from datetime import date
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import pytest
from argon2.exceptions import HashingError, VerificationError

from keywright.domain import key_hash, keyring
from keywright.errors import SERVICE_UNAVAILABLE, ServiceError
from keywright.keys import verification
from keywright.keys.outcome import Code, IdentifiedKey, UnknownKey, Verification
from keywright.keys.verification import requiring, verify
from keywright.settings import Argon2Parameters, settings
from keywright.store import pepper
from keywright.store.usage import day_name
from tests.support import faults
from tests.support.client import UNANSWERED, meanwhile
from tests.support.costs import counted
from tests.support.environment import new_container
from tests.support.sample_keys import SampleKey
from tests.support.world import KEY_ID, OTHER_ORGANIZATION_ID, PENDING_DELETION_AT, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from keywright.cache import Recent
    from tests.support.costs import Costs
    from tests.support.world import Table, World

KEY = SampleKey()
NEXT = SampleKey(generation=1, secret="the-secret-after-that-")
WRONG = SampleKey(secret="another-than-the-right")
PAST, NOW, FUTURE = "2026-06-01T11:59:59.999Z", "2026-06-01T12:00:00.000Z", "2026-06-01T12:00:00.001Z"
READ = ["BatchGetItem"]
READ_AND_WRITE = ["BatchGetItem", "UpdateItem"]


class Spent(NamedTuple):
    """Requests to DynamoDB, Argon2id hashes and fetches of the pepper, as `Costs.spent` returns them."""

    requests: list[str]
    hashes: int = 0
    fetches: int = 0


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


# ---- The outcomes ----------------------------------------------------------------------------------------------

STATES = ("expired", "disabled", "frozen", "lacking")
OUTCOMES = dict(
    zip(
        STATES,
        (Code.EXPIRED, Code.DISABLED, Code.ORGANIZATION_FROZEN, Code.INSUFFICIENT_PERMISSIONS),
        strict=True,
    )
)
EVERY_STATE = [
    frozenset(chosen) for count in range(len(STATES) + 1) for chosen in itertools.combinations(STATES, count)
]


def verified(table: Table, state: frozenset[str], text: str) -> Verification:
    """Put the key and its organization into a state and verify a text."""
    frozen = {"pending_deletion_at": PENDING_DELETION_AT} if "frozen" in state else {}
    table.put_organization(**frozen)
    KEY.put(table, expires_at=PAST if "expired" in state else FUTURE, enabled="disabled" not in state)
    return verify(text, requiring(["sessions:read", "webhooks:read"] if "lacking" in state else ["sessions:read"]))


def test_outcomes_come_in_their_order(table: Table, stop_clock: Callable[[str], datetime]) -> None:
    """The first applicable refusal in the documented order is the answer, in all 16 combinations."""
    stop_clock(NOW)

    actual = {state: verified(table, state, KEY.text()).code for state in EVERY_STATE}

    assert {
        state: next((OUTCOMES[name] for name in STATES if name in state), Code.VALID) for state in EVERY_STATE
    } == actual


def test_only_the_right_secret_learns_more_than_not_found(table: Table, stop_clock: Callable[[str], datetime]) -> None:
    """Without the secret, both ids and even the pepper do not reveal the state of a key."""
    stop_clock(NOW)

    outcomes = {verified(table, state, WRONG.text()) for state in EVERY_STATE}

    assert {UnknownKey("wrong secret")} == outcomes


def test_valid(table: Table) -> None:
    """The outcome has the key and no missing permissions."""
    outcome = verify(KEY.put(table))

    assert isinstance(outcome, IdentifiedKey)
    assert Code.VALID is outcome.code
    assert () == outcome.missing_permissions
    assert KEY_ID == str(outcome.key.key_id)
    assert "CI" == outcome.key.name
    assert ("sessions:read",) == outcome.key.permissions


def test_missing_permissions_are_named_in_their_order(table: Table) -> None:
    """Each missing permission appears once, without those that the key has or that another one implies."""
    text = KEY.put(table, permissions=["webhooks:write"])

    outcome = verify(
        text, requiring(["sessions:write", "webhooks:read", "sessions:read", "webhooks:write", "sessions:write"])
    )

    assert isinstance(outcome, IdentifiedKey)
    assert Code.INSUFFICIENT_PERMISSIONS is outcome.code
    assert ("sessions:write", "sessions:read") == outcome.missing_permissions


def test_a_key_without_organization_is_not_found(world: World) -> None:
    """Remaining keys of a deleted organization do not verify."""
    assert UnknownKey("no such key") == verify(KEY.put(world.table))


def test_an_unknown_key_is_not_found(table: Table) -> None:
    """A well-formed text with a valid tag is not enough."""
    del table

    assert UnknownKey("no such key") == verify(KEY.text())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "malformed"),
        ("kk_", "malformed"),
        ("kk_" + "0" * 92, "wrong checksum"),
        ("Bearer kk_" + "0" * 92, "malformed"),
        ("\ud800" * 95, "malformed"),
        ("x" * 100_000, "malformed"),
    ],
    ids=["empty", "the prefix", "zeros", "a scheme", "lone surrogates", "long"],
)
def test_a_malformed_text_is_not_found(table: Table, text: str, reason: str) -> None:
    """Every text without the form of a key is NOT_FOUND."""
    del table

    assert UnknownKey(reason) == verify(text)


def test_a_text_of_another_pepper_is_not_found(table: Table) -> None:
    """A text whose tag was made with another pepper is NOT_FOUND."""
    KEY.put(table)

    assert UnknownKey("wrong tag") == verify(KEY.text(keyring.derive(b"another pepper" * 4)))


@pytest.mark.parametrize(("expires_at", "code"), [(PAST, Code.EXPIRED), (NOW, Code.EXPIRED), (FUTURE, Code.VALID)])
def test_a_key_expires_with_its_moment(
    table: Table, stop_clock: Callable[[str], datetime], expires_at: str, code: Code
) -> None:
    """A key is expired at its exact expiry time."""
    stop_clock(NOW)

    assert code == verify(KEY.put(table, expires_at=expires_at)).code


@pytest.mark.parametrize(("until", "code"), [(PAST, Code.NOT_FOUND), (NOW, Code.NOT_FOUND), (FUTURE, Code.VALID)])
def test_a_grace_period_ends_with_its_moment(
    table: Table, stop_clock: Callable[[str], datetime], until: str, code: Code
) -> None:
    """The previous secret is refused at the exact end of its grace period."""
    stop_clock(NOW)
    NEXT.put(table, previous_hash=KEY.hash(), previous_expires_at=until)

    assert Code.VALID is verify(NEXT.text()).code
    assert code is verify(KEY.text()).code


@pytest.mark.parametrize("generation", [0, 1, 4, 65_535])
def test_secrets_of_other_generations_are_rotated_out(table: Table, generation: int) -> None:
    """Only the current generation verifies, and the previous one in its grace period, even with a right secret."""
    other = SampleKey(generation=generation)
    SampleKey(generation=3).put(table, previous_hash=KEY.hash(), previous_expires_at="2099-01-01T00:00:00.000Z")

    assert UnknownKey("rotated out" if generation < 3 else "unknown generation") == verify(other.text())


def test_the_generation_in_a_text_cannot_be_chosen(table: Table) -> None:
    """The hash covers the generation: the current secret does not verify as the previous one."""
    SampleKey(generation=3).put(
        table, previous_hash=SampleKey(generation=3).hash(), previous_expires_at="2099-01-01T00:00:00.000Z"
    )

    assert UnknownKey("wrong secret") == verify(SampleKey(generation=2).text())


@pytest.mark.parametrize(
    "other",
    [SampleKey(key_id=nth_id(7)), SampleKey(organization_id=OTHER_ORGANIZATION_ID)],
    ids=["key", "organization"],
)
def test_a_hash_that_is_moved_opens_nothing(table: Table, other: SampleKey) -> None:
    """With write access to the table and the pepper, one key's secret still cannot verify as another's."""
    KEY.put(table)
    table.put_organization(OTHER_ORGANIZATION_ID)
    other.put(table, hash=KEY.hash())

    assert UnknownKey("wrong secret") == verify(other.text())


@pytest.mark.parametrize("fault", UNANSWERED)
def test_what_cannot_be_read_is_no_refusal(table: Table, fault: faults.Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key may be valid: the caller gets 503 and can retry."""
    monkeypatch.setattr("keywright.aws.retries.time.sleep", lambda _: None)
    text = KEY.put(table)
    with faults.injected(*[fault] * 100), pytest.raises(ServiceError) as caught:
        verify(text)

    assert SERVICE_UNAVAILABLE == caught.value.error


def test_a_read_that_fails_once_is_repeated(table: Table) -> None:
    """The caller does not notice one failed read."""
    text = KEY.put(table)
    with faults.injected(faults.error("ThrottlingException")) as operations:
        assert Code.VALID == verify(text).code

    assert READ * 2 == operations


def test_a_damaged_hash_is_an_error(table: Table) -> None:
    """A damaged hash is an error, not NOT_FOUND: the key may be valid."""
    text = KEY.put(table, hash="$argon2id$v=19$damaged")

    with pytest.raises(VerificationError):
        verify(text)


# ---- What it costs ---------------------------------------------------------------------------------------------


def test_the_first_verification_of_a_container(table: Table) -> None:
    """One read, one hash, and one fetch of the pepper per container."""
    text = KEY.put(table)
    new_container()
    with counted() as costs:
        assert Code.VALID == verify(text).code
        first = costs.spent()
        assert Code.VALID == verify(text).code

        assert Spent(READ, hashes=1, fetches=1) == first
        assert Spent(READ) == costs.spent()


def test_a_warm_verification(table: Table, costs: Costs) -> None:
    """Each further verification is one read and no hash."""
    text = KEY.put(table)
    verify(text)
    costs.spent()

    for _ in range(10):
        verify(text)

    assert Spent(READ * 10) == costs.spent()


def test_a_malformed_text_costs_nothing(table: Table, costs: Costs) -> None:
    """A malformed text is refused without the pepper."""
    del table
    verify("kk_" + "0" * 85)

    assert Spent([]) == costs.spent()


def test_a_forged_text_costs_nothing(table: Table, costs: Costs) -> None:
    """A forged tag is refused without a read or a hash."""
    KEY.put(table)
    pepper.keyring()
    costs.spent()

    verify(KEY.text(keyring.derive(b"another pepper" * 4)))

    assert Spent([]) == costs.spent()


def test_an_unknown_key_costs_one_request(table: Table, costs: Costs) -> None:
    """Without a record there is no hash to compare."""
    del table
    text = KEY.text()
    costs.spent()

    verify(text)

    assert Spent(READ) == costs.spent()


def test_a_secret_that_is_rotated_out_costs_one_request(table: Table, costs: Costs) -> None:
    """A text of an earlier generation costs one read and no hash, except for the first of a day in a container."""
    NEXT.put(table)
    table.put_unused()
    text = KEY.text()
    costs.spent()

    verify(text)
    assert Spent([*READ_AND_WRITE, "TransactWriteItems"]) == costs.spent()

    for _ in range(10):
        verify(text)

    assert Spent(READ * 10) == costs.spent()


def test_a_wrong_secret_is_hashed_every_time(table: Table, costs: Costs) -> None:
    """Only matches are remembered. A text with a valid tag requires the pepper."""
    KEY.put(table)
    text = WRONG.text()
    costs.spent()

    for _ in range(3):
        verify(text)

    assert Spent(READ * 3, hashes=3) == costs.spent()


@pytest.mark.parametrize("state", [state for state in EVERY_STATE if len(state) == 1], ids=str)
def test_a_refusal_of_the_right_secret_costs_what_success_does(
    table: Table, costs: Costs, state: frozenset[str], stop_clock: Callable[[str], datetime]
) -> None:
    """One read; the match is remembered in every state of the key."""
    stop_clock(NOW)
    text = KEY.text()
    costs.spent()

    verified(table, state, text)
    costs.spent()
    verified(table, state, text)

    assert Spent(READ) == costs.spent()


def test_each_secret_of_a_key_is_hashed_once(table: Table, costs: Costs) -> None:
    """In a grace period a key has two secrets, and each one is hashed once in a container."""
    NEXT.put(table, previous_hash=KEY.hash(), previous_expires_at="2099-01-01T00:00:00.000Z")
    texts = [KEY.text(), NEXT.text()] * 2
    costs.spent()

    assert [Code.VALID] * 4 == [verify(text).code for text in texts]

    assert Spent(READ * 4, hashes=2) == costs.spent()


# ---- What a container remembers --------------------------------------------------------------------------------


def test_a_remembered_match_is_no_longer_one_when_the_hash_changes(table: Table) -> None:
    """A remembered match counts only if the record still has the same hash."""
    text = KEY.put(table)
    assert Code.VALID == verify(text).code
    KEY.put(table, hash=WRONG.hash())

    assert UnknownKey("wrong secret") == verify(text)


def test_the_memory_is_bounded(table: Table, costs: Costs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The least recently used entry is dropped and costs another hash."""
    monkeypatch.setattr(verification, "REMEMBERED_MATCHES", 2)
    keys = [SampleKey(key_id=nth_id(number)) for number in range(3)]
    texts = [key.put(table) for key in keys]
    costs.spent()
    hashes = []
    for number in (0, 1, 0, 2, 0, 1):
        verify(texts[number])
        hashes.append(costs.spent()[1])

    assert [1, 1, 0, 1, 0, 1] == hashes


@pytest.mark.parametrize(
    ("memory", "size"), [(verification.matches, 20_000), (verification.records, 2_000)], ids=["matches", "records"]
)
def test_the_memory_has_a_size(memory: Callable[[], Recent[object, object]], size: int) -> None:
    """A container remembers 20,000 secrets that matched and 2,000 records, which bounds its memory."""
    new_container()
    for number in range(size + 1):
        memory().put(number, number)

    assert size == len(memory())
    assert memory().get(0) is None
    assert 1 == memory().get(1)
    new_container()


def test_no_memory_holds_the_text_or_the_secret(table: Table) -> None:
    """The memory holds a keyed digest of the secret."""
    text = KEY.put(table)
    verify(text)

    remembered = repr(list(verification.matches()._values.items()))

    assert 1 == len(verification.matches())
    assert text not in remembered
    assert KEY.secret not in remembered


# ---- Pepper versions -------------------------------------------------------------------------------------------

SECOND_PEPPER = "the-second-pepper-of-no-deployment-0123456789-abcdefghijklmnopqrst"


def add_pepper() -> None:
    """Add version 2 to the pepper's secret and make it current."""
    client, name = boto3.client("secretsmanager"), settings().pepper_secret_id
    content = json.loads(client.get_secret_value(SecretId=name)["SecretString"])
    secret = json.dumps({**content, "current": 2, "2": SECOND_PEPPER})
    client.put_secret_value(SecretId=name, SecretString=secret)


def test_keys_of_every_pepper_version_work(table: Table) -> None:
    """A rotation of the pepper keeps existing keys valid."""
    old = KEY.put(table)
    add_pepper()
    new_container()
    new = SampleKey(key_id=nth_id(2), pepper_version=2).put(table)

    assert [Code.VALID] * 2 == [verify(text).code for text in (old, new)]


def test_a_version_that_is_new_is_found_by_a_running_container(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret is fetched again for it, at the earliest a minute after the last fetch."""
    clock = SimpleNamespace(now=1000.0)
    keys = keyring.derive(SECOND_PEPPER.encode())
    key = SampleKey(pepper_version=2)
    table.put_key(hash=key.hash(keys))
    monkeypatch.setattr(pepper.peppers(), "_clock", lambda: clock.now)
    pepper.keyring()
    add_pepper()

    early = verify(key.text(keys))
    clock.now += 60
    late = verify(key.text(keys))

    assert UnknownKey("unknown pepper version") == early
    assert Code.VALID is late.code


def test_an_unknown_version_is_refused_without_a_read(table: Table, costs: Costs) -> None:
    """The version may be forged, and the pepper was fetched less than a minute ago."""
    del table
    pepper.keyring()
    costs.spent()

    outcome = verify(SampleKey(pepper_version=9).text(keyring.derive(SECOND_PEPPER.encode())))

    assert UnknownKey("unknown pepper version") == outcome
    assert Spent([]) == costs.spent()


# ---- Hashes of another price -----------------------------------------------------------------------------------

DEARER = Argon2Parameters(memory_kib=16, iterations=2, parallelism=1)


@pytest.fixture
def dearer(table: Table, setting: Callable[[str, str], None]) -> Table:
    """A deployment with more expensive hash parameters."""
    setting("ARGON2_MEMORY_KIB", str(DEARER.memory_kib))
    setting("ARGON2_ITERATIONS", str(DEARER.iterations))
    return table


def test_an_old_hash_verifies_and_is_upgraded_once(dearer: Table, costs: Costs) -> None:
    """One conditional write changes only the hash. The next verification is as cheap as any other."""
    text = KEY.put(dearer)
    before = dearer.item(f"KEY#{KEY_ID}")
    costs.spent()

    assert Code.VALID == verify(text).code
    first = costs.spent()
    assert Code.VALID == verify(text).code
    second = costs.spent()

    after = dearer.item(f"KEY#{KEY_ID}")
    assert Spent(READ_AND_WRITE, hashes=2) == first
    assert Spent(READ) == second
    assert before == after | {"hash": before["hash"]}
    assert key_hash.is_current(after["hash"], DEARER)


def test_a_dearer_hash_is_replaced_by_one_of_the_configured_cost(table: Table, costs: Costs) -> None:
    """GIVEN a deployment that lowers the cost of a hash WHEN a key is verified THEN its hash has the lower cost."""
    text = KEY.put(table, hash=KEY.hash(parameters=DEARER))
    costs.spent()

    assert Code.VALID == verify(text).code

    assert Spent(READ_AND_WRITE, hashes=2) == costs.spent()
    assert key_hash.is_current(table.item(f"KEY#{KEY_ID}")["hash"], settings().argon2)


def test_another_container_finds_the_upgraded_hash(dearer: Table) -> None:
    """After an upgrade, another container needs one hash and no write."""
    text = KEY.put(dearer)
    verify(text)
    new_container()

    with counted() as costs:
        assert Code.VALID == verify(text).code

        assert Spent(READ, hashes=1, fetches=1) == costs.spent()


def test_a_key_is_upgraded_in_every_state(dearer: Table) -> None:
    """The state of a key does not affect the upgrade of its hash."""
    text = KEY.put(dearer, enabled=False)

    assert Code.DISABLED == verify(text).code
    assert key_hash.is_current(dearer.item(f"KEY#{KEY_ID}")["hash"], DEARER)


def test_the_hash_of_a_grace_period_is_not_upgraded(dearer: Table, costs: Costs) -> None:
    """The hash of a previous secret stays as it is, because the secret expires soon."""
    previous = KEY.hash()
    NEXT.put(
        dearer,
        hash=NEXT.hash(parameters=DEARER),
        previous_hash=previous,
        previous_expires_at="2099-01-01T00:00:00.000Z",
    )
    text = KEY.text()
    costs.spent()

    assert Code.VALID == verify(text).code

    assert Spent(READ, hashes=1) == costs.spent()
    assert previous == dearer.item(f"KEY#{KEY_ID}")["previous_hash"]


def test_a_wrong_secret_upgrades_nothing(dearer: Table, costs: Costs) -> None:
    """A wrong secret must not replace the hash."""
    KEY.put(dearer)
    text = WRONG.text()
    costs.spent()

    verify(text)

    assert Spent(READ, hashes=1) == costs.spent()


def rotate(table: Table) -> None:
    """Rotate the key, like a concurrent request."""
    NEXT.put(table, version=2)


def rotate_with_grace(table: Table) -> None:
    """Rotate the key with a grace period."""
    NEXT.put(table, version=2, previous_hash=KEY.hash(), previous_expires_at="2099-01-01T00:00:00.000Z")


def delete(table: Table) -> None:
    """Delete the key."""
    table.client.delete_item(
        TableName=table.name, Key={"pk": {"S": f"ORG#{KEY.organization_id}"}, "sk": {"S": f"KEY#{KEY_ID}"}}
    )


def upgrade(table: Table) -> None:
    """Upgrade the hash, like another container."""
    KEY.put(table, hash=KEY.hash(parameters=DEARER))


@pytest.mark.parametrize("change", [rotate, rotate_with_grace, delete, upgrade])
def test_an_upgrade_does_not_touch_what_has_changed(dearer: Table, change: Callable[[Table], None]) -> None:
    """A concurrent change stays, and a deleted key stays deleted."""
    text = KEY.put(dearer)
    expected = list[Any]()

    def overtake() -> None:
        change(dearer)
        expected.extend(dearer.items())

    with faults.injected(None, meanwhile(overtake)) as operations:
        assert Code.VALID == verify(text).code

    assert ["BatchGetItem", "UpdateItem"] == operations
    assert expected == dearer.items()


def test_an_upgrade_keeps_a_change_that_it_has_not_seen(dearer: Table) -> None:
    """A concurrently disabled and renamed key stays so, and its hash is upgraded."""
    text = KEY.put(dearer)
    with faults.injected(None, meanwhile(lambda: KEY.put(dearer, enabled=False, name="theirs", version=2))):
        verify(text)

    item = dearer.item(f"KEY#{KEY_ID}")
    assert item["enabled"] is False
    assert "theirs" == item["name"]
    assert 2 == item["version"]
    assert key_hash.is_current(item["hash"], DEARER)


@pytest.mark.parametrize(
    "fault", [*UNANSWERED, faults.error("AccessDeniedException"), faults.error("ValidationException")]
)
def test_an_upgrade_that_fails_does_not_fail_the_verification(dearer: Table, fault: faults.Fault) -> None:
    """On any error of DynamoDB, the key stays valid and the next container tries again."""
    text = KEY.put(dearer)
    before = dearer.items()
    with faults.injected(None, fault) as operations:
        assert Code.VALID == verify(text).code

    assert ["BatchGetItem", "UpdateItem"] == operations
    assert before == dearer.items()


def test_an_upgrade_without_memory_does_not_fail_the_verification(
    dearer: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hash parameters beyond the function's memory are the operator's mistake and do not fail the caller."""
    text = KEY.put(dearer)

    def too_large(*_: object) -> str:
        raise HashingError("Memory allocation error")

    monkeypatch.setattr(key_hash, "hash_digest", too_large)

    assert Code.VALID == verify(text).code


# ---- Records that may be reused --------------------------------------------------------------------------------

REUSE_SECONDS = 5


@pytest.fixture
def now(table: Table, setting: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A movable clock, in a deployment where records may be reused for 5 seconds."""
    del table
    setting("RECORD_REUSE_SECONDS", str(REUSE_SECONDS))
    clock = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(
        verification, "time", SimpleNamespace(monotonic=lambda: clock.seconds, perf_counter=lambda: clock.seconds)
    )
    return clock


def test_a_reused_record_costs_no_request(table: Table, costs: Costs, now: SimpleNamespace) -> None:
    """No read until the reuse time has passed, then one."""
    text = KEY.put(table)
    verify(text)
    costs.spent()

    now.seconds += REUSE_SECONDS - 0.001
    verify(text)
    within = costs.spent()
    now.seconds += 0.001
    verify(text)

    assert Spent([]) == within
    assert Spent(READ) == costs.spent()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda table: KEY.put(table, enabled=False), Code.DISABLED),
        (rotate, Code.NOT_FOUND),
        (delete, Code.NOT_FOUND),
        (lambda table: KEY.put(table, expires_at="2026-01-01T00:00:00.000Z"), Code.EXPIRED),
        (lambda table: table.freeze(), Code.ORGANIZATION_FROZEN),
        (lambda table: KEY.put(table, permissions=["webhooks:read"]), Code.INSUFFICIENT_PERMISSIONS),
    ],
    ids=["disable", "rotate", "delete", "expire", "freeze", "take a permission"],
)
def test_what_was_revoked_is_refused_when_the_seconds_are_over(
    table: Table, now: SimpleNamespace, change: Callable[[Table], object], code: Code
) -> None:
    """A revoked key is accepted until the reuse time has passed, however often it is used."""
    text = KEY.put(table)
    verify(text, requiring(["sessions:read"]))
    change(table)

    codes = []
    for _ in range(REUSE_SECONDS + 1):
        codes.append(verify(text, requiring(["sessions:read"])).code)
        now.seconds += 1

    assert [*[Code.VALID] * REUSE_SECONDS, code] == codes


def test_the_seconds_count_from_before_the_read(table: Table, now: SimpleNamespace) -> None:
    """A change during the read does not extend the reuse time."""
    text = KEY.put(table)

    def disabled_on_the_way() -> None:
        now.seconds += 2  # the answer takes so long

    with faults.injected(meanwhile(disabled_on_the_way)):
        verify(text)
    KEY.put(table, enabled=False)
    now.seconds += REUSE_SECONDS - 2

    assert Code.DISABLED == verify(text).code


def test_a_reused_record_expires_with_its_moment(
    table: Table, now: SimpleNamespace, stop_clock: Callable[[str], datetime]
) -> None:
    """Times in the record apply to the millisecond."""
    text = KEY.put(table, expires_at=NOW)
    stop_clock(PAST)
    before = verify(text).code
    now.seconds += 0.001
    stop_clock(NOW)

    assert Code.VALID is before
    assert Code.EXPIRED is verify(text).code


def test_that_a_key_is_unknown_is_not_remembered(table: Table, now: SimpleNamespace) -> None:
    """A key works as soon as it is created, even if it was asked for just before."""
    del now
    unknown = verify(KEY.text()).code

    assert Code.NOT_FOUND is unknown
    assert Code.VALID is verify(KEY.put(table)).code


def test_a_rotated_key_works_at_once_with_its_new_text(table: Table, costs: Costs, now: SimpleNamespace) -> None:
    """A text of a later generation shows that the reused record is old: the key is read again, once."""
    del now
    verify(KEY.put(table))
    text = NEXT.put(table)
    costs.spent()

    assert Code.VALID is verify(text).code
    assert Code.VALID is verify(text).code
    assert READ == costs.spent()[0]


def test_another_secret_is_not_let_in_by_a_reused_record(table: Table, now: SimpleNamespace) -> None:
    """Secrets are compared every time, also with a reused record."""
    del now
    verify(KEY.put(table))

    assert UnknownKey("wrong secret") == verify(WRONG.text())


def test_by_default_nothing_is_reused(table: Table) -> None:
    """A revoked key is refused on the next request."""
    text = KEY.put(table)
    assert Code.VALID == verify(text).code
    KEY.put(table, enabled=False)

    assert Code.DISABLED == verify(text).code


# ---- What is counted -------------------------------------------------------------------------------------------


def test_a_use_is_written_when_the_interval_is_over(
    table: Table, costs: Costs, setting: Callable[[str, str], None]
) -> None:
    """Uses are not written earlier. An interval of zero writes them at once."""
    table.put_unused()
    text = KEY.put(table)
    verify(text)
    assert READ == costs.spent()[0]
    assert [0] == [usage["request_count"] for usage in table.under("USAGE#")]

    setting("USAGE_FLUSH_SECONDS", "0")
    verify(text)

    assert Spent(READ_AND_WRITE) == costs.spent()
    assert [1] == [usage["request_count"] for usage in table.under("USAGE#")]


def test_who_only_looks_does_not_use_the_key(table: Table, setting: Callable[[str, str], None]) -> None:
    """GIVEN a key WHEN it is verified at cost 0 and once more THEN it was used once."""
    setting("USAGE_FLUSH_SECONDS", "0")
    text = KEY.put(table)
    table.put_unused()

    verify(text, requiring([], cost=0))
    verify(text)

    assert [1] == [usage["request_count"] for usage in table.under("USAGE#")]


def test_the_address_and_the_use_of_the_previous_secret_are_written(
    table: Table, setting: Callable[[str, str], None], stop_clock: Callable[[str], datetime]
) -> None:
    """GIVEN a rotated key WHEN both its secrets are used THEN the usage has the last use of the previous one."""
    setting("USAGE_FLUSH_SECONDS", "0")
    table.put_unused()
    NEXT.put(table, previous_hash=KEY.hash(), previous_expires_at="2099-01-01T00:00:00.000Z")

    stop_clock("2026-06-01T12:00:00.000Z")
    verify(NEXT.text(), requiring([], "192.0.2.1"))
    (before,) = table.under("USAGE#")
    stop_clock("2026-06-01T12:01:00.000Z")
    verify(KEY.text(), requiring([], "192.0.2.2"))
    stop_clock("2026-06-01T12:02:00.000Z")
    verify(NEXT.text())

    (after,) = table.under("USAGE#")
    assert "192.0.2.1" == before["last_used_ip"]
    assert "previous_used_at" not in before
    assert "last_used_ip" not in after
    assert "2026-06-01T12:01:00.000Z" == after["previous_used_at"]
    assert 0 == after["previous_generation"]
    assert {day_name(date(2026, 6, 1)): 3} == after["days"]


@pytest.mark.parametrize("state", [state for state in EVERY_STATE if len(state) == 1], ids=str)
def test_a_refusal_is_no_use(
    table: Table, setting: Callable[[str, str], None], state: frozenset[str], stop_clock: Callable[[str], datetime]
) -> None:
    """Only accepted verifications are counted as uses."""
    stop_clock(NOW)
    setting("USAGE_FLUSH_SECONDS", "0")
    table.put_unused()

    assert Code.VALID != verified(table, state, KEY.text()).code
    assert [0] == [usage["request_count"] for usage in table.under("USAGE#")]


@pytest.mark.parametrize("fault", [*UNANSWERED, faults.error("AccessDeniedException")])
def test_a_use_that_cannot_be_written_does_not_fail_the_verification(
    table: Table, setting: Callable[[str, str], None], fault: faults.Fault
) -> None:
    """The key stays valid on any error of DynamoDB."""
    text = KEY.put(table)
    setting("USAGE_FLUSH_SECONDS", "0")
    with faults.injected(None, *[fault] * 100) as operations:
        assert Code.VALID == verify(text).code

    assert ["BatchGetItem", "UpdateItem"] == operations
