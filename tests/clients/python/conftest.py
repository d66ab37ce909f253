"""Fixtures of the Python client's tests."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from tests.clients.python.drivers import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["threads", "asyncio"])
def kind(request: pytest.FixtureRequest) -> Iterator[Kind]:
    """Both kinds of clients, one after the other."""
    with asyncio.Runner() as runner:
        kind = Kind(runner if request.param == "asyncio" else None)
        yield kind
        kind.close()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Skip pauses between attempts. The list has their seconds."""
    seconds: list[float] = []

    async def sleep(pause_seconds: float) -> None:
        seconds.append(pause_seconds)

    monkeypatch.setattr(time, "sleep", seconds.append)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    return seconds
