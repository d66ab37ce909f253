"""The endpoints of one key: which ids name a key, and a key that another request changes at the same time."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from tests.support import faults
from tests.support.client import Refusal, meanwhile
from tests.support.endpoints import CHANGING_A_KEY, OF_ONE_KEY, ROTATE, UPDATE, Endpoint, each
from tests.support.world import HASH, KEY_ID, ORGANIZATION_ID, OTHER_ORGANIZATION_ID, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.support.client import Call

NOT_FOUND = Refusal(
    status=404,
    code="API_KEY_NOT_FOUND",
    message="The organization has no API key with this id",
    hint="List the organization's keys to find the id. Deleted keys cannot be restored.",
    pagination=None,
)
OF_ANOTHER_ORGANIZATION = nth_id(3)
UNKNOWN_IDS = [
    nth_id(2),
    OF_ANOTHER_ORGANIZATION,
    "1",
    "",
    "%00",
    f"{{{KEY_ID}}}",
    KEY_ID.replace("-", ""),
    f"{KEY_ID} ",
    f"{KEY_ID}\n",
    "\N{FULLWIDTH DIGIT ZERO}" + KEY_ID[1:],
    "\ud800",
    "KEY#" + KEY_ID,
    "x" * 10_000,
]


@each(*OF_ONE_KEY)
def test_404_is_one_answer_for_all(call: Call, endpoint: Endpoint) -> None:
    """Another organization's key, an unknown id and a malformed id get the same answer."""
    call.table.put_key()
    call.table.put_usage(nth_id(2))
    call.table.put_key(OF_ANOTHER_ORGANIZATION, OTHER_ORGANIZATION_ID)

    answers = {key_id: call.refused(endpoint.body, key_id=key_id) for key_id in UNKNOWN_IDS}

    assert dict.fromkeys(UNKNOWN_IDS, NOT_FOUND) == answers


@each(*OF_ONE_KEY)
def test_an_id_may_be_in_upper_case(call: Call, endpoint: Endpoint) -> None:
    """A key id is accepted in upper case."""
    key_id = "0198abcd-ef00-7000-8000-000000000001"
    call.table.put_key(key_id)

    assert 200 == call(endpoint.body, key_id=key_id.upper())["statusCode"]


@each(*CHANGING_A_KEY)
def test_404_for_a_key_deleted_meanwhile(call: Call, endpoint: Endpoint) -> None:
    """A change does not restore a key that another request deletes at the same time, and is not audited."""
    call.table.put_key()
    key = {"pk": {"S": f"ORG#{ORGANIZATION_ID}"}, "sk": {"S": f"KEY#{KEY_ID}"}}
    delete = meanwhile(lambda: call.table.client.delete_item(TableName=call.table.name, Key=key))

    with faults.injected(None, delete):
        refusal = call.fails(endpoint.body)

    assert NOT_FOUND == refusal
    assert [] == call.table.under("KEY#")
    assert [] == call.table.under("AUDIT#")


@each(UPDATE, ROTATE)
def test_409_after_two_conflicts(call: Call, endpoint: Endpoint) -> None:
    """After two conflicts the key keeps the other changes, and the caller is told to read it again."""
    call.table.put_key()
    versions = itertools.count(2)
    quicker = meanwhile(lambda: call.table.put_key(name="Theirs", version=next(versions)))

    with faults.injected(None, quicker, None, quicker) as operations:
        refusal = call.fails(endpoint.body)

    key = call.table.item(f"KEY#{KEY_ID}")
    assert 409 == refusal.status
    assert "CONFLICT" == refusal.code
    assert "The resource was changed by another request at the same time" == refusal.message
    assert 4 == len(operations)
    assert "Theirs" == key["name"]
    assert HASH == key["hash"]
    assert 0 == key["generation"]
    assert 3 == key["version"]
    assert [] == call.table.under("AUDIT#")


@each(*CHANGING_A_KEY)
def test_times_never_go_back(call: Call, endpoint: Endpoint, stop_clock: Callable[[str], datetime]) -> None:
    """A slow clock is moved behind the key's last change; key and audit record agree."""
    stop_clock("2030-01-31T12:00:00.000Z")
    call.table.put_key(updated_at="2030-01-31T12:00:05.000Z")

    call.data(endpoint.body)

    (record,) = call.table.under("AUDIT#")
    assert "2030-01-31T12:00:05.001Z" == record["created_at"]
    assert {"2030-01-31T12:00:05.001Z"} >= {key["updated_at"] for key in call.table.under("KEY#")}
