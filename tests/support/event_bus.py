"""The event bus that publish_events puts events on: PutEvents as strict as Amazon EventBridge, over HTTP.

Sources: Amazon EventBridge API Reference, "PutEvents", "PutEventsRequestEntry", "PutEventsResultEntry", "Common
Errors"; Amazon EventBridge User Guide, "Calculating PutEvents event entry size", "Sending events with PutEvents".
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

Entry = dict[str, Any]

PUT_EVENTS = "AWSEvents.PutEvents"
MOST_ENTRIES = 10
LARGEST_BYTES = 256 * 1024
LARGEST_INTEGER = 2**63 - 1
FIELDS = {"EventBusName", "Source", "DetailType", "Detail"}
"""Fields of an entry that are used here; the page has more."""


class RequestError(Exception):
    """A request that is refused as a whole."""


def _take(_: Entry) -> str | None:
    return None


@dataclass(slots=True)
class EventBus:
    """The event buses of an account.

    Attributes:
        buses: their names.
        refuse: chooses the entries to refuse.
        requests: the entries of each request, whether taken or refused, in order.
        published: the entries that were taken, in order.
    """

    buses: set[str] = field(default_factory=set)
    refuse: Callable[[Entry], str | None] = _take
    requests: list[list[Entry]] = field(default_factory=list)
    published: list[Entry] = field(default_factory=list)

    def reset(self) -> None:
        """Forget everything, and refuse nothing."""
        self.refuse = _take
        self.requests.clear()
        self.published.clear()

    @property
    def details(self) -> list[dict[str, Any]]:
        """Return the details of the entries that were taken, in order."""
        return [json.loads(entry["Detail"]) for entry in self.published]

    @property
    def delivered(self) -> list[dict[str, Any]]:
        """Return the events that were taken, in order, as the cases of events/ write them."""
        return [
            {"source": entry["Source"], "detail-type": entry["DetailType"], "detail": json.loads(entry["Detail"])}
            for entry in self.published
        ]

    @property
    def ids(self) -> list[str]:
        """Return the ids of the records that were published, in order."""
        return [str(detail["id"]) for detail in self.details]

    def in_front_of(self, application: WSGIApplication) -> WSGIApplication:
        """Return an application that answers PutEvents, and passes on everything else."""

        def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            if environ.get("HTTP_X_AMZ_TARGET") != PUT_EVENTS:
                return application(environ, start_response)
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            try:
                status, content = "200 OK", self.put(json.loads(body))
            except RequestError as error:
                status, content = "400 Bad Request", {"__type": "ValidationException", "message": str(error)}
            text = json.dumps(content).encode()
            start_response(
                status,
                [
                    ("Content-Type", "application/x-amz-json-1.1"),
                    ("Content-Length", str(len(text))),
                    ("x-amzn-RequestId", str(uuid.uuid4())),
                ],
            )
            return [text]

        return answer

    def put(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to a request.

        Raises:
            RequestError: it is refused as a whole.
        """
        entries = request.get("Entries")
        if request.keys() != {"Entries"} or not isinstance(entries, list):
            raise RequestError("Entries is required, and nothing else is used here")
        self.requests.append(entries)
        if not 1 <= len(entries) <= MOST_ENTRIES:
            raise RequestError(
                f"Value at 'entries' failed to satisfy constraint: length of 1 to {MOST_ENTRIES}, not {len(entries)}"
            )
        size = sum(map(entry_bytes, entries))
        if size >= LARGEST_BYTES:
            raise RequestError(f"Total size of the entries in the request is over the limit: {size}")
        results = [self._put(entry) for entry in entries]
        return {"FailedEntryCount": sum("ErrorCode" in result for result in results), "Entries": results}

    def _put(self, entry: Entry) -> dict[str, str]:
        code = self._wrong(entry) or self.refuse(entry)
        if code is not None:
            return {"ErrorCode": code, "ErrorMessage": f"refused: {code}"}
        self.published.append(entry)
        return {"EventId": str(uuid.uuid4())}

    def _wrong(self, entry: Entry) -> str | None:
        """Return the code of what is wrong with an entry."""
        if entry.keys() != FIELDS or not all(isinstance(value, str) and value for value in entry.values()):
            return "InvalidArgument"
        if entry["Source"].startswith("aws."):
            return "NotAuthorizedForSourceException"
        if entry["EventBusName"].rpartition("/")[2] not in self.buses:
            return "ResourceNotFoundException"
        try:
            detail = json.loads(entry["Detail"], parse_int=_integer)
        except ValueError:
            return "MalformedDetail"
        return None if isinstance(detail, dict) else "MalformedDetail"


def entry_bytes(entry: Mapping[str, Any]) -> int:
    """Return the size of an entry, by the rule of EventBridge."""
    texts = [entry.get(name, "") for name in ("Source", "DetailType", "Detail")] + entry.get("Resources", [])
    return sum(len(str(text).encode()) for text in texts) + (14 if "Time" in entry else 0)


def _integer(text: str) -> int:
    """Parse an integer, in the range that PutEvents accepts.

    Raises:
        ValueError: it is out of range.
    """
    value = int(text)
    if not -LARGEST_INTEGER - 1 <= value <= LARGEST_INTEGER:
        raise ValueError(text)
    return value
