"""A pytest plugin for `make e2e`: expect the tests of the emulator's differences to fail."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from tests.e2e.differences import DIFFERENCES


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Expect the tests of a difference to fail: one that passes fails, since the difference is gone."""
    for item in items:
        test = item.nodeid.partition("@")[0].removeprefix("tests/api/")
        for difference in DIFFERENCES:
            if any(fnmatchcase(test, pattern) for pattern in difference.tests):
                item.add_marker(pytest.mark.xfail(strict=True, reason=difference.name))
