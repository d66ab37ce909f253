"""An OpenID Connect provider for development: it publishes its key, and signs session tokens for whomever you like.

Its private key is no secret: anyone can derive it from the phrase below. That makes tokens outlive a restart without
a key file in the repository. Nothing can be gained with it elsewhere: a token names its issuer, this one is always
on the loopback interface, and only a service told to trust a loopback issuer would ask there for keys.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

_KEY_PHRASE = b"Keywright development identity provider: this key is public, trust it on loopback only"
_KEY = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(_KEY_PHRASE).digest())
_JWKS_PATH = "/jwks.json"
_TOKEN_PATH = "/token"  # noqa: S105 - a path


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """A WSGI application with discovery and keys, and the tokens that go with them.

    Attributes:
        issuer: where it is served, without a slash at its end.
        audience: whom tokens are for, unless said otherwise.
        organization_claim: the claim that names the organization.
        ttl_seconds: how long tokens are valid that are asked for here.
    """

    issuer: str
    audience: str
    organization_claim: str
    ttl_seconds: int = 28800

    def mint(
        self,
        user_id: str,
        organization_id: str,
        *,
        ttl_seconds: int,
        audience: str | None = None,
    ) -> str:
        """Sign a session token; with a negative lifetime, one that has expired already."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": user_id,
            "aud": self.audience if audience is None else audience,
            "iat": min(now, now + ttl_seconds),
            "exp": now + ttl_seconds,
            self.organization_claim: organization_id,
        }
        return jwt.encode(claims, _KEY, algorithm="EdDSA", headers={"kid": _public_key()["kid"]})

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve discovery (OpenID Connect Discovery 1.0, section 4), the keys (RFC 7517), and tokens for anybody."""
        if environ["PATH_INFO"] == _TOKEN_PATH:
            return self._token(environ, start_response)
        documents: dict[str, dict[str, object]] = {
            "/.well-known/openid-configuration": {
                "issuer": self.issuer,
                "jwks_uri": self.issuer + _JWKS_PATH,
                "id_token_signing_alg_values_supported": ["EdDSA"],
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
            },
            _JWKS_PATH: {"keys": [_public_key()]},
        }
        document = documents.get(environ["PATH_INFO"])
        body = json.dumps(document).encode()
        return _answer(start_response, "404 Not Found" if document is None else "200 OK", "application/json", body)

    def _token(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve `/token?user=...&organization=...`: the bare token, for `$(curl ...)`."""
        query = parse_qs(environ.get("QUERY_STRING", ""))
        match query.get("user"), query.get("organization"):
            case [user_id], [organization_id]:
                token = self.mint(user_id, organization_id, ttl_seconds=self.ttl_seconds)
                return _answer(start_response, "200 OK", "text/plain", token.encode())
        usage = f"say who, and in which organization: {self.issuer}{_TOKEN_PATH}?user=ada&organization=acme\n"
        return _answer(start_response, "400 Bad Request", "text/plain", usage.encode())


def _answer(start_response: StartResponse, status: str, content_type: str, body: bytes) -> Iterable[bytes]:
    start_response(status, [("content-type", content_type), ("content-length", str(len(body)))])
    return [body]


def _public_key() -> dict[str, str]:
    """Give the public half as a JSON Web Key (RFC 8037), named by its thumbprint (RFC 7638)."""
    key = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(_KEY.public_key().public_bytes_raw())}
    thumbprint = hashlib.sha256(json.dumps(key, sort_keys=True, separators=(",", ":")).encode()).digest()
    return {**key, "alg": "EdDSA", "use": "sig", "kid": _base64url(thumbprint)}


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
