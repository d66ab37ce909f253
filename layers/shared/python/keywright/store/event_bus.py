"""The stack's own event bus, which audit records go out through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.aws.retries import Retryable, event_buses, require_genuine, with_retries
from keywright.immutable import immutable
from keywright.settings import event_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SOURCE = "keywright"
"""`source` of every event."""
REQUEST_EVENTS = 10
"""Amazon EventBridge API Reference, "PutEvents": entries of a request, at most."""
REQUEST_BYTES = 200_000
"""Amazon EventBridge User Guide, "Calculating PutEvents event entry size": less than 256 KB for all entries."""
INTEGER_LIMIT = 2**63
"""Amazon EventBridge API Reference, "PutEvents": a detail's integers have 64 bits."""
_ENTRY_BYTES = 200
"""Of an entry without its detail, generously."""


@immutable
class OutgoingEvent:
    """An event to publish.

    Attributes:
        kind: its `detail-type`.
        detail: JSON text, ASCII.
    """

    kind: str
    detail: str

    @property
    def size(self) -> int:
        """Return its bytes in a request, at most."""
        return _ENTRY_BYTES + len(self.detail)


def put(events: Sequence[OutgoingEvent], taken: Callable[[OutgoingEvent], object]) -> None:
    """Publish events in one request, and those that the bus did not take again.

    Args:
        events: at most REQUEST_EVENTS and REQUEST_BYTES, or one of any size.
        taken: called with each event that the bus took.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if EventBridge throttles, does not answer or refuses some.
    """
    remaining = list(events)

    def attempt() -> None:
        nonlocal remaining
        answer = event_buses().call("PutEvents", {"Entries": [_entry(event) for event in remaining]})
        require_genuine(answer, "Entries")
        results = answer.content["Entries"]
        if len(results) != len(remaining):
            raise Retryable("the answer is not complete")
        refused = {
            event: str(result.get("ErrorCode"))
            for event, result in zip(remaining, results, strict=True)
            if "EventId" not in result
        }
        for event in remaining:
            if event not in refused:
                taken(event)
        remaining = list(refused)
        if refused:
            raise Retryable(", ".join(sorted(set(refused.values()))))

    with_retries(attempt)


def _entry(event: OutgoingEvent) -> dict[str, str]:
    return {
        "EventBusName": event_settings().event_bus_name,
        "Source": SOURCE,
        "DetailType": event.kind,
        "Detail": event.detail,
    }
