"""A pytest plugin for `make e2e`: expect the emulator's differences from AWS while the HTTP suite runs."""

from __future__ import annotations

from contextlib import suppress
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import pytest

from tests.api.deployment import Deployment
from tests.e2e.differences import DIFFERENCES, GATEWAY_WORDING, status_meant

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

_ABOUT_401 = ("test_the_gateway_", "test_request_ids_of_refusals_", "test_refusals_of_members_")
"""Tests about 401 without a number in their name."""

_current: list[pytest.Item] = []


def pytest_configure() -> None:
    """Check every response before the suite does."""
    read = Deployment.read

    def looking(stack_file: Path) -> Deployment:
        deployment = read(stack_file)
        deployment.client.event_hooks["response"].append(look)
        return deployment

    Deployment.read = looking  # type: ignore[method-assign]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Expect the tests of a difference to fail: one that passes fails, since the difference is gone."""
    for item in items:
        test = item.nodeid.partition("@")[0].removeprefix("tests/api/")
        for difference in DIFFERENCES:
            if any(fnmatchcase(test, pattern) for pattern in difference.tests):
                item.add_marker(pytest.mark.xfail(strict=True, reason=difference.name))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Remember the running test."""
    _current[:] = [item]


def look(response: httpx.Response) -> None:
    """End a test as an expected failure if it is about the status of a response of the gateway itself.

    Names of tests start with that status. Any other test with such a response fails as usual.
    """
    meant = status_meant(response)
    if meant is not None and meant in statuses_of(_current[0]):
        pytest.xfail(GATEWAY_WORDING)


def statuses_of(item: pytest.Item) -> set[int]:
    """Return the statuses that a test is about."""
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    status = parameters.get("status")
    statuses = {401} if item.name.startswith(_ABOUT_401) else set[int]()
    if isinstance(status, int):
        statuses.add(status)
    with suppress(ValueError):
        statuses.add(int(item.name.split("_")[1][:3]))
    return statuses
