"""Session tokens of the identity provider: checked, and read as a person and an organization."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import jwt

from keywright.authorizers.oidc import ALGORITHMS, IssuerKeys
from keywright.cache import once
from keywright.ids import is_id, is_plain, organization_uuid
from keywright.immutable import immutable
from keywright.settings import settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

LEEWAY_SECONDS = 30
"""Allowed difference from the provider's clock (RFC 7519, section 4.1.4: "usually no more than a few minutes")."""

AUTHORIZATION = re.compile(
    r"[Bb][Ee][Aa][Rr][Ee][Rr] ([A-Za-z0-9_-]{2,1024}\.[A-Za-z0-9_-]{2,5120}\.[A-Za-z0-9_-]{2,1400})"
)
"""`Bearer` in any case, one space, one compact JWS. API Gateway's identity validation expression is the same."""

# Their messages could contain parts of the token, so the log has only their types.
_TOKEN_ERRORS = (jwt.PyJWTError, ValueError, OverflowError, RecursionError)


@immutable
class Session:
    """A valid session.

    Attributes:
        organization_id: None if the person has selected no organization.
        expires_at: seconds since the epoch, leeway included.
    """

    user_id: str
    organization_id: UUID | None
    expires_at: int


@immutable
class Refused:
    """A refused token, with the reason for the log."""

    reason: str


@once
def issuer_keys() -> IssuerKeys:
    """Return this container's keys of the configured issuer."""
    return IssuerKeys(settings().oidc_issuer)


def read(authorization: str) -> Session | Refused:
    """Check the value of an Authorization header: form, signature, issuer, audience and times.

    Raises:
        IdentityProviderUnavailable: the token may be valid, but its key cannot be fetched.
    """
    match = AUTHORIZATION.fullmatch(authorization)
    if not match:
        return Refused("not a bearer token")
    token = match[1]
    try:
        header = jwt.get_unverified_header(token)
    except _TOKEN_ERRORS as error:
        return Refused(type(error).__name__)
    if header.get("alg") not in ALGORITHMS:
        return Refused("its algorithm is not allowed")
    # Outside of both `try`: a failure of the provider is not an error of the token.
    key = issuer_keys().find(header.get("kid"))
    if key is None:
        return Refused("no key of the issuer has its key id")
    try:
        return _session(token, key)
    except _TOKEN_ERRORS as error:
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
    """Return a claim by its name, or else by a path of names: `o.id` in {"o": {"id": ...}}. None if there is none."""
    if name in claims:
        return claims[name]
    value: object = claims
    for part in name.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value
