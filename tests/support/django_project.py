"""Django in the process of the tests: it can be configured once only, so what differs is overridden."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.test.utils import override_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

# Views of Django REST framework read their defaults when they are imported, so all projects have these.
_REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["keywright_client.rest_framework.ApiKeyAuthentication"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "UNAUTHENTICATED_USER": None,
}


def configure() -> None:
    """Configure Django, unless it is configured, so that Django REST framework can be imported."""
    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"], LOGGING_CONFIG=None, REST_FRAMEWORK=_REST_FRAMEWORK)
        django.setup()


@contextmanager
def project(**changes: Any) -> Iterator[WSGIHandler]:
    """Yield the WSGI application of a project with these settings besides the common ones."""
    configure()
    with override_settings(**changes):
        yield WSGIHandler()
