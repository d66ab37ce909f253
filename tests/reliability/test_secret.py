"""Faults on the way to Secrets Manager."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keywright.aws import retries
from keywright.errors import ServiceError
from keywright.store import pepper
from tests.reliability import wire
from tests.reliability.proxy import FaultProxy
from tests.support.environment import new_container

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.reliability.simulated import SimulatedTime
    from tests.support.world import World


@pytest.fixture
def secrets(time: SimulatedTime, world: World, environment: pytest.MonkeyPatch, moto_url: str) -> Iterator[FaultProxy]:
    """A proxy in front of Secrets Manager, for a new container."""
    del world
    proxy = FaultProxy(moto_url)
    proxy.time = time
    environment.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", proxy.url)
    new_container()
    yield proxy
    proxy.stop()


@pytest.mark.parametrize("fault", wire.FAULTS.values(), ids=wire.FAULTS)
def test_a_single_fault_is_absorbed(secrets: FaultProxy, fault: wire.Fault) -> None:
    """A single fault is retried, and no part of a broken response is used as the secret."""
    with wire.injected(secrets, fault) as requests:
        assert 1 == pepper.keyring().current_version

    assert 2 >= len(requests)


@pytest.mark.parametrize("fault", wire.LASTING.values(), ids=wire.LASTING)
def test_a_lasting_fault_is_unavailable(secrets: FaultProxy, fault: wire.Fault) -> None:
    """A lasting fault is a 503, not a 500, and ends with it."""
    with (
        wire.injected(secrets, *[fault] * 2 * retries.ATTEMPTS),
        pytest.raises(ServiceError, match="SERVICE_UNAVAILABLE"),
    ):
        pepper.keyring()

    new_container()
    assert 1 == pepper.keyring().current_version
