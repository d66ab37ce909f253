"""The event bus, the queues and the schedules: invokes the functions that a template connects to them.

Events go from a bus to the queues that its rules name (AWS::Events::Rule), and messages of these and of SendMessage to
the functions that consume the queues (AWS::Lambda::EventSourceMapping). As with SQS, only the failed messages of a
batch come again; after RECEIVES attempts a message is dropped. Patterns of rules are not evaluated: every event of a
bus with rules is meant for the functions. An event of a bus without rules is for others, and is shown if asked for.

Sources: Amazon EventBridge API Reference, "PutEvents"; Amazon SQS API Reference, "SendMessage"; AWS Lambda Developer
Guide, "Using Lambda with Amazon SQS".
"""

from __future__ import annotations

import hashlib
import io
import json
import queue
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local import logs
from local.functions import FunctionError
from local.intrinsics import ACCOUNT_ID, REGION, Json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from local.template import Stack

PUT_EVENTS = "AWSEvents.PutEvents"
SEND_MESSAGE = "AmazonSQS.SendMessage"
SCHEDULED = ("aws.events", "Scheduled Event")
"""Source and detail-type of the events of a schedule (Amazon EventBridge User Guide, "Scheduled events")."""
RECEIVES = 30
"""As maxReceiveCount of the template's queues."""
RETRY_SECONDS = 5.0
"""Shorter than on AWS, where it is the queue's visibility timeout."""
BATCH_SIZE = 10

_FIELDS = {"Source": "source", "DetailType": "detail-type"}
_REQUIRED = ("Source", "DetailType", "Detail")


@dataclass(order=True, slots=True)
class _Due:
    """Something to do at a time (monotonic seconds)."""

    at: float
    queue: str | None = field(compare=False, default=None)
    body: str = field(compare=False, default="")
    schedule: str | None = field(compare=False, default=None)
    receives: int = field(compare=False, default=0)
    message_id: str = field(compare=False, default_factory=lambda: str(uuid.uuid4()))


class Bus:
    """The event bus of a template, its consumers and its schedules.

    Args:
        stack: the template.
        announce: called with one line for each event.
        retry_seconds: time until a failed message comes again.
        listen: called with each event of a bus without rules, as EventBridge delivers it.
    """

    def __init__(
        self,
        stack: Stack,
        announce: Callable[[str], None],
        retry_seconds: float = RETRY_SECONDS,
        listen: Callable[[dict[str, Json]], None] = lambda _: None,
    ) -> None:
        self._stack = stack
        self._announce = announce
        self._retry_seconds = retry_seconds
        self._listen = listen
        self._due: queue.PriorityQueue[_Due] = queue.PriorityQueue()
        for name in stack.schedules:
            self._due.put(_Due(time.monotonic() + stack.schedules[name], schedule=name))
        self._stopping = threading.Event()

    def start(self, invoke: Callable[[str, dict[str, Json]], Json]) -> None:
        """Start a thread that invokes functions, by their logical ids, until `stop`."""
        self._invoke = invoke
        self._thread = threading.Thread(target=self._serve, name="bus", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the running invocation and stop. Waiting events are lost."""
        self._stopping.set()
        self._thread.join()

    def in_front_of(self, application: WSGIApplication) -> WSGIApplication:
        """Return an application that answers PutEvents, and SendMessage to a queue that a function consumes.

        It passes on everything else.
        """

        def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            target = environ.get("HTTP_X_AMZ_TARGET")
            if target not in {PUT_EVENTS, SEND_MESSAGE}:
                return application(environ, start_response)
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            request = json.loads(body)
            if target == PUT_EVENTS:
                results: list[Json] = [{**self._put(entry)} for entry in request["Entries"]]
                failed = sum("ErrorCode" in str(result) for result in results)
                return _answer(start_response, {"FailedEntryCount": failed, "Entries": results}, "1.1")
            queue_name = request["QueueUrl"].rpartition("/")[2]
            if queue_name not in self._stack.consumers:
                return application({**environ, "wsgi.input": io.BytesIO(body)}, start_response)
            return _answer(start_response, self._send(queue_name, request["MessageBody"]), "1.0")

        return answer

    def _send(self, queue_name: str, body: str) -> dict[str, Json]:
        """Put a message into a queue; return the answer of SendMessage."""
        due = _Due(0, queue=queue_name, body=body)
        self._due.put(due)
        digest = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
        return {"MessageId": due.message_id, "MD5OfMessageBody": digest}

    def _put(self, entry: Mapping[str, Any]) -> dict[str, str]:
        """Put an entry of PutEvents into the queue; return its result."""
        missing = [name for name in _REQUIRED if not entry.get(name)]
        if missing:
            return _error("InvalidArgument", f"Parameter {missing[0]} is not valid. Reason: {missing[0]} is required.")
        try:
            detail = json.loads(entry["Detail"])
        except ValueError:
            return _error("MalformedDetail", "Detail is malformed.")
        if (entry["Source"], entry["DetailType"]) == SCHEDULED:  # AWS accepts no entries of its own sources
            for name in self._stack.schedules:
                self._due.put(_Due(0, schedule=name, receives=1))
            return {"EventId": str(uuid.uuid4())}
        bus = entry.get("EventBusName", "default").rpartition("/")[2]
        if bus not in self._stack.buses:
            buses = ", ".join(self._stack.buses) or "no bus"
            return _error("NotFound", f"The template has no such event bus; it has {buses}.")
        event = _event(**{_FIELDS[name]: entry[name] for name in _FIELDS}, detail=detail)
        queues = self._stack.event_queues.get(bus, ())
        for queue_name in queues:
            self._due.put(_Due(0, queue=queue_name, body=json.dumps(event)))
        if not queues:
            self._listen(event)
        return {"EventId": str(event["id"])}

    def _serve(self) -> None:
        while not self._stopping.is_set():
            now = time.monotonic()
            due: list[_Due] = []
            while len(due) < BATCH_SIZE and (first := self._peek()) is not None and first.at <= now:
                due.append(self._due.get())
            for name in [each.schedule for each in due if each.schedule is not None]:
                self._run(name)
            for each in due:
                if each.schedule is not None and each.receives == 0:  # not started by an event
                    self._due.put(_Due(now + self._stack.schedules[each.schedule], schedule=each.schedule))
            for queue_name, consumer in self._stack.consumers.items():
                messages = [each for each in due if each.queue == queue_name]
                if messages:
                    self._deliver(consumer, messages)
            if not due:
                self._stopping.wait(0.1)

    def _peek(self) -> _Due | None:
        with self._due.mutex:
            return self._due.queue[0] if self._due.queue else None

    def _run(self, function: str) -> None:
        event = _event(**{"source": SCHEDULED[0], "detail-type": SCHEDULED[1]})
        try:
            outcome = json.dumps(self._invoke(function, event))
        except FunctionError as error:
            outcome = f"failed: {error.message}"
        self._announce(f"schedule {function} {outcome}")

    def _deliver(self, function: str, messages: list[_Due]) -> None:
        """Invoke a consumer on a batch; the failed messages come again."""
        batch: dict[str, Json] = {"Records": [_record(each) for each in messages]}
        with logs.collected() as texts:
            try:
                answer = self._invoke(function, batch)
                failures = answer.get("batchItemFailures") if isinstance(answer, dict) else None
                failed = {item.get("itemIdentifier") for item in failures or () if isinstance(item, dict)}  # type: ignore[union-attr]
            except FunctionError:
                failed = {each.message_id for each in messages}
        said = {entry.get("message_id"): entry for entry in logs.entries(texts)}
        for each in messages:
            each.receives += 1
            reason = _outcome(said.get(each.message_id, {}))
            is_over = each.receives >= RECEIVES
            if each.message_id in failed:
                reason += f", {'given up' if is_over else f'comes again in {self._retry_seconds:.0f} s'}"
                if not is_over:
                    each.at = time.monotonic() + self._retry_seconds
                    self._due.put(each)
            self._announce(f"{_name(each, function)} {reason}")


def _event(**parts: Json) -> dict[str, Json]:
    """Return an event as EventBridge delivers it."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "account": ACCOUNT_ID,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "region": REGION,
        "resources": [],
        "detail": {},
        **parts,
    }


def _name(message: _Due, function: str) -> str:
    """Return what to call a message: an event by its kind, any other by the function that consumes it."""
    kind = json.loads(message.body).get("detail-type")
    return f"message {function}" if kind is None else f"event {kind}"


def _answer(start_response: StartResponse, content: Json, version: str) -> list[bytes]:
    body = json.dumps(content).encode()
    headers = [
        ("Content-Type", f"application/x-amz-json-{version}"),
        ("Content-Length", str(len(body))),
        ("x-amzn-RequestId", str(uuid.uuid4())),
    ]
    start_response("200 OK", headers)
    return [body]


def _record(message: _Due) -> dict[str, Json]:
    return {
        "messageId": message.message_id,
        "receiptHandle": message.message_id,
        "body": message.body,
        "attributes": {"ApproximateReceiveCount": str(message.receives + 1)},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "awsRegion": REGION,
    }


def _outcome(entry: Mapping[str, Json]) -> str:
    """Return the outcome that a function has logged for a message."""
    if entry.get("message") == "event put aside":
        return f"put aside: {entry.get('reason')}"
    return str(entry.get("reason") or entry.get("outcome") or "failed, see the log")


def _error(code: str, message: str) -> dict[str, str]:
    return {"ErrorCode": code, "ErrorMessage": message}
