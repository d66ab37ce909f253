"""How a call is made, without sending anything itself.

`perform` is a generator. It yields what has to be done (a step), gets the outcome, and returns the result in the end.
The two clients do the steps, one with threads that wait, one with coroutines.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, Union, cast

from keywright_client import answers, parsing
from keywright_client.answers import Answer, Lost, Reply
from keywright_client.errors import ApiConnectionError, ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from datetime import datetime

    from keywright_client.addresses import Address
    from keywright_client.requests import Call
    from keywright_client.signing import Loaded, Signer

Result = TypeVar("Result")

GREATEST_RETRY_AFTER_SECONDS = 10
"""The longest wait between two attempts. Beyond it, the error tells the caller how long to wait."""
_FIRST_PAUSE_SECONDS = 0.1
_GREATEST_PAUSE_SECONDS = 2.0
_REFUSED_SIGNATURE = frozenset({401, 403})
_SERVER_ERRORS = range(500, 600)


@dataclass(frozen=True, slots=True)
class Send:
    """Step: send a request. The outcome is a Reply or Lost.

    Attributes:
        signed_at: the time in the signature, or None without one.
    """

    method: str
    address: Address
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    signed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Step: wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Load:
    """Step: load AWS credentials, which may read files or ask the network. The outcome is that of `signer.load`."""

    signer: Signer


@dataclass(frozen=True, slots=True)
class AskToken:
    """Step: ask for the session token. The outcome is the token."""


Step: TypeAlias = Union[Send, Pause, Load, AskToken]  # noqa: UP007 - a type at run time in every version
Flow: TypeAlias = "Generator[Step, Any, Result]"


@dataclass(frozen=True, slots=True)
class Retries:
    """How often, and how fast, a failed attempt is repeated.

    Attributes:
        limit: number of further attempts.
        random: returns a number between two numbers.
    """

    limit: int
    random: Callable[[float, float], float] = random.uniform

    def pause_seconds(self, attempt: int, retry_after_seconds: int | None) -> float | None:
        """Return the seconds until the next attempt, or None if there is none.

        The random part keeps callers apart that failed together, also after the same `retry-after`.

        Args:
            attempt: number of failed attempts before the one that has just failed.
            retry_after_seconds: what the answer said, or None.
        """
        least = retry_after_seconds or 0
        if attempt >= self.limit or least > GREATEST_RETRY_AFTER_SECONDS:
            return None
        return least + self.random(0, min(_GREATEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**attempt))


class Transport:
    """How one kind of call reaches Keywright.

    Args:
        prepare: returns the step that sends a call, with credentials, or why there are none at the moment.
        answer: returns what a reply means.
        signer: signer whose clock a refusal can correct, or None.
    """

    def __init__(
        self,
        prepare: Callable[[Call[Any]], Flow[Send | Lost]],
        answer: Callable[[Reply], Answer | ApiError],
        signer: Signer | None = None,
    ) -> None:
        self.prepare = prepare
        self.answer = answer
        self.signer = signer


def perform(call: Call[Result], transport: Transport, retries: Retries) -> Flow[Result]:
    """Make a call, with retries.

    Returns:
        What `call.parse` makes of a success.

    Raises:
        ApiError: Keywright answered with an error.
        ApiConnectionError: no answer arrived.
        ConfigurationError: the request cannot be sent as the client is configured.
    """
    attempt = 0
    is_clock_corrected = may_have_taken_effect = False
    while True:
        send = yield from transport.prepare(call)
        outcome: Reply | Lost = send if isinstance(send, Lost) else (yield send)
        error: ApiError | ApiConnectionError
        if isinstance(outcome, Reply):
            answer = transport.answer(outcome)
            failure = answers.error_of(answer) if isinstance(answer, Answer) else answer
            if failure is None:
                return _parsed(call, cast("Answer", answer))
            if not is_clock_corrected and _corrects_the_clock(outcome, cast("Send", send), transport):
                is_clock_corrected = True
                continue
            if call.is_deletion and may_have_taken_effect and failure.code == "API_KEY_NOT_FOUND":
                return call.parse({})
            if not answers.passes(failure):
                raise failure
            may_have_taken_effect |= failure.status in _SERVER_ERRORS
            error, retry_after_seconds = failure, failure.retry_after_seconds
        else:
            may_have_taken_effect |= outcome.may_be_sent
            host = "" if isinstance(send, Lost) else send.address.host
            error, retry_after_seconds = ApiConnectionError(outcome.reason, host), None
        pause_seconds = retries.pause_seconds(attempt, retry_after_seconds)
        if pause_seconds is None:
            raise error
        attempt += 1
        yield Pause(pause_seconds)


def _corrects_the_clock(reply: Reply, send: Send, transport: Transport) -> bool:
    if transport.signer is None or send.signed_at is None or reply.status not in _REFUSED_SIGNATURE:
        return False
    return transport.signer.correct(reply.headers.get("date"), send.signed_at)


def _parsed(call: Call[Result], answer: Answer) -> Result:
    body = answer.body or {}
    try:
        return call.parse(body if call.is_list else body["data"])
    except parsing.MalformedError:
        pass
    raise answers.unexpected(answer)


def loaded(signer: Signer) -> Flow[Loaded | Lost]:
    """Return what `signer.load` returns, in a step only if that may take long."""
    if not signer.blocks:
        return signer.load()
    outcome: Loaded | Lost = yield Load(signer)
    return outcome
