"""Retries: which failures are repeated, how soon, and what is the same in each attempt."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright_client import ApiConnectionError, ApiError, NotFound
from keywright_client.flow import Retries
from tests.clients.python.drivers import (
    FEWER_KINDS,
    FUNCTION,
    KEY_ID,
    KEY_TEXT,
    URL,
    details,
    failure,
    invoked,
    page,
    pretended,
    success,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.clients.python.drivers import Kind

NOT_FOUND = success({"valid": False, "code": "NOT_FOUND"})
UNAVAILABLE = failure(503, "SERVICE_UNAVAILABLE", retry_after="1")
ROTATION = success({"id": KEY_ID, "key": KEY_TEXT, "previousKeyExpiresAt": None, "apiKey": details()})
REPEATED: dict[str, httpx.Response | Exception] = {
    "no connection": httpx.ConnectError("no"),
    "time-out": httpx.ReadTimeout("no"),
    "reset": httpx.ReadError("no"),
    "broken": httpx.RemoteProtocolError("no"),
    "429 of Keywright": failure(429, "TOO_MANY_REQUESTS", retry_after="1"),
    "429 of another": httpx.Response(429),
    "500": failure(500, "INTERNAL_SERVER_ERROR"),
    "502": httpx.Response(502, content=b"<html>"),
    "503": UNAVAILABLE,
    "503 of another": httpx.Response(503),
    "504": httpx.Response(504),
}
FINAL = {
    "400": failure(400, "BAD_REQUEST"),
    "401": failure(401, "UNAUTHORIZED"),
    "403": httpx.Response(403),
    "404": failure(404, "NOT_FOUND"),
    "409": failure(409, "CONFLICT"),
    "429 of the key": failure(429, "RATE_LIMITED"),
    "501": httpx.Response(501),
    "malformed": success({"valid": 7}),
    "redirect": httpx.Response(302, headers={"location": f"{URL}/auth/api-keys/verify"}),
}


@pytest.mark.parametrize("answer", REPEATED.values(), ids=REPEATED)
def test_a_passing_failure_is_not_noticed(kind: Kind, pauses: list[float], answer: httpx.Response | Exception) -> None:
    """After one failure that may pass, the next attempt's answer is returned."""
    keywright = pretended(answer, NOT_FOUND)

    assert NotFound() == kind.client(URL, handler=keywright).verify(KEY_TEXT)
    assert 2 == len(keywright.received)
    assert 1 == len(pauses)


@FEWER_KINDS
@pytest.mark.parametrize("retries", [0, 1, 2, 5])
@pytest.mark.parametrize("answer", REPEATED.values(), ids=REPEATED)
def test_a_lasting_failure_is_raised(
    kind: Kind, pauses: list[float], answer: httpx.Response | Exception, retries: int
) -> None:
    """After `retries` further attempts the last failure is raised."""
    keywright = pretended(answer)
    with pytest.raises((ApiError, ApiConnectionError)):
        kind.client(URL, handler=keywright, retries=retries).verify(KEY_TEXT)

    assert retries + 1 == len(keywright.received)
    assert retries == len(pauses)


@pytest.mark.parametrize("answer", FINAL.values(), ids=FINAL)
def test_other_failures_are_raised_at_once(kind: Kind, answer: httpx.Response) -> None:
    """A failure that would be the same again is raised without another attempt."""
    keywright = pretended(answer)
    with pytest.raises(ApiError):
        kind.client(URL, handler=keywright).verify(KEY_TEXT)

    assert 1 == len(keywright.received)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(429),
        httpx.Response(500),
        httpx.Response(200, headers={"x-amz-function-error": "Unhandled"}),
        invoked(UNAVAILABLE),
        httpx.ConnectTimeout("no"),
    ],
    ids=["throttled", "Lambda's own failure", "crash", "503 of the function", "time-out"],
)
def test_failures_of_lambda_are_repeated(kind: Kind, pauses: list[float], answer: httpx.Response | Exception) -> None:
    """Throttling, failures of Lambda and crashes of the function are repeated as those of the API are."""
    keywright = pretended(answer, invoked(NOT_FOUND))

    assert NotFound() == kind.client(function=FUNCTION, handler=keywright).verify(KEY_TEXT)
    assert 1 == len(pauses)


def test_a_long_retry_after_is_not_waited_for(kind: Kind, pauses: list[float]) -> None:
    """If the answer asks for more than ten seconds, it is raised at once, with these seconds."""
    keywright = pretended(failure(503, "SERVICE_UNAVAILABLE", retry_after="11"))
    with pytest.raises(ApiError) as caught:
        kind.client(URL, handler=keywright).verify(KEY_TEXT)

    assert 11 == caught.value.retry_after_seconds
    assert [] == pauses


@pytest.mark.parametrize(
    "text", ["", "soon", "-1", "1.5", "Wed, 21 Oct 2099 07:28:00 GMT", "9" * 30, "\N{FULLWIDTH DIGIT ONE}"]
)
def test_another_retry_after_is_ignored(kind: Kind, pauses: list[float], text: str) -> None:
    """A `retry-after` that is not a number of seconds counts as none."""
    response = httpx.Response(503, headers=[(b"retry-after", text.encode())])
    keywright = pretended(response, NOT_FOUND)
    kind.client(URL, handler=keywright).verify(KEY_TEXT)

    assert 1 == len(pauses)
    assert pauses[0] <= 0.1


@given(attempt=st.integers(0, 60), retry_after=st.none() | st.integers(0, 10))
def test_how_long_a_pause_is(attempt: int, retry_after: int | None) -> None:
    """A pause is `retry-after` and a random part, whose limit doubles from 0.1 to 2 seconds."""
    limit = min(2, 0.1 * 2**attempt)
    least = Retries(100, lambda low, _: low).pause_seconds(attempt, retry_after)
    most = Retries(100, lambda _, high: high).pause_seconds(attempt, retry_after)

    assert (retry_after or 0) == least
    assert (retry_after or 0) + limit == most


def test_pauses_are_random() -> None:
    """Clients that failed together do not come back together, even after the same `retry-after`."""
    assert 1 < len({Retries(1).pause_seconds(0, 1) for _ in range(10)})


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        (lambda client: client.create(name="CI", permissions=["a:read"]), success({"id": KEY_ID, "key": KEY_TEXT})),
        (lambda client: client.rotate(KEY_ID), ROTATION),
    ],
    ids=["create", "rotate"],
)
@pytest.mark.usefixtures("pauses")
def test_attempts_share_an_idempotency_key(kind: Kind, call: Callable[[Any], object], answer: httpx.Response) -> None:
    """All attempts of a call have one Idempotency-Key, a random UUID; the next call has another one."""
    keywright = pretended(httpx.ReadError("no"), UNAVAILABLE, answer, answer)
    client = kind.client(URL, handler=keywright)
    call(client)
    call(client)
    keys = [request.headers["idempotency-key"] for request in keywright.received]

    assert 1 == len(set(keys[:3]))
    assert 2 == len(set(keys))
    assert {4} == {uuid.UUID(key).version for key in keys}


def test_an_idempotency_key_of_the_caller(kind: Kind) -> None:
    """The caller's Idempotency-Key is sent as it is."""
    keywright = pretended(success({"id": KEY_ID, "key": KEY_TEXT}))
    kind.client(URL, handler=keywright).create(name="CI", permissions=["a:read"], idempotency_key="order 7")

    assert "order 7" == keywright.received[0].headers["idempotency-key"]


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "ä"])
def test_an_idempotency_key_that_cannot_be_sent(kind: Kind, key: str) -> None:
    """An Idempotency-Key that is not printable ASCII is a ValueError."""
    with pytest.raises(ValueError, match="printable ASCII"):
        kind.client(URL, handler=pretended(NOT_FOUND)).rotate(KEY_ID, idempotency_key=key)


@pytest.mark.parametrize(
    "lost",
    [httpx.ReadTimeout("no"), httpx.ReadError("no"), UNAVAILABLE, httpx.Response(502)],
    ids=repr,
)
@pytest.mark.usefixtures("pauses")
def test_a_deletion_whose_answer_was_lost(kind: Kind, lost: httpx.Response | Exception) -> None:
    """If the key is gone after an attempt without an answer, that attempt deleted it: a success."""
    keywright = pretended(lost, failure(404, "API_KEY_NOT_FOUND"))

    assert kind.client(URL, handler=keywright).delete(KEY_ID) is None
    assert 2 == len(keywright.received)


@pytest.mark.parametrize(
    "answers",
    [
        [failure(404, "API_KEY_NOT_FOUND")],
        [failure(429, "TOO_MANY_REQUESTS"), failure(404, "API_KEY_NOT_FOUND")],
        [httpx.ReadError("no"), failure(404, "NOT_FOUND")],
        [httpx.ConnectError("no"), failure(404, "API_KEY_NOT_FOUND")],
        [httpx.ConnectTimeout("no"), failure(404, "API_KEY_NOT_FOUND")],
        [httpx.PoolTimeout("no"), failure(404, "API_KEY_NOT_FOUND")],
        [httpx.ProxyError("no"), failure(404, "API_KEY_NOT_FOUND")],
    ],
    ids=["at once", "after throttling", "another 404", "no connection", "no connection yet", "no free one", "proxy"],
)
@pytest.mark.usefixtures("pauses")
def test_a_deletion_of_an_unknown_key(kind: Kind, answers: list[httpx.Response | Exception]) -> None:
    """If no attempt can have deleted the key, 404 is an error."""
    with pytest.raises(ApiError) as caught:
        kind.client(URL, handler=pretended(*answers)).delete(KEY_ID)

    assert 404 == caught.value.status


@pytest.mark.usefixtures("pauses")
def test_an_unknown_key_is_an_error_for_other_calls(kind: Kind) -> None:
    """Only a deletion takes 404 for success."""
    keywright = pretended(httpx.ReadError("no"), failure(404, "API_KEY_NOT_FOUND"))
    with pytest.raises(ApiError):
        kind.client(URL, handler=keywright).rotate(KEY_ID)


@pytest.mark.usefixtures("pauses")
def test_a_page_is_repeated(kind: Kind) -> None:
    """A failure in the middle of a list repeats that page only."""
    keywright = pretended(page([details()], "c-1"), httpx.ReadError("no"), page([details()], None))

    assert 2 == len(list(kind.client(URL, handler=keywright).list()))
    assert [None, "c-1", "c-1"] == [request.url.params.get("starting_after") for request in keywright.received]


@pytest.mark.usefixtures("pauses")
def test_the_token_is_asked_for_before_every_attempt(kind: Kind) -> None:
    """A token that has changed between attempts is used."""
    tokens = iter(["first", "second"])
    keywright = pretended(httpx.ReadError("no"), success(details()))
    kind.client(URL, handler=keywright, token=lambda: next(tokens)).get(KEY_ID)

    assert ["Bearer first", "Bearer second"] == [request.headers["authorization"] for request in keywright.received]
