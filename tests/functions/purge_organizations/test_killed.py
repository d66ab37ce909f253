"""A purge that is killed and run again has the same result as an uninterrupted one.

PURGE_ITEMS sets the size of the organization: 300 items by default, 5,000 at full depth.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from keywright.store.purges import BATCH_ITEMS
from tests.support.depth import size
from tests.support.environment import ROOT
from tests.support.world import ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local.iam import AccessKey
    from tests.support.purge import Purge

ITEMS = size("PURGE_ITEMS", 300, full=5000)
TO_BEGIN = 1


@pytest.fixture
def kill_after(access_keys: Mapping[str, AccessKey]) -> Callable[[int], None]:
    """Run the function in another process, with its role, and kill it after that many transactions."""
    return lambda transactions: _kill_after(transactions, access_keys["purge_organizations"])


def _kill_after(transactions: int, key: AccessKey) -> None:
    command = [sys.executable, "-m", "tests.functions.purge_organizations.killed", str(transactions)]
    with subprocess.Popen(  # noqa: S603 - our own module
        command,
        cwd=ROOT,
        env={
            **os.environ,
            "AWS_ACCESS_KEY_ID": key.access_key,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "layers/shared/python"), str(ROOT)]),
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert "now\n" == process.stdout.readline()
        process.kill()
        assert -signal.SIGKILL == process.wait()


def test_a_purge_killed_half_way_is_completed_by_the_next_run(purge: Purge, kill_after: Callable[[int], None]) -> None:
    """GIVEN an organization with half of its items deleted WHEN the purge runs again THEN nothing is left.

    Every item is counted once, and every item outside the organization is unchanged, to the byte.
    """
    purge.fill(ITEMS)
    others = [item for item in purge.table.items() if ORGANIZATION_ID not in f"{item['pk']} {item['sk']}"]
    whole = len(purge.left())

    kill_after(TO_BEGIN + ITEMS // BATCH_ITEMS // 2)

    assert 1 < len(purge.left()) < whole
    assert "completed_at" not in purge.record()
    assert {"purged": 1} == purge()
    record = purge.record()
    assert "completed_at" in record
    assert ITEMS + 1 == sum(int(value) for name, value in record.items() if name.startswith("deleted_"))
    assert [*others, record] == sorted(purge.table.items(), key=lambda item: item["pk"].startswith("PURGED#"))


def test_no_item_of_limits_outlives_a_killed_purge(purge: Purge, kill_after: Callable[[int], None]) -> None:
    """GIVEN keys with limits, half of them deleted WHEN the purge runs again THEN no item of limits is left."""
    purge.limit(4 * BATCH_ITEMS)

    kill_after(TO_BEGIN + 2)

    assert 2 * BATCH_ITEMS + 1 == len(purge.limits())
    assert {"purged": 1} == purge()
    assert [] == purge.limits()
    assert 4 * BATCH_ITEMS == purge.record()["deleted_api_keys"]


def test_a_purge_killed_at_its_beginning_is_completed(purge: Purge, kill_after: Callable[[int], None]) -> None:
    """A purge killed before its first deletion is completed, and can no longer be canceled."""
    purge.fill(2 * BATCH_ITEMS)

    kill_after(TO_BEGIN)

    assert {"purged": 1} == purge()
    assert [] == purge.left()
