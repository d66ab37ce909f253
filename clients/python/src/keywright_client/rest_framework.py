"""API keys for Django REST framework: an authentication class, and permission classes.

Example:
    KEYWRIGHT = {"url": "https://..."}  # in the settings

    class Reports(APIView):
        authentication_classes = [ApiKeyAuthentication]
        permission_classes = [HasPermissions("analytics:read")]

        def get(self, request: Request) -> Response:
            return Response({"reports of": request.auth.organization_id})
"""

from __future__ import annotations

import functools
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed, NotAuthenticated, PermissionDenied, Throttled
from rest_framework.permissions import BasePermission
from rest_framework.settings import api_settings

from keywright_client import Keywright, Valid, requests
from keywright_client.admission import Requirements, admit
from keywright_client.refusals import NO_KEY, Refusal, limit_headers, presented_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rest_framework.request import Request
    from rest_framework.views import APIView


class ApiKeyAuthentication(BaseAuthentication):  # type: ignore[misc] # Django REST framework has no types
    """Authentication of requests by API keys.

    The setting `KEYWRIGHT` has the arguments of `Keywright`, such as `{"url": "https://..."}`; the processes of the
    server have one client each. The key is read from `x-api-key`, or else from `Authorization: Bearer`. It is verified
    once, with the permissions of all `HasPermissions` of the view. The view finds the result of the verification, a
    `Valid`, in `request.auth`.

    A request with a refused key is answered with 401, 403 or 429, or with 503 if the key cannot be verified. The detail
    of the exception is `{"detail", "code"}`. A request without a key is left to the next authentication class, unless
    the view requires `HasPermissions`. List this class first: Django REST framework takes the header
    `WWW-Authenticate` from the first one.

    `get_permissions` of the view must not read `request.user` or `request.auth`, which are not known before.

    Override the methods `key`, `user`, `client_ip` and `cost` to change what they return.
    """

    verified_permissions: frozenset[str] = frozenset()
    """The permissions that the key of this request was verified with."""
    _asks_the_view = False

    def authenticate(self, request: Request) -> tuple[Any, Valid] | None:
        """Return the user and the result of verifying the key of a request; None if it has no key.

        Raises:
            APIException: the request is refused.
            ConfigurationError: the client has no region or no credentials.
            ImproperlyConfigured: `get_permissions` of the view needs the user, who is known after verifying the key.
        """
        view = request.parser_context["view"]
        permissions = self._permissions_of(view)
        key = self.key(request)
        if key is None:
            if any(isinstance(permission, _KeyPermission) for permission in permissions):
                raise _exception(NO_KEY)
            return None
        needed = Requirements.of(dict.fromkeys(_required(permissions)), self.cost(request))
        result = admit(_keywright(), key, self.client_ip(request), needed)
        if isinstance(result, Refusal):
            # The view adds its headers to the response of its exception handler.
            view.headers.update(result.headers)
            raise _exception(result)
        self.verified_permissions = frozenset(needed.permissions)
        view.headers.update(limit_headers(result, datetime.now(timezone.utc)))
        return self.user(request, result), result

    def _permissions_of(self, view: APIView) -> list[Any]:
        if self._asks_the_view:  # by request.user or request.auth, which authenticate
            raise ImproperlyConfigured(
                f"{type(view).__name__}.get_permissions() must not read request.user or request.auth: an API key is "
                "verified with the permissions that it returns. Choose them by self.action or request.method"
            )
        self._asks_the_view = True
        try:
            permissions: list[Any] = view.get_permissions()
        finally:
            self._asks_the_view = False
        return permissions

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - the signature of the framework
        """Return the header `WWW-Authenticate` of a request without a key; refused keys have another one."""
        return "Bearer"

    def key(self, request: Request) -> str | None:
        """Return the key of a request, from `x-api-key` or else `Authorization: Bearer`; None if there is none.

        Override it to read `x-api-key` only if your application has other tokens in `Authorization: Bearer`.
        """
        return presented_key(request.headers.get("x-api-key"), request.headers.get("authorization"))

    def user(self, request: Request, key: Valid) -> Any:  # noqa: ARG002 - for overriding methods
        """Return `request.user`: an anonymous user, as for requests without credentials.

        `IsAuthenticated` therefore refuses API keys: use `HasPermissions`. Override this method if organizations or
        keys have users in your application.

        Args:
            request: the request.
            key: the result of verifying its key.
        """
        return api_settings.UNAUTHENTICATED_USER() if api_settings.UNAUTHENTICATED_USER else None

    def client_ip(self, request: Request) -> str | None:
        """Return the caller's address for the allowed addresses of keys: that of the connection."""
        address: str | None = request.META.get("REMOTE_ADDR")
        return address

    def cost(self, request: Request) -> int:  # noqa: ARG002 - for overriding methods
        """Return how much a request takes of the key's limits, 0 to 1,000,000: 1."""
        return 1


class _KeyPermission(BasePermission):  # type: ignore[misc] # Django REST framework has no types
    permissions: tuple[str, ...] = ()

    def has_permission(self, request: Request, view: APIView) -> bool:  # noqa: ARG002 - the signature of the framework
        """Return whether the request has a key that was verified with the permissions."""
        authenticator = request.successful_authenticator
        return isinstance(authenticator, ApiKeyAuthentication) and authenticator.verified_permissions.issuperset(
            self.permissions
        )


def HasPermissions(*permissions: str) -> type[BasePermission]:  # noqa: N802 - it stands among classes
    """Return a permission class that requires an API key with permissions; without any, just a valid key.

    It can be combined with other permission classes by `&` and `|`. A request with a key needs the permissions of all
    `HasPermissions` of the view, on both sides of `|` too. Do not negate it: `~HasPermissions(...)` admits requests
    without a key.

    Args:
        permissions: the permissions that the key must have.

    Raises:
        TypeError: a permission is not a string.
    """
    return type("HasPermissions", (_KeyPermission,), {"permissions": requests.texts("permissions", permissions)})


@functools.cache
def _keywright() -> Keywright:
    """Return the client of this process, configured by the setting `KEYWRIGHT`.

    Raises:
        ConfigurationError: the setting has neither `url` nor `function`, or both.
        TypeError: the setting has an item that is not an argument of `Keywright`.
    """
    return Keywright(**getattr(settings, "KEYWRIGHT", {}))


def _forget(*, setting: str, **_: object) -> None:
    """Close the client when a test overrides the setting, so that the next request makes another one."""
    if setting == "KEYWRIGHT" and _keywright.cache_info().currsize:
        _keywright().close()
        _keywright.cache_clear()


setting_changed.connect(_forget)


def _required(permissions: Iterable[Any]) -> Iterator[str]:
    """Return the permissions of all `HasPermissions`, also of those that are combined by operators."""
    for permission in permissions:
        if isinstance(permission, _KeyPermission):
            yield from permission.permissions
        else:
            operands = (getattr(permission, name, None) for name in ("op1", "op2"))
            yield from _required(operand for operand in operands if operand is not None)


class _Unavailable(APIException):  # type: ignore[misc] # Django REST framework has no types
    status_code = 503


def _exception(refusal: Refusal) -> APIException:
    """Return the exception of Django REST framework for a refusal."""
    kinds = {403: PermissionDenied, 429: Throttled, 503: _Unavailable}
    kind = NotAuthenticated if refusal is NO_KEY else kinds.get(refusal.status, AuthenticationFailed)
    return kind(detail={"detail": refusal.message, "code": refusal.code}, code=refusal.code)
