"""The text of a key, bit by bit."""

from __future__ import annotations

import hmac
import uuid
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.domain import key_text, keyring

PEPPER = b"0123456789abcdef" * 4
KEYS = keyring.derive(PEPPER)
LARGEST = "8" * 86  # 62**86 is a little more than 2**512, so not every 86 characters are 64 bytes


@dataclass(frozen=True, slots=True)
class Vector:
    """A key computed independently: HKDF and HMAC of another library, base62 by powers, CRC bit by bit."""

    pepper_version: int
    organization_id: str
    key_id: str
    generation: int
    secret: str
    payload: str
    tag: str
    text: str


# Key texts are written in two halves, so that scanners for leaked secrets do not take them for one.
VECTORS = [
    Vector(
        1,
        "5b1c6f0e-4d2a-4c8f-9e37-a1b2c3d4e5f6",
        "0192f3a4-b5c6-7d8e-9fa0-b1c2d3e4f506",
        0,
        "000102030405060708090a0b0c0d0e0f101112131415",
        "01015b1c6f0e4d2a4c8f9e37a1b2c3d4e5f60192f3a4b5c67d8e9fa0b1c2d3e4f506"
        "0000000102030405060708090a0b0c0d0e0f101112131415",
        "309b1378f0bf",
        "kk_0ETDzz1Ay8dNYf2H8ARPmJVuUuXAuxzyKG85Jnw" + "c0b6qxlSBQsirX725UdCDELkLE9eN6jS9yjwT4Mt9iw4tH5" + "0sPAbO",
    ),
    Vector(
        255,
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
        65535,
        "ff" * 22,
        "01" + "ff" * 57,
        "8d471346ee68",
        "kk_0SmzpuYoCGulbvLFuIlcXe2s7pm1LJGgqXA8pSg" + "cnMlW4vuDUYhTwbjkTw5WHxk8RNJj9uFIbXXQ4ucezevZ7I" + "3f7KEO",
    ),
    Vector(
        1,
        "00000000-0000-0000-0000-000000000000",
        "00000000-0000-0000-0000-000000000000",
        0,
        "00" * 22,
        "0101" + "00" * 56,
        "4d2ec5dafb52",
        "kk_0ERz4NfRrNzQnuksMZKkplLXhtPg5UNVv7vWWc0" + "oEMgk0mRMzxYf46pf8FEOYviagnqeE3PMIMHcdlzTx1tG5a" + "2tgW8N",
    ),
]


def tag_key(_version: int) -> bytes:
    """Return the same tag key for every version of the pepper."""
    return KEYS.tag_key


def checked(text: str) -> str:
    """Return a text with the checksum of its characters."""
    return text + key_text.checksum(text)


def any_key(secret: bytes = bytes(22), generation: int = 0) -> str:
    """Return the text of a valid key."""
    content = key_text.payload(
        pepper_version=1,
        organization_id=uuid.UUID(VECTORS[0].organization_id),
        key_id=uuid.UUID(VECTORS[0].key_id),
        generation=generation,
        secret=secret,
    )
    return key_text.encode("kk_", content, KEYS.tag_key)


@pytest.mark.parametrize("vector", VECTORS)
def test_a_payload_has_the_documented_layout(vector: Vector) -> None:
    """The 58 bytes are exactly those of the vector."""
    payload = key_text.payload(
        pepper_version=vector.pepper_version,
        organization_id=uuid.UUID(vector.organization_id),
        key_id=uuid.UUID(vector.key_id),
        generation=vector.generation,
        secret=bytes.fromhex(vector.secret),
    )

    assert vector.payload == payload.hex()


@pytest.mark.parametrize("vector", VECTORS)
def test_encode_writes_the_text_of_the_vector(vector: Vector) -> None:
    """The text is the prefix, 86 characters, most significant first, padded with 0, and the checksum of both."""
    text = key_text.encode("kk_", bytes.fromhex(vector.payload), KEYS.tag_key)

    assert vector.text == text


@pytest.mark.parametrize("vector", VECTORS)
def test_decode_returns_every_field(vector: Vector) -> None:
    """Text and tag key are enough to decode the ids, without a read."""
    parts = key_text.decode(vector.text, "kk_", tag_key)

    assert (
        key_text.KeyParts(
            pepper_version=vector.pepper_version,
            organization_id=uuid.UUID(vector.organization_id),
            key_id=uuid.UUID(vector.key_id),
            generation=vector.generation,
            payload=bytes.fromhex(vector.payload),
        )
        == parts
    )


@pytest.mark.parametrize("vector", VECTORS)
def test_the_tag_is_the_last_six_bytes(vector: Vector) -> None:
    """The tag is HMAC-SHA256 of the 58 bytes under the tag key, cut to six bytes."""
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    number = sum(alphabet.index(c) * 62**power for power, c in enumerate(reversed(vector.text[3:89])))

    assert vector.payload + vector.tag == number.to_bytes(64).hex()


@given(secret=st.binary(min_size=22, max_size=22), generation=st.integers(0, 0xFFFF))
def test_decode_inverts_encode(secret: bytes, generation: int) -> None:
    """Every secret and generation survives encoding and decoding."""
    parts = key_text.decode(any_key(secret, generation), "kk_", tag_key)

    assert isinstance(parts, key_text.KeyParts)
    assert generation == parts.generation
    assert secret == parts.payload[36:]


@given(position=st.integers(3, 94), character=st.characters())
def test_one_changed_character_is_refused(position: int, character: str) -> None:
    """Any other character at any of the 92 positions is refused."""
    key = any_key()
    changed = key[:position] + character + key[position + 1 :]

    assert changed == key or isinstance(key_text.decode(changed, "kk_", tag_key), key_text.NotIssuedHere)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("kk_", id="prefix alone"),
        pytest.param(any_key()[:-1], id="one character short"),
        pytest.param(any_key() + "0", id="one character long"),
        pytest.param(any_key() + "\n", id="line feed at the end"),
        pytest.param(" " + any_key(), id="space in front"),
        pytest.param("KK_" + any_key()[3:], id="prefix in capitals"),
        pytest.param("sk_" + any_key()[3:], id="other prefix"),
        pytest.param(any_key()[3:], id="no prefix"),
        pytest.param(checked("kk_" + "z" * 86), id="more than 64 bytes"),
        pytest.param(checked("kk_" + "0" * 86), id="zero"),
        pytest.param(checked("kk_" + "!" * 86), id="other characters"),
        pytest.param(any_key().replace("0", "\N{FULLWIDTH DIGIT ZERO}"), id="look-alike digits"),
        pytest.param("kk_" + "\ud800" * 92, id="surrogates"),
    ],
)
def test_a_malformed_text_is_refused(text: str) -> None:
    """A malformed text is reported as such, and never raises."""
    assert key_text.NotIssuedHere.MALFORMED == key_text.decode(text, "kk_", tag_key)


@pytest.mark.parametrize("text", ["kk_" + "0" * 92, any_key()[:-1] + "!", any_key()[:40] + "!" + any_key()[41:]])
def test_a_text_with_a_wrong_checksum_is_mistyped(text: str) -> None:
    """A mistyped key has its own reason: nobody made it up."""
    assert key_text.NotIssuedHere.MISTYPED == key_text.decode(text, "kk_", tag_key)


def test_a_checksum_is_crc_32_in_base62() -> None:
    """The check value of CRC-32/ISO-HDLC (the catalogue of parametrised CRC algorithms) is CBF43926."""
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    number = sum(alphabet.index(c) * 62**power for power, c in enumerate(reversed(key_text.checksum("123456789"))))

    assert number == 0xCBF43926


def test_a_checksum_covers_the_prefix() -> None:
    """GIVEN the characters of a key behind another prefix THEN it is no key, to a scanner that knows neither."""
    other = "other_" + any_key()[3:]

    assert key_text.claimed(any_key()) is not None
    assert key_text.claimed(other) is None


def test_a_key_has_one_text() -> None:
    """GIVEN the other 86 characters that are the same number modulo 2**512 THEN they are refused."""
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    number = 2**512 + sum(alphabet.index(c) * 62**power for power, c in enumerate(reversed(any_key()[3:89])))
    other = checked("kk_" + "".join(alphabet[number // 62**power % 62] for power in reversed(range(86))))

    assert number < 62**86
    assert key_text.NotIssuedHere.MALFORMED == key_text.decode(other, "kk_", tag_key)


def test_an_unknown_pepper_version_is_refused() -> None:
    """A version that does not exist has its own reason, so that it can raise an alarm."""
    assert key_text.NotIssuedHere.UNKNOWN_PEPPER_VERSION == key_text.decode(any_key(), "kk_", lambda _: None)


def test_a_tag_of_another_pepper_is_refused() -> None:
    """A key that was made with another pepper is a forgery."""
    assert key_text.NotIssuedHere.FORGED == key_text.decode(any_key(), "kk_", lambda _: bytes(32))


@pytest.mark.parametrize("pepper_key", [KEYS.tag_key, bytes(32)], ids=["right", "wrong"])
def test_tags_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch, pepper_key: bytes) -> None:
    """GIVEN a text with any tag THEN the time of the comparison tells nothing about the right one."""
    compared: list[tuple[int, int]] = []

    def compare_digest(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare_digest)
    key_text.decode(any_key(), "kk_", lambda _: pepper_key)

    assert [(6, 6)] == compared


def test_another_format_version_is_refused() -> None:
    """A future format is refused, even with a valid tag."""
    future = key_text.encode("kk_", b"\x02" + bytes.fromhex(VECTORS[0].payload)[1:], KEYS.tag_key)

    assert key_text.NotIssuedHere.MALFORMED == key_text.decode(future, "kk_", tag_key)


def test_a_text_of_another_format_version_names_no_key() -> None:
    """A future format may have its ids elsewhere, so the operator is not told a wrong key."""
    present = key_text.encode("kk_", bytes.fromhex(VECTORS[0].payload), KEYS.tag_key)
    future = key_text.encode("kk_", b"\x02" + bytes.fromhex(VECTORS[0].payload)[1:], KEYS.tag_key)

    assert [True, False] == [key_text.claimed(text) is not None for text in (present, future)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("pepper_version", 256),
        ("pepper_version", -1),
        ("generation", 65536),
        ("secret", bytes(21)),
        ("secret", bytes(23)),
    ],
)
def test_payload_refuses_values_that_do_not_fit(field: str, value: object) -> None:
    """A value that does not fit into its field is an error, and is not truncated."""
    fields: dict[str, object] = {
        "pepper_version": 1,
        "organization_id": uuid.UUID(int=0),
        "key_id": uuid.UUID(int=0),
        "generation": 0,
        "secret": bytes(22),
    }

    with pytest.raises(ValueError, match=r"must have|fit"):
        key_text.payload(**(fields | {field: value}))  # type: ignore[arg-type]


def test_a_hint_is_the_prefix_and_four_characters() -> None:
    """They are the last four of the checksum."""
    text = VECTORS[0].text

    assert f"kk_...{text[-4:]}" == key_text.hint(text, "kk_")


def test_repr_shows_no_secret() -> None:
    """Parts in a log or an exception show their ids only."""
    parts = key_text.decode(any_key(b"\xaa" * 22), "kk_", tag_key)

    assert "payload" not in repr(parts)
