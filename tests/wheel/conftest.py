"""Tests of the installed command line, which `make test-wheel` runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Skip the folder unless --installed names the installed program."""
    return None if config.getoption("--installed") else True
