"""Keys derived from the pepper, and hashes of keys."""

from __future__ import annotations

import base64
import hashlib
import hmac

import argon2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from keywright.domain import key_hash, keyring
from keywright.domain.key_hash import HmacSha256
from keywright.settings import Argon2Parameters, KeyHash, SecretSettings

PEPPER = b"0123456789abcdef" * 4
KEYS = keyring.derive(PEPPER)
OTHER_KEYS = keyring.derive(PEPPER[::-1])
CHEAP = Argon2Parameters(memory_kib=8, iterations=1, parallelism=1)
HMAC = HmacSha256.of(KEYS)
SCHEMES = [pytest.param(CHEAP, id="argon2id"), pytest.param(HMAC, id="hmac-sha256")]


def hash_payload(payload: bytes, hash_key: bytes, parameters: Argon2Parameters) -> str:
    """Hash the 58 bytes of a key for storage."""
    return key_hash.hash_digest(key_hash.keyed_digest(payload, hash_key), parameters)


@pytest.mark.parametrize(
    ("purpose", "attribute", "expected"),
    [
        ("keywright/tag/1", "tag_key", "8d0a838a2a5e9ab0fc81ee5038d714224f79bf4351251c4120dce47a310dec63"),
        ("keywright/hash/1", "hash_key", "6ead4edcddd31fda95d2d1d1220f3f475f61c4f5f7ee19b90e50dd932cfe054e"),
        (
            "keywright/hmac-hash/1",
            "hmac_hash_key",
            "425d2391cd15b7a069a6b5bfc864aa954c5e9d316ada2fe4110fc3db01920678",
        ),
        (
            "keywright/idempotency/1",
            "idempotency_key",
            "d74bd14d4323da553f5ada30781a021e0e5285caa1268c3e401e64ff98cf9443",
        ),
        ("keywright/import/1", "import_key", "3f3eb82ad62610721c399da7bf0d649c94f813bd736d9fb51d66dea570a8234c"),
    ],
)
def test_derived_keys_are_hkdf_of_the_pepper(purpose: str, attribute: str, expected: str) -> None:
    """Derived keys equal HKDF-SHA256 (RFC 5869) of another implementation."""
    other = HKDF(hashes.SHA256(), 32, b"keywright/pepper", purpose.encode()).derive(PEPPER).hex()

    assert expected == other == getattr(keyring.derive(PEPPER), attribute).hex()


def test_a_hash_is_argon2id_over_the_keyed_digest() -> None:
    """argon2-cffi itself verifies the PHC string against HMAC-SHA256 of the payload under the hash key."""
    payload, hash_key = bytes(range(58)), b"k" * 32

    phc = hash_payload(payload, hash_key, CHEAP)

    assert argon2.PasswordHasher().verify(phc, hmac.digest(hash_key, payload, "sha256"))


def test_a_hash_names_its_parameters() -> None:
    """The PHC string names algorithm and cost, so that both can change."""
    phc = hash_payload(bytes(58), b"k" * 32, Argon2Parameters(16, 2, 1))

    assert phc.startswith("$argon2id$v=19$m=16,t=2,p=1$")


def test_a_hash_has_256_bits() -> None:
    """The hash in a PHC string has 32 bytes."""
    assert 32 == argon2.extract_parameters(hash_payload(bytes(58), b"k" * 32, CHEAP)).hash_len


def test_each_hash_has_its_own_salt() -> None:
    """Two hashes of a key differ by their salts of 16 bytes."""
    first, second = (hash_payload(bytes(58), b"k" * 32, CHEAP) for _ in range(2))

    assert first != second
    assert 16 == argon2.extract_parameters(first).salt_len


@pytest.mark.parametrize("position", [2, 18, 34, 36])
def test_a_hash_covers_ids_and_generation(position: int) -> None:
    """A hash does not verify for another organization, key, generation or secret."""
    payload, hash_key = bytes(58), b"k" * 32
    moved = payload[:position] + b"\x01" + payload[position + 1 :]
    phc = hash_payload(payload, hash_key, CHEAP)

    with pytest.raises(argon2.exceptions.VerifyMismatchError):
        argon2.PasswordHasher().verify(phc, hmac.digest(hash_key, moved, "sha256"))


def test_repr_shows_no_derived_key() -> None:
    """A log of derived keys or a keyring discloses none."""
    keys = keyring.derive(PEPPER)
    ring = keyring.Keyring(1, {1: keys})

    assert "PepperKeys()" == repr(keys)
    assert "Keyring(current_version=1)" == repr(ring)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_hash_matches_only_its_own_digest(scheme: key_hash.Scheme) -> None:
    """GIVEN a hash of either scheme WHEN the digest differs THEN it does not match, without an exception."""
    stored = key_hash.hash_digest(bytes(32), scheme)

    assert key_hash.matches(stored, bytes(32), KEYS)
    assert not key_hash.matches(stored, b"\x01" + bytes(31), KEYS)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("position", [2, 18, 34, 36], ids=["organization", "key", "generation", "secret"])
def test_a_moved_hash_does_not_match(scheme: key_hash.Scheme, position: int) -> None:
    """A hash of either scheme does not match the same secret of another organization, key or generation."""
    payload = bytes(58)
    moved = payload[:position] + b"\x01" + payload[position + 1 :]
    stored = key_hash.hash_digest(key_hash.keyed_digest(payload, KEYS.hash_key), scheme)

    assert key_hash.matches(stored, key_hash.keyed_digest(payload, KEYS.hash_key), KEYS)
    assert not key_hash.matches(stored, key_hash.keyed_digest(moved, KEYS.hash_key), KEYS)


def test_an_argon2id_hash_of_any_cost_matches() -> None:
    """The PHC string has the parameters, so that hashes match after the setting changed."""
    assert key_hash.matches(key_hash.hash_digest(bytes(32), Argon2Parameters(16, 3, 2)), bytes(32), KEYS)


@pytest.mark.parametrize("stored", ["", "$argon2id$v=19$m=8,t=1,p=1$c2FsdA", "$argon2i$v=19$m=8,t=1,p=1$c2Fs$aGFzaA"])
def test_a_damaged_hash_is_an_error(stored: str) -> None:
    """A damaged record neither matches nor makes a key wrong."""
    with pytest.raises(argon2.exceptions.VerificationError):
        key_hash.matches(stored, bytes(32), KEYS)


COSTS = [Argon2Parameters(*cost) for cost in [(16, 1, 1), (24, 1, 1), (16, 2, 1), (16, 1, 2)]]


@pytest.mark.parametrize("configured", COSTS, ids=str)
@pytest.mark.parametrize("stored", COSTS, ids=str)
def test_a_hash_is_current_at_the_configured_cost(stored: Argon2Parameters, configured: Argon2Parameters) -> None:
    """A hash of another cost is not current, whether it is cheaper or dearer: the setting can be lowered too."""
    is_current = key_hash.is_current(key_hash.hash_digest(bytes(32), stored), configured)

    assert (stored == configured) == is_current


@pytest.mark.parametrize("lengths", [(31, 16), (32, 15)], ids=["hash", "salt"])
def test_a_hash_of_other_lengths_is_not_current(lengths: tuple[int, int]) -> None:
    """A hash or salt of another length than today's is renewed at the next verification."""
    hash_bytes, salt_bytes = lengths
    hasher = argon2.PasswordHasher(1, 8, 1, hash_bytes, salt_bytes)

    assert not key_hash.is_current(hasher.hash(bytes(32)), CHEAP)


@pytest.mark.parametrize("configured", SCHEMES)
@pytest.mark.parametrize("stored", SCHEMES)
def test_a_hash_is_current_under_its_own_scheme(stored: key_hash.Scheme, configured: key_hash.Scheme) -> None:
    """A hash of the other scheme is not current, so the next verification replaces it, in either direction."""
    is_current = key_hash.is_current(key_hash.hash_digest(bytes(32), stored), configured)

    assert (stored == configured) == is_current


# ---- HMAC-SHA-256 ------------------------------------------------------------------------------------------------


def test_an_hmac_hash_is_known_for_a_known_pepper() -> None:
    """Computed with openssl: HKDF and both HMACs, of the bytes 0 to 57 under a pepper that is written here."""
    digest = key_hash.keyed_digest(bytes(range(58)), KEYS.hash_key)

    assert "$hmac-sha256$A+RK7Gu++VT/TyWjK7WX87ubxPTqFGik1YiXM92+Oqs" == key_hash.hash_digest(digest, HMAC)


def test_an_hmac_hash_has_256_bits_and_names_its_algorithm() -> None:
    """It is HMAC-SHA-256 of the digest under its own key, by another computation, and without salt."""
    algorithm, hash_ = key_hash.hash_digest(bytes(range(32)), HMAC).split("$")[1:]

    assert "hmac-sha256" == algorithm
    expected = hmac.new(KEYS.hmac_hash_key, bytes(range(32)), hashlib.sha256).digest()
    assert expected == base64.b64decode(hash_ + "=")


def test_an_hmac_hash_differs_in_every_bit_and_character() -> None:
    """GIVEN an HMAC hash WHEN one bit of the digest or one character of the hash differs THEN it does not match."""
    stored = key_hash.hash_digest(bytes(32), HMAC)

    assert not any(key_hash.matches(stored, (1 << bit).to_bytes(32), KEYS) for bit in range(256))
    damaged = [f"{stored[:at]}!{stored[at + 1 :]}" for at in range(13, len(stored))]
    assert not any(key_hash.matches(each, bytes(32), KEYS) for each in damaged)


def test_an_hmac_hash_belongs_to_a_version_of_the_pepper() -> None:
    """GIVEN an HMAC hash under one version of the pepper THEN it matches under no other, where a new one differs."""
    stored = key_hash.hash_digest(bytes(32), HMAC)

    assert stored != key_hash.hash_digest(bytes(32), HmacSha256.of(OTHER_KEYS))
    assert not key_hash.matches(stored, bytes(32), OTHER_KEYS)


@pytest.mark.parametrize("stored", ["$hmac-sha256$", "$hmac-sha256$\xe4", "$hmac-sha256$AAAA"])
def test_a_damaged_hmac_hash_matches_nothing(stored: str) -> None:
    """A damaged HMAC hash is not an error."""
    assert not key_hash.matches(stored, bytes(32), KEYS)


@pytest.mark.parametrize(("stored", "expected"), [(CHEAP, True), (HMAC, False)], ids=["argon2id", "hmac-sha256"])
def test_only_argon2id_is_counted_as_a_hash(stored: key_hash.Scheme, expected: bool) -> None:  # noqa: FBT001 - a case
    """The stored hash says which of the two is computed to compare it."""
    assert expected is key_hash.is_argon2id(key_hash.hash_digest(bytes(32), stored))


def test_the_scheme_of_hmac_shows_no_key() -> None:
    """A log of the scheme does not disclose its key."""
    assert "HmacSha256()" == repr(HMAC)


# ---- The configured scheme ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("chosen", "expected"), [(KeyHash.ARGON2ID, CHEAP), (KeyHash.HMAC_SHA256, HMAC)])
def test_the_setting_chooses_the_scheme(chosen: KeyHash, expected: key_hash.Scheme) -> None:
    """Argon2id has the configured cost, HMAC the key of the version of the pepper."""
    settings = SecretSettings(pepper_secret_id="pepper", key_prefix="kk_", key_hash=chosen, argon2=CHEAP)

    assert expected == key_hash.configured(settings, KEYS)


@pytest.mark.usefixtures("no_argon2")
def test_hmac_needs_no_argon2() -> None:
    """GIVEN a container without Argon2 WHEN HMAC hashes are made, matched and compared THEN it is not loaded."""
    stored = key_hash.hash_digest(bytes(32), HMAC)

    assert key_hash.matches(stored, bytes(32), KEYS)
    assert key_hash.is_current(stored, HMAC)


@pytest.mark.usefixtures("no_argon2")
@pytest.mark.parametrize("value", ["hmac-sha256", "", "another"])
def test_a_container_starts_without_argon2(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the setting for Argon2id loads it; any other text, right or wrong, does not stop the start."""
    monkeypatch.setenv("KEY_HASH", value)

    key_hash.load()

    monkeypatch.setenv("KEY_HASH", "argon2id")
    with pytest.raises(ImportError):
        key_hash.load()
