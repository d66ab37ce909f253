"""Authorization codes and refresh tokens, in memory: a restart of the service forgets them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
import uuid
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from local.sign_in.requests import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.sign_in.users import User

CODE_SECONDS = 60
"""Lifetime of a code. RFC 6749, section 4.1.2, allows ten minutes at most."""

_SECRET_BYTES = 32
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # RFC 7636, section 4.1


class InvalidGrantError(RefusedError):
    """A code or a refresh token does not work; the description says why."""

    def __init__(self, description: str) -> None:
        super().__init__("invalid_grant", description)


@dataclass(frozen=True, slots=True)
class Grant:
    """Consent of a user to the client.

    Attributes:
        redirect_uri, challenge, nonce: of the authorization request.
        scopes: the scopes that were granted.
        signed_in_at: time of the sign-in, in seconds since the epoch.
        session_id: id of the session that began then.
    """

    user: User
    redirect_uri: str
    challenge: str
    nonce: str
    scopes: tuple[str, ...]
    signed_in_at: int = field(default_factory=lambda: int(time.time()))
    session_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def is_lasting(self) -> bool:
        """Whether the client gets refresh tokens (OpenID Connect Core 1.0, section 11)."""
        return "offline_access" in self.scopes


@dataclass(slots=True)
class _Family:
    """The refresh tokens that came one from another.

    Attributes:
        current: the one that works; None before the first, and once they are revoked.
    """

    grant: Grant
    current: str | None = None


@dataclass(slots=True)
class _Code:
    family: _Family
    expires_at: float
    is_used: bool = False


class Grants:
    """Issues and redeems codes and refresh tokens.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._codes: dict[str, _Code] = {}
        self._families: dict[str, _Family] = {}

    def code(self, grant: Grant) -> str:
        """Return a code for a grant, which works once."""
        code = secrets.token_urlsafe(_SECRET_BYTES)
        with self._lock:
            self._codes[code] = _Code(_Family(grant), self._clock() + CODE_SECONDS)
        return code

    def redeem(self, code: str, redirect_uri: str, verifier: str) -> tuple[Grant, str | None]:
        """Return the grant of a code and its first refresh token, if it is lasting.

        A failed attempt uses the code up, too. A second attempt also revokes the refresh tokens of the first (RFC 6749,
        section 4.1.2).

        Raises:
            InvalidGrantError: the code is unknown, used, expired, or of another redirect URI or verifier.
        """
        with self._lock:
            issued = self._codes.get(code)
            if issued is None:
                raise InvalidGrantError("the code is unknown")
            if issued.is_used:
                issued.family.current = None
                raise InvalidGrantError("the code was used before")
            issued.is_used = True
            grant = issued.family.grant
            if self._clock() >= issued.expires_at:
                raise InvalidGrantError(f"the code has expired: it works for {CODE_SECONDS} seconds")
            if redirect_uri != grant.redirect_uri:
                raise InvalidGrantError("redirect_uri differs from that of the authorization request")
            if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(challenge_of(verifier), grant.challenge):
                raise InvalidGrantError("code_verifier does not match the code_challenge")
            return grant, self._next(issued.family) if grant.is_lasting else None

    def renew(self, refresh_token: str) -> tuple[Grant, str]:
        """Return the grant of a refresh token, and the token that replaces it.

        Raises:
            InvalidGrantError: the token is unknown or revoked, or was used before: then its successors are revoked, as
                one of the two who used it has stolen it (RFC 9700, section 4.14.2).
        """
        with self._lock:
            family = self._families.get(refresh_token)
            if family is None:
                raise InvalidGrantError("the refresh token is unknown")
            if family.current is None:
                raise InvalidGrantError("the refresh token is revoked")
            if family.current != refresh_token:
                family.current = None
                raise InvalidGrantError("the refresh token was used before; its successors are revoked")
            return family.grant, self._next(family)

    def revoke(self, refresh_token: str) -> None:
        """Revoke a refresh token, its predecessors and successors (RFC 7009, section 2.1)."""
        with self._lock:
            family = self._families.get(refresh_token)
            if family is not None:
                family.current = None

    def _next(self, family: _Family) -> str:
        family.current = secrets.token_urlsafe(_SECRET_BYTES)
        self._families[family.current] = family
        return family.current


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a verifier (RFC 7636, section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
