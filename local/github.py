"""GitHub's secret scanning, for development: signs reports of leaked keys, and publishes the key.

Its private key is not a secret, as that of the development identity provider: only a service that is configured to take
GitHub's keys from the loopback interface accepts its reports.
"""

from __future__ import annotations

import base64
import hashlib

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, derive_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KEYS_PATH = "/meta/public_keys/secret_scanning"

_KEY_PHRASE = b"Keywright development GitHub: this key is public, trust it on loopback only"
_KEY = derive_private_key(int.from_bytes(hashlib.sha256(_KEY_PHRASE).digest()), SECP256R1())
_PEM = _KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
IDENTIFIER = hashlib.sha256(_PEM.encode()).hexdigest()


def sign(body: bytes) -> str:
    """Return the signature of a report's body, in base64; the same each time."""
    return base64.b64encode(_KEY.sign(body, ECDSA(SHA256(), deterministic_signing=True))).decode()


def published_keys() -> dict[str, object]:
    """Return the document that GitHub publishes."""
    return {"public_keys": [{"key_identifier": IDENTIFIER, "key": _PEM, "is_current": True}]}
