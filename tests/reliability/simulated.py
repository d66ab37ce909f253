"""Time that passes as fast as it is spent, so that an hour of silence takes no time and a time limit is exact."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket


class SimulatedTime:
    """Stands in for the `time` module where the service waits, and for the proxy's own waiting.

    Only what somebody waits for takes time: the pauses between attempts, delays, and silence until the client has
    given up. So the time that an answer took is what it would take at the worst on a machine that is never busy.

    Args:
        patience_seconds: how long the client waits for the next part of an answer, in simulated time.
    """

    def __init__(self, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self._now = 1000.0
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        """Seconds that have been waited so far."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Wait."""
        with self._lock:
            self._now += seconds

    def stall(self, client: socket.socket, seconds: float) -> None:
        """Send nothing for so long, or until the client would have given up."""
        del client
        self.sleep(min(seconds, self._patience_seconds))
