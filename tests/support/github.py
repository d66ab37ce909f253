"""GitHub as it reports secrets: a key pair, the address that publishes its keys, and signed reports.

Source: GitHub Docs, "Secret scanning partner program".
"""

from __future__ import annotations

import base64
import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support import canned_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurve


@dataclass(frozen=True, slots=True)
class Signer:
    """A key pair with an identifier."""

    key: ec.EllipticCurvePrivateKey

    @classmethod
    def new(cls, curve: EllipticCurve | None = None) -> Signer:
        """Draw a key pair, by default of P-256."""
        return cls(ec.generate_private_key(curve or ec.SECP256R1()))

    @property
    def pem(self) -> str:
        """Return the public key."""
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    @property
    def identifier(self) -> str:
        """Return the identifier of the key."""
        return hashlib.sha256(self.pem.encode()).hexdigest()

    def signature(self, body: bytes) -> str:
        """Sign a body."""
        return base64.b64encode(self.key.sign(body, ec.ECDSA(hashes.SHA256()))).decode()

    def headers(self, body: bytes) -> dict[str, str]:
        """Return the headers of a report."""
        return {
            "Content-Type": "application/json",
            "Github-Public-Key-Identifier": self.identifier,
            "Github-Public-Key-Signature": self.signature(body),
        }


def published(*signers: Signer) -> bytes:
    """Return the answer of the address that publishes keys."""
    keys = [{"key_identifier": signer.identifier, "key": signer.pem, "is_current": True} for signer in signers]
    return canned_server.answer({"public_keys": keys})


@contextmanager
def publishing(*signers: Signer) -> Iterator[canned_server.Canned]:
    """Publish the keys of signers on this machine. `answers` of the server can be replaced."""
    with canned_server.serving(published(*signers)) as server:
        yield server


URL = "https://github.com/octocat/Hello-World/blob/12345600b9cbe38a219f39a9941c9319b600c002/foo/bar.txt"


def report(*tokens: str, url: str = URL) -> bytes:
    """Return the body of a report of tokens."""
    return json.dumps(
        [{"token": token, "type": "keywright_api_key", "url": url, "source": "content"} for token in tokens]
    ).encode()
