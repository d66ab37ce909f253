"""Sends each event of Keywright to an HTTPS address, signed as Standard Webhooks specifies: see docs/recipes.md.

Source: Standard Webhooks 1.0.0, "Signature scheme", "Webhook headers" and "Deliverability and reliability".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import os
import random
import signal
import ssl
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT_SECONDS = 15
"""For a connection to each address of the receiver, and for each part of its answer."""
ATTEMPT_SECONDS = 30
"""For a whole attempt: addresses and parts can be many."""
VISIBILITY_SECONDS = 360
"""The queue's own visibility timeout: an attempt that is cut off comes again after it, if nothing else was set."""
DELAYS_SECONDS = (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, *[10 * 3600] * 6)
"""Before each further attempt: 2.8 days in all. The template's queue gives up after one attempt more."""
LONGEST_DELAY_SECONDS = 11 * 3600
"""Amazon SQS Developer Guide, "Amazon SQS visibility timeout": less than 12 hours after a message was received."""
SECRETS_SECONDS = 300
"""How long a container keeps the signing secrets: after a rotation, sign with the new one at the latest then."""

_sqs = boto3.client("sqs")
_secrets_manager = boto3.client("secretsmanager")
_secrets: tuple[float, list[bytes]] = (0.0, [])


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Send the one event of a batch, and keep it in the queue until the receiver has answered 2xx."""
    (message,) = event["Records"]
    attempt = int(message["attributes"]["ApproximateReceiveCount"])
    published = json.loads(message["body"])
    delay = delay_seconds(attempt)
    if delay > VISIBILITY_SECONDS:  # before the attempt: one that is cut off sets nothing
        hide(message, delay)
    status, retry_after = post(published["detail"]["id"], body_of(published))
    _log(published, attempt, status)
    if 200 <= status < 300:
        return {"batchItemFailures": []}
    if status == http.HTTPStatus.GONE:  # the receiver wants no further attempt
        _sqs.send_message(QueueUrl=os.environ["DEAD_LETTERS_URL"], MessageBody=message["body"])
        return {"batchItemFailures": []}
    hide(message, min(LONGEST_DELAY_SECONDS, max(delay, retry_after)) if delay else 0)
    return {"batchItemFailures": [{"itemIdentifier": message["messageId"]}]}


def hide(message: dict[str, Any], seconds: int) -> None:
    """Set the time until a message comes again."""
    _sqs.change_message_visibility(
        QueueUrl=os.environ["QUEUE_URL"], ReceiptHandle=message["receiptHandle"], VisibilityTimeout=seconds
    )


def body_of(event: dict[str, Any]) -> bytes:
    """Return the body for an event, as the specification recommends it. `data` is the event's `detail`."""
    detail = event["detail"]
    body = {"type": event["detail-type"], "timestamp": detail["createdAt"], "data": detail}
    return json.dumps(body, separators=(",", ":")).encode()


def post(webhook_id: str, body: bytes) -> tuple[int, int]:
    """Send a body once, without following redirects or reading the answer's body.

    Returns:
        The status, 0 without an answer, and the seconds of its Retry-After header, 0 without one.
    """
    timestamp = str(int(time.time()))
    headers = {
        "content-type": "application/json",
        "user-agent": "keywright-webhook",
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": signatures(webhook_id, timestamp, body),
    }
    try:
        with _deadline(ATTEMPT_SECONDS):
            return _answer(body, headers)
    # ValueError: of a host name or a port that no receiver can have.
    except (OSError, http.client.HTTPException, ValueError, _OutOfTimeError):
        return 0, 0


def _answer(body: bytes, headers: dict[str, str]) -> tuple[int, int]:
    url = urlsplit(os.environ["URL"])
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    connection = http.client.HTTPSConnection(
        url.hostname or "", url.port, timeout=TIMEOUT_SECONDS, context=ssl.create_default_context()
    )
    connection.response_class = _FinalResponse
    try:
        connection.request("POST", target, body, headers)
        with connection.getresponse() as answer:
            retry_after = answer.getheader("retry-after", "")
            return answer.status, int(retry_after[:9]) if retry_after.isdecimal() else 0
    finally:
        connection.close()


class _FinalResponse(http.client.HTTPResponse):
    """A response that skips every interim one (RFC 9110, section 15.2), not only those with status 100."""

    def begin(self) -> None:
        super().begin()
        while 100 <= self.status < 200:
            self.headers = None  # type: ignore[assignment]  # it reads no further while there are any
            super().begin()


class _OutOfTimeError(Exception):
    """The attempt has taken too long. No OSError: after one of those, the next address would be tried."""


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Raise _OutOfTimeError in the block after some time. Lambda runs the handler in the main thread."""

    def end(*_: object) -> None:
        raise _OutOfTimeError

    signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def signatures(webhook_id: str, timestamp: str, body: bytes) -> str:
    """Return a signature by each current secret, separated by spaces."""
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    digests = [hmac.digest(secret, signed, hashlib.sha256) for secret in secrets()]
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def secrets() -> list[bytes]:
    """Return the current signing secret and, after a rotation, the previous one."""
    global _secrets  # noqa: PLW0603 - kept between invocations
    until, kept = _secrets
    if time.monotonic() >= until:
        kept = [secret for stage in ("AWSCURRENT", "AWSPREVIOUS") if (secret := _secret(stage))]
        _secrets = (time.monotonic() + SECRETS_SECONDS, kept)
    return kept


def _secret(stage: str) -> bytes:
    try:
        answer = _secrets_manager.get_secret_value(SecretId=os.environ["SECRET_ARN"], VersionStage=stage)
    except _secrets_manager.exceptions.ResourceNotFoundException:
        if stage == "AWSPREVIOUS":  # never rotated
            return b""
        raise
    return base64.b64decode(answer["SecretString"].strip().removeprefix("whsec_"), validate=True)


def delay_seconds(attempt: int) -> int:
    """Return the seconds until the next attempt, with up to a tenth more by chance; 0 after the last one."""
    if attempt > len(DELAYS_SECONDS):
        return 0
    return round(DELAYS_SECONDS[attempt - 1] * random.uniform(1, 1.1))  # noqa: S311 - spreads attempts


def _log(event: dict[str, Any], attempt: int, status: int) -> None:
    line = {"id": event["detail"]["id"], "type": event["detail-type"], "attempt": attempt, "status": status}
    print(json.dumps(line))  # noqa: T201 - the log
