"""Sessions: from an identity provider's token to the person and the organization it speaks for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jwt

from keywright.authorizers.oidc import ALGORITHMS, IssuerKeys
from keywright.cache import once
from keywright.ids import is_id, is_plain, organization_uuid
from keywright.settings import settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

LEEWAY_SECONDS = 30
"""How far the provider's clock may differ from ours (RFC 7519, section 4.1.4: "usually no more than a few minutes")."""

AUTHORIZATION = re.compile(
    r"[Bb][Ee][Aa][Rr][Ee][Rr] ([A-Za-z0-9_-]{2,1024}\.[A-Za-z0-9_-]{2,5120}\.[A-Za-z0-9_-]{2,1400})"
)
"""`Bearer` in any case, one space, one compact JWS. The gateway's identity validation expression says the same."""

# Their texts could repeat parts of the token, so only the kind of a mistake is ever shown.
_TOKENS_MISTAKES = (jwt.PyJWTError, ValueError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class Session:
    """What a valid token says.

    Attributes:
        organization_id: None if the person has no organization selected.
        expires_at: seconds since the epoch, leeway included.
    """

    user_id: str
    organization_id: UUID | None
    expires_at: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a token is not accepted; for the log."""

    reason: str


@once
def issuer_keys() -> IssuerKeys:
    """Give this container's keys of the configured issuer."""
    return IssuerKeys(settings().oidc_issuer)


def read(authorization: str) -> Session | Refused:
    """Check the value of an Authorization header: form, signature, issuer, audience and times.

    Raises:
        IdentityProviderUnavailable: the token may be valid, but the key to check it with cannot be had.
    """
    match = AUTHORIZATION.fullmatch(authorization)
    if not match:
        return Refused("not a bearer token")
    token = match[1]
    try:
        header = jwt.get_unverified_header(token)
    except _TOKENS_MISTAKES as error:
        return Refused(type(error).__name__)
    if header.get("alg") not in ALGORITHMS:
        return Refused("its algorithm is not allowed")
    # Outside of both: whatever goes wrong with the provider's keys is no fault of the token.
    key = issuer_keys().find(header.get("kid"))
    if key is None:
        return Refused("no key of the issuer has its key id")
    try:
        return _session(token, key)
    except _TOKENS_MISTAKES as error:
        return Refused(type(error).__name__)


def _session(token: str, key: jwt.PyJWK) -> Session | Refused:
    claims = jwt.decode(
        token,
        key,
        algorithms=ALGORITHMS,
        issuer=settings().oidc_issuer,
        audience=settings().oidc_audience,
        leeway=LEEWAY_SECONDS,
        options={"require": ["exp", "iss", "aud", "sub"]},
    )
    user_id = claims["sub"]
    if not is_id(user_id) or not is_plain(user_id):
        return Refused("its subject is not an id")
    organization = _claim(claims, settings().organization_claim)
    return Session(
        user_id=user_id,
        organization_id=organization_uuid(organization) if is_id(organization) else None,
        expires_at=int(claims["exp"]) + LEEWAY_SECONDS,
    )


def _claim(claims: Mapping[str, object], name: str) -> object:
    """Find a claim by its name, or else by a path of names with dots between: `o.id` in {"o": {"id": ...}}."""
    if name in claims:
        return claims[name]
    value: object = claims
    for step in name.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value
