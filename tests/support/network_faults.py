"""Faults on the way to DynamoDB: before a request has arrived, or after it took effect."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.support import dynamodb_errors
from tests.support.fault_proxy import Exchange, FaultProxy, Reply, passed_on

if TYPE_CHECKING:
    from collections.abc import Iterator

Fault = Callable[[Exchange], None]
"""A function that handles an exchange."""

DELAY_SECONDS = 1.9
"""Almost the service's read timeout (keywright/aws/retries.py, READ_TIMEOUT_SECONDS)."""
FOREVER_SECONDS = 3600.0
"""Longer than any timeout."""


@contextmanager
def injected(proxy: FaultProxy, *faults: Fault | None) -> Iterator[list[str]]:
    """Apply faults to the next requests, one each; None lets a request through, as does the end.

    Yield a list of the operations' names, filled as their requests arrive.
    """
    remaining = iter(faults)
    operations: list[str] = []
    lock = threading.Lock()

    def next_of_them(exchange: Exchange) -> None:
        with lock:
            operations.append(exchange.operation)
            fault = next(remaining, None)
            proxy.faults += fault is not None
        (fault or passed_on)(exchange)

    with proxy.inflicting(next_of_them):
        yield operations


def answer(status: int, body: dict[str, Any] | bytes, **headers: str) -> Fault:
    """Respond in place of DynamoDB."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"content-type": "application/x-amz-json-1.0", **headers}

    def fault(exchange: Exchange) -> None:
        exchange.answer(Reply(status, tuple((name.replace("_", "-"), value) for name, value in lines.items()), content))

    fault.__name__ = f"{status} {content.decode()}"  # which pytest shows
    return fault


def genuine(body: dict[str, Any]) -> Fault:
    """Respond in place of DynamoDB, with the headers of DynamoDB."""
    return answer(200, body, x_amzn_requestid="1")


def error(code: str, status: int = 400) -> Fault:
    """Respond with an error of DynamoDB."""
    return answer(status, dynamodb_errors.error(code))


def canceled(*codes: str) -> Fault:
    """Cancel a transaction, with one reason for each of its items."""
    return answer(400, dynamodb_errors.canceled(*codes))


def throttled(exchange: Exchange) -> None:
    """Throttle the request, as DynamoDB does beyond the provisioned capacity."""
    error("ProvisionedThroughputExceededException")(exchange)


def conflicted(exchange: Exchange) -> None:
    """Cancel a transaction by a conflict; throttle any other request."""
    if exchange.operation != "TransactWriteItems":
        return throttled(exchange)
    return canceled(*["TransactionConflict"] * len(exchange.content["TransactItems"]))(exchange)


def unprocessed(exchange: Exchange) -> None:
    """Return all of a batch as unprocessed, DynamoDB's way to throttle it; throttle any other request."""
    if exchange.operation != "BatchGetItem":
        return throttled(exchange)
    return genuine({"Responses": {}, "UnprocessedKeys": exchange.content["RequestItems"]})(exchange)


def lost_request(exchange: Exchange) -> None:
    """Lose the request and close the connection."""
    exchange.close()


def reset(exchange: Exchange) -> None:
    """Lose the request and reset the connection."""
    exchange.reset()


def lost_answer(exchange: Exchange) -> None:
    """Let the request take effect and drop its response."""
    exchange.forward()
    exchange.close()


def cut_in_head(exchange: Exchange) -> None:
    """Let the request take effect and cut the response within its first lines."""
    head = exchange.forward().head
    exchange.send(head[: len(head) // 2])
    exchange.close()


def cut_in_body(exchange: Exchange) -> None:
    """Let the request take effect and cut the response in the middle of its body."""
    reply = exchange.forward()
    exchange.send(reply.head + reply.body[: len(reply.body) // 2])
    exchange.close()


def delayed(exchange: Exchange) -> None:
    """Respond late."""
    reply = exchange.forward()
    exchange.stall(DELAY_SECONDS)
    exchange.answer(reply)


def delayed_twice(exchange: Exchange) -> None:
    """Respond late, and stall again in the middle of the response."""
    reply = exchange.forward()
    exchange.stall(DELAY_SECONDS)
    exchange.send(reply.head)
    exchange.stall(DELAY_SECONDS)
    exchange.send(reply.body)


def silent(exchange: Exchange) -> None:
    """Lose the request and let the client wait."""
    exchange.stall(FOREVER_SECONDS)
    exchange.close()


def silent_afterwards(exchange: Exchange) -> None:
    """Let the request take effect and let the client wait."""
    exchange.forward()
    exchange.stall(FOREVER_SECONDS)
    exchange.close()


def duplicated(exchange: Exchange) -> None:
    """Deliver the request twice in a row; return the first response."""
    reply = exchange.forward()
    exchange.forward()
    exchange.answer(reply)


def late(exchange: Exchange) -> None:
    """Hold the request back until the next one has passed it; close the connection."""
    exchange.forward_late()
    exchange.close()


HARMLESS: dict[str, Fault] = {"delayed": delayed, "duplicated": duplicated}
"""Faults that the caller never notices."""

LASTING: dict[str, Fault] = {
    "throttled": throttled,
    "request rate": error("ThrottlingException"),
    "conflicted": conflicted,
    "unprocessed": unprocessed,
    "internal error": error("InternalServerError", 500),
    "unavailable": answer(503, b"<html>Service Unavailable</html>"),
    "empty success": answer(200, b""),
    "another server's success": answer(200, b"<html>Welcome to the hotel</html>"),
    "another server's object": answer(200, b"{}"),
    "lost request": lost_request,
    "reset": reset,
    "silent": silent,
    "lost answer": lost_answer,
    "cut in the head": cut_in_head,
    "cut in the body": cut_in_body,
    "silent afterwards": silent_afterwards,
    "late": late,
}
"""Faults that are absorbed once, and a 503 as long as they last."""

FAULTS = {"delayed twice": delayed_twice} | HARMLESS | LASTING
