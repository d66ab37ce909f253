"""A Django application whose views require an API key, with Django REST framework, in one file.

Run it: KEYWRIGHT_URL=... python django_app.py runserver
"""

import os
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    KEYWRIGHT={"url": os.environ.get("KEYWRIGHT_URL"), "function": os.environ.get("KEYWRIGHT_FUNCTION")},
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["keywright_client.rest_framework.ApiKeyAuthentication"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "UNAUTHENTICATED_USER": None,  # there are no users, only keys
    },
    ROOT_URLCONF=__name__,
)

# These read the settings when they are imported.
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from keywright_client.rest_framework import HasPermissions  # noqa: E402


class Reports(APIView):  # type: ignore[misc] # Django REST framework has no types
    """The reports of the key's organization."""

    permission_classes = (HasPermissions("analytics:read"),)

    def get(self, request: Request) -> Response:
        """Return the reports."""
        return Response({"reports of": request.auth.organization_id, "read with": request.auth.name})


urlpatterns = [path("reports", Reports.as_view())]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
