"""Failures of DynamoDB and of the way to it: before a request has arrived, or after it took effect."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests import refusals
from tests.reliability.proxy import Exchange, FaultProxy, Reply, passed_on

if TYPE_CHECKING:
    from collections.abc import Iterator

Fault = Callable[[Exchange], None]
"""Decides what becomes of a request and its answer."""

DELAY_SECONDS = 1.9
"""Nearly as long as the service waits for the next part of an answer (store/aws.py, READ_TIMEOUT_SECONDS)."""
FOREVER_SECONDS = 3600.0
"""Longer than anybody waits."""


@contextmanager
def injected(proxy: FaultProxy, *faults: Fault | None) -> Iterator[list[str]]:
    """Apply the faults to the next requests, one each; None lets a request through, as does the end.

    Gives a list that the operations' names are added to as their requests arrive.
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
    """Answer in DynamoDB's place."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"content-type": "application/x-amz-json-1.0", **headers}

    def fault(exchange: Exchange) -> None:
        exchange.answer(Reply(status, tuple((name.replace("_", "-"), value) for name, value in lines.items()), content))

    fault.__name__ = f"{status} {content.decode()}"  # which pytest shows
    return fault


def genuine(body: dict[str, Any]) -> Fault:
    """Answer in DynamoDB's place, and in its name."""
    return answer(200, body, x_amzn_requestid="1")


def error(code: str, status: int = 400) -> Fault:
    """Answer with an error of DynamoDB's."""
    return answer(status, refusals.error(code))


def canceled(*codes: str) -> Fault:
    """Cancel a transaction for these reasons, one for each of its items."""
    return answer(400, refusals.canceled(*codes))


def throttled(exchange: Exchange) -> None:
    """Take no more for the moment: DynamoDB's answer to more than it has been paid for."""
    error("ProvisionedThroughputExceededException")(exchange)


def conflicted(exchange: Exchange) -> None:
    """Let a transaction meet another one; what is no transaction is throttled."""
    if exchange.operation != "TransactWriteItems":
        return throttled(exchange)
    return canceled(*["TransactionConflict"] * len(exchange.content["TransactItems"]))(exchange)


def unprocessed(exchange: Exchange) -> None:
    """Process nothing of a batch, which is how DynamoDB throttles it; what is no batch is throttled as usual."""
    if exchange.operation != "BatchGetItem":
        return throttled(exchange)
    return genuine({"Responses": {}, "UnprocessedKeys": exchange.content["RequestItems"]})(exchange)


def lost_request(exchange: Exchange) -> None:
    """Lose the request on its way; the connection ends without an answer."""
    exchange.close()


def reset(exchange: Exchange) -> None:
    """The same, and the connection is broken off."""
    exchange.reset()


def lost_answer(exchange: Exchange) -> None:
    """Let the request take effect, and lose its answer."""
    exchange.forward()
    exchange.close()


def cut_in_head(exchange: Exchange) -> None:
    """Let the request take effect, and cut the connection within the first lines of the answer."""
    head = exchange.forward().head
    exchange.send(head[: len(head) // 2])
    exchange.close()


def cut_in_body(exchange: Exchange) -> None:
    """Let the request take effect, and cut the connection half-way through the answer."""
    reply = exchange.forward()
    exchange.send(reply.head + reply.body[: len(reply.body) // 2])
    exchange.close()


def delayed(exchange: Exchange) -> None:
    """Take long to answer."""
    reply = exchange.forward()
    exchange.stall(DELAY_SECONDS)
    exchange.answer(reply)


def delayed_twice(exchange: Exchange) -> None:
    """Take long to begin to answer, and as long again to go on."""
    reply = exchange.forward()
    exchange.stall(DELAY_SECONDS)
    exchange.send(reply.head)
    exchange.stall(DELAY_SECONDS)
    exchange.send(reply.body)


def silent(exchange: Exchange) -> None:
    """Lose the request, and leave the client waiting for its answer."""
    exchange.stall(FOREVER_SECONDS)
    exchange.close()


def silent_afterwards(exchange: Exchange) -> None:
    """Let the request take effect, and leave the client waiting for its answer."""
    exchange.forward()
    exchange.stall(FOREVER_SECONDS)
    exchange.close()


def duplicated(exchange: Exchange) -> None:
    """Let the request arrive twice, one right behind the other; the answer is that to the first."""
    reply = exchange.forward()
    exchange.forward()
    exchange.answer(reply)


def late(exchange: Exchange) -> None:
    """Keep the request on its way until the next one has overtaken it; the connection ends without an answer."""
    exchange.forward_late()
    exchange.close()


HARMLESS: dict[str, Fault] = {"delayed": delayed, "duplicated": duplicated}
"""What the caller never notices, however often it happens."""

LASTING: dict[str, Fault] = {
    "throttled": throttled,
    "request rate": error("ThrottlingException"),
    "conflicted": conflicted,
    "unprocessed": unprocessed,
    "internal error": error("InternalServerError", 500),
    "unavailable": answer(503, b"<html>Service Unavailable</html>"),
    "empty success": answer(200, b""),
    "somebody else's success": answer(200, b"<html>Welcome to the hotel</html>"),
    "somebody else's object": answer(200, b"{}"),
    "lost request": lost_request,
    "reset": reset,
    "silent": silent,
    "lost answer": lost_answer,
    "cut in the head": cut_in_head,
    "cut in the body": cut_in_body,
    "silent afterwards": silent_afterwards,
    "late": late,
}
"""What is absorbed when it happens once, and answered with 503 as long as it lasts."""

FAULTS = {"delayed twice": delayed_twice} | HARMLESS | LASTING
