"""The function of an endpoint, for the tests that are about several endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import Call
    from tests.support.endpoints import Endpoint


@pytest.fixture
def call(functions: Callable[[str], Call], endpoint: Endpoint) -> Call:
    """The function of `endpoint`, in an organization where user_1 has the least role that may call it."""
    function = functions(endpoint.name)
    function.table.put_member("user_1", endpoint.role)
    return function
