"""The integration of Django REST framework: permissions of views, other authentication, users, exceptions, settings."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.clients.integrations.answers import KEY, Service, verification
from tests.clients.integrations.applications import arguments
from tests.support import django_project
from tests.support.in_process import of_wsgi

django_project.configure()

from django.core.exceptions import ImproperlyConfigured  # noqa: E402 - once Django is configured
from django.test import RequestFactory  # noqa: E402
from rest_framework.authentication import BaseAuthentication  # noqa: E402
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated  # noqa: E402
from rest_framework.response import Response  # noqa: E402

from keywright_client.rest_framework import ApiKeyAuthentication, HasPermissions  # noqa: E402
from tests.clients.integrations import views  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rest_framework.exceptions import APIException
    from rest_framework.request import Request
    from rest_framework.views import APIView

    from keywright_client import Valid
    from tests.support.in_process import Get

WITH_KEY = {"x-api-key": KEY.encode()}
WITH_SESSION = {"x-session": b"ada"}


class Someone:
    """A user who is signed in."""

    is_authenticated = True


class Session(BaseAuthentication):  # type: ignore[misc] # Django REST framework has no types
    """Authentication by another credential."""

    def authenticate(self, request: Request) -> tuple[Someone, None] | None:
        """Return the user of a session."""
        return (Someone(), None) if "x-session" in request.headers else None


class Denied(BasePermission):  # type: ignore[misc] # Django REST framework has no types
    """A permission that no request has."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return that it is missing."""
        del request, view
        return False


class ShowsUser(views.Reports):
    """A view that shows who calls it."""

    def get(self, request: Request) -> Response:
        """Return whether there are a user and a key."""
        return Response({"user": type(request.user).__name__, "key": request.auth is not None})


@pytest.fixture
def view(service: Service) -> Iterator[Callable[..., Get]]:
    """Return a function that returns a client of a view with these attributes."""
    with ExitStack() as stack:

        def with_attributes(**attributes: Any) -> Get:
            routes = views.routes(ShowsUser, **attributes)
            app = django_project.project(KEYWRIGHT=arguments(service), ROOT_URLCONF=routes)
            return of_wsgi(stack.enter_context(app))

        yield with_attributes


# ---- Permissions ---------------------------------------------------------------------------------------------


def test_the_permissions_of_a_view_are_verified_in_one_request(view: Callable[..., Get], service: Service) -> None:
    """All permissions of a view are required of the key at once, also those that are combined by operators."""
    get = view(
        permission_classes=[
            HasPermissions("a:read"),
            HasPermissions("b:read", "a:read") & AllowAny,
            Denied | HasPermissions("c:read"),
        ]
    )

    assert 200 == get(WITH_KEY).status_code
    assert [["a:read", "b:read", "c:read"]] == [body["permissions"] for body in service.asked]


def test_any_valid_key_has_no_permissions(view: Callable[..., Get], service: Service) -> None:
    """A view can require a key without requiring a permission."""
    get = view(permission_classes=[HasPermissions()])

    assert [200, 401] == [get(headers).status_code for headers in (WITH_KEY, {})]
    assert [[]] == [body.get("permissions", []) for body in service.asked]


class ByUser(views.Reports):
    """A view whose permissions depend on who calls it."""

    def get_permissions(self) -> list[BasePermission]:
        """Return the permissions that a caller needs."""
        return [AllowAny() if self.request.user else HasPermissions("a:read")()]


def test_permissions_that_depend_on_the_user() -> None:
    """A view that needs the user to choose its permissions is told so, rather than asked again and again."""
    request = RequestFactory().get("/reports", HTTP_X_API_KEY=KEY)
    with pytest.raises(ImproperlyConfigured, match=r"ByUser.get_permissions\(\) must not read request.user"):
        ByUser.as_view()(request)


def test_permissions_are_texts() -> None:
    """A list in place of several permissions is refused when the application starts."""
    with pytest.raises(TypeError, match="permissions"):
        HasPermissions(["a:read"])  # type: ignore[arg-type]


def test_another_permission_is_an_alternative_to_a_key(view: Callable[..., Get], service: Service) -> None:
    """A view can admit either keys with a permission or users who are signed in."""
    get = view(
        authentication_classes=[ApiKeyAuthentication, Session],
        permission_classes=[HasPermissions("a:read") | IsAuthenticated],
    )

    assert [200, 200, 401] == [get(headers).status_code for headers in (WITH_KEY, WITH_SESSION, {})]
    assert [["a:read"]] == [body["permissions"] for body in service.asked]


def test_a_session_has_no_permissions_of_a_key(view: Callable[..., Get]) -> None:
    """A user who is signed in does not pass a view that requires a key."""
    get = view(authentication_classes=[Session, ApiKeyAuthentication], permission_classes=[HasPermissions()])

    assert 403 == get(WITH_SESSION).status_code


def test_a_permission_that_was_not_verified_is_missing(view: Callable[..., Get], service: Service) -> None:
    """A permission class that hides what it requires is refused: only Keywright knows what a key may do."""

    class Hidden(BasePermission):  # type: ignore[misc] # Django REST framework has no types
        def has_permission(self, request: Request, view: APIView) -> bool:
            required: BasePermission = HasPermissions("a:read")()
            is_permitted: bool = required.has_permission(request, view)
            return is_permitted

    get = view(permission_classes=[HasPermissions("b:read"), Hidden])

    assert 403 == get(WITH_KEY).status_code
    assert [["b:read"]] == [body["permissions"] for body in service.asked]


# ---- Authentication ------------------------------------------------------------------------------------------


def test_a_view_without_permissions_admits_requests_without_a_key(view: Callable[..., Get], service: Service) -> None:
    """A request without a key is anonymous, as everywhere in Django REST framework."""
    assert {"user": "NoneType", "key": False} == view(permission_classes=[])({}).json()
    assert [] == service.asked


def test_a_refused_key_is_refused_without_permissions_too(view: Callable[..., Get], service: Service) -> None:
    """A view without permissions refuses a key that does not work: the caller should know."""
    service.answer = verification("EXPIRED")

    assert 401 == view(permission_classes=[])(WITH_KEY).status_code


def test_a_key_is_not_a_user(view: Callable[..., Get]) -> None:
    """A view for users does not admit keys, which would need no permission there."""
    assert 403 == view(permission_classes=[IsAuthenticated])(WITH_KEY).status_code


def test_a_key_can_have_a_user(view: Callable[..., Get]) -> None:
    """An application can have a user for each key."""

    class WithUser(ApiKeyAuthentication):
        def user(self, request: Request, key: Valid) -> Someone:
            del request
            assert "CI" == key.name
            return Someone()

    get = view(authentication_classes=[WithUser], permission_classes=[IsAuthenticated])

    assert {"user": "Someone", "key": True} == get(WITH_KEY).json()


def test_other_tokens_can_be_in_the_other_header(view: Callable[..., Get], service: Service) -> None:
    """An application that reads keys from one header only can have other tokens in the other one."""

    class OneHeader(ApiKeyAuthentication):
        def key(self, request: Request) -> str | None:
            key: str | None = request.headers.get("x-api-key")
            return key

    get = view(authentication_classes=[OneHeader, Session], permission_classes=[HasPermissions() | IsAuthenticated])

    assert 200 == get({"authorization": b"Bearer token", **WITH_SESSION}).status_code
    assert [] == service.asked
    assert 200 == get(WITH_KEY).status_code


def test_a_method_returns_the_address_of_the_caller(view: Callable[..., Get], service: Service) -> None:
    """An application decides which address is the caller's."""

    class BehindProxy(ApiKeyAuthentication):
        def client_ip(self, request: Request) -> str | None:
            address: str | None = request.headers.get("x-real-ip")
            return address

    view(authentication_classes=[BehindProxy])({**WITH_KEY, "x-real-ip": b"2001:db8::1"})

    assert ["2001:db8::1"] == [body["clientIp"] for body in service.asked]


def test_a_use_costs_1_by_default(view: Callable[..., Get], service: Service) -> None:
    """A request takes one use of the limits unless the application says otherwise."""
    view(authentication_classes=[ApiKeyAuthentication])(WITH_KEY)

    assert [1] == [body.get("cost", 1) for body in service.asked]


# ---- Exceptions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "exception", "shown"),
    [
        (None, "NotAuthenticated", "UNAUTHORIZED"),
        ("EXPIRED", "AuthenticationFailed", "UNAUTHORIZED"),
        ("IP_NOT_ALLOWED", "PermissionDenied", "IP_NOT_ALLOWED"),
        ("RATE_LIMITED", "Throttled", "RATE_LIMITED"),
    ],
)
def test_a_refusal_is_an_exception_of_the_framework(
    view: Callable[..., Get], service: Service, code: str | None, exception: str, shown: str
) -> None:
    """The handler of exceptions of an application gets the framework's own ones, with a code."""
    service.answer = verification(code or "VALID")
    handled: list[APIException] = []

    def handler(error: APIException, context: dict[str, Any]) -> Response:
        del context
        handled.append(error)
        return Response("handled", error.status_code)

    get = view(get_exception_handler=lambda: handler)
    response = get(WITH_KEY if code else {})

    assert "handled" == response.json()
    assert [exception] == [type(error).__name__ for error in handled]
    assert {"detail": shown, "code": shown} == handled[0].get_codes()


def test_the_headers_do_not_depend_on_the_handler(view: Callable[..., Get], service: Service) -> None:
    """A handler of exceptions that returns a bare response does not lose the time to wait and the challenge."""
    service.answer = verification("RATE_LIMITED", retryAfterSeconds=7)
    get = view(get_exception_handler=lambda: lambda error, _: Response("handled", error.status_code))

    assert "7" == get(WITH_KEY).headers["retry-after"]


def test_the_body_of_a_refusal(view: Callable[..., Get], service: Service) -> None:
    """The body of a refusal has the detail, as all errors of the framework, and a code."""
    service.answer = verification("ORGANIZATION_FROZEN")

    assert {
        "detail": "The organization of the API key is scheduled for deletion",
        "code": "ORGANIZATION_FROZEN",
    } == view()(WITH_KEY).json()


# ---- Settings ------------------------------------------------------------------------------------------------


def test_the_client_is_kept_until_the_setting_changes(service: Service) -> None:
    """The requests of a process share one client; a test that overrides the setting gets another one."""
    other = Service(verification("NOT_FOUND"))
    statuses = []
    for asked in (service, service, other):
        with django_project.project(KEYWRIGHT=arguments(asked), ROOT_URLCONF=views.routes()) as app:
            statuses += [of_wsgi(app)(WITH_KEY).status_code for _ in range(2)]

    assert [200, 200, 200, 200, 401, 401] == statuses
    assert [4, 2] == [len(service.asked), len(other.asked)]
