"""Fixtures: the project of `serving`, its template read and served."""

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
    """A directory with the template and its functions."""
    write_project(tmp_path)
    return tmp_path


@pytest.fixture
def write_function(project: Path) -> Callable[[str, str], None]:
    """Add a function's code to the project."""
    return lambda name, code: add_function(project, name, code)


@pytest.fixture
def read(project: Path) -> Callable[..., Stack]:
    """Read the project's template, with changes: old text, new text."""

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
    """Serve templates until the end of the test."""
    running: list[Served] = []

    def start(stack: Stack) -> Served:
        running.append(Served(stack))
        return running[-1]

    yield start
    for served in running:
        served.stop()


@pytest.fixture
def served(read: Callable[..., Stack], serve: Callable[[Stack], Served]) -> Served:
    """The project's template, served."""
    return serve(read())
