"""Tests of translated templates, which `make lint` runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Skip the folder unless --sam names a Python with the SAM command line."""
    return None if config.getoption("--sam") else True
