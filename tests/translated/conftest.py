"""Templates as CloudFormation gets them; `make lint` runs these tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Leave them out where no Python with the SAM command line is named."""
    return None if config.getoption("--sam") else True
