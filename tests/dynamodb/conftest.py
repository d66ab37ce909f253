"""Tests of what only DynamoDB itself can tell; `make test-dynamodb` runs them on DynamoDB Local."""

from __future__ import annotations

import os

from local.backend import DYNAMODB_ENDPOINT


def pytest_ignore_collect() -> bool | None:
    """Leave them out where nobody has said which DynamoDB."""
    return None if DYNAMODB_ENDPOINT in os.environ else True
