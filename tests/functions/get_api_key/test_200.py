"""GET /v1/auth/api-keys/{id}: 200."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support import faults
from tests.support.client import calling
from tests.support.world import KEY_ID, ORGANIZATION_ID, OTHER_ORGANIZATION_ID, PREVIOUS_HASH, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from tests.support.client import Call

call = calling("get_api_key")

NOW = "2030-01-31T12:00:00.000Z"
A_MOMENT_LATER = "2030-01-31T12:00:00.001Z"


@pytest.mark.parametrize(
    ("previous_expires_at", "shown"),
    [
        ("2030-01-31T11:59:59.999Z", None),
        (NOW, None),
        (A_MOMENT_LATER, A_MOMENT_LATER),
    ],
)
def test_a_grace_period_in_the_past_is_not_shown(
    call: Call, stop_clock: Callable[[str], datetime], previous_expires_at: str, shown: str | None
) -> None:
    """The end of the previous secret is shown until it has passed."""
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
def test_the_previous_secret_is_not_shown_beyond_the_expiry(
    call: Call, stop_clock: Callable[[str], datetime], expires_at: str, shown: str | None
) -> None:
    """The previous secret ends with its key, even if the expiry was moved forward after the rotation."""
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
    """A key that does not work can be read."""
    call.table.put_key(**attributes)

    assert KEY_ID == call.data()["id"]


def test_metadata_is_returned_unchanged(call: Call) -> None:
    """Metadata is returned unchanged: numbers of any size, booleans and any Unicode."""
    call.table.put_key(metadata='{"a":9007199254740993,"b":1e+300,"c":true,"\N{SNOWMAN}":"\N{GRINNING FACE}","d":1.0}')

    metadata = call.data()["metadata"]

    expected = {"a": 2**53 + 1, "b": 1e300, "c": True, "\N{SNOWMAN}": "\N{GRINNING FACE}", "d": 1.0}
    assert repr(expected) == repr(metadata)


def test_it_is_the_requested_key(call: Call) -> None:
    """Neighboring keys, and one with the same id in another organization, are not returned."""
    call.table.put_key(name="mine")
    call.table.put_usage(request_count=1)
    call.table.put_key(nth_id(2), name="another")
    call.table.put_key(KEY_ID, OTHER_ORGANIZATION_ID, name="theirs")
    call.table.put_usage(KEY_ID, OTHER_ORGANIZATION_ID, request_count=2)

    key = call.data()

    assert "mine" == key["name"]
    assert 1 == key["requestCount"]


def test_unprocessed_keys_are_requested_again(call: Call) -> None:
    """Keys that BatchGetItem reports as unprocessed are requested again."""
    call.table.put_key()
    call.table.put_usage()

    def left_out(request: AWSPreparedRequest) -> AWSResponse:
        keys = [{"pk": {"S": f"ORG#{ORGANIZATION_ID}"}, "sk": {"S": f"{kind}#{KEY_ID}"}} for kind in ("KEY", "USAGE")]
        member = {"pk": {"S": keys[0]["pk"]["S"]}, "sk": {"S": "MEMBER#user_1"}, "role": {"S": "admin"}}
        name = call.table.name
        answer = faults.answer(200, {"Responses": {name: [member]}, "UnprocessedKeys": {name: {"Keys": keys}}})(request)
        answer.headers["x-amzn-requestid"] = "dynamodb-1"
        return answer

    with faults.injected(left_out) as operations:
        key = call.data()

    assert KEY_ID == key["id"]
    assert 42 == key["requestCount"]
    assert 2 == len(operations)
