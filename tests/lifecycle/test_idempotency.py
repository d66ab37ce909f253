"""Requests repeated with the same Idempotency-Key: done once, answered the same."""

from __future__ import annotations

import base64
import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from boto3.dynamodb.types import TypeSerializer

from keywright.domain import key_text
from keywright.settings import settings
from tests.support import dynamodb_errors, faults
from tests.support.client import VALID_BODY
from tests.support.concurrency import at_once, before_its_write
from tests.support.depth import size
from tests.support.environment import new_container
from tests.support.service import Caller
from tests.support.world import ORGANIZATION_ID, OTHER_ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from tests.support.service import Answer, Service
    from tests.support.stepped_clock import SteppedClock

    Repeat = Callable[[], Answer]

MANY = size("SIMULTANEOUS_REQUESTS", 6, full=50)
DAY_SECONDS = 24 * 3600
KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"


def stored_answers(service: Service) -> list[dict[str, Any]]:
    """Return the items of the organization's stored answers."""
    return [item for sort_key, item in service.partition().items() if sort_key.startswith("IDEMPOTENCY#")]


@pytest.fixture
def create(service: Service, admin: Caller) -> Repeat:
    """Create a key; every call repeats the first one."""
    return partial(service.create, admin, idempotency_key=KEY)


@pytest.fixture
def rotate(service: Service, admin: Caller) -> Repeat:
    """Rotate one key; every call repeats the first one."""
    return partial(service.rotate, admin, service.new_key(admin), 60, idempotency_key=KEY)


def test_a_repeat_gets_the_same_answer(service: Service, create: Repeat) -> None:
    """The body is the same to the byte, secret included; a header marks the repeat."""
    first, second = create(), create()

    assert first.body == second.body
    assert first.is_replayed is False
    assert second.is_replayed is True
    assert "true" == second.headers["idempotent-replayed"]
    assert "idempotent-replayed" not in first.headers
    assert 1 == len(service.key_items())
    assert ["api_key.created"] == service.audited_events()


def test_simultaneous_creations_give_one_key(service: Service, create: Repeat) -> None:
    """One key, one audit record and identical answers, of which all but one are marked as replayed."""
    answers = at_once([create] * MANY)

    assert [200] * MANY == [answer.status for answer in answers]
    assert 1 == len({answer.body for answer in answers})
    assert MANY - 1 == [answer.is_replayed for answer in answers].count(True)
    assert [f"KEY#{answers[0].data['id']}"] == [item["sk"] for item in service.key_items()]
    assert ["api_key.created"] == service.audited_events()


def test_simultaneous_rotations_give_one_secret(service: Service, rotate: Repeat) -> None:
    """One rotation, one audit record and identical answers, of which all but one are marked as replayed."""
    answers = at_once([rotate] * MANY)

    assert [200] * MANY == [answer.status for answer in answers]
    assert 1 == len({answer.body for answer in answers})
    assert MANY - 1 == [answer.is_replayed for answer in answers].count(True)
    assert [1] == [item["generation"] for item in service.key_items()]
    assert ["api_key.created", "api_key.rotated"] == service.audited_events()


def check_reuse_is_refused(service: Service, request: Repeat) -> None:
    """Check that another request with the same Idempotency-Key is refused and changes nothing."""
    before = service.partition()

    answer = request()

    assert "422 IDEMPOTENCY_KEY_REUSED" == answer.refusal
    assert before == service.partition()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {"name": "another"}),
        ({}, {"permissions": ["webhooks:write", "sessions:read"]}),
        ({}, {"permissions": ["sessions:read"]}),
        ({}, {"metadata": {"a": 1}}),
        ({}, {"expiresAt": "2099-01-01T00:00:00Z"}),
        # Values that Python, or a double, considers equal.
        ({"metadata": {"a": 1}}, {"metadata": {"a": 1.0}}),
        ({"metadata": {"a": 1}}, {"metadata": {"a": True}}),
        ({"metadata": {"a": "1"}}, {"metadata": {"a": 1}}),
        ({"metadata": {"a": 2**53}}, {"metadata": {"a": 2**53 + 1}}),
        ({"metadata": {"a": 0.0}}, {"metadata": {"a": -0.0}}),
    ],
    ids=json.dumps,
)
def test_422_another_body(service: Service, admin: Caller, first: dict[str, Any], second: dict[str, Any]) -> None:
    """A creation with another body is another request."""
    service.create(admin, VALID_BODY | first, idempotency_key=KEY)

    check_reuse_is_refused(service, partial(service.create, admin, VALID_BODY | second, idempotency_key=KEY))


def test_422_does_not_show_the_first_answer(service: Service, admin: Caller, create: Repeat) -> None:
    """The refusal of another request holds nothing of the first answer."""
    first = create().data

    answer = service.create(admin, VALID_BODY | {"name": "another"}, idempotency_key=KEY)

    assert first["key"] not in answer.body
    assert first["id"] not in answer.body


def test_a_repeat_may_be_written_differently(service: Service, admin: Caller, create: Repeat) -> None:
    """Order of fields, white space around the name, repeated permissions, defaults and unknown fields do not matter."""
    body: dict[str, object] = {
        "unknown": 1,
        "expiresAt": None,
        "metadata": {},
        "permissions": ["sessions:read", "webhooks:write", "sessions:read"],
        "name": " CI ",
    }

    assert create().body == service.create(admin, body, idempotency_key=KEY).body


def test_422_another_grace_period(service: Service, admin: Caller, rotate: Repeat) -> None:
    """A rotation with another grace period is another request."""
    key_id = rotate().data["id"]

    check_reuse_is_refused(service, partial(service.rotate, admin, key_id, 61, idempotency_key=KEY))


def test_422_another_operation(service: Service, admin: Caller, create: Repeat) -> None:
    """A creation's Idempotency-Key cannot be used for a rotation."""
    key_id = create().data["id"]

    check_reuse_is_refused(service, partial(service.rotate, admin, key_id, idempotency_key=KEY))


def test_422_the_rotation_of_another_key(service: Service, admin: Caller, rotate: Repeat) -> None:
    """A rotation of another key is another request."""
    rotate()
    key_id = service.new_key(admin)

    check_reuse_is_refused(service, partial(service.rotate, admin, key_id, 60, idempotency_key=KEY))


def test_another_user_gets_another_key(service: Service, create: Repeat) -> None:
    """Two users of one organization with the same Idempotency-Key and body share nothing."""
    first = create()

    second = service.create(Caller(ORGANIZATION_ID, "owner"), idempotency_key=KEY)

    assert first.data.items().isdisjoint(second.data.items())
    assert not second.is_replayed
    assert create().body == first.body


def test_another_organization_gets_another_key(service: Service, create: Repeat) -> None:
    """One user with the same Idempotency-Key and body in two organizations gets two keys."""
    service.open_organization(OTHER_ORGANIZATION_ID, user_1="admin")
    first = create()

    second = service.create(Caller(OTHER_ORGANIZATION_ID), idempotency_key=KEY)

    assert first.data.items().isdisjoint(second.data.items())
    assert not second.is_replayed
    assert ["api_key.created"] == service.audited_events(OTHER_ORGANIZATION_ID)
    assert ["api_key.created"] == service.audited_events()


def test_without_an_idempotency_key_every_request_counts(service: Service, admin: Caller) -> None:
    """Two requests create two keys, and no answer is stored."""
    service.create(admin)
    service.create(admin)

    assert 2 == len(service.key_items())
    assert [] == stored_answers(service)


def test_a_repeat_within_a_day_is_a_repeat(service: Service, clock: SteppedClock, create: Repeat) -> None:
    """A second before the day is over, the answer is returned again."""
    first = create()
    clock.advance(seconds=DAY_SECONDS - 1)

    assert first.body == create().body
    assert 1 == len(service.key_items())


def test_a_day_later_it_is_a_new_request(service: Service, clock: SteppedClock, create: Repeat) -> None:
    """After a day the request is new, even if the stored answer is still there; the new answer replaces it."""
    first = create()
    clock.advance(seconds=DAY_SECONDS)

    second = create()

    assert first.data.items().isdisjoint(second.data.items())
    assert second.body == create().body
    assert 2 == len(service.key_items())
    assert 1 == len(stored_answers(service))


def test_a_day_later_a_rotation_is_a_new_one(service: Service, clock: SteppedClock, rotate: Repeat) -> None:
    """After a day the key is rotated again."""
    rotate()
    clock.advance(seconds=DAY_SECONDS)

    assert not rotate().is_replayed
    assert 2 == service.key_items()[0]["generation"]


def test_a_stored_answer_has_a_ttl(service: Service, clock: SteppedClock, create: Repeat) -> None:
    """The stored answer has a ttl of one day, after which DynamoDB deletes it."""
    create()

    assert [clock.milliseconds // 1000 + DAY_SECONDS] == [item["ttl"] for item in stored_answers(service)]


@pytest.mark.parametrize("value", ["", "x" * 256, "a\x07", "a\nb", "a\n", "\t", "\N{LATIN SMALL LETTER E WITH ACUTE}"])
@pytest.mark.parametrize(("function", "body"), [("create_api_key", VALID_BODY), ("rotate_api_key", {})])
def test_400_an_invalid_idempotency_key(
    service: Service, admin: Caller, function: str, body: dict[str, Any], value: str
) -> None:
    """A request with an invalid Idempotency-Key could not be repeated safely, so it is refused."""
    key_id = service.new_key(admin)
    before = service.partition()

    answer = service.call(function, admin, key_id=key_id, body=body, idempotency_key=value)

    assert "400 BAD_REQUEST" == answer.refusal
    assert "Idempotency-Key" in answer.content["error"]["message"]
    assert before == service.partition()


@pytest.mark.parametrize("value", ["x", "x" * 255, " ", "~!/\\\"'{}", "a b"])
def test_any_printable_idempotency_key_is_accepted(service: Service, admin: Caller, value: str) -> None:
    """An Idempotency-Key has 1 to 255 printable ASCII characters."""
    first = service.create(admin, idempotency_key=value)

    assert first.body == service.create(admin, idempotency_key=value).body


@pytest.mark.parametrize("name", ["idempotency-key", "IDEMPOTENCY-KEY", "iDEMPOTENCY-kEY"])
def test_its_name_is_case_insensitive(service: Service, admin: Caller, create: Repeat, name: str) -> None:
    """Header names are case-insensitive (RFC 9110, section 5.1); HTTP/2 clients send lower case."""
    first = create()

    assert first.body == service.call("create_api_key", admin, body=VALID_BODY, headers={name: KEY}).body


def test_its_value_is_case_sensitive(service: Service, admin: Caller, create: Repeat) -> None:
    """Idempotency-Keys that differ in case are different."""
    create()

    assert not service.create(admin, idempotency_key=KEY.upper()).is_replayed


OPERATIONS = ["create", "rotate"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_403_a_repeat_by_a_suspended_member(service: Service, request: pytest.FixtureRequest, operation: str) -> None:
    """A suspended member does not get an earlier key again."""
    act: Repeat = request.getfixturevalue(operation)
    text = act().data["key"]
    service.world.table.put_member(suspended_at="2026-01-01T00:00:00.000Z")

    answer = act()

    assert "403 FORBIDDEN" == answer.refusal
    assert text not in answer.body


@pytest.mark.parametrize("position", range(2), ids=["member", "organization"])
@pytest.mark.parametrize("passing", ["TransactionConflict", "ThrottlingError"])
def test_a_repeat_does_not_overtake_a_removal(service: Service, create: Repeat, position: int, passing: str) -> None:
    """GIVEN a stored answer WHEN a repeat conflicts with the removal of its caller or organization THEN it is refused.

    The removal is prepared when the repeat arrives, and committed right after: DynamoDB cannot evaluate the condition
    on the removed item, but reports the stored answer in the same response.
    """
    text = create().data["key"]
    (item,) = stored_answers(service)
    reasons: list[dict[str, Any]] = [{"Code": "None"} for _ in range(5)]
    reasons[position] = {"Code": passing}
    reasons[2] = {"Code": "ConditionalCheckFailed", "Item": on_the_wire(item)}
    canceled = faults.answer(400, dynamodb_errors.canceled() | {"CancellationReasons": reasons})

    def removed_meanwhile(sent: AWSPreparedRequest) -> AWSResponse:
        service.delete_item(ORGANIZATION_ID, ["MEMBER#user_1", "ORG"][position])
        return canceled(sent)

    with faults.injected(removed_meanwhile) as operations:
        answer = create()

    assert ["TransactWriteItems"] * 2 == operations
    assert "403 FORBIDDEN" == answer.refusal
    assert text not in answer.body


def test_a_repeat_is_answered_after_a_harmless_conflict(create: Repeat) -> None:
    """GIVEN a conflict with a transaction that changes nothing THEN the second attempt returns the stored answer."""
    first = create()
    codes = ["TransactionConflict", "None", "ConditionalCheckFailed", "None", "None"]

    with faults.injected(faults.canceled(*codes)):
        assert first.body == create().body


def on_the_wire(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item as DynamoDB sends it over HTTP: binary values are base64 text."""
    written = {name: TypeSerializer().serialize(value) for name, value in item.items()}
    return {
        name: {"B": base64.b64encode(value["B"]).decode()} if "B" in value else value for name, value in written.items()
    }


@pytest.mark.parametrize("operation", OPERATIONS)
def test_410_a_repeat_in_a_frozen_organization(
    service: Service, request: pytest.FixtureRequest, operation: str
) -> None:
    """A repeat in an organization with a scheduled deletion is refused, like any write."""
    act: Repeat = request.getfixturevalue(operation)
    act()
    service.freeze()

    assert 410 == act().status


@pytest.fixture
def short_lived(service: Service, admin: Caller, clock: SteppedClock) -> Repeat:
    """Create a key that expires after a minute, and let it expire; every call repeats the creation."""
    clock.milliseconds = 1_782_864_000_000  # 2026-07-01
    act = partial(service.create, admin, VALID_BODY | {"expiresAt": "2026-07-01T00:01:00Z"}, idempotency_key=KEY)
    assert 200 == act().status
    clock.advance(seconds=60)
    return act


def test_a_repeat_after_the_keys_own_expiry(service: Service, short_lived: Repeat) -> None:
    """The request was valid when first sent, so its answer is returned again."""
    answer = short_lived()

    assert f"KEY#{answer.data['id']}" == service.key_items()[0]["sk"]
    assert answer.is_replayed is True
    assert "kk_..." + answer.data["key"][-4:] == service.key_items()[0]["hint"]


def test_403_a_repeat_after_expiry_by_a_suspended_member(service: Service, short_lived: Repeat) -> None:
    """After the expiry of the key, a member who was suspended gets no answer."""
    service.world.table.put_member(suspended_at="2026-01-01T00:00:00.000Z")

    assert 403 == short_lived().status


def test_410_a_repeat_after_expiry_in_a_frozen_organization(service: Service, short_lived: Repeat) -> None:
    """After the expiry of the key, too, a repeat in an organization with a scheduled deletion is refused."""
    service.freeze()

    assert 410 == short_lived().status


def test_422_another_request_after_expiry(service: Service, admin: Caller, short_lived: Repeat) -> None:
    """After the expiry of the key, only the same request is answered again; another one is refused."""
    body = VALID_BODY | {"expiresAt": "2026-07-01T00:01:00Z", "name": "another"}

    assert short_lived().is_replayed
    assert 422 == service.create(admin, body, idempotency_key=KEY).status


def test_400_a_first_request_with_a_past_expiry(service: Service, admin: Caller) -> None:
    """An unused Idempotency-Key does not make an expiry in the past valid."""
    answer = service.create(admin, VALID_BODY | {"expiresAt": "2020-01-01T00:00:00Z"}, idempotency_key=KEY)

    assert "400 BAD_REQUEST" == answer.refusal
    assert not stored_answers(service)


def test_a_rotation_is_repeated_after_the_key_was_deleted(service: Service, admin: Caller, rotate: Repeat) -> None:
    """The stored answer does not depend on the key's state."""
    first = rotate()
    service.delete(admin, first.data["id"])

    assert first.body == rotate().body
    assert ["api_key.created", "api_key.rotated", "api_key.deleted"] == service.audited_events()


def test_410_a_repeated_rotation_in_a_frozen_organization(service: Service, admin: Caller, rotate: Repeat) -> None:
    """A repeated rotation of a deleted key is refused in an organization with a scheduled deletion."""
    service.delete(admin, rotate().data["id"])
    service.freeze()

    assert 410 == rotate().status


def test_the_last_possible_rotation_can_be_repeated(service: Service, rotate: Repeat) -> None:
    """A repeat of a key's last possible rotation is answered again."""
    service.world.table.put(**service.key_items()[0] | {"generation": key_text.MAX_GENERATION - 1})
    first = rotate()

    assert first.data["key"]
    assert first.body == rotate().body


def test_a_repeat_after_the_pepper_was_rotated(service: Service, create: Repeat) -> None:
    """An answer stored under the previous pepper is readable; a new one is stored under the current pepper."""
    first = create()
    secret = boto3.client("secretsmanager")
    content = json.loads(secret.get_secret_value(SecretId=settings().pepper_secret_id)["SecretString"])
    changed = json.dumps(content | {"current": 2, "2": "q" * 64})
    secret.put_secret_value(SecretId=settings().pepper_secret_id, SecretString=changed)
    new_container()

    assert first.body == create().body
    service.create(Caller(ORGANIZATION_ID), idempotency_key="another")
    assert [1, 2] == sorted(item["pepper_version"] for item in stored_answers(service))


def test_503_a_repeat_after_its_pepper_is_gone(service: Service, create: Repeat) -> None:
    """Without its pepper a stored answer cannot be returned, and the request is not done twice."""
    create()
    name = settings().pepper_secret_id
    boto3.client("secretsmanager").put_secret_value(
        SecretId=name, SecretString=json.dumps({"current": 2, "2": "q" * 64})
    )
    new_container()

    assert 503 == create().status
    assert 1 == len(service.key_items())


def test_a_stored_answer_is_encrypted(service: Service, create: Repeat) -> None:
    """The item holds neither the Idempotency-Key, nor the key's id, nor any long part of its text."""
    created = create().data

    (item,) = stored_answers(service)
    written = b"|".join(bytes(value) if hasattr(value, "value") else str(value).encode() for value in item.values())
    assert {"pk", "sk", "request_digest", "pepper_version", "nonce", "ciphertext", "ttl"} == item.keys()
    text = created["key"]
    for secret in [KEY, created["id"], created["id"].replace("-", ""), *re.findall("." * 8, text)]:
        assert secret.encode() not in written
    assert not [at for at in range(len(text) - 8) if text[at : at + 8].encode() in written]


def move(service: Service, source: str, organization_id: str, sort_key: str) -> None:
    """Copy a stored answer to another sort key or partition, as someone with write access to the table could."""
    item = service.partition()[source]
    service.world.table.put(**item | {"pk": f"ORG#{organization_id}", "sk": sort_key})


def test_an_answer_moved_to_another_organization_is_refused(service: Service, create: Repeat) -> None:
    """The item's place is authenticated: a moved answer is a 500 without any of the key."""
    service.open_organization(OTHER_ORGANIZATION_ID, user_1="admin")
    text = create().data["key"]
    (item,) = stored_answers(service)
    move(service, item["sk"], OTHER_ORGANIZATION_ID, item["sk"])

    answer = service.create(Caller(OTHER_ORGANIZATION_ID), idempotency_key=KEY)

    assert "500 INTERNAL_SERVER_ERROR" == answer.refusal
    assert text not in answer.body


def test_an_answer_moved_to_another_user_is_refused(service: Service, create: Repeat) -> None:
    """An answer moved to another user of the organization is a 500 without any of the key."""
    owner = Caller(ORGANIZATION_ID, "owner")
    text = create().data["key"]
    (item,) = stored_answers(service)
    service.create(owner, idempotency_key=KEY)
    (place,) = {other["sk"] for other in stored_answers(service)} - {item["sk"]}
    move(service, item["sk"], ORGANIZATION_ID, place)

    answer = service.create(owner, idempotency_key=KEY)

    assert "500 INTERNAL_SERVER_ERROR" == answer.refusal
    assert text not in answer.body


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_lost_response_and_a_repeat_are_one_change(
    service: Service, request: pytest.FixtureRequest, operation: str
) -> None:
    """After a lost response the service recovers the answer; the client's repeat changes nothing."""
    act: Repeat = request.getfixturevalue(operation)
    fault: list[faults.Fault | None] = [faults.lost_answer] if operation == "create" else [None, faults.lost_answer]
    with faults.injected(*fault) as operations:
        first = act()

    assert 2 == operations.count("TransactWriteItems")
    assert 200 == first.status
    assert first.is_replayed is False
    assert first.body == act().body
    assert 1 == len(service.key_items())
    assert 1 == service.audited_events().count(f"api_key.{operation}d")


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("is_done", [True, False], ids=["done", "not done"])
def test_a_503_and_a_repeat_are_one_change(
    service: Service, request: pytest.FixtureRequest, operation: str, *, is_done: bool
) -> None:
    """After a 503, whether or not the write took effect, a repeat leaves one change and its answer."""
    act: Repeat = request.getfixturevalue(operation)
    reading: list[faults.Fault | None] = [None] if operation == "rotate" else []
    with faults.injected(*reading, faults.lost_answer if is_done else faults.timeout, *[faults.timeout] * 100):
        assert 503 == act().status

    answer = act()

    assert 200 == answer.status
    assert is_done == answer.is_replayed
    (item,) = service.key_items()
    assert f"KEY#{answer.data['id']}" == item["sk"]
    assert answer.data["key"][-4:] == item["hint"][-4:]
    assert 1 == service.audited_events().count(f"api_key.{operation}d")


def test_a_repeat_that_overtakes_the_first_request(service: Service, rotate: Repeat) -> None:
    """A repeat that runs between the first request's read and write gets the same answer, and one rotation is done."""
    answers: list[Answer] = []
    with before_its_write(lambda: answers.append(rotate())):
        first = rotate()

    assert answers[0].body == first.body
    assert first.is_replayed is True
    assert answers[0].is_replayed is False
    assert 1 == service.key_items()[0]["generation"]


@pytest.mark.parametrize("refusal", ["403", "410", "400"])
def test_a_refusal_is_not_stored(service: Service, admin: Caller, create: Repeat, refusal: str) -> None:
    """A refusal is not stored: a repeat is tried again."""
    owner = Caller(ORGANIZATION_ID, "owner")
    match refusal:
        case "403":
            service.world.table.put_member(role="member")
            answer = create()
            service.world.table.put_member(role="admin")
        case "410":
            service.freeze()
            answer = create()
            service.call("cancel_organization_deletion", owner)
        case _:
            answer = service.create(admin, {}, idempotency_key=KEY)

    assert int(refusal) == answer.status
    assert [] == stored_answers(service)
    done = create()
    assert 200 == done.status
    assert done.is_replayed is False
