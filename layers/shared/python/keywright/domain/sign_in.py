"""The endpoints of an identity provider that a page signs people in with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from keywright.immutable import immutable

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAXIMUM_CHARACTERS = 512
_PATH = r"(?:/[A-Za-z0-9._~!$&()*+,;=:@%/-]*)?"
_QUERY = r"(?:\?[A-Za-z0-9._~!$&()*+,;=:@%/?-]*)?"  # RFC 6749, section 3.1: an authorization endpoint can have one
_ENDPOINT = re.compile(rf"https://[A-Za-z0-9.-]+(?::[0-9]{{1,5}})?{_PATH}{_QUERY}")
_LOOPBACK_ENDPOINT = re.compile(rf"http://(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]{{1,5}})?{_PATH}{_QUERY}")


@immutable
class SignIn:
    """The endpoints of an identity provider (OpenID Connect Discovery 1.0; RFC 8414 for the last one).

    Attributes:
        end_session_endpoint: ends the session at the provider; None if the provider has none.
        revocation_endpoint: revokes refresh tokens; None if the provider has none.
        names_issuer: whether each answer to an authorization request has `iss` (RFC 9207).
    """

    authorization_endpoint: str
    token_endpoint: str
    end_session_endpoint: str | None
    revocation_endpoint: str | None
    names_issuer: bool


def parse(configuration: Mapping[str, object], *, on_loopback: bool) -> SignIn:
    """Parse the configuration that a provider publishes.

    The endpoints become part of a page and of its content security policy, and browsers are sent there.

    Args:
        configuration: the provider's answer, which nothing is known about.
        on_loopback: whether the provider is one for development, which can have plain http on the same machine.

    Raises:
        ValueError: a required endpoint is missing; or an endpoint is no https URL of at most 512 characters, or has
            user information or a fragment. The message names the endpoint, without its value.
    """

    def optional(name: str) -> str | None:
        value = configuration.get(name)
        if value is not None and not (isinstance(value, str) and _is_endpoint(value, on_loopback=on_loopback)):
            raise ValueError(f"{name} is not an https URL of at most {_MAXIMUM_CHARACTERS} characters")
        return value

    def required(name: str) -> str:
        value = optional(name)
        if value is None:
            raise ValueError(f"{name} is missing")
        return value

    return SignIn(
        required("authorization_endpoint"),
        required("token_endpoint"),
        optional("end_session_endpoint"),
        optional("revocation_endpoint"),
        configuration.get("authorization_response_iss_parameter_supported") is True,
    )


def _is_endpoint(value: str, *, on_loopback: bool) -> bool:
    if len(value) > _MAXIMUM_CHARACTERS:
        return False
    return bool(_ENDPOINT.fullmatch(value) or (on_loopback and _LOOPBACK_ENDPOINT.fullmatch(value)))
