"""Views of Django REST framework. Import it once Django is configured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.urls import URLPattern, path
from rest_framework.response import Response
from rest_framework.views import APIView

from keywright_client.rest_framework import ApiKeyAuthentication, HasPermissions
from tests.clients.integrations.answers import REQUIRED

if TYPE_CHECKING:
    from rest_framework.request import Request


class WithCost(ApiKeyAuthentication):
    """Authentication of requests that take more of a limit."""

    def cost(self, request: Request) -> int:
        """Return how much a request takes."""
        del request
        return 3


class Reports(APIView):  # type: ignore[misc] # Django REST framework has no types
    """A view that requires permissions."""

    authentication_classes = (WithCost,)
    permission_classes = (HasPermissions(*REQUIRED),)

    def get(self, request: Request) -> Response:
        """Return the id of the key."""
        return Response({"id": request.auth.id})


def routes(view: type[APIView] = Reports, **attributes: Any) -> tuple[URLPattern, ...]:
    """Return the routes of a project with a view; `attributes` replace those of the view."""
    return (path("reports", view.as_view(**attributes)),)
