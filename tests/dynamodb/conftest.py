"""Tests of what only DynamoDB itself can tell; `make test-dynamodb` runs them on DynamoDB Local."""

from __future__ import annotations

import os

import pytest

from keywright.aws import retries
from local.backend import DYNAMODB_ENDPOINT

PATIENCE_SECONDS = 120


def pytest_ignore_collect() -> bool | None:
    """Leave them out where nobody has said which DynamoDB."""
    return None if DYNAMODB_ENDPOINT in os.environ else True


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for DynamoDB as long as a busy machine needs: what is given up would be missing in what is measured."""
    monkeypatch.setattr(retries, "CONNECT_TIMEOUT_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(retries, "READ_TIMEOUT_SECONDS", PATIENCE_SECONDS)
