"""Kept answers: readable only with the pepper and the Idempotency-Key, under the original primary key."""

from __future__ import annotations

import hmac
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import example, given
from hypothesis import strategies as st

from keywright.api.schemas import ApiKeyDetails, CreateApiKey, CreatedApiKey, RotateApiKey, RotatedApiKey
from keywright.domain import keyring
from keywright.domain.principals import Member
from keywright.errors import IDEMPOTENCY_KEY_REUSED, SERVICE_UNAVAILABLE, ServiceError
from keywright.keys.replay import NONCE_BYTES, Repeatable
from keywright.store import idempotency
from keywright.store.idempotency import KeptAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel

    from keywright.api.schemas import Answer

    Keep = Callable[[Answer], dict[str, Any]]

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MEMBER = Member(uuid.UUID("5b1c6f0e-4d2a-4c8f-9e37-a1b2c3d4e5f6"), "user_1")
OTHER_MEMBER = replace(MEMBER, user_id="user_2")
ELSEWHERE = replace(MEMBER, organization_id=uuid.UUID(int=1))
KEYRING = keyring.Keyring(1, {1: keyring.derive(b"p" * 64)})
ANSWER = CreatedApiKey(id="0198d3c4-0000-7000-8000-000000000000", key="kk_" + "0123456789" * 8 + "abcdef")
BODY = RotateApiKey(gracePeriodSeconds=60)
IDEMPOTENCY_KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"
REPEATABLE = Repeatable(MEMBER, IDEMPOTENCY_KEY, "rotate", BODY)


@pytest.fixture
def keep_of(environment: pytest.MonkeyPatch) -> Keep:
    """Return a function that encrypts an answer into an item."""
    environment.setenv("TABLE_NAME", "table")

    def kept_item(answer: Answer) -> dict[str, Any]:
        item: Any = REPEATABLE.keep(answer, KEYRING, NOW).request["Item"]
        return dict(item)

    return kept_item


@pytest.fixture
def keep(keep_of: Keep) -> Callable[[], dict[str, Any]]:
    """Return a function that encrypts the answer into an item."""
    return lambda: keep_of(ANSWER)


@pytest.fixture
def item(keep: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The item of a kept answer."""
    return keep()


@pytest.fixture
def kept(item: dict[str, Any]) -> KeptAnswer:
    """The kept answer as read from the item."""
    answer = idempotency.live(item, NOW)
    assert answer is not None
    return answer


def test_an_answer_is_read_again(kept: KeptAnswer) -> None:
    """A replayed answer equals the original."""
    assert ANSWER == REPEATABLE.replay(kept, CreatedApiKey, KEYRING)


@pytest.mark.parametrize(
    "value",
    [1, 1.0, True, 2**53 + 1, 10**308, 1e300, 5e-324, -0.0, "1", "\N{SNOWMAN}"],
    ids=lambda value: repr(value)[:20],
)
def test_a_rotated_key_is_read_again_exactly(keep_of: Keep, value: object) -> None:
    """The replayed key has the same JSON as the first answer, with every digit and type of its metadata."""
    shown = ApiKeyDetails(
        id=str(uuid.UUID(int=1)),
        name="CI",
        enabled=True,
        permissions=["sessions:read"],
        metadata={"value": value},
        created_at="2026-01-01T00:00:00.000Z",
        updated_at="2026-01-01T00:00:00.000Z",
        expires_at=None,
        last_used_at=None,
        request_count=0,
        hint="kk_...cdef",
        created_by="user_1",
        previous_key_expires_at=None,
    )
    rotated = RotatedApiKey(
        message="The API key was rotated", api_key=shown, id=shown.id, key="kk_", previous_key_expires_at=None
    )
    kept = idempotency.live(keep_of(rotated), NOW)
    assert kept is not None

    replayed = REPEATABLE.replay(kept, RotatedApiKey, KEYRING)

    assert repr(rotated.model_dump(mode="json")) == repr(replayed.model_dump(mode="json"))


def test_a_day_is_a_day(item: dict[str, Any]) -> None:
    """An answer is kept until the last millisecond of its day."""
    last_moment = datetime(2026, 1, 1, 23, 59, 59, 999_000, tzinfo=UTC)
    is_live = [idempotency.live(item, at) is not None for at in (last_moment, datetime(2026, 1, 2, tzinfo=UTC))]

    assert [True, False] == is_live
    assert idempotency.live(None, NOW) is None


@pytest.mark.parametrize("wrong", ["", IDEMPOTENCY_KEY.upper(), IDEMPOTENCY_KEY[:-1], IDEMPOTENCY_KEY + " "])
def test_another_idempotency_key_reads_nothing(kept: KeptAnswer, wrong: str) -> None:
    """Another Idempotency-Key does not decrypt the answer, even under the original primary key."""
    with pytest.raises(InvalidTag):
        replace(REPEATABLE, idempotency_key=wrong).replay(kept, CreatedApiKey, KEYRING)


def test_table_and_pepper_without_the_header_are_not_enough(item: dict[str, Any], kept: KeptAnswer) -> None:
    """With the whole table and every derived key, only the Idempotency-Key decrypts the answer."""
    context = f"{item['pk']['S'].removeprefix('ORG#')}/{item['sk']['S']}".encode()
    pepper_key = KEYRING.current.idempotency_key
    digest = item["sk"]["S"].removeprefix("IDEMPOTENCY#")
    guesses = [
        pepper_key,
        KEYRING.current.hash_key,
        KEYRING.current.tag_key,
        bytes.fromhex(digest),
        *(hmac.digest(pepper_key, guess, "sha256") for guess in (b"", digest.encode(), bytes.fromhex(digest))),
        hmac.digest(pepper_key, kept.request_digest, "sha256"),
        hmac.digest(pepper_key, item["sk"]["S"].encode(), "sha256"),
        hmac.digest(pepper_key, MEMBER.user_id.encode(), "sha256"),
        hmac.digest(pepper_key, context, "sha256"),
    ]
    for guess in guesses:
        with pytest.raises(InvalidTag):
            AESGCM(guess).decrypt(kept.nonce, kept.ciphertext, context)

    right = hmac.digest(pepper_key, IDEMPOTENCY_KEY.encode(), "sha256")
    assert ANSWER.key.encode() in AESGCM(right).decrypt(kept.nonce, kept.ciphertext, context)


def test_the_header_without_the_pepper_is_not_enough(kept: KeptAnswer) -> None:
    """The table and the Idempotency-Key do not decrypt the answer without the pepper."""
    other = keyring.Keyring(1, {1: keyring.derive(b"q" * 64)})

    with pytest.raises(InvalidTag):
        REPEATABLE.replay(kept, CreatedApiKey, other)


@pytest.mark.parametrize("member", [OTHER_MEMBER, ELSEWHERE], ids=["another user", "another organization"])
def test_moved_elsewhere_it_is_not_read(kept: KeptAnswer, member: Member) -> None:
    """A moved answer is not decrypted, not even with the same Idempotency-Key and body."""
    with pytest.raises(InvalidTag):
        replace(REPEATABLE, member=member).replay(kept, CreatedApiKey, KEYRING)


@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_changed_answer_is_not_read(position: int, bit: int) -> None:
    """With write access to the table, an attacker cannot make the service return another key."""
    nonce = b"n" * NONCE_BYTES
    cipher = AESGCM(hmac.digest(KEYRING.current.idempotency_key, IDEMPOTENCY_KEY.encode(), "sha256"))
    context = f"{MEMBER.organization_id}/{REPEATABLE.sort_key}".encode()
    ciphertext = bytearray(cipher.encrypt(nonce, ANSWER.model_dump_json(by_alias=True).encode(), context))
    digest = REPEATABLE._request_digest()
    assert ANSWER == REPEATABLE.replay(KeptAnswer(digest, 1, nonce, bytes(ciphertext)), CreatedApiKey, KEYRING)
    ciphertext[position % len(ciphertext)] ^= 1 << bit

    with pytest.raises(InvalidTag):
        REPEATABLE.replay(KeptAnswer(digest, 1, nonce, bytes(ciphertext)), CreatedApiKey, KEYRING)


@pytest.mark.parametrize(
    "other",
    [
        replace(REPEATABLE, operation="create"),
        replace(REPEATABLE, body=RotateApiKey(gracePeriodSeconds=61)),
        replace(REPEATABLE, body=CreateApiKey.model_construct(name="x", permissions=["y"])),
    ],
    ids=["operation", "value", "fields"],
)
def test_another_request_is_noticed(kept: KeptAnswer, other: Repeatable) -> None:
    """Another request fails with IDEMPOTENCY_KEY_REUSED before anything is decrypted."""
    with pytest.raises(ServiceError) as caught:
        other.replay(replace(kept, ciphertext=b""), CreatedApiKey, KEYRING)

    assert IDEMPOTENCY_KEY_REUSED is caught.value.error


class LaterRotateApiKey(RotateApiKey):
    """RotateApiKey of a later deployment, with another field that can be omitted."""

    notify: bool = False


class LaterCreateApiKey(CreateApiKey):
    """CreateApiKey of a later deployment, with another field that can be omitted."""

    environment: str = "production"


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("model", "later", "sent"),
    [
        (RotateApiKey, LaterRotateApiKey, {}),
        (RotateApiKey, LaterRotateApiKey, {"gracePeriodSeconds": 60}),
        (CreateApiKey, LaterCreateApiKey, {"name": "CI", "permissions": ["sessions:read"]}),
    ],
    ids=["rotate without a body", "rotate", "create"],
)
def test_a_new_field_does_not_change_a_request(
    model: type[BaseModel], later: type[BaseModel], sent: dict[str, object]
) -> None:
    """GIVEN a deployment that adds a field WHEN a request of before is repeated THEN it is the same request."""
    digests = [replace(REPEATABLE, body=each.model_validate(sent))._request_digest() for each in (model, later)]

    assert digests[0] == digests[1]


@pytest.mark.usefixtures("environment")
def test_the_order_of_fields_does_not_change_a_request() -> None:
    """A client may write the same JSON object in another order, at every depth."""
    one = {"name": "CI", "permissions": ["sessions:read"], "metadata": {"a": 1, "b": "é"}}
    other = {"metadata": {"b": "é", "a": 1}, "permissions": ["sessions:read"], "name": "CI"}
    digests = [replace(REPEATABLE, body=CreateApiKey.model_validate(sent))._request_digest() for sent in (one, other)]

    assert digests[0] == digests[1]


@pytest.mark.usefixtures("environment")
def test_every_field_that_was_sent_is_part_of_the_request() -> None:
    """Requests that differ in one field are different ones."""
    fields: dict[str, object] = {"name": "CI", "permissions": ["sessions:read"]}
    bodies: list[dict[str, object]] = [
        fields,
        fields | {"name": "CD"},
        fields | {"permissions": ["webhooks:read"]},
        fields | {"metadata": {"a": 1}},
        fields | {"metadata": {"a": "1"}},
        fields | {"metadata": {"a": True}},
        fields | {"expiresAt": "2099-01-01T00:00:00Z"},
        fields | {"expiresAt": "2099-01-01T00:00:00.001Z"},
    ]
    digests = {replace(REPEATABLE, body=CreateApiKey.model_validate(sent))._request_digest() for sent in bodies}

    assert len(bodies) == len(digests)


def test_an_older_pepper_still_reads(kept: KeptAnswer) -> None:
    """An answer is decrypted with the pepper version that encrypted it, not with the current one."""
    rotated = keyring.Keyring(2, {**KEYRING.versions, 2: keyring.derive(b"q" * 64)})

    assert ANSWER == REPEATABLE.replay(kept, CreatedApiKey, rotated)


def test_a_pepper_that_is_gone_is_an_outage(kept: KeptAnswer) -> None:
    """A missing pepper version is 503: the answer cannot be returned, and the request must not run again."""
    with pytest.raises(ServiceError) as caught:
        REPEATABLE.replay(kept, CreatedApiKey, keyring.Keyring(2, {2: keyring.derive(b"q" * 64)}))

    assert SERVICE_UNAVAILABLE is caught.value.error


def test_no_nonce_is_used_twice(keep: Callable[[], dict[str, Any]]) -> None:
    """Two encryptions of one answer under one key differ."""
    items = [keep() for _ in range(100)]

    assert 100 == len({bytes(item["nonce"]["B"]) for item in items})
    assert {NONCE_BYTES} == {len(bytes(item["nonce"]["B"])) for item in items}


PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=3)


@example(users=("a", "ab"), keys=("bc", "c"))
@given(users=st.tuples(st.text(max_size=3), st.text(max_size=3)), keys=st.tuples(PRINTABLE, PRINTABLE))
def test_places_are_the_same_only_for_the_same_user_and_key(users: tuple[str, str], keys: tuple[str, str]) -> None:
    """A user cannot choose an Idempotency-Key that collides with another user's."""
    places = [idempotency.sort_key(replace(MEMBER, user_id=user), key) for user, key in zip(users, keys, strict=True)]

    are_the_same = users[0] == users[1] and keys[0] == keys[1]
    assert are_the_same == (places[0] == places[1])


def test_a_place_does_not_show_its_idempotency_key() -> None:
    """The table holds only a digest of the Idempotency-Key."""
    place = idempotency.sort_key(MEMBER, IDEMPOTENCY_KEY)

    assert len("IDEMPOTENCY#") + 64 == len(place)
    assert IDEMPOTENCY_KEY not in place
