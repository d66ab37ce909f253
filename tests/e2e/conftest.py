"""Tests of the emulated deployment; `make e2e` runs them."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Skip these tests without `--emulator`."""
    return None if config.getoption("--emulator") else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Allow sockets."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.enable_socket)
