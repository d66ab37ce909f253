"""A run of purge_organizations to be killed: `python -m ... <number of transactions>`.

After that many transactions it prints a line and stops.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any

from keywright import clock
from keywright.aws import retries
from tests.support.environment import ROOT
from tests.support.purge import NOW, SCHEDULED
from tests.support.world import Context

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keywright.aws.client import Answer


def main(transactions: int) -> None:
    """Purge what is due, half an hour after its time."""
    clock.now = lambda: clock.stored(NOW)
    done = 0

    call = retries.dynamodb().call

    def counted(operation: str, parameters: Mapping[str, Any]) -> Answer:
        nonlocal done
        answer = call(operation, parameters)
        done += operation == "TransactWriteItems"
        if done == transactions:
            sys.stdout.write("now\n")
            sys.stdout.flush()
            sys.stdin.read()  # until this process is killed or its parent has exited
            sys.exit(1)
        return answer

    retries.dynamodb().call = counted  # type: ignore[method-assign]  # this process has nothing else to do
    spec = importlib.util.spec_from_file_location("purge", ROOT / "functions/purge_organizations/handler.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.handler(SCHEDULED, Context(remaining_milliseconds=300_000))


if __name__ == "__main__":
    main(int(sys.argv[1]))
