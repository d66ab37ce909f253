"""Fixtures of the tests with Chromium and a local service; `make test-browser` runs them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import console as consoles
from tests.browser import webdriver
from tests.support.environment import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.deployment import Deployment
    from tests.browser.console import Console, Visit
    from tests.browser.webdriver import Browser

HERE = Path(__file__).parent


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skip these tests without `--browser`: not every machine has one."""
    return True if collection_path.is_relative_to(HERE) and not config.getoption("--browser") else None


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the benchmark."""
    config.stash[consoles.TIMES] = {}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print when the views of the console were shown."""
    for name, milliseconds in sorted(config.stash.get(consoles.TIMES, {}).items()):
        terminalreporter.write_line(f"{name}: shown after {milliseconds:.0f} ms")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Allow sockets to this machine."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))


@pytest.fixture(scope="session")
def chromium(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """One browser for all tests."""
    with webdriver.browser(request.config.getoption("--browser")) as browser:
        yield browser


@pytest.fixture
def browser(chromium: Browser) -> Browser:
    """The browser, with the width of a desktop, light colors and empty logs."""
    chromium.open("about:blank")
    chromium.prefer("light")
    chromium.resize(1280, 900)
    chromium.console()
    chromium.requested()
    return chromium


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """One local service for all tests of the console."""
    with consoles.running(tmp_path_factory.mktemp("console")) as console:
        yield console


@pytest.fixture
def organization(console: Console) -> Deployment:
    """A new organization, whose users are the personas of the deployment."""
    return console.organization()


@pytest.fixture
def visit(chromium: Browser, console: Console, organization: Deployment) -> Iterator[Visit]:
    """A visit of the console, signed out. At its end, the browser's console is empty."""
    with consoles.visiting(chromium, console, organization) as visit:
        yield visit
