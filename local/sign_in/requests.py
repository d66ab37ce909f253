"""Authorization requests (RFC 6749, section 4.1.1; OpenID Connect Core 1.0, section 3.1.2), checked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

CLIENT_ID = "keywright-console"
SCOPES = ("openid", "offline_access", "profile")

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # 256 bits in base64url
_PROMPTS = {"none", "login", "consent", "select_account"}
_MOST_PARAMETERS = 50
_UNSUPPORTED = {  # OpenID Connect Core 1.0, section 3.1.2.6
    "request": "request_not_supported",
    "request_uri": "request_uri_not_supported",
    "registration": "registration_not_supported",
}


class UntrustedError(Exception):
    """A request that is not known to come from the client: it is refused on a page, never by a redirect."""


class RefusedError(Exception):
    """A request of the client that is refused.

    Attributes:
        code: the error code of the specification.
        description: says why, for the developer of the client.
    """

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


@dataclass(frozen=True, slots=True)
class Client:
    """The one client, which is public: it has no secret (RFC 6749, section 2.1).

    Attributes:
        redirect_uri: where it gets answers, and where it is after a sign-out.
    """

    redirect_uri: str

    @property
    def origin(self) -> str:
        """The origin of its pages."""
        parts = urlsplit(self.redirect_uri)
        return f"{parts.scheme}://{parts.netloc}"


class Parameters:
    """The parameters of a request. An empty one counts as absent (RFC 6749, section 3.1).

    Args:
        text: a query, or a body of the type application/x-www-form-urlencoded.
    """

    def __init__(self, text: str) -> None:
        try:
            self._values = parse_qs(text, errors="strict", max_num_fields=_MOST_PARAMETERS)
        except ValueError:
            self._values = {}

    def one(self, name: str) -> str:
        """Return the value of a parameter, or an empty text if it is absent.

        Raises:
            RefusedError: it is there more than once (RFC 6749, section 3.1).
        """
        match self._values.get(name, [""]):
            case [value]:
                return value
        raise RefusedError("invalid_request", f"{name} is there more than once")

    def required(self, name: str) -> str:
        """Return the value of a parameter.

        Raises:
            RefusedError: it is absent, or there more than once.
        """
        value = self.one(name)
        if not value:
            raise RefusedError("invalid_request", f"{name} is missing")
        return value

    def flat(self) -> dict[str, str]:
        """Return the parameters that are there once."""
        return {name: values[0] for name, values in self._values.items() if len(values) == 1}


@dataclass(frozen=True, slots=True)
class Authorization:
    """A valid authorization request."""

    state: str
    nonce: str
    challenge: str
    scopes: tuple[str, ...]
    is_silent: bool


def check_client(parameters: Parameters, client: Client) -> None:
    """Return if answers can be sent to the client's redirect URI.

    Raises:
        UntrustedError: the client is unknown, or the redirect URI is not exactly its own.
    """
    try:
        client_id, redirect_uri = parameters.one("client_id"), parameters.one("redirect_uri")
    except RefusedError as error:
        raise UntrustedError(error.description) from error
    if client_id != CLIENT_ID:
        raise UntrustedError(f"client_id must be {CLIENT_ID}; it is {client_id!r}")
    if redirect_uri != client.redirect_uri:
        raise UntrustedError(f"redirect_uri must be {client.redirect_uri}; it is {redirect_uri!r}")


def check(parameters: Parameters) -> Authorization:
    """Return a request of the client, checked.

    `state`, `nonce` and PKCE are all required, though each alone stops a forged answer: a client that forgets one of
    them shall be noticed here.

    Raises:
        RefusedError: the request is invalid or not supported.
    """
    for name, code in _UNSUPPORTED.items():
        if parameters.one(name):
            raise RefusedError(code, f"{name} is not supported")
    if parameters.required("response_type") != "code":
        raise RefusedError("unsupported_response_type", "response_type must be code")
    if parameters.one("response_mode") not in {"", "query"}:
        raise RefusedError("invalid_request", "response_mode must be query")
    scopes = parameters.required("scope").split(" ")
    if "openid" not in scopes:
        raise RefusedError("invalid_scope", "scope must contain openid")
    if parameters.required("code_challenge_method") != "S256":
        raise RefusedError("invalid_request", "code_challenge_method must be S256")
    challenge = parameters.required("code_challenge")
    if not _CHALLENGE.fullmatch(challenge):
        raise RefusedError("invalid_request", "code_challenge must be 43 characters of base64url")
    prompts = set(parameters.one("prompt").split())
    if prompts - _PROMPTS or ("none" in prompts and len(prompts) > 1):
        raise RefusedError("invalid_request", "prompt must be none, or others of login, consent, select_account")
    return Authorization(
        state=parameters.required("state"),
        nonce=parameters.required("nonce"),
        challenge=challenge,
        scopes=tuple(scope for scope in SCOPES if scope in scopes),  # others are ignored (section 3.1.2.1)
        is_silent="none" in prompts,
    )


def protocol_parameters(parameters: Parameters) -> Mapping[str, str]:
    """Return what the sign-in page sends again with the chosen user."""
    return {
        name: value
        for name, value in parameters.flat().items()
        if name not in {"persona", "user", "organization", "cancel"}
    }
