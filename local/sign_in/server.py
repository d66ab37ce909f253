"""The authorization server in front of the development identity provider, a WSGI application."""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from local.demo import PERSONAS
from local.identity_provider import CONFIGURATION_PATH
from local.sign_in import page, requests, users
from local.sign_in.answers import Answer, as_json, as_page, client_form, parameters_of, refusal
from local.sign_in.grants import Grant, Grants
from local.sign_in.requests import CLIENT_ID, Parameters, RefusedError, UntrustedError
from local.sign_in.users import User

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from local.demo import Persona
    from local.identity_provider import IdentityProvider
    from local.sign_in.requests import Authorization, Client

_METHODS = {"/authorize": {"GET", "POST"}, "/logout": {"GET", "POST"}, "/revoke": {"POST"}}
_CROSS_ORIGIN = {"/token", "/revoke"}


class AuthorizationServer:
    """A WSGI application that signs users in to the console; other requests are those of the identity provider.

    The last user is remembered in a cookie for `prompt=none` alone. Any other request shows the page, though real
    providers would answer at once: here, the next sign-in is usually that of another persona.

    Args:
        provider: signs the tokens.
        client: the console.
        personas: the users that the page offers.
        grants: keeps codes and refresh tokens.
    """

    def __init__(
        self,
        provider: IdentityProvider,
        client: Client,
        personas: tuple[Persona, ...] = PERSONAS,
        grants: Grants | None = None,
    ) -> None:
        self._provider = provider
        self._client = client
        self._personas = personas
        self._grants = grants or Grants()
        # Cookies are sent to every port of a host.
        self._cookie = f"keywright-sign-in-{urlsplit(provider.issuer).port}"

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve the endpoints of OAuth 2.1, and discovery that lists them."""
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        endpoints: dict[str, Callable[[WSGIEnvironment], Answer]] = {
            "/authorize": self._authorize,
            "/token": self._token,
            "/revoke": self._revoke,
            "/logout": self._sign_out,
        }
        if path == CONFIGURATION_PATH:
            answer = as_json(HTTPStatus.OK, self._configuration())
        elif path in _CROSS_ORIGIN and method == "OPTIONS":
            answer = Answer(HTTPStatus.NO_CONTENT, {"access-control-allow-methods": "POST"})
        elif path in endpoints and method in _METHODS.get(path, {"POST"}):
            try:
                answer = endpoints[path](environ)
            except (UntrustedError, RefusedError) as error:
                answer = _error(path, error)
        elif path in _METHODS:
            answer = Answer(HTTPStatus.METHOD_NOT_ALLOWED, {"allow": ", ".join(sorted(_METHODS[path]))})
        else:  # GET /token, too
            return self._provider(environ, start_response)
        if path in _CROSS_ORIGIN:
            answer.headers["vary"] = "origin"
            if environ.get("HTTP_ORIGIN") == self._client.origin:
                answer.headers["access-control-allow-origin"] = self._client.origin
        return answer.send(start_response)

    def _configuration(self) -> dict[str, object]:
        """Return the discovery document (RFC 8414, section 2; OpenID Connect RP-Initiated Logout 1.0, section 2.1)."""
        issuer = self._provider.issuer
        return {
            **self._provider.configuration(),
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "revocation_endpoint": f"{issuer}/revoke",
            "end_session_endpoint": f"{issuer}/logout",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "scopes_supported": list(requests.SCOPES),
            "claims_supported": ["sub", "name", "nonce", "auth_time", "sid", self._provider.organization_claim],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "revocation_endpoint_auth_methods_supported": ["none"],
            "prompt_values_supported": ["none", "login", "consent", "select_account"],
            "authorization_response_iss_parameter_supported": True,  # RFC 9207
        }

    def _authorize(self, environ: WSGIEnvironment) -> Answer:
        """Answer an authorization request, or the choice of a user on the page that it shows."""
        if environ.get("HTTP_ORIGIN", self._provider.issuer) not in {self._provider.issuer, self._client.origin}:
            raise UntrustedError("Another site has sent this form.")
        parameters = parameters_of(environ)
        requests.check_client(parameters, self._client)
        try:
            return self._answer(parameters, environ)
        except RefusedError as error:
            answer = {"error": error.code, "error_description": error.description}
            state = parameters.flat().get("state")
            return self._redirect({**answer, "state": state} if state else answer)

    def _answer(self, parameters: Parameters, environ: WSGIEnvironment) -> Answer:
        """Answer a request that is known to come from the client.

        Raises:
            RefusedError: the request is invalid, or the user has canceled, or cannot be signed in without a page.
        """
        authorization = requests.check(parameters)
        if authorization.is_silent:
            return self._answer_silently(authorization, environ)
        choice = parameters.flat() if environ["REQUEST_METHOD"] == "POST" else {}
        if "cancel" in choice:
            raise RefusedError("access_denied", "the user canceled the sign-in")
        user = User.chosen(choice, self._personas)
        if user is None:
            complaint = "Name a user and an organization." if choice.keys() & {"persona", "user"} else ""
            request = requests.protocol_parameters(parameters)
            return as_page(
                HTTPStatus.BAD_REQUEST if complaint else HTTPStatus.OK,
                page.sign_in(request, self._personas, complaint),
                self._client.origin,
            )
        answer = self._grant(authorization, user)
        answer.headers["set-cookie"] = self._set_cookie(users.remembered(choice))
        return answer

    def _answer_silently(self, authorization: Authorization, environ: WSGIEnvironment) -> Answer:
        """Answer `prompt=none`, without a page (OpenID Connect Core 1.0, section 3.1.2.1)."""
        cookies = dict(pair.strip().partition("=")[::2] for pair in environ.get("HTTP_COOKIE", "").split(";"))
        user = users.recalled(cookies.get(self._cookie, ""), self._personas)
        if user is None:
            raise RefusedError("login_required", "no user is signed in")
        return self._grant(authorization, user)

    def _grant(self, authorization: Authorization, user: User) -> Answer:
        grant = Grant(
            user, self._client.redirect_uri, authorization.challenge, authorization.nonce, authorization.scopes
        )
        return self._redirect({"code": self._grants.code(grant), "state": authorization.state})

    def _redirect(self, parameters: dict[str, str]) -> Answer:
        """Send an answer to the client: 303, so that no form is sent on (RFC 9700, section 4.12)."""
        query = urlencode({**parameters, "iss": self._provider.issuer})
        return Answer(HTTPStatus.SEE_OTHER, {"location": f"{self._client.redirect_uri}?{query}"})

    def _token(self, environ: WSGIEnvironment) -> Answer:
        """Answer a token request (RFC 6749, sections 4.1.3 and 6)."""
        parameters = client_form(environ)
        match parameters.required("grant_type"):
            case "authorization_code":
                grant, refresh_token = self._grants.redeem(
                    parameters.required("code"),
                    parameters.required("redirect_uri"),
                    parameters.required("code_verifier"),
                )
                nonce = {"nonce": grant.nonce}
            case "refresh_token":
                grant, refresh_token = self._grants.renew(parameters.required("refresh_token"))
                nonce = {}  # OpenID Connect Core 1.0, section 12.2
            case _:
                raise RefusedError("unsupported_grant_type", "grant_type must be authorization_code or refresh_token")
        return as_json(HTTPStatus.OK, self._tokens(grant, refresh_token, nonce))

    def _tokens(self, grant: Grant, refresh_token: str | None, nonce: dict[str, str]) -> dict[str, object]:
        """Return the tokens of a grant.

        The ID token is always valid: the persona "expired" is signed in, with an access token that has expired.
        """
        user, default = grant.user, self._provider.ttl_seconds
        ttl_seconds = default if user.ttl_seconds is None else user.ttl_seconds
        access_token = self._provider.mint(
            user.user_id,
            user.organization_id,
            ttl_seconds=ttl_seconds,
            audience=user.audience,
            jti=str(uuid.uuid4()),
        )
        id_token = self._provider.mint(
            user.user_id,
            user.organization_id,
            ttl_seconds=default,
            audience=CLIENT_ID,
            name=user.name,
            auth_time=grant.signed_in_at,
            sid=grant.session_id,
            **nonce,
        )
        return {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": max(ttl_seconds, 0),
            "id_token": id_token,
            "scope": " ".join(grant.scopes),
            **({"refresh_token": refresh_token} if refresh_token else {}),
        }

    def _revoke(self, environ: WSGIEnvironment) -> Answer:
        """Revoke a refresh token (RFC 7009). Unknown ones need no revocation."""
        token = client_form(environ).required("token")
        if token.count(".") == 2:  # noqa: PLR2004 - a JWT
            raise RefusedError("unsupported_token_type", "access tokens work until they expire")
        self._grants.revoke(token)
        return Answer(HTTPStatus.OK, {"cache-control": "no-store"})

    def _sign_out(self, environ: WSGIEnvironment) -> Answer:
        """Forget the user (OpenID Connect RP-Initiated Logout 1.0), without the question that others may ask."""
        parameters = parameters_of(environ)
        target, state = parameters.one("post_logout_redirect_uri"), parameters.one("state")
        if parameters.one("client_id") not in ({CLIENT_ID} if target else {CLIENT_ID, ""}):
            raise UntrustedError(f"client_id must be {CLIENT_ID}")
        if target not in {self._client.redirect_uri, ""}:
            raise UntrustedError(f"post_logout_redirect_uri must be {self._client.redirect_uri}; it is {target!r}")
        if target:
            location = f"{target}?{urlencode({'state': state})}" if state else target
            answer = Answer(HTTPStatus.SEE_OTHER, {"location": location})
        else:
            answer = as_page(HTTPStatus.OK, page.message("You are signed out", "You can close this page."))
        answer.headers["set-cookie"] = f"{self._set_cookie('')}; Max-Age=0"
        return answer

    def _set_cookie(self, value: str) -> str:
        return f"{self._cookie}={value}; Path=/; HttpOnly; SameSite=Lax"


def _error(path: str, error: UntrustedError | RefusedError) -> Answer:
    """Return the answer to a refused request: a document for the client, or a page for people."""
    if path in _CROSS_ORIGIN and isinstance(error, RefusedError):
        return refusal(error)
    return as_page(HTTPStatus.BAD_REQUEST, page.message("This cannot continue", str(error)))
