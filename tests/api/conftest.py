"""Fixtures of the HTTP suite: the deployment in `--stack`, or a local service."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.backend import DYNAMODB_ENDPOINT
from tests.support.environment import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.api.deployment import Deployment

HERE = Path(__file__).parent
_OF_THE_LOCAL_SERVICE = {"test_cors_allowed_origins.py", "test_roles.py", "test_usage_at_once.py"}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what can only be said of a service whose parameters are known."""
    return True if collection_path.name in _OF_THE_LOCAL_SERVICE and config.getoption("--stack") else None


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Open sockets, to this machine alone unless a deployment is named; what shares one table runs in one worker."""
    is_deployed = config.getoption("--stack")
    markers = [pytest.mark.enable_socket if is_deployed else pytest.mark.allow_hosts(LOOPBACK)]
    if is_deployed or os.environ.get(DYNAMODB_ENDPOINT):
        markers.append(pytest.mark.xdist_group("api"))
    for item in items:
        if item.path.is_relative_to(HERE):
            for marker in markers:
                item.add_marker(marker)


@pytest.fixture
def frozen(deployment: Deployment) -> Iterator[httpx.Response]:
    """Freeze the demo organization during the test; the response to the deletion request."""
    with deployment.frozen() as response:
        yield response
