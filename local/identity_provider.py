"""An OpenID Connect provider for development, which signs session tokens for any user and organization.

`local.sign_in` is in front of it in the local service, and signs users in to the console.

Its private key is not a secret: it is derived from the phrase below, so that tokens stay valid after a restart without
a key file in the repository. The key is useless elsewhere: the issuer of its tokens is on the loopback interface, and
only a service that is configured to trust a loopback issuer would accept them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from local import github

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIEnvironment

_KEY_PHRASE = b"Keywright development identity provider: this key is public, trust it on loopback only"
KEY = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(_KEY_PHRASE).digest())
_JWKS_PATH = "/jwks.json"
_TOKEN_PATH = "/token"  # noqa: S105 - a path
CONFIGURATION_PATH = "/.well-known/openid-configuration"


def issuer_at(port: int) -> str:
    """Return the URL of a provider on this machine.

    In containers of `sam local`, localhost can be this machine (samconfig.toml), and 127.0.0.1 cannot.
    """
    return f"http://localhost:{port}"


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """A WSGI application that publishes discovery and keys, and issues session tokens.

    Attributes:
        issuer: its URL, without a trailing slash.
        audience: the default audience of tokens.
        organization_claim: the claim that names the organization.
        ttl_seconds: lifetime of tokens from /token.
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
        **claims: object,
    ) -> str:
        """Sign a token of a user: a session token, or with other claims an ID token.

        With a negative lifetime, the token has expired.
        """
        now = int(time.time())
        signed = {
            "iss": self.issuer,
            "sub": user_id,
            "aud": self.audience if audience is None else audience,
            "iat": min(now, now + ttl_seconds),
            "exp": now + ttl_seconds,
            self.organization_claim: organization_id,
            **claims,
        }
        return sign({"alg": "EdDSA", "kid": _public_key()["kid"], "typ": "JWT"}, signed)

    def configuration(self) -> dict[str, object]:
        """Return the discovery document (OpenID Connect Discovery 1.0, section 3)."""
        return {
            "issuer": self.issuer,
            "jwks_uri": self.issuer + _JWKS_PATH,
            "id_token_signing_alg_values_supported": ["EdDSA"],
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve discovery (OpenID Connect Discovery 1.0, section 4), keys (RFC 7517) and tokens."""
        if environ["PATH_INFO"] == _TOKEN_PATH:
            return self._token(environ, start_response)
        documents: dict[str, dict[str, object]] = {
            CONFIGURATION_PATH: self.configuration(),
            _JWKS_PATH: {"keys": [_public_key()]},
            github.KEYS_PATH: github.published_keys(),  # of the other signer that the service asks for keys
        }
        document = documents.get(environ["PATH_INFO"])
        body = json.dumps(document).encode()
        return _answer(start_response, "404 Not Found" if document is None else "200 OK", "application/json", body)

    def _token(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve `/token?user=...&organization=...`: the token as plain text, for `$(curl ...)`."""
        query = parse_qs(environ.get("QUERY_STRING", ""))
        match query.get("user"), query.get("organization"):
            case [user_id], [organization_id]:
                token = self.mint(user_id, organization_id, ttl_seconds=self.ttl_seconds)
                return _answer(start_response, "200 OK", "text/plain", token.encode())
        usage = f"pass one user and one organization: {self.issuer}{_TOKEN_PATH}?user=ada&organization=acme\n"
        return _answer(start_response, "400 Bad Request", "text/plain", usage.encode())


def sign(header: Mapping[str, object], claims: Mapping[str, object], key: Ed25519PrivateKey = KEY) -> str:
    """Return a signed token (RFC 7515, compact serialization); with Ed25519 the same text each time.

    The header may be wrong on purpose.
    """
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in (header, claims)]
    content = ".".join(_base64url(part) for part in parts)
    return f"{content}.{_base64url(key.sign(content.encode()))}"


def _answer(start_response: StartResponse, status: str, content_type: str, body: bytes) -> Iterable[bytes]:
    start_response(status, [("content-type", content_type), ("content-length", str(len(body)))])
    return [body]


def _public_key() -> dict[str, str]:
    """Return the public key as a JSON Web Key (RFC 8037), with its thumbprint (RFC 7638) as the key id."""
    key = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(KEY.public_key().public_bytes_raw())}
    thumbprint = hashlib.sha256(json.dumps(key, sort_keys=True, separators=(",", ":")).encode()).digest()
    return {**key, "alg": "EdDSA", "use": "sig", "kid": _base64url(thumbprint)}


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
