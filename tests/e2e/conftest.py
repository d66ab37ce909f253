"""Tests of the emulated deployment; `make e2e` runs them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.api.deployment import Deployment

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Leave these tests out without `--emulator`."""
    return None if config.getoption("--emulator") else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Allow sockets."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.enable_socket)


@pytest.fixture(scope="session")
def deployment(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """The deployment of `--stack`."""
    deployed = Deployment.read(request.config.getoption("--stack"))
    with deployed.client:
        yield deployed
