"""POST /v1/auth/api-keys/{id}/rotate: 200."""

from __future__ import annotations

import hmac
import json
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

import argon2
import pytest

from keywright import clock
from keywright.keys.outcome import Code
from keywright.keys.verification import verify
from keywright.store import pepper
from tests.support import faults
from tests.support.client import VALID_BODY, calling, meanwhile
from tests.support.hashes import is_hash_of
from tests.support.sample_keys import key_parts
from tests.support.world import HASH, KEY_ID, ORGANIZATION_ID, OTHER_ORGANIZATION_ID, PREVIOUS_HASH, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.support.client import Call

call = calling("rotate_api_key")

NOW = "2030-01-31T12:00:00.000Z"
WEEK_SECONDS = 604_800


def fits(text: str, stored_hash: str) -> bool:
    """Return whether a stored hash was made from a key's text."""
    digest = hmac.digest(pepper.keyring().current.hash_key, key_parts(text).payload, "sha256")
    try:
        return argon2.PasswordHasher().verify(stored_hash, digest)
    except argon2.exceptions.VerifyMismatchError:
        return False


def in_seconds(moment: datetime, seconds: int) -> str:
    """Return the time that many seconds later."""
    return clock.rfc3339(moment + timedelta(seconds=seconds))


def test_the_answer_has_the_new_text_and_the_key_as_it_now_is(
    call: Call, functions: Callable[[str], Call], stop_clock: Callable[[str], datetime]
) -> None:
    """The key is the one that a GET shows; its text is in no other field of the answer."""
    now = stop_clock(NOW)
    call.table.put_key(metadata='{"a":1,"b":1.0,"c":true,"d":9007199254740993}')
    call.table.put_usage(request_count=7, last_used_at="2026-01-01T00:00:00.000Z")

    rotated = call.data({"gracePeriodSeconds": 60})

    shown = functions("get_api_key").data()
    assert {
        "status": "success",
        "message": "The API key was rotated",
        "apiKey": shown,
        "id": KEY_ID,
        "key": rotated["key"],
        "previousKeyExpiresAt": in_seconds(now, 60),
    } == rotated
    assert repr(shown) == repr(rotated["apiKey"])
    assert 7 == shown["requestCount"]
    assert in_seconds(now, 60) == shown["previousKeyExpiresAt"]


def test_the_new_text_has_the_next_generation(call: Call) -> None:
    """The new text holds the same organization and id and the next generation; the item shows its hint."""
    call.table.put_key(generation=41)

    text = call.data()["key"]

    parts = key_parts(text)
    assert "kk_..." + text[-4:] == call.table.item(f"KEY#{KEY_ID}")["hint"]
    assert uuid.UUID(ORGANIZATION_ID) == parts.organization_id
    assert uuid.UUID(KEY_ID) == parts.key_id
    assert 42 == parts.generation


def test_the_two_hashes_are_of_the_two_texts(call: Call, functions: Callable[[str], Call]) -> None:
    """After create and rotate each text matches its own hash only."""
    created = functions("create_api_key").data(VALID_BODY)
    rotated = call.data({"gracePeriodSeconds": 60}, key_id=created["id"])

    item = call.table.item(f"KEY#{created['id']}")

    assert created["key"] != rotated["key"]
    assert [(True, False), (False, True)] == [
        (fits(text, item["hash"]), fits(text, item["previous_hash"])) for text in (rotated["key"], created["key"])
    ]


@pytest.mark.parametrize(("before", "after"), [("argon2id", "hmac-sha256"), ("hmac-sha256", "argon2id")])
def test_a_rotation_hashes_with_the_scheme_that_is_set(
    call: Call,
    functions: Callable[[str], Call],
    setting: Callable[[str, str], None],
    before: str,
    after: str,
) -> None:
    """GIVEN a setting that changed WHEN a key is rotated THEN each text has the hash of its time, and both verify."""
    setting("KEY_HASH", before)
    created = functions("create_api_key").data(VALID_BODY)
    setting("KEY_HASH", after)

    rotated = call.data({"gracePeriodSeconds": 60}, key_id=created["id"])

    item = call.table.item(f"KEY#{created['id']}")
    texts = {after: rotated["key"], before: created["key"]}
    stored = {after: item["hash"], before: item["previous_hash"]}
    assert dict.fromkeys(texts, True) == {
        scheme: stored[scheme].startswith(f"${scheme}$") and is_hash_of(stored[scheme], text)
        for scheme, text in texts.items()
    }
    assert [Code.VALID] * 2 == [verify(text).code for text in texts.values()]


@pytest.mark.parametrize("grace_period_seconds", [1, 60, 60.0, WEEK_SECONDS])
def test_the_grace_period_is_counted_from_now(
    call: Call, stop_clock: Callable[[str], datetime], grace_period_seconds: int
) -> None:
    """Answer and item have the same end of the grace period."""
    now = stop_clock(NOW)
    call.table.put_key()

    rotated = call.data({"gracePeriodSeconds": grace_period_seconds})

    end = in_seconds(now, grace_period_seconds)
    assert end == rotated["previousKeyExpiresAt"] == call.table.item(f"KEY#{KEY_ID}")["previous_expires_at"]


@pytest.mark.parametrize(
    ("expires_at", "end"),
    [
        pytest.param("2030-01-31T12:00:59.999Z", "2030-01-31T12:00:59.999Z", id="earlier"),
        pytest.param("2030-01-31T12:01:00.000Z", "2030-01-31T12:01:00.000Z", id="the same"),
        pytest.param("2030-01-31T12:01:00.001Z", "2030-01-31T12:01:00.000Z", id="later"),
        pytest.param("2030-01-31T12:00:00.001Z", "2030-01-31T12:00:00.001Z", id="in a millisecond"),
        pytest.param("9999-12-31T23:59:59.999Z", "2030-01-31T12:01:00.000Z", id="the end of time"),
    ],
)
def test_the_previous_secret_never_outlives_the_key(
    call: Call, stop_clock: Callable[[str], datetime], expires_at: str, end: str
) -> None:
    """A grace period ends no later than the key itself."""
    stop_clock(NOW)
    call.table.put_key(expires_at=expires_at)

    rotated = call.data({"gracePeriodSeconds": 60})

    item = call.table.item(f"KEY#{KEY_ID}")
    assert end == rotated["previousKeyExpiresAt"]
    assert end == item["previous_expires_at"]
    assert expires_at == item["expires_at"]


@pytest.mark.parametrize("expires_at", ["2020-01-01T00:00:00.000Z", NOW], ids=["long ago", "just now"])
def test_an_expired_key_stays_expired(call: Call, stop_clock: Callable[[str], datetime], expires_at: str) -> None:
    """An expired key gets a new secret without a grace period."""
    stop_clock(NOW)
    call.table.put_key(expires_at=expires_at)

    rotated = call.data({"gracePeriodSeconds": WEEK_SECONDS})

    item = call.table.item(f"KEY#{KEY_ID}")
    assert rotated["previousKeyExpiresAt"] is None
    assert expires_at == item["expires_at"]
    assert 1 == item["generation"]
    assert {"previous_hash", "previous_expires_at"}.isdisjoint(item)


def test_a_disabled_key_stays_disabled(call: Call) -> None:
    """A rotation does not enable a disabled key."""
    call.table.put_key(enabled=False)

    call.data({"gracePeriodSeconds": 60})

    item = call.table.item(f"KEY#{KEY_ID}")
    assert item["enabled"] is False
    assert HASH == item["previous_hash"]


def test_rotating_without_grace_ends_a_grace_period(call: Call) -> None:
    """A rotation without grace, as after a leak, leaves one working secret."""
    call.table.put_key(generation=1, previous_hash=PREVIOUS_HASH, previous_expires_at="2099-01-01T00:00:00.000Z")

    assert call.data()["previousKeyExpiresAt"] is None
    assert {"previous_hash", "previous_expires_at"}.isdisjoint(call.table.item(f"KEY#{KEY_ID}"))


@pytest.mark.parametrize("body", [None, "", "{}", '{"gracePeriodSeconds": 0}'])
def test_without_a_grace_period_it_ends_at_once(call: Call, body: str | None) -> None:
    """Without a grace period, with or without a body, the previous secret ends at once."""
    call.table.put_key()

    assert call.data(body)["previousKeyExpiresAt"] is None


@pytest.mark.parametrize("content_type", [None, {}, {"content-type": "application/json"}])
def test_a_request_without_a_body_needs_no_content_type(call: Call, content_type: dict[str, str] | None) -> None:
    """Without a body the content type is optional."""
    call.table.put_key()

    assert 200 == call(headers=content_type)["statusCode"]


def test_the_audit_record_holds_no_secret(call: Call, stop_clock: Callable[[str], datetime]) -> None:
    """The audit record holds the generation and the end of the previous secret; no secret and no hash."""
    now = stop_clock(NOW)
    call.table.put_key()

    text = call.data({"gracePeriodSeconds": 60})["key"]

    (record,) = call.table.under("AUDIT#")
    assert [] == [hidden for hidden in (text, text[-10:], "argon2") if hidden in repr(record)]
    assert {
        "before": {"generation": 0},
        "after": {"generation": 1, "previousKeyExpiresAt": in_seconds(now, 60)},
    } == json.loads(record["changes"])


def test_nothing_else_in_the_table_changes(call: Call) -> None:
    """Usage, other keys, and the same id in another organization are unchanged."""
    call.table.put_usage()
    call.table.put_key(nth_id(2))
    call.table.put_key(KEY_ID, OTHER_ORGANIZATION_ID)
    before = call.table.items()
    call.table.put_key()

    call.data()

    mine = [f"KEY#{KEY_ID}", call.table.under("AUDIT#")[0]["sk"]]
    assert before == [
        item for item in call.table.items() if item["pk"] != f"ORG#{ORGANIZATION_ID}" or item["sk"] not in mine
    ]


def test_a_grace_period_counts_from_the_time_of_the_change(call: Call, stop_clock: Callable[[str], datetime]) -> None:
    """A slow clock is moved behind the key's last change, and the grace period counts from there."""
    stop_clock(NOW)
    call.table.put_key(updated_at="2030-01-31T12:00:05.000Z")

    rotated = call.data({"gracePeriodSeconds": 1})

    assert "2030-01-31T12:00:06.001Z" == rotated["previousKeyExpiresAt"]


def test_the_last_generation(call: Call) -> None:
    """65,535 rotations are possible."""
    call.table.put_key(generation=65_534)

    assert 65_535 == key_parts(call.data()["key"]).generation


def test_one_conflict_is_absorbed(call: Call) -> None:
    """After one conflict the rotation is repeated on top of the other one."""
    call.table.put_key()
    theirs = HASH[:-4] + "AAAA"
    quicker = meanwhile(lambda: call.table.put_key(name="Theirs", hash=theirs, generation=1, version=2))

    with faults.injected(None, quicker) as operations:
        text = call.data({"gracePeriodSeconds": 60})["key"]

    item = call.table.item(f"KEY#{KEY_ID}")
    assert ["BatchGetItem", "TransactWriteItems"] * 2 == operations
    assert 2 == key_parts(text).generation == item["generation"]
    assert fits(text, item["hash"])
    assert "Theirs" == item["name"]
    assert theirs == item["previous_hash"]
    assert 3 == item["version"]


def test_a_lost_response_is_recovered(call: Call) -> None:
    """When the response of the transaction is lost, the returned text is the one whose hash was stored."""
    call.table.put_key()
    with faults.injected(None, faults.lost_answer) as operations:
        text = call.data()["key"]

    item = call.table.item(f"KEY#{KEY_ID}")
    assert 3 == len(operations)
    assert 1 == item["generation"]
    assert 1 == len(call.table.under("AUDIT#"))
    assert fits(text, item["hash"])
