"""Verifying several keys at once: each as alone, all reads first, and failures that stay with their key."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import pytest

from keywright import deadline
from keywright.api.schemas import VerifyApiKey, VerifyApiKeys
from keywright.aws.retries import dynamodb
from keywright.domain import key_text
from keywright.domain.limits import Period, Quota, RateLimit
from keywright.errors import SERVICE_UNAVAILABLE, ServiceError
from keywright.keys import introspect
from keywright.keys.outcome import Code, IdentifiedKey, UndecidedKey, UnknownKey, Verification
from keywright.keys.verification import NO_PERMISSION_NEEDED, Use, requiring, verify, verify_all
from keywright.store import pepper
from keywright.store.limits import ATTEMPTS
from tests.support import faults
from tests.support.client import meanwhile
from tests.support.costs import counted
from tests.support.depth import size
from tests.support.environment import new_container
from tests.support.imported_keys import imported, new_text
from tests.support.sample_keys import SampleKey, secret_parts
from tests.support.world import OTHER_ORGANIZATION_ID, PENDING_DELETION_AT, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from tests.support.world import Table, World

READ, WRITE = "BatchGetItem", "UpdateItem"
NOW = "2026-06-01T12:00:00.000Z"
SLOW = RateLimit(10, 3600, 10)
KEYS = [SampleKey(key_id=nth_id(number)) for number in range(3)]
ROUNDS = size("BATCHES", 4, full=100)


@pytest.fixture
def table(world: World) -> Table:
    """A table with one organization."""
    world.table.put_organization()
    return world.table


def put_limited(table: Table, key: SampleKey, quota: int = 5) -> str:
    """Write a key with a rate limit and a quota, and return its text."""
    table.put(pk=f"LIMIT#{key.key_id}", sk="LIMIT", quota_period="total", quota_used=0)
    return key.put(table, rate_limit=SLOW.stored(), quota=Quota(quota, Period.TOTAL).stored())


def used(table: Table) -> dict[str, int]:
    """Return what is used of each quota, by the id of its key."""
    limits = [item for item in table.items() if item["sk"] == "LIMIT"]
    return {item["pk"].removeprefix("LIMIT#"): int(item.get("quota_used", 0)) for item in limits}


def batch(*texts: str, use: Use = NO_PERMISSION_NEEDED) -> list[str]:
    """Verify texts at once and return the codes."""
    return [str(result.code) for result in verify_all([(text, use) for text in texts])]


# ---- The results -----------------------------------------------------------------------------------------------


def test_results_are_in_the_order_of_the_texts(table: Table) -> None:
    """GIVEN keys, a forged and a malformed text THEN each place has the result of its text."""
    first, second = KEYS[0].put(table, name="first"), KEYS[1].put(table, name="second")
    forged = first[:-1] + ("0" if first[-1] != "0" else "1")

    results = verify_all([(text, NO_PERMISSION_NEEDED) for text in (second, forged, first, "kk_")])

    assert ["second", None, "first", None] == [
        result.key.name if isinstance(result, IdentifiedKey) else None for result in results
    ]


def test_each_text_has_its_own_use(table: Table) -> None:
    """Permissions, address and cost are those of the text's place."""
    text = KEYS[0].put(table, permissions=["sessions:read"], allowed_ips=["192.0.2.1"])
    uses = [
        requiring(["sessions:read"], "192.0.2.1"),
        requiring(["webhooks:read"], "192.0.2.1"),
        requiring(["sessions:read"], "192.0.2.2"),
    ]

    codes = [result.code for result in verify_all([(text, use) for use in uses])]

    assert [Code.VALID, Code.INSUFFICIENT_PERMISSIONS, Code.IP_NOT_ALLOWED] == codes


def scene(table: Table) -> list[str]:
    """Write keys in every state, all without uses, and return their texts and some that are no keys."""
    table.put_organization(rate_limit=SLOW.stored())
    table.put_organization(OTHER_ORGANIZATION_ID, pending_deletion_at=PENDING_DELETION_AT)
    table.put(pk=f"LIMIT#{KEYS[0].organization_id}", sk="LIMIT")
    keys = [SampleKey(key_id=nth_id(number)) for number in range(20, 26)]
    rotated = SampleKey(key_id=keys[4].key_id, generation=1, secret="the-secret-after-that-")
    frozen = SampleKey(OTHER_ORGANIZATION_ID, nth_id(30))
    return [
        put_limited(table, keys[0]),
        keys[1].put(table, expires_at="2026-01-01T00:00:00.000Z"),
        keys[2].put(table, enabled=False),
        keys[3].put(table),
        rotated.put(table, previous_hash=keys[4].hash(), previous_expires_at="2099-01-01T00:00:00.000Z"),
        keys[4].text(),
        keys[5].text(),
        frozen.put(table),
        SampleKey(key_id=keys[3].key_id, secret="another-than-the-right").text(),
        "kk_not_a_key",
        keys[3].text()[:-1],
    ]


def drawn_uses(texts: Sequence[str], seed: int) -> list[tuple[str, Use]]:
    """Return up to 30 of these texts, some of them several times, each with a use."""
    draw = random.Random(seed)  # noqa: S311 - a test's choice
    required: list[list[str]] = [[], ["sessions:read"], ["webhooks:write"]]
    return [
        (draw.choice(texts), requiring(draw.choice(required), cost=draw.choice([0, 1, 1, 4])))
        for _ in range(draw.randint(1, 30))
    ]


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_batch_answers_what_single_verifications_would(
    table: Table, stop_clock: Callable[[str], datetime], seed: int
) -> None:
    """GIVEN keys in every state, and texts that repeat THEN results and what is used of limits are the same."""
    stop_clock(NOW)

    def outcome(act: Callable[[list[tuple[str, Use]]], Sequence[Verification | UndecidedKey]]) -> tuple[Any, Any]:
        asked = drawn_uses(scene(table), seed)
        new_container()
        return act(asked), table.items()

    assert outcome(lambda asked: [verify(*each) for each in asked]) == outcome(verify_all)


# ---- The requests ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("organizations", "keys", "sizes"),
    [(1, 1, [2]), (1, 99, [100]), (1, 100, [100, 1]), (50, 50, [100]), (100, 100, [100, 100]), (10, 100, [100, 10])],
)
def test_a_request_reads_a_hundred_items(table: Table, organizations: int, keys: int, sizes: list[int]) -> None:
    """The item of an organization is read once for all of its keys, so 50 keys take a request at the most."""
    del table
    texts = [SampleKey(nth_id(1000 + number % organizations), nth_id(number)).text() for number in range(keys)]
    requested: list[list[Any]] = []

    def record(request: AWSPreparedRequest, operation: str) -> AWSResponse | None:
        assert READ == operation
        (asked,) = json.loads(cast("bytes", request.body))["RequestItems"].values()
        requested.append([json.dumps(key) for key in asked["Keys"]])
        return None

    with faults.intercepted(dynamodb(), record):
        assert ["NOT_FOUND"] * keys == batch(*texts)
    assert sizes == [len(each) for each in requested]
    assert sum(sizes) == len({key for each in requested for key in each})


def test_a_key_that_is_there_twice_is_read_once_and_used_twice(
    table: Table, setting: Callable[[str, str], None]
) -> None:
    """One read and one hash; both uses are counted."""
    text = KEYS[0].put(table)
    table.put_unused(KEYS[0].key_id)
    with counted() as costs:
        batch(text, text)
    assert ([READ], 1) == costs.spent()[:2]

    setting("USAGE_FLUSH_SECONDS", "0")
    new_container()
    batch(text, text, text)

    assert [3] == [int(item["request_count"]) for item in table.under("USAGE#")]


def test_texts_that_are_not_keys_cost_nothing(table: Table) -> None:
    """Forged and malformed texts cost no request, alone or beside a key."""
    text = KEYS[0].put(table)
    forged = [KEYS[1].text()[:-1], "kk_", "", "x" * 500]
    with faults.injected() as operations:
        assert ["NOT_FOUND"] * 4 == batch(*forged)
        assert [] == operations
        assert ["NOT_FOUND"] * 4 + ["VALID"] == batch(*forged, text)

    assert [READ] == operations


def test_imported_texts_are_looked_up_together(table: Table, setting: Callable[[str, str], None]) -> None:
    """GIVEN two imported texts and one that was not THEN one request finds them, and one reads the keys."""
    setting("IMPORTED_KEYS", "on")
    texts = [new_text() for _ in range(3)]
    for text in texts[:2]:
        imported(text)
    own = KEYS[0].put(table)
    with faults.injected() as operations:
        assert ["VALID", "NOT_FOUND", "VALID", "VALID"] == batch(texts[0], texts[2], texts[1], own)

    assert [READ] * 2 == operations[:2]
    assert READ not in operations[2:]


def test_records_are_reused(table: Table, setting: Callable[[str, str], None]) -> None:
    """GIVEN records that may be reused THEN only keys that were not read before are read."""
    setting("RECORD_REUSE_SECONDS", "60")
    texts = [key.put(table) for key in KEYS]
    verify(texts[0])
    with faults.injected() as operations:
        assert ["VALID"] * 3 == batch(*texts)
        assert ["VALID"] * 3 == batch(*texts)
        assert Code.VALID == verify(texts[2]).code

    assert [READ] == operations


def test_a_rotated_text_is_read_in_place_of_a_reused_record(table: Table, setting: Callable[[str, str], None]) -> None:
    """GIVEN the record of an earlier text WHEN old and new text come together THEN the key is read for both."""
    setting("RECORD_REUSE_SECONDS", "60")
    old = KEYS[0].put(table)
    verify(old)
    new = SampleKey(key_id=KEYS[0].key_id, generation=1, secret="the-secret-after-that-").put(table)
    table.put_unused(KEYS[0].key_id)

    assert ["NOT_FOUND", "VALID"] == batch(old, new)


# ---- Limits ----------------------------------------------------------------------------------------------------


def test_a_key_that_is_there_twice_takes_its_limit_twice(table: Table) -> None:
    """GIVEN one use that is left THEN the first place gets it, and the second is refused."""
    text = put_limited(table, KEYS[0], quota=1)

    assert ["VALID", "QUOTA_EXCEEDED"] == batch(text, text)
    assert {KEYS[0].key_id: 1} == used(table)


@pytest.mark.parametrize("answered", [0, 1])
def test_a_read_that_fails_spends_nothing(table: Table, answered: int) -> None:
    """GIVEN reads of which one is not answered THEN nothing is answered, and no limit was asked."""
    texts = [put_limited(table, key) for key in KEYS]
    texts += [SampleKey(nth_id(1000 + number), nth_id(number)).text() for number in range(90)]
    with (
        faults.injected(*[None] * answered, *[faults.timeout] * 8) as operations,
        pytest.raises(ServiceError) as caught,
    ):
        batch(*texts)

    assert SERVICE_UNAVAILABLE == caught.value.error
    assert {READ} == set(operations)
    assert [0, 0, 0] == list(used(table).values())


def test_a_quota_that_cannot_be_asked_leaves_the_others(table: Table) -> None:
    """GIVEN three keys WHEN the second one's quota is not answered THEN it alone is undecided."""
    texts = [put_limited(table, key) for key in KEYS]
    with faults.injected(None, None, *[faults.timeout] * ATTEMPTS):
        assert ["VALID", "SERVICE_UNAVAILABLE", "VALID"] == batch(*texts)

    assert [1, 0, 1] == [used(table)[key.key_id] for key in KEYS]


def test_a_rate_limit_that_cannot_be_asked_admits(table: Table) -> None:
    """GIVEN a rate limit and no answer THEN the key is valid, as alone."""
    text = KEYS[0].put(table, rate_limit=SLOW.stored())
    table.put(pk=f"LIMIT#{KEYS[0].key_id}", sk="LIMIT")
    with faults.injected(None, *[faults.timeout] * ATTEMPTS):
        assert ["VALID"] == batch(text)


def test_a_limit_that_is_gone_is_read_again_for_its_key(table: Table) -> None:
    """GIVEN a limit that is taken away after the reads THEN only its key is read again."""
    texts = [KEYS[0].put(table), put_limited(table, KEYS[1])]

    def take_away() -> None:
        key = {"pk": {"S": f"LIMIT#{KEYS[1].key_id}"}, "sk": {"S": "LIMIT"}}
        table.client.delete_item(TableName=table.name, Key=key)
        KEYS[1].put(table)

    with faults.injected(None, meanwhile(take_away)) as operations:
        assert ["VALID", "VALID"] == batch(*texts)

    assert [READ, WRITE] == operations[:2]
    assert READ == operations[-1]


# ---- Failures of one -------------------------------------------------------------------------------------------


def test_when_time_runs_out_the_rest_is_undecided(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN a limit that is slow to answer THEN keys after it are undecided, unasked, and forged ones are not found."""
    texts = [put_limited(table, key) for key in KEYS]
    remaining = [24.0]
    monkeypatch.setattr(deadline, "remaining_seconds", lambda: remaining[0])

    def take_long() -> None:
        remaining[0] = 2.9

    with faults.injected(None, meanwhile(take_long)) as operations:
        assert ["VALID", "SERVICE_UNAVAILABLE", "NOT_FOUND", "SERVICE_UNAVAILABLE"] == batch(
            texts[0], texts[1], "kk_", texts[2]
        )

    assert [READ, WRITE] == operations
    assert [1, 0, 0] == [used(table)[key.key_id] for key in KEYS]


def test_a_limit_is_begun_only_with_the_time_to_ask_it(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN little time WHEN a key has limits THEN it is undecided and not let in unasked; others need less time."""
    texts = [put_limited(table, KEYS[0]), KEYS[1].put(table)]
    monkeypatch.setattr(deadline, "remaining_seconds", lambda: 5.9)

    assert ["SERVICE_UNAVAILABLE", "VALID"] == batch(*texts)
    assert 0 == used(table)[KEYS[0].key_id]


@pytest.mark.parametrize("failure", [ServiceError(SERVICE_UNAVAILABLE, reason="r"), RuntimeError("r")], ids=repr)
def test_a_text_with_an_unknown_pepper_fails_alone(
    table: Table, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    """GIVEN a made-up version of the pepper, for which it is fetched in vain THEN the other keys are decided."""
    peppers, text = pepper.peppers(), KEYS[0].put(table)
    payload = key_text.payload(
        pepper_version=77,
        organization_id=UUID(nth_id(8)),
        key_id=UUID(nth_id(9)),
        generation=0,
        secret=bytes(key_text.SECRET_BYTES),
    )
    tag_key = peppers.tag_key

    def failing(version: int) -> bytes | None:
        if version == 77:
            raise failure
        return tag_key(version)

    monkeypatch.setattr(peppers, "tag_key", failing)

    made_up = key_text.encode("kk_", payload, bytes(32))
    assert ["VALID", "SERVICE_UNAVAILABLE", "VALID"] == batch(text, made_up, text)


def test_keys_that_the_answer_has_no_room_for_are_undecided(table: Table) -> None:
    """GIVEN keys with as much metadata as possible, in characters that JSON escapes THEN the answer fits into 6 MB.

    The keys that are left out are not used.
    """
    metadata = json.dumps({"a": "ä" * 8_187}, ensure_ascii=False, separators=(",", ":"))
    text = put_limited(table, KEYS[0], quota=200)
    KEYS[0].put(table, metadata=metadata, quota=Quota(200, Period.TOTAL).stored())

    answer = introspect.verify_all(VerifyApiKeys(verifications=[VerifyApiKey(key=text)] * 100))

    codes = [result.code for result in answer.results]
    assert 90 < codes.count("VALID") < 100
    assert ["SERVICE_UNAVAILABLE"] * (100 - codes.count("VALID")) == codes[codes.count("VALID") :]
    assert {KEYS[0].key_id: codes.count("VALID")} == used(table)
    assert 6_000_000 > len(json.dumps(json.dumps(answer.model_dump(mode="json", by_alias=True))))


def test_a_damaged_item_leaves_the_others(table: Table) -> None:
    """GIVEN a hash that is none between two keys THEN it alone is undecided."""
    texts = [put_limited(table, KEYS[0]), KEYS[1].put(table, hash="$argon2id$"), put_limited(table, KEYS[2])]

    assert ["VALID", "SERVICE_UNAVAILABLE", "VALID"] == batch(*texts)


def test_an_undecided_key_is_not_used(table: Table, setting: Callable[[str, str], None]) -> None:
    """GIVEN a quota that is not answered THEN no use is counted."""
    setting("USAGE_FLUSH_SECONDS", "0")
    text = put_limited(table, KEYS[0])
    table.put_unused(KEYS[0].key_id)
    with faults.injected(None, *[faults.timeout] * ATTEMPTS):
        assert ["SERVICE_UNAVAILABLE"] == batch(text)

    assert [0] == [int(item["request_count"]) for item in table.under("USAGE#")]


# ---- The log ---------------------------------------------------------------------------------------------------


def test_each_verification_has_a_line(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    """Metrics are those of a verification alone; an undecided key has its ids and the reason, and no text is there."""
    texts = [KEYS[0].put(table), "kk_", put_limited(table, KEYS[1])]
    capsys.readouterr()
    with faults.injected(None, *[faults.timeout] * ATTEMPTS):
        batch(*texts)

    written = capsys.readouterr().out
    lines = [line for line in map(json.loads, written.splitlines()) if line["message"] == "verification"]
    assert ["VALID", "NOT_FOUND", "SERVICE_UNAVAILABLE"] == [line["code"] for line in lines]
    assert [KEYS[0].key_id, None, KEYS[1].key_id] == [line["api_key_id"] for line in lines]
    assert [True, False, True] == ["ReadLatency" in line for line in lines]
    assert [1, 0, 1] == [line["Hashes"] for line in lines]
    assert lines[2]["reason"].startswith("AWS did not answer")
    assert not [part for text in (texts[0], texts[2]) for part in secret_parts(text) if part in written]


def test_no_texts_are_no_request(table: Table) -> None:
    """GIVEN nothing to verify THEN nothing is read."""
    del table
    with faults.injected() as operations:
        assert [] == batch()

    assert [] == operations


def test_an_unknown_key_is_not_found(table: Table) -> None:
    """GIVEN the id of a key that is not there, beside one that is THEN only the latter is found."""
    KEYS[0].put(table)

    results = verify_all([(key.text(), NO_PERMISSION_NEEDED) for key in KEYS[:2]])

    assert UnknownKey("no such key") == results[1]
    assert Code.VALID == results[0].code
