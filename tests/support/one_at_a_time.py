"""Requests of several threads to DynamoDB, sent one at a time in a random order."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from keywright.aws import retries
from tests.support import faults

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from botocore.awsrequest import AWSPreparedRequest

_PATIENCE_SECONDS = 120


class OneAtATime:
    """Runs acts in threads that stop before each request; when all have stopped, a random one continues.

    Attributes:
        operations: the operations of DynamoDB that were requested, in order.
    """

    def __init__(self, chance: random.Random) -> None:
        self.operations: list[str] = []
        self._chance = chance
        self._changed = threading.Condition()
        self._number = threading.local()
        self._stopped: list[int] = []
        self._running = 0

    def run(self, acts: Sequence[Callable[[], Any]]) -> list[Any]:
        """Run each act in a thread and return their results."""
        results: list[Any] = [None] * len(acts)

        def run(number: int, act: Callable[[], Any]) -> None:
            self._number.mine = number
            try:
                results[number] = act()
            finally:
                self._end()

        self._running = len(acts)
        threads = [threading.Thread(target=run, args=both) for both in enumerate(acts)]
        with faults.intercepted(retries.dynamodb(), self._wait_for_its_turn):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(_PATIENCE_SECONDS)
                assert not thread.is_alive()
        return results

    def _wait_for_its_turn(self, _: AWSPreparedRequest, operation: str) -> None:
        """Stop this thread before a request until it is drawn."""
        number: int = self._number.mine
        with self._changed:
            self._stopped.append(number)
            self._running -= 1
            self._continue_one()
            assert self._changed.wait_for(lambda: number not in self._stopped, _PATIENCE_SECONDS)
        self.operations.append(operation)

    def _end(self) -> None:
        with self._changed:
            self._running -= 1
            self._continue_one()

    def _continue_one(self) -> None:
        if self._running == 0 and self._stopped:
            self._stopped.sort()  # the same order for the same seed
            self._stopped.pop(self._chance.randrange(len(self._stopped)))
            self._running = 1
            self._changed.notify_all()
