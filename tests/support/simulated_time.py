"""Simulated time: waits take no time, so that an hour of silence is instant and time limits are exact."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket


class SimulatedTime:
    """A clock in place of the `time` module of the service, and of the proxy's waits.

    Only waits take time: pauses between attempts, delays, and silence until the client gives up. So the time of an
    answer is its worst case on an idle machine.

    Args:
        patience_seconds: the client's read timeout, in simulated time.
    """

    def __init__(self, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self._now = 1000.0
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        """Return the seconds waited so far."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Wait."""
        with self._lock:
            self._now += seconds

    def stall(self, client: socket.socket, seconds: float) -> None:
        """Wait for that many seconds, or until the client's read timeout."""
        del client
        self.sleep(min(seconds, self._patience_seconds))
