"""What the first request would wait for, done while the function is initialized.

Lambda gives a container the power of a whole processor, and more, while its module loads, and a request only what the
memory of the function is worth (Lambda Developer Guide, "Configure Lambda function memory"). Two threads connect to
DynamoDB and fetch the pepper, which is mostly waiting, while the rest of the module is imported.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from keywright import deadline
from keywright.aws.retries import ATTEMPT_SECONDS, dynamodb
from keywright.shutdown import RUNTIME_API
from keywright.store.pepper import peppers

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT_SECONDS = ATTEMPT_SECONDS + 0.5
"""For one attempt, and another one if the first failed at once. Lambda ends an initialization after ten seconds."""


def warm_up() -> Callable[[], None]:
    """Begin to connect to DynamoDB and to fetch the pepper. Use it before other imports of a handler.

    Nothing that fails here is reported: the first request does it itself, and reports it. Outside of Lambda nothing is
    done.

    Returns:
        Waits until both are done, at most for LIMIT_SECONDS. Use it at the end of the handler's module: a container
        with provisioned concurrency would be frozen in between, and its connections would break.
    """
    if RUNTIME_API not in os.environ:
        return lambda: None
    ends_at = time.monotonic() + LIMIT_SECONDS
    threads = [threading.Thread(target=act, daemon=True) for act in (_fetch_pepper, _connect)]
    for thread in threads:
        thread.start()

    def wait() -> None:
        for thread in threads:
            thread.join(max(0.0, ends_at - time.monotonic()))

    return wait


def _fetch_pepper() -> None:
    with suppress(Exception), deadline.within(int((LIMIT_SECONDS + deadline.RESERVE_SECONDS) * 1000)):
        peppers().prepare()


def _connect() -> None:
    with suppress(Exception):
        dynamodb().host.connect()
