"""An identity provider for tests, with real keys, signatures and HTTP on loopback; it can fail."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

if TYPE_CHECKING:
    from collections.abc import Iterator

AUDIENCE = "keywright"
ORGANIZATION_ID = "5b1c6f0e-4d2a-4c8f-9e37-a1b2c3d4e5f6"

# Created once: an RSA key is slow.
KEYS: dict[str, Any] = {
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
_WRITERS: dict[str, Any] = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}


def sign_in_endpoints(issuer: str) -> dict[str, str]:
    """Return the endpoints in the configuration of a provider that has all of them."""
    return {
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "end_session_endpoint": f"{issuer}/logout",
        "revocation_endpoint": f"{issuer}/revoke",
    }


def jwk(algorithm: str, key: Any = None, kid: str | None = None) -> dict[str, Any]:
    """Return the public half of a key as a JWK; its id is the algorithm by default."""
    public = (key or KEYS[algorithm]).public_key()
    return {**json.loads(_WRITERS[algorithm].to_jwk(public)), "kid": kid or algorithm, "use": "sig", "alg": algorithm}


@dataclass(slots=True)
class Issuer:
    """The provider's documents, which tests change.

    Attributes:
        documents: path -> JSON value, or bytes to send unchanged.
        requests: requested paths, in order.
    """

    port: int
    documents: dict[str, Any] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    status: int = 200

    @property
    def url(self) -> str:
        """Return the issuer's identifier."""
        return f"http://127.0.0.1:{self.port}"

    def publish(self, *keys: dict[str, Any]) -> None:
        """Serve discovery and these keys."""
        self.documents = {
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/jwks"},
            "/jwks": {"keys": list(keys)},
        }

    def token(
        self, algorithm: str = "EdDSA", *, key: object = None, headers: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        """Return a signed token; claims that are None are omitted."""
        now = int(time.time())
        content = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "user_1",
            "org_id": ORGANIZATION_ID,
            "iat": now,
            "exp": now + 600,
        } | claims
        return jwt.encode(
            {name: value for name, value in content.items() if value is not None},
            key or KEYS[algorithm],  # type: ignore[arg-type]
            algorithm,
            headers={"kid": algorithm} | (headers or {}),
        )


def serve() -> Iterator[Issuer]:
    """Run a provider until the generator is closed."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.requests.append(self.path)
            document = issuer.documents.get(self.path)
            body = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(404 if document is None else issuer.status)
            self.send_header("content-length", str(len(body)))
            if issuer.status == 302:
                self.send_header("location", "/jwks")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = Issuer(server.server_port)
    issuer.publish(*(jwk(algorithm) for algorithm in KEYS))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield issuer
    server.shutdown()
    thread.join()
    server.server_close()
