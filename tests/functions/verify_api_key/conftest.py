"""POST /v1/auth/api-keys/verify, called by a backend in the AWS account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.calling import Call


@pytest.fixture
def call(functions: Callable[[str], Call]) -> Call:
    """The function, over a table with one organization."""
    return functions("verify_api_key")
