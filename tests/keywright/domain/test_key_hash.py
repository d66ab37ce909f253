"""Derived keys and hashes at rest."""

from __future__ import annotations

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
    """Hash the 58 bytes of a key as they are stored."""
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
    ],
)
def test_keys_are_hkdf_of_the_pepper(purpose: str, attribute: str, expected: str) -> None:
    """All keys are RFC 5869 HKDF-SHA256, as another implementation computes it."""
    other = HKDF(hashes.SHA256(), 32, b"keywright/pepper", purpose.encode()).derive(PEPPER).hex()

    assert expected == other == getattr(keyring.derive(PEPPER), attribute).hex()


def test_hash_is_argon2id_over_the_keyed_digest() -> None:
    """The PHC string verifies, by argon2-cffi itself, against HMAC-SHA256 of the payload under the hash key."""
    payload, hash_key = bytes(range(58)), b"k" * 32

    phc = hash_payload(payload, hash_key, CHEAP)

    assert argon2.PasswordHasher().verify(phc, hmac.digest(hash_key, payload, "sha256"))


def test_hash_says_its_parameters() -> None:
    """The stored string names algorithm and cost, so that both can be changed later."""
    phc = hash_payload(bytes(58), b"k" * 32, Argon2Parameters(16, 2, 1))

    assert phc.startswith("$argon2id$v=19$m=16,t=2,p=1$")


def test_default_cost_is_owasps_minimum() -> None:
    """19 MiB, two iterations, one lane."""
    assert (19_456, 2, 1) == (
        Argon2Parameters().memory_kib,
        Argon2Parameters().iterations,
        Argon2Parameters().parallelism,
    )


def test_same_key_hashes_differently_each_time() -> None:
    """Every hash has its own salt of 16 bytes."""
    first, second = (hash_payload(bytes(58), b"k" * 32, CHEAP) for _ in range(2))

    assert first != second
    assert 16 == argon2.extract_parameters(first).salt_len


@pytest.mark.parametrize("position", [2, 18, 34, 36])
def test_hash_covers_ids_and_generation(position: int) -> None:
    """Moved to another organization, key or generation, a hash does not verify."""
    payload, hash_key = bytes(58), b"k" * 32
    moved = payload[:position] + b"\x01" + payload[position + 1 :]
    phc = hash_payload(payload, hash_key, CHEAP)

    with pytest.raises(argon2.exceptions.VerifyMismatchError):
        argon2.PasswordHasher().verify(phc, hmac.digest(hash_key, moved, "sha256"))


def test_repr_shows_no_key() -> None:
    """Neither derived keys nor a keyring can be read from a log."""
    keys = keyring.derive(PEPPER)
    ring = keyring.Keyring(1, {1: keys})

    assert "PepperKeys()" == repr(keys)
    assert "Keyring(current_version=1)" == repr(ring)


def test_a_hash_matches_its_own_digest_alone() -> None:
    """A digest that differs in one bit is refused, without an exception."""
    stored = key_hash.hash_digest(bytes(32), CHEAP)

    assert (True, False) == (key_hash.matches(stored, bytes(32)), key_hash.matches(stored, b"\x01" + bytes(31)))


def test_a_hash_of_any_price_matches() -> None:
    """The price is read from the stored string, so that old hashes go on verifying."""
    assert key_hash.matches(key_hash.hash_digest(bytes(32), Argon2Parameters(16, 3, 2)), bytes(32))


@pytest.mark.parametrize("stored", ["", "$argon2id$v=19$m=8,t=1,p=1$c2FsdA", "$argon2i$v=19$m=8,t=1,p=1$c2Fs$aGFzaA"])
def test_what_is_no_hash_is_neither_accepted_nor_refused(stored: str) -> None:
    """A damaged record is an error for the log, not a wrong key."""
    with pytest.raises(argon2.exceptions.VerificationError):
        key_hash.matches(stored, bytes(32))


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (CHEAP, True),
        (Argon2Parameters(16, 1, 1), False),
        (Argon2Parameters(8, 2, 1), False),
        (Argon2Parameters(16, 1, 2), False),
    ],
)
def test_a_hash_is_current_while_its_price_is_the_configured_one(
    parameters: Argon2Parameters,
    expected: bool,  # noqa: FBT001 - what pytest passes
) -> None:
    """Each of the three parameters counts."""
    assert expected == key_hash.is_current(key_hash.hash_digest(bytes(32), CHEAP), parameters)
