"""The use of a rotated-out text under every fault: it is refused in time, and recorded once when the faults are over.

GIVEN a text that a rotation has replaced WHEN one of the writes of its use fails, or all of them do, THEN the caller
gets NOT_FOUND in time, and the next flush leads to one audit record. A write that took effect although it was answered
by a failure, or was delivered twice, counts its use a second time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keywright.keys import retired_secrets
from tests.support import network_faults
from tests.support.audit_log import audit_log
from tests.support.depth import mostly_deep
from tests.support.operations import Operation, call, check_audit_log, rotate, run_under_faults

if TYPE_CHECKING:
    from tests.support.network_faults import Fault
    from tests.support.operations import Scene

VERIFY = Operation("verify_api_key", 3, call("verify_api_key"))

TYPICAL = {"lost answer", "throttled"}
at_each_write = pytest.mark.parametrize("write", [1, 2], ids=["the addition", "the report"])


@pytest.fixture
def retired(scene: Scene) -> Scene:
    """A scene whose key was rotated: its text is the former one."""
    assert 200 == rotate(0)(scene, "5f0c2c0e-9a3d-4b6e-8f57-0d6f2b8a1c01").status
    return scene


def check_use(scene: Scene, *script: Fault | None) -> int:
    """Use the text under faults, then flush without; return how often it is counted, in the one record or waiting."""
    before = scene.proxy.faults
    answer = run_under_faults(scene, VERIFY, "", *script)
    assert scene.proxy.faults > before
    assert {"valid": False, "code": "NOT_FOUND"} == answer.data

    for _ in range(2):
        retired_secrets.meter().flush_all(seconds=60)

    partition = scene.partition()
    check_audit_log(partition)
    (record,) = [record for record in audit_log(partition) if record["event"] == "api_key.retired_secret_used"]
    waiting = int(partition[f"USAGE#{scene.key_id}"]["retired"])
    count: int = record["changes"]["after"]["count"]
    return count + waiting


@at_each_write
@pytest.mark.parametrize("name", mostly_deep(network_faults.FAULTS, TYPICAL.__contains__))
def test_a_single_fault_is_made_up_for(retired: Scene, name: str, write: int) -> None:
    """GIVEN one fault THEN the use is recorded once."""
    count = check_use(retired, *[None] * write, network_faults.FAULTS[name])

    assert count in ({1, 2} if write == 1 else {1})


@at_each_write
@pytest.mark.parametrize("name", mostly_deep(network_faults.LASTING, TYPICAL.__contains__))
def test_a_lasting_fault_is_made_up_for(retired: Scene, name: str, write: int) -> None:
    """GIVEN a fault that lasts as long as the request THEN the use is recorded once."""
    count = check_use(retired, *[None] * write, *[network_faults.LASTING[name]] * 100)

    assert count in ({1, 2} if write == 1 else {1})


@pytest.mark.parametrize("name", network_faults.HARMLESS)
def test_harmless_faults_may_last(retired: Scene, name: str) -> None:
    """GIVEN that every response is late or every request is doubled THEN there is one record."""
    assert check_use(retired, *[network_faults.HARMLESS[name]] * 100) in {1, 2}
