"""What is expected of the emulated deployment; `make e2e` runs these tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.conftest import deployment  # noqa: F401 - a fixture

HERE = Path(__file__).parent


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Leave them out where nobody has said that the deployment is an emulated one."""
    return None if config.getoption("--emulator") else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Open sockets."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.enable_socket)
