"""GET /v1/auth/api-keys/{id}: 200."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests import faults
from tests.calling import REQUEST_ID, UNANSWERED
from tests.world import HASH, KEY_ID, ORGANIZATION_ID, OTHER_ORGANIZATION_ID, PREVIOUS_HASH, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from tests.calling import Call

NOW = "2030-01-31T12:00:00.000Z"
A_MOMENT_LATER = "2030-01-31T12:00:00.001Z"


def test_everything_that_people_may_know_of_a_key(call: Call, stop_clock: Callable[[str], datetime]) -> None:
    """Exactly these fields, in camelCase, of a key for which each of them has a value."""
    stop_clock(NOW)
    call.table.put_key(
        permissions=["webhooks:write", "sessions:read"],
        enabled=False,
        generation=3,
        updated_at="2026-02-03T04:05:06.789Z",
        expires_at="2031-01-01T00:00:00.000Z",
        previous_hash=PREVIOUS_HASH,
        previous_expires_at="2030-02-01T00:00:00.000Z",
        version=7,
    )
    call.table.put_usage()

    assert {
        "id": KEY_ID,
        "name": "CI",
        "enabled": False,
        "permissions": ["webhooks:write", "sessions:read"],
        "metadata": {"plan": "pro"},
        "createdAt": "2026-01-02T03:04:05.678Z",
        "updatedAt": "2026-02-03T04:05:06.789Z",
        "expiresAt": "2031-01-01T00:00:00.000Z",
        "lastUsedAt": "2026-06-01T12:00:00.000Z",
        "requestCount": 42,
        "hint": "kk_...wxyz",
        "createdBy": "user_9",
        "previousKeyExpiresAt": "2030-02-01T00:00:00.000Z",
    } == call.data()


def test_what_a_key_does_not_have_is_null(call: Call) -> None:
    """A key that was never used, never rotated and never expires has the same fields."""
    call.table.put_key()

    key = call.data()

    assert {"expiresAt": None, "lastUsedAt": None, "requestCount": 0, "previousKeyExpiresAt": None} == {
        name: key[name] for name in ("expiresAt", "lastUsedAt", "requestCount", "previousKeyExpiresAt")
    }


def test_no_answer_shows_a_hash(call: Call) -> None:
    """Neither of the key's text nor of the one before it."""
    call.table.put_key(previous_hash=PREVIOUS_HASH, previous_expires_at="2099-01-01T00:00:00.000Z")

    body = call()["body"]

    assert [] == [hidden for hidden in (HASH, PREVIOUS_HASH, "argon2", HASH[-20:]) if hidden in body]


@pytest.mark.parametrize(
    ("previous_expires_at", "shown"),
    [
        ("2030-01-31T11:59:59.999Z", None),
        (NOW, None),
        (A_MOMENT_LATER, A_MOMENT_LATER),
    ],
)
def test_a_grace_period_that_is_over_is_not_shown(
    call: Call, stop_clock: Callable[[str], datetime], previous_expires_at: str, shown: str | None
) -> None:
    """The previous secret's end is told as long as it has not come."""
    stop_clock(NOW)
    call.table.put_key(previous_hash=PREVIOUS_HASH, previous_expires_at=previous_expires_at)

    assert shown == call.data()["previousKeyExpiresAt"]


@pytest.mark.parametrize(
    ("expires_at", "shown"),
    [
        ("2030-01-31T11:00:00.000Z", None),
        ("2030-01-31T13:00:00.000Z", "2030-01-31T13:00:00.000Z"),
        ("2030-02-28T00:00:00.000Z", "2030-02-01T00:00:00.000Z"),
    ],
)
def test_the_previous_secret_is_not_said_to_outlive_its_key(
    call: Call, stop_clock: Callable[[str], datetime], expires_at: str, shown: str | None
) -> None:
    """An expiry that was moved forward since the rotation ends the grace period as well."""
    stop_clock(NOW)
    call.table.put_key(
        previous_hash=PREVIOUS_HASH, previous_expires_at="2030-02-01T00:00:00.000Z", expires_at=expires_at
    )

    assert shown == call.data()["previousKeyExpiresAt"]


@pytest.mark.parametrize(
    "attributes",
    [{"enabled": False}, {"expires_at": "2020-01-01T00:00:00.000Z"}],
    ids=["disabled", "expired"],
)
def test_keys_that_do_not_work_can_be_read(call: Call, attributes: dict[str, Any]) -> None:
    """What a key is good for has nothing to do with who may look at it."""
    call.table.put_key(**attributes)

    assert KEY_ID == call.data()["id"]


def test_metadata_comes_back_as_it_was_sent(call: Call) -> None:
    """Numbers of any size, booleans, and any Unicode."""
    call.table.put_key(metadata='{"a":9007199254740993,"b":1e+300,"c":true,"\N{SNOWMAN}":"\N{GRINNING FACE}","d":1.0}')

    metadata = call.data()["metadata"]

    expected = {"a": 2**53 + 1, "b": 1e300, "c": True, "\N{SNOWMAN}": "\N{GRINNING FACE}", "d": 1.0}
    assert repr(expected) == repr(metadata)


def test_an_id_is_found_in_either_case(call: Call) -> None:
    """UUIDs are written in upper case by some."""
    key_id = "0198abcd-ef00-7000-8000-000000000001"
    call.table.put_key(key_id)

    assert key_id == call.data(key_id=key_id.upper())["id"]


def test_it_is_the_key_that_was_asked_for(call: Call) -> None:
    """Neither its neighbours, nor one with the same id in another organization."""
    call.table.put_key(name="mine")
    call.table.put_usage(request_count=1)
    call.table.put_key(nth_id(2), name="another")
    call.table.put_key(KEY_ID, OTHER_ORGANIZATION_ID, name="theirs")
    call.table.put_usage(KEY_ID, OTHER_ORGANIZATION_ID, request_count=2)

    key = call.data()

    assert ("mine", 1) == (key["name"], key["requestCount"])


@pytest.mark.parametrize("role", ["owner", "admin"])
def test_owners_and_admins_may(call: Call, role: str) -> None:
    """The two roles that manage keys."""
    call.table.put_key()
    call.table.put_member("someone", role)

    assert 200 == call(user_id="someone")["statusCode"]


def test_reading_goes_on_in_a_frozen_organization(call: Call) -> None:
    """What is scheduled for deletion can still be looked at."""
    call.table.put_key()
    call.table.freeze()

    assert 200 == call()["statusCode"]


def test_reading_changes_nothing(call: Call) -> None:
    """Not even an audit record."""
    call.table.put_key()
    before = call.table.items()

    call.data()

    assert before == call.table.items()


def test_it_takes_one_request_to_dynamodb(call: Call) -> None:
    """Member, key and usage are read together."""
    call.table.put_key()
    with faults.injected() as operations:
        call.data()

    assert ["BatchGetItem"] == operations


def test_headers_forbid_caching_and_name_the_request(call: Call) -> None:
    """What was true of a key a moment ago is no answer."""
    call.table.put_key()

    assert {"content-type": "application/json", "cache-control": "no-store", "x-request-id": REQUEST_ID} == call()[
        "headers"
    ]


@pytest.mark.parametrize("fault", UNANSWERED)
def test_what_passes_is_not_seen_by_the_caller(call: Call, fault: faults.Fault) -> None:
    """Two failures in a row are absorbed."""
    call.table.put_key()
    with faults.injected(fault, fault) as operations:
        call.data()

    assert 3 == len(operations)


def test_items_that_dynamodb_left_out_are_asked_for_again(call: Call) -> None:
    """BatchGetItem may answer with less than it was asked for, and says so."""
    call.table.put_key()
    call.table.put_usage()

    def left_out(request: AWSPreparedRequest) -> AWSResponse:
        keys = [{"pk": {"S": f"ORG#{ORGANIZATION_ID}"}, "sk": {"S": f"{kind}#{KEY_ID}"}} for kind in ("KEY", "USAGE")]
        found = {"pk": {"S": keys[0]["pk"]["S"]}, "sk": {"S": "MEMBER#user_1"}, "role": {"S": "admin"}}
        name = call.table.name
        answer = faults.answer(200, {"Responses": {name: [found]}, "UnprocessedKeys": {name: {"Keys": keys}}})(request)
        answer.headers["x-amzn-requestid"] = "dynamodb-1"
        return answer

    with faults.injected(left_out) as operations:
        key = call.data()

    assert (KEY_ID, 42, 2) == (key["id"], key["requestCount"], len(operations))
