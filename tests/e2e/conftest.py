"""What is expected of the emulated deployment; `make e2e` runs these tests, and tests/api with the differences."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.api.conftest import deployment  # noqa: F401 - a fixture
from tests.e2e.differences import DIFFERENCES

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE = Path(__file__).parent


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Leave them out where nobody has said that the deployment is an emulated one."""
    return None if config.getoption("--emulator") else True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Expect the tests that a difference names to fail: one that passes is a failure, since the difference is gone."""
    if not config.getoption("--emulator"):
        return
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.enable_socket)
        for name in names_of_differences(item.nodeid):
            item.add_marker(pytest.mark.xfail(strict=True, reason=name))


def names_of_differences(node_id: str) -> Iterable[str]:
    """Name the differences that a test meets."""
    test = node_id.removeprefix("tests/api/").partition("@")[0]
    return [
        difference.name for difference in DIFFERENCES if any(fnmatchcase(test, pattern) for pattern in difference.tests)
    ]
