"""Requests at the same time, and requests in the middle of another one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import TYPE_CHECKING, TypeVar

from keywright.aws import retries
from keywright.store import pepper
from tests.support import faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from botocore.awsrequest import AWSPreparedRequest

_Result = TypeVar("_Result")


def at_once(acts: Sequence[Callable[[], _Result]]) -> list[_Result]:
    """Run all acts at the same time, each in a thread; return their results."""
    pepper.keyring()  # fetched once, before the threads need it
    barrier = Barrier(len(acts))

    def run(act: Callable[[], _Result]) -> _Result:
        barrier.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


@contextmanager
def before_its_write(*acts: Callable[[], object]) -> Iterator[None]:
    """Run one act before each of the next transactions: after the reads of a request, before its write.

    The transactions of the acts themselves are not intercepted.
    """
    remaining = iter(acts)
    is_acting = False

    def hook(_request: AWSPreparedRequest, operation: str) -> None:
        nonlocal is_acting
        act = None if is_acting or operation != "TransactWriteItems" else next(remaining, None)
        if act is not None:
            is_acting = True
            act()
            is_acting = False

    with faults.intercepted(retries.dynamodb(), hook):
        yield
    assert not list(remaining), "not every act was run"
