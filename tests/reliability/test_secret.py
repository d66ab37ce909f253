"""Faults on the way to Secrets Manager."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keywright.aws import retries
from keywright.errors import ServiceError
from keywright.store import pepper
from tests.support import network_faults
from tests.support.environment import new_container
from tests.support.fault_proxy import FaultProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.simulated_time import SimulatedTime
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
    proxy.close()


@pytest.mark.parametrize("fault", network_faults.FAULTS.values(), ids=network_faults.FAULTS)
def test_a_single_fault_is_absorbed(secrets: FaultProxy, fault: network_faults.Fault) -> None:
    """A single fault is retried, and no part of a broken response is used as the secret."""
    with network_faults.injected(secrets, fault) as requests:
        assert 1 == pepper.keyring().current_version

    assert 2 >= len(requests)


@pytest.mark.parametrize("fault", network_faults.LASTING.values(), ids=network_faults.LASTING)
def test_a_lasting_fault_is_unavailable(secrets: FaultProxy, fault: network_faults.Fault) -> None:
    """A lasting fault is a 503, not a 500, and ends with it."""
    with (
        network_faults.injected(secrets, *[fault] * 2 * retries.ATTEMPTS),
        pytest.raises(ServiceError, match="SERVICE_UNAVAILABLE"),
    ):
        pepper.keyring()

    new_container()
    assert 1 == pepper.keyring().current_version
