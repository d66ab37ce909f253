"""Fixtures that write, read and serve the sample project."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.template import Stack, read_stack
from tests.local.serving import TEMPLATE, Served, add_function, write_project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a directory with the sample template and its functions."""
    write_project(tmp_path)
    return tmp_path


@pytest.fixture
def write_function(project: Path) -> Callable[[str, str], None]:
    """Return a function that adds the code of a Lambda function to the project."""
    return lambda name, code: add_function(project, name, code)


@pytest.fixture
def read(project: Path) -> Callable[..., Stack]:
    """Return a function that reads the project's template after replacing texts in it."""

    def read_changed(*changes: tuple[str, str], **parameters: str) -> Stack:
        changed = TEMPLATE
        for old, new in changes:
            assert old in changed
            changed = changed.replace(old, new)
        (project / "template.yaml").write_text(changed)
        development = {"OidcIssuer": "http://127.0.0.1:9", "OidcAudience": "test"}
        return read_stack(project / "template.yaml", parameters, development)

    return read_changed


@pytest.fixture
def serve() -> Iterator[Callable[[Stack], Served]]:
    """Return a function that serves a template until the end of the test."""
    running: list[Served] = []

    def start(stack: Stack) -> Served:
        running.append(Served(stack))
        return running[-1]

    yield start
    for served in running:
        served.stop()


@pytest.fixture
def served(read: Callable[..., Stack], serve: Callable[[Stack], Served]) -> Served:
    """Serve the project's template."""
    return serve(read())
