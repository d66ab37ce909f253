"""Reused answers: how long, for which question, and what is kept of the text of a key."""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from keywright_client import NotFound, Valid
from keywright_client.reuse import Moment, ReusableAnswers
from tests.clients.python.drivers import (
    FUNCTION,
    KEY_TEXT,
    URL,
    Kind,
    failure,
    invoked,
    pretended,
    success,
    verified,
)

if TYPE_CHECKING:
    import httpx

    from tests.clients.python.drivers import Pretended

START = datetime(2026, 11, 29, 12, tzinfo=UTC).timestamp()
VALID = success(verified())
NOT_FOUND = success({"valid": False, "code": "NOT_FOUND"})


@dataclass(slots=True)
class Clock:
    """Two clocks that only tests move."""

    monotonic: float = 1000.0
    wall: float = START

    def pass_seconds(self, seconds: float) -> None:
        """Let time pass."""
        self.monotonic += seconds
        self.wall += seconds

    def now(self) -> Moment:
        """Return the current time."""
        return Moment(self.monotonic, self.wall)


@dataclass(slots=True)
class Reusing:
    """A client that reuses answers, its server and its clock."""

    client: Any
    keywright: Pretended
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        engine = getattr(self.client, "client", self.client)._engine
        engine.reusable.now = self.clock.now

    @property
    def requests(self) -> int:
        """Return the number of requests so far."""
        return len(self.keywright.received)


def reusing(kind: Kind, *answers: httpx.Response | Exception, **options: Any) -> Reusing:
    """Return a client that reuses answers for a minute, unless the options say otherwise."""
    keywright = pretended(*answers)
    return Reusing(kind.client(URL, handler=keywright, **{"reuse_seconds": 60, **options}), keywright)


def test_nothing_is_reused_by_default(kind: Kind) -> None:
    """Without the option, each verification is a request."""
    keywright = pretended(VALID)
    client = kind.client(URL, handler=keywright)
    client.verify(KEY_TEXT)
    client.verify(KEY_TEXT)

    assert 2 == len(keywright.received)


def test_a_valid_answer_is_reused(kind: Kind) -> None:
    """A question that was asked before gets its answer without a request."""
    reused = reusing(kind, VALID)
    first, second = (reused.client.verify(KEY_TEXT) for _ in range(2))

    assert first == second
    assert 1 == reused.requests


def test_an_answer_over_lambda_is_reused(kind: Kind) -> None:
    """Reuse does not depend on the transport."""
    keywright = pretended(invoked(VALID))
    client = kind.client(function=FUNCTION, handler=keywright, reuse_seconds=60)
    client.verify(KEY_TEXT)
    client.verify(KEY_TEXT)

    assert 1 == len(keywright.received)


@pytest.mark.parametrize("seconds", [1, 59.9, 60, 61, 3600])
def test_how_long_an_answer_is_reused(kind: Kind, seconds: float) -> None:
    """A key that was revoked right after its verification is refused after the seconds of the option."""
    reused = reusing(kind, VALID, NOT_FOUND)
    reused.client.verify(KEY_TEXT)
    reused.clock.pass_seconds(seconds)

    assert (seconds < 60) is isinstance(reused.client.verify(KEY_TEXT), Valid)


def test_a_reused_answer_does_not_live_longer(kind: Kind) -> None:
    """Using an answer does not prolong it."""
    reused = reusing(kind, VALID, NOT_FOUND)
    reused.client.verify(KEY_TEXT)
    results = []
    for _ in range(7):
        reused.clock.pass_seconds(10)
        results.append(reused.client.verify(KEY_TEXT).valid)

    assert [True] * 5 + [False] * 2 == results


def test_the_time_begins_when_the_request_is_sent(kind: Kind) -> None:
    """An answer that took long is reused for as much less: the key can be revoked while it is on its way."""
    reused = reusing(kind, VALID, NOT_FOUND)
    answer = reused.keywright

    def slow(request: httpx.Request) -> httpx.Response:
        response = answer(request)
        reused.clock.pass_seconds(50)
        return response

    reused.client = kind.client(URL, handler=slow, reuse_seconds=60)
    reused.__post_init__()
    reused.client.verify(KEY_TEXT)
    reused.clock.pass_seconds(9)
    before = reused.client.verify(KEY_TEXT).valid
    reused.clock.pass_seconds(1)

    assert before is True
    assert NotFound() == reused.client.verify(KEY_TEXT)


@pytest.mark.parametrize(
    ("monotonic", "wall"), [(0, 60), (60, 0), (60, -3600), (0, 86400)], ids=["slept", "set", "set back", "frozen"]
)
def test_either_clock_ends_the_reuse(kind: Kind, monotonic: float, wall: float) -> None:
    """A machine that slept, and a clock that was set back, do not prolong an answer."""
    reused = reusing(kind, VALID, NOT_FOUND)
    reused.client.verify(KEY_TEXT)
    reused.clock.monotonic += monotonic
    reused.clock.wall += wall

    assert NotFound() == reused.client.verify(KEY_TEXT)


def test_an_answer_ends_with_the_key(kind: Kind) -> None:
    """An answer is not reused beyond the key's expiry."""
    reused = reusing(kind, success(verified(expiresAt="2026-11-29T12:00:10.000Z")), success(verified("EXPIRED")))
    reused.client.verify(KEY_TEXT)
    reused.clock.pass_seconds(9)
    before = reused.client.verify(KEY_TEXT).valid
    reused.clock.pass_seconds(1)

    assert before is True
    assert "EXPIRED" == reused.client.verify(KEY_TEXT).code


@pytest.mark.parametrize(
    "answer",
    [
        NOT_FOUND,
        success(verified("EXPIRED")),
        success({"valid": False, "code": "NEW"}),
        success(verified(rateLimit={"limit": 60, "remaining": 59, "resetSeconds": 1})),
        success(verified(rateLimit={"limit": 60, "remaining": None, "resetSeconds": None})),
        success(verified(quota={"limit": 60, "used": 1, "remaining": 59, "resetsAt": None})),
    ],
    ids=["NOT_FOUND", "EXPIRED", "unknown", "rate limit", "rate limit without status", "quota"],
)
def test_other_answers_are_not_reused(kind: Kind, answer: httpx.Response) -> None:
    """Refusals, and answers about a key with a limit, which counts each use, are asked for each time."""
    reused = reusing(kind, answer)
    reused.client.verify(KEY_TEXT)
    reused.client.verify(KEY_TEXT)

    assert 2 == reused.requests


def test_a_limit_that_was_set_later(kind: Kind) -> None:
    """Once an answer has a limit, the one without it is not used again."""
    limited = success(verified(rateLimit={"limit": 60, "remaining": 59, "resetSeconds": 1}))
    reused = reusing(kind, VALID, limited)
    reused.client.verify(KEY_TEXT)
    reused.clock.pass_seconds(60)
    reused.client.verify(KEY_TEXT)
    reused.client.verify(KEY_TEXT)

    assert 3 == reused.requests


def test_errors_are_not_reused(kind: Kind, pauses: list[float]) -> None:
    """After an error the next verification asks again."""
    reused = reusing(kind, failure(503, "SERVICE_UNAVAILABLE"), VALID, retries=0)
    with pytest.raises(Exception, match="SERVICE_UNAVAILABLE"):
        reused.client.verify(KEY_TEXT)

    assert reused.client.verify(KEY_TEXT).valid is True
    assert [] == pauses


@pytest.mark.parametrize(
    "other",
    [
        {"text": KEY_TEXT + "x"},
        {"permissions": []},
        {"permissions": ["a:read"]},
        {"permissions": ["a:read", "b:read", "c:read"]},
        {"permissions": ["a:read,b:read"]},
        {"client_ip": None},
        {"client_ip": "192.0.2.8"},
        {"cost": 0},
        {"cost": 2},
    ],
    ids=str,
)
def test_another_question_is_asked(kind: Kind, other: dict[str, Any]) -> None:
    """Text, permissions, address and cost all belong to the question."""
    question = {"text": KEY_TEXT, "permissions": ["a:read", "b:read"], "client_ip": "192.0.2.7", "cost": 1}
    reused = reusing(kind, VALID)
    reused.client.verify(**question)
    reused.client.verify(**{**question, **other})

    assert 2 == reused.requests


@pytest.mark.parametrize("permissions", [["b:read", "a:read"], ("a:read", "b:read"), ["a:read", "b:read", "a:read"]])
def test_the_order_of_permissions_does_not_matter(kind: Kind, permissions: Any) -> None:
    """Permissions are a set: the same ones are the same question."""
    reused = reusing(kind, VALID)
    reused.client.verify(KEY_TEXT, permissions=["a:read", "b:read"])
    reused.client.verify(KEY_TEXT, permissions=permissions)

    assert 1 == reused.requests


def test_a_changed_result_changes_no_other(kind: Kind) -> None:
    """A caller that changes the metadata of a result does not change the next one."""
    reused = reusing(kind, VALID)
    for _ in range(2):
        reused.client.verify(KEY_TEXT).metadata["plan"] = "free"

    assert {"plan": "pro"} == reused.client.verify(KEY_TEXT).metadata


def test_the_oldest_answer_makes_room(kind: Kind) -> None:
    """At most `reuse_entries` answers are kept; the oldest is dropped first."""
    reused = reusing(kind, VALID, reuse_entries=2)
    for text in ("a", "b", "c"):
        reused.client.verify(text)
    before = reused.requests
    reused.client.verify("b")
    reused.client.verify("c")
    kept = reused.requests
    reused.client.verify("a")

    assert before == kept
    assert kept + 1 == reused.requests


def answered(**fields: Any) -> Valid:
    """Return a valid answer."""
    keywright = pretended(success(verified(**fields)))
    result = Kind(None).client(URL, handler=keywright).verify(KEY_TEXT)
    assert isinstance(result, Valid)
    return result


def test_memory_has_a_bound() -> None:
    """However many keys are verified, no more than the entries of the option are kept."""
    answers, answer = ReusableAnswers(60, 100), answered()
    for number in range(10_000):
        answers.put(answers.digest(str(number), (), None, 1), answer, answers.now())

    assert 100 == len(answers._answers)


def test_an_answer_that_is_over_is_dropped() -> None:
    """An answer that is too old leaves the memory when it is asked for."""
    clock = Clock()
    answers = ReusableAnswers(60, 100, clock.now)
    digest = answers.digest(KEY_TEXT, (), None, 1)
    answers.put(digest, answered(), clock.now())
    clock.pass_seconds(60)

    assert answers.get(digest) is None
    assert {} == answers._answers


def test_texts_of_keys_are_not_kept() -> None:
    """Neither the text of a key nor a digest that others can compute stays in memory."""
    text = "".join(["kk_", *itertools.repeat("UNIQUETEXT", 5)])
    one, other = ReusableAnswers(60, 100), ReusableAnswers(60, 100)
    digest = one.digest(text, (), None, 1)
    one.put(digest, answered(), one.now())

    assert digest != other.digest(text, (), None, 1)
    assert text not in repr(one._answers)


def test_threads_share_answers() -> None:
    """Many threads can put, find and drop answers at once."""
    answers, answer = ReusableAnswers(0.001, 10), answered()
    errors: list[BaseException] = []

    def use(first: int) -> None:
        try:
            for number in range(first, first + 500):
                digest = answers.digest(str(number % 20), (), None, 1)
                answers.put(digest, answer, answers.now())
                answers.get(digest)
        except BaseException as error:  # noqa: BLE001 - raised below, in the test's thread
            errors.append(error)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == errors
    assert len(answers._answers) <= 10


def test_the_clocks_are_those_of_the_machine() -> None:
    """By default the time is that of both clocks."""
    before = time.monotonic(), time.time()
    now = Moment.now()

    assert before[0] <= now.monotonic <= time.monotonic()
    assert abs(now.wall - before[1]) < 60
