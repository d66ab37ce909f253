"""Tests of secret scanners; `make test-scanners` runs those with gitleaks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

WITH_GITLEAKS = Path(__file__).parent / "test_gitleaks.py"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skip the tests with gitleaks unless --gitleaks names the program."""
    return True if collection_path == WITH_GITLEAKS and not config.getoption("--gitleaks") else None
