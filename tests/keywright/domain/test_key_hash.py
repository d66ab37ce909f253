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
from keywright.settings import Argon2Parameters

PEPPER = b"0123456789abcdef" * 4
CHEAP = Argon2Parameters(memory_kib=8, iterations=1, parallelism=1)


def hash_payload(payload: bytes, hash_key: bytes, parameters: Argon2Parameters) -> str:
    """Hash the 58 bytes of a key for storage."""
    return key_hash.hash_digest(key_hash.keyed_digest(payload, hash_key), parameters)


@pytest.mark.parametrize(
    ("purpose", "attribute", "expected"),
    [
        ("keywright/tag/1", "tag_key", "8d0a838a2a5e9ab0fc81ee5038d714224f79bf4351251c4120dce47a310dec63"),
        ("keywright/hash/1", "hash_key", "6ead4edcddd31fda95d2d1d1220f3f475f61c4f5f7ee19b90e50dd932cfe054e"),
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


def test_a_hash_matches_only_its_own_digest() -> None:
    """A digest that differs in one bit does not match, without an exception."""
    stored = key_hash.hash_digest(bytes(32), CHEAP)

    assert key_hash.matches(stored, bytes(32))
    assert not key_hash.matches(stored, b"\x01" + bytes(31))


def test_a_hash_of_any_cost_matches() -> None:
    """The PHC string has the parameters, so that hashes match after the setting changed."""
    assert key_hash.matches(key_hash.hash_digest(bytes(32), Argon2Parameters(16, 3, 2)), bytes(32))


@pytest.mark.parametrize("stored", ["", "$argon2id$v=19$m=8,t=1,p=1$c2FsdA", "$argon2i$v=19$m=8,t=1,p=1$c2Fs$aGFzaA"])
def test_a_damaged_hash_is_an_error(stored: str) -> None:
    """A damaged record neither matches nor makes a key wrong."""
    with pytest.raises(argon2.exceptions.VerificationError):
        key_hash.matches(stored, bytes(32))


COSTS = [Argon2Parameters(*cost) for cost in [(16, 1, 1), (24, 1, 1), (16, 2, 1), (16, 1, 2)]]


@pytest.mark.parametrize("configured", COSTS, ids=str)
@pytest.mark.parametrize("stored", COSTS, ids=str)
def test_a_hash_is_current_at_the_configured_cost(stored: Argon2Parameters, configured: Argon2Parameters) -> None:
    """A hash of another cost is not current, whether it is cheaper or dearer: the setting can be lowered too."""
    is_current = key_hash.is_current(key_hash.hash_digest(bytes(32), stored), configured)

    assert (stored == configured) == is_current


# ---- The quick hash of imported keys -----------------------------------------------------------------------------


def test_a_quick_hash_matches_only_its_own_digest() -> None:
    """GIVEN a quick hash WHEN one bit of the digest or one character of the hash differs THEN it does not match."""
    stored = key_hash.quick_hash(bytes(32))

    assert key_hash.matches(stored, bytes(32))
    assert not any(key_hash.matches(stored, (1 << bit).to_bytes(32)) for bit in range(256))
    assert not any(key_hash.matches(f"{stored[:at]}!{stored[at + 1 :]}", bytes(32)) for at in range(13, len(stored)))


def test_a_quick_hash_has_256_bits_and_names_its_algorithm() -> None:
    """It is HMAC-SHA256 of a constant under the digest, by another computation: the digest is not stored."""
    algorithm, hash_ = key_hash.quick_hash(bytes(range(32))).split("$")[1:]

    assert "hmac-sha256" == algorithm
    expected = hmac.new(bytes(range(32)), b"keywright/quick-hash/1", hashlib.sha256).digest()
    assert expected == base64.b64decode(hash_ + "=")


@pytest.mark.parametrize("stored", ["$hmac-sha256$", "$hmac-sha256$\xe4", "$hmac-sha256$AAAA"])
def test_a_damaged_quick_hash_matches_nothing(stored: str) -> None:
    """A damaged quick hash is not an error."""
    assert not key_hash.matches(stored, bytes(32))


@pytest.mark.parametrize("configured", COSTS, ids=str)
def test_a_quick_hash_is_never_current(configured: Argon2Parameters) -> None:
    """So the first use of the key replaces it by Argon2id, at any cost."""
    assert not key_hash.is_current(key_hash.quick_hash(bytes(32)), configured)


def test_a_quick_hash_runs_no_argon2(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither making nor matching one calls argon2-cffi."""
    for name in ("verify_secret", "PasswordHasher"):
        monkeypatch.setattr(key_hash, name, None)

    assert key_hash.matches(key_hash.quick_hash(bytes(32)), bytes(32))


@pytest.mark.parametrize("lengths", [(31, 16), (32, 15)], ids=["hash", "salt"])
def test_a_hash_of_other_lengths_is_not_current(lengths: tuple[int, int]) -> None:
    """A hash or salt of another length than today's is renewed at the next verification."""
    hash_bytes, salt_bytes = lengths
    hasher = argon2.PasswordHasher(1, 8, 1, hash_bytes, salt_bytes)

    assert not key_hash.is_current(hasher.hash(bytes(32)), CHEAP)
