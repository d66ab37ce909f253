"""Expects the emulator's differences from AWS while the HTTP suite runs; a plugin of pytest, for `make e2e` alone."""

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
"""Those that do not say so by a number."""

_current: list[pytest.Item] = []


def pytest_configure() -> None:
    """Look at every response before the suite does."""
    read = Deployment.read

    def looking(stack_file: Path) -> Deployment:
        deployment = read(stack_file)
        deployment.client.event_hooks["response"].append(look)
        return deployment

    Deployment.read = looking  # type: ignore[method-assign]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Expect the tests that a difference names to fail: one that passes is a failure, since the difference is gone."""
    for item in items:
        test = item.nodeid.partition("@")[0].removeprefix("tests/api/")
        for difference in DIFFERENCES:
            if any(fnmatchcase(test, pattern) for pattern in difference.tests):
                item.add_marker(pytest.mark.xfail(strict=True, reason=difference.name))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Remember which test is running."""
    _current[:] = [item]


def look(response: httpx.Response) -> None:
    """End a test as an expected failure if it has met what the gateway says itself, and is about that very status.

    Its name says so, as all names of the suite do. A test about anything else that meets it fails as usual.
    """
    meant = status_meant(response)
    if meant is not None and meant in statuses_of(_current[0]):
        pytest.xfail(GATEWAY_WORDING)


def statuses_of(item: pytest.Item) -> set[int]:
    """Give the statuses that a test is about."""
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    status = parameters.get("status")
    found = {401} if item.name.startswith(_ABOUT_401) else set[int]()
    if isinstance(status, int):
        found.add(status)
    with suppress(ValueError):
        found.add(int(item.name.split("_")[1][:3]))
    return found
