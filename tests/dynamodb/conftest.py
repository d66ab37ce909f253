"""Tests of behavior that only DynamoDB itself shows; `make test-dynamodb` runs them on DynamoDB Local."""

from __future__ import annotations

import os

import pytest

from keywright.aws import retries
from local.backend import DYNAMODB_ENDPOINT

PATIENCE_SECONDS = 120


def pytest_ignore_collect() -> bool | None:
    """Skip these tests if the environment names no DynamoDB."""
    return None if DYNAMODB_ENDPOINT in os.environ else True


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise the read timeout: a request that timed out would be missing in the measurement."""
    monkeypatch.setattr(retries, "CONNECT_TIMEOUT_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(retries, "READ_TIMEOUT_SECONDS", PATIENCE_SECONDS)
