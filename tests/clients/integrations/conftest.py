"""Fixtures of the integrations: an application of each framework."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.clients.integrations.answers import Service, verification
from tests.clients.integrations.applications import FRAMEWORKS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.in_process import Get


@pytest.fixture
def service() -> Service:
    """Keywright, for which every key is valid, until a test sets another answer."""
    return Service(verification("VALID"))


@pytest.fixture(params=FRAMEWORKS)
def get(request: pytest.FixtureRequest, service: Service) -> Iterator[Get]:
    """Return a client of an application of each framework."""
    with ExitStack() as stack:
        yield stack.enter_context(FRAMEWORKS[request.param](service))
