"""Session tokens of the development identity provider, which are the same each time."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from local import identity_provider as development
from local.options import Options
from local.server import HOST
from tests.support.identity_provider import AUDIENCE

DEVELOPMENT_ISSUER = f"http://{HOST}:{Options().port + 1}"
"""The identity provider of `make run`."""
SIGNERS = {
    "development": development._KEY,
    "stranger": Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"a stranger's key").digest()),
}
HEADER = {"alg": "EdDSA", "kid": development._public_key()["kid"], "typ": "JWT"}
ISSUED_AT = 1767225600
"""2026-01-01, the issue time of the sessions in requests."""


def sign(header: dict[str, Any], claims: dict[str, Any], signer: str = "development") -> str:
    """Return a signed token: with Ed25519 the same text each time. The header may be wrong on purpose."""
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in (header, claims)]
    content = ".".join(_base64url(part) for part in parts)
    return f"{content}.{_base64url(SIGNERS[signer].sign(content.encode()))}"


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def claims(user_id: str, organization_id: str, expires_at: int) -> dict[str, Any]:
    """Return the claims of a session."""
    return {
        "iss": DEVELOPMENT_ISSUER,
        "sub": user_id,
        "aud": AUDIENCE,
        "iat": ISSUED_AT,
        "exp": expires_at,
        "org_id": organization_id,
    }
