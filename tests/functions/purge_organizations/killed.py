"""A run of purge_organizations in a process of its own, to be killed: `python -m ... <number of transactions>`.

It says on its standard output when so many transactions are done, and then does nothing more.
"""

from __future__ import annotations

import importlib.util
import sys

from keywright import clock
from keywright.store import aws
from tests.conftest import ROOT
from tests.functions.purge_organizations.conftest import NOW, SCHEDULED
from tests.world import Context


def main(transactions: int) -> None:
    """Purge what is due, half an hour after its time."""
    clock.now = lambda: clock.stored(NOW)
    done = 0

    def count(**_: object) -> None:
        nonlocal done
        done += 1
        if done == transactions:
            sys.stdout.write("now\n")
            sys.stdout.flush()
            sys.stdin.read()  # until it is killed, or whoever waits for it is gone
            sys.exit(1)

    aws.dynamodb().meta.events.register("after-call.dynamodb.TransactWriteItems", count)
    spec = importlib.util.spec_from_file_location("purge", ROOT / "functions/purge_organizations/handler.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.handler(SCHEDULED, Context(remaining_milliseconds=300_000))


if __name__ == "__main__":
    main(int(sys.argv[1]))
