"""Verifying many keys with one request: what is sent, which result belongs to which key, and what admits none."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, assert_type

import httpx
import pytest

from keywright_client import (
    ApiConnectionError,
    ApiError,
    ConfigurationError,
    NotFound,
    RateLimited,
    Refused,
    Undecided,
    Use,
    Valid,
    VerifiedApiKey,
)
from tests.clients.python.drivers import FEWER_KINDS, FUNCTION, KEY_TEXT, URL, failure, pretended, success, verified

if TYPE_CHECKING:
    from keywright_client import BatchResult
    from tests.clients.python.drivers import Kind

UNKNOWN = {"valid": False, "code": "NOT_FOUND"}
UNDECIDED = {"valid": False, "code": "SERVICE_UNAVAILABLE"}
ADDRESS = f"{URL}/auth/api-keys/verify-batch"
NOT_KEYS = {
    "longer than any key": "k" * 513,
    "far longer than any key": "k" * 100_000,
    "not in ASCII": "kk_é",
    "with a line break": "kk_\n",
    "with a surrogate": "kk_\ud800",
}
"""Texts that no key has."""
MALFORMED: dict[str, object] = {
    "fewer results than keys": {"results": [verified()]},
    "more results than keys": {"results": [verified()] * 3},
    "no results": {"results": []},
    "no list": {"results": {"0": verified(), "1": verified()}},
    "no field": {"verifications": [verified(), verified()]},
    "a list without an object": [verified(), verified()],
    "the result of one key": verified(),
    "a result that is null": {"results": [verified(), None]},
    "a result that is true": {"results": [verified(), True]},
    "a refusal called VALID": {"results": [verified(), {**verified(), "valid": False}]},
    "an admission called EXPIRED": {"results": [verified(), {**verified("EXPIRED"), "valid": True}]},
    "an undecided key that is valid": {"results": [verified(), {**verified(), "code": "SERVICE_UNAVAILABLE"}]},
    "an admission without details": {"results": [verified(), {"valid": True, "code": "VALID"}]},
    "a refusal without details": {"results": [verified(), {"valid": False, "code": "EXPIRED"}]},
}


def batch(*results: object) -> httpx.Response:
    """Return the answer of the API with these results."""
    return success({"results": list(results)})


def test_what_is_sent(kind: Kind) -> None:
    """A batch is one signed POST; each key is sent in order, as it is sent alone, and twice if it is used twice."""
    keywright = pretended(batch(*[verified()] * 4))
    uses = [
        KEY_TEXT,
        Use("kk_2", permissions=["a:read", "b:read"], client_ip="192.0.2.7", cost=0),
        Use("kk_3"),
        KEY_TEXT,
    ]
    kind.client(URL, handler=keywright).verify_batch(iter(uses))

    assert [("POST", ADDRESS)] == [(sent.method, str(sent.url)) for sent in keywright.received]
    assert "/eu-west-1/execute-api/aws4_request" in keywright.received[0].headers["authorization"]
    assert [
        {
            "verifications": [
                {"key": KEY_TEXT},
                {"key": "kk_2", "permissions": ["a:read", "b:read"], "clientIp": "192.0.2.7", "cost": 0},
                {"key": "kk_3"},
                {"key": KEY_TEXT},
            ]
        }
    ] == keywright.bodies()


def test_a_hundred_keys(kind: Kind) -> None:
    """A hundred keys are one request, and have a hundred results."""
    keywright = pretended(batch(*[UNKNOWN] * 100))

    assert (NotFound(),) * 100 == kind.client(URL, handler=keywright).verify_batch([KEY_TEXT] * 100)
    assert 1 == len(keywright.received)


def test_each_key_has_its_result(kind: Kind) -> None:
    """The results are in the order of the keys, with the classes and details that single verifications have."""
    limited = verified("RATE_LIMITED", name="Slow", retryAfterSeconds=7)
    answer = batch(verified(name="First"), UNKNOWN, limited, UNDECIDED, verified("TOO_YOUNG"), verified(name="Last"))
    results = kind.client(URL, handler=pretended(answer)).verify_batch([KEY_TEXT] * 6)
    first, unknown, slow, undecided, new, last = results

    assert isinstance(results, tuple)
    assert isinstance(first, Valid)
    assert isinstance(slow, RateLimited)
    assert isinstance(last, Valid)
    assert [("First", None), ("Slow", 7), ("Last", None)] == [
        (result.name, result.retry_after_seconds) for result in (first, slow, last)
    ]
    assert [NotFound(), Undecided(), Refused(code="TOO_YOUNG")] == [unknown, undecided, new]


def test_an_undecided_key() -> None:
    """A key that could not be verified is neither admitted nor refused, and nothing is known of it."""
    result = Undecided()

    assert result.valid is False
    assert "SERVICE_UNAVAILABLE" == result.code
    assert not isinstance(result, (Valid, Refused, VerifiedApiKey))
    assert not hasattr(result, "__dict__")
    assert [result, result] == [copy.deepcopy(result), pickle.loads(pickle.dumps(result))]  # noqa: S301 - just written


@FEWER_KINDS
@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_answer_admits_no_key(kind: Kind, data: object) -> None:
    """An answer without one result for each key, or with one that contradicts itself, is an error for all keys."""
    with pytest.raises(ApiError) as caught:
        kind.client(URL, handler=pretended(success(data))).verify_batch([KEY_TEXT, KEY_TEXT])

    assert "UNEXPECTED_ANSWER" == caught.value.code


def test_no_keys(kind: Kind) -> None:
    """No keys have no results, and nothing is sent."""
    keywright = pretended(batch())

    assert () == kind.client(URL, handler=keywright).verify_batch([])
    assert [] == keywright.received


@pytest.mark.parametrize("text", NOT_KEYS.values(), ids=NOT_KEYS)
def test_a_text_that_no_key_has(kind: Kind, text: str) -> None:
    """A text that no key has is not sent: an empty one takes its place, so that results and errors keep theirs."""
    keywright = pretended(batch(UNKNOWN, verified(), UNKNOWN))
    results = kind.client(URL, handler=keywright).verify_batch([text, KEY_TEXT, Use(text, cost=2)])

    assert ["NOT_FOUND", "VALID", "NOT_FOUND"] == [result.code for result in results]
    assert [{"verifications": [{"key": ""}, {"key": KEY_TEXT}, {"key": "", "cost": 2}]}] == keywright.bodies()


def test_a_hundred_long_texts_are_one_request(kind: Kind) -> None:
    """A hundred of the longest texts fit into the 64 KiB that Keywright reads."""
    keywright = pretended(batch(*[UNKNOWN] * 100))
    kind.client(URL, handler=keywright).verify_batch(["~" * 512] * 100)

    assert 1 == len(keywright.received)


def test_a_batch_that_is_too_large(kind: Kind) -> None:
    """What is larger than the 64 KiB that Keywright reads is sent in parts, whose results are in the order of all."""
    texts = [f"{number}" + '"' * 500 for number in range(99)]  # of which each quotation mark takes two bytes
    keywright = pretended(batch(*[verified(name=f"{n}") for n in range(49)]), batch(*[UNKNOWN] * 50))
    results = kind.client(URL, handler=keywright).verify_batch(texts)

    assert [*map(str, range(49)), *["NOT_FOUND"] * 50] == [getattr(result, "name", result.code) for result in results]
    assert texts == [item["key"] for body in keywright.bodies() for item in body["verifications"]]
    assert all(len(request.content) <= 64 * 1024 for request in keywright.received)


def test_a_single_use_that_is_too_large(kind: Kind) -> None:
    """A use that is too large by itself is refused by Keywright."""
    keywright = pretended(failure(413, "PAYLOAD_TOO_LARGE"))
    with pytest.raises(ApiError, match="PAYLOAD_TOO_LARGE"):
        kind.client(URL, handler=keywright).verify_batch([Use(KEY_TEXT, permissions=["x" * 65_536])])

    assert 1 == len(keywright.received)


@pytest.mark.parametrize("excess", [0, 1])
def test_the_largest_request(kind: Kind, excess: int) -> None:
    """A batch of exactly 64 KiB is one request, and one of a byte more is two."""
    rest = len(b'{"verifications":[{"key":"k","permissions":[""]},{"key":"k"}]}')
    keywright = pretended(batch(*[UNKNOWN] * (2 - excess)))
    uses = [Use("k", permissions=["x" * (65_536 - rest + excess)]), "k"]
    kind.client(URL, handler=keywright).verify_batch(uses)

    assert 1 + excess == len(keywright.received)


def test_the_longest_text(kind: Kind) -> None:
    """A text that is as long as the longest key is asked for."""
    keywright = pretended(batch(UNKNOWN))
    kind.client(URL, handler=keywright).verify_batch(["~" * 512])

    assert [{"verifications": [{"key": "~" * 512}]}] == keywright.bodies()


@pytest.mark.parametrize(
    "uses",
    [KEY_TEXT, KEY_TEXT.encode(), None, 7, [None], [KEY_TEXT, 7], [KEY_TEXT.encode()], [{"text": KEY_TEXT}], Use("k")],
    ids=["a text", "bytes", "None", "a number", "None in it", "a number in it", "bytes in it", "a dict", "one use"],
)
def test_arguments_of_wrong_types(kind: Kind, uses: Any) -> None:
    """What is not a list of uses and texts is a TypeError, which shows no text, and nothing is sent."""
    keywright = pretended(batch(verified()))
    with pytest.raises(TypeError) as caught:
        kind.client(URL, handler=keywright).verify_batch(uses)

    assert KEY_TEXT not in str(caught.value)
    assert [] == keywright.received


def test_too_many_keys(kind: Kind) -> None:
    """More than 100 keys are a ValueError that names the limit, and nothing is sent."""
    keywright = pretended(batch(verified()))
    with pytest.raises(ValueError, match="uses must have at most 100 items, not 101"):
        kind.client(URL, handler=keywright).verify_batch([KEY_TEXT] * 101)

    assert [] == keywright.received


def test_a_client_without_an_address(kind: Kind) -> None:
    """A client that invokes the function cannot verify a batch: the error names the argument and the remedy."""
    keywright = pretended(batch(verified()))
    with pytest.raises(ConfigurationError, match=r"^url: batches are .* create the client with url, not function$"):
        kind.client(function=FUNCTION, handler=keywright).verify_batch([KEY_TEXT])

    assert [] == keywright.received


@pytest.mark.parametrize("answer", [failure(503, "SERVICE_UNAVAILABLE", retry_after="1"), httpx.ReadTimeout("no")])
def test_a_passing_failure_is_not_noticed(kind: Kind, pauses: list[float], answer: httpx.Response | Exception) -> None:
    """A batch is repeated as a verification is, with the same keys."""
    keywright = pretended(answer, batch(UNKNOWN))

    assert (NotFound(),) == kind.client(URL, handler=keywright).verify_batch([KEY_TEXT])
    assert [{"verifications": [{"key": KEY_TEXT}]}] * 2 == keywright.bodies()
    assert 1 == len(pauses)


@pytest.mark.usefixtures("pauses")
def test_a_lasting_failure_is_raised(kind: Kind) -> None:
    """If no attempt is answered, the batch has no results."""
    with pytest.raises(ApiConnectionError):
        kind.client(URL, handler=pretended(httpx.ConnectError("no"))).verify_batch([KEY_TEXT])


def test_undecided_keys_are_not_asked_for_again(kind: Kind) -> None:
    """A batch with undecided keys is an answer, which is not repeated: the other keys of it were counted."""
    keywright = pretended(batch(verified(), UNDECIDED))
    results = kind.client(URL, handler=keywright).verify_batch([KEY_TEXT, KEY_TEXT])

    assert ["VALID", "SERVICE_UNAVAILABLE"] == [result.code for result in results]
    assert 1 == len(keywright.received)


def test_a_wrong_clock(kind: Kind) -> None:
    """A batch that is refused by another clock is signed again by that clock."""
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    keywright = pretended(failure(403, "FORBIDDEN", date=date), batch(UNKNOWN))

    assert (NotFound(),) == kind.client(URL, handler=keywright).verify_batch([KEY_TEXT])
    assert 2 == len(keywright.received)


def test_credentials_without_the_permission(kind: Kind) -> None:
    """A 403 of API Gateway names the output whose ARN the credentials may not invoke."""
    with pytest.raises(ApiError, match=r"Allow execute-api:Invoke on the stack's output VerifyApiKeysArn,"):
        kind.client(URL, handler=pretended(httpx.Response(403))).verify_batch([KEY_TEXT])


def test_reused_answers_are_not_for_batches(kind: Kind) -> None:
    """A key in a batch is asked for even if its answer could be used again."""
    keywright = pretended(success(verified()), batch(UNKNOWN))
    client = kind.client(URL, handler=keywright, reuse_seconds=60)
    client.verify(KEY_TEXT)

    assert (NotFound(),) == client.verify_batch([KEY_TEXT])


def test_answers_to_batches_are_not_reused(kind: Kind) -> None:
    """A key that was valid in a batch is asked for when it is verified alone."""
    keywright = pretended(batch(verified()), success(UNKNOWN))
    client = kind.client(URL, handler=keywright, reuse_seconds=60)
    client.verify_batch([KEY_TEXT])

    assert NotFound() == client.verify(KEY_TEXT)


def test_a_use_does_not_show_its_key() -> None:
    """The repr of a use has all but the text of the key."""
    use = Use(KEY_TEXT, permissions=iter(["a:read"]), client_ip="192.0.2.7", cost=2)

    assert "Use(permissions=('a:read',), client_ip='192.0.2.7', cost=2)" == repr(use)


@pytest.mark.parametrize(
    ("text", "options", "error"),
    [
        (None, {}, TypeError),
        (b"kk_", {}, TypeError),
        ("kk_", {"permissions": "sessions:read"}, TypeError),
        ("kk_", {"permissions": [1]}, TypeError),
        ("kk_", {"client_ip": 7}, TypeError),
        ("kk_", {"cost": 1.5}, TypeError),
        ("kk_", {"cost": -1}, ValueError),
        ("kk_", {"cost": 1_000_001}, ValueError),
    ],
    ids=repr,
)
def test_a_use_is_checked_when_it_is_made(text: Any, options: dict[str, Any], error: type[Exception]) -> None:
    """A use refuses what `verify` refuses."""
    with pytest.raises(error):
        Use(text, **options)


def test_type_checkers_tell_undecided_keys_apart() -> None:
    """Both isinstance and match narrow the result of a batch; mypy checks this test."""

    def status(result: BatchResult) -> int:
        if result.valid:
            assert_type(result, Valid)
            return 200
        if isinstance(result, Undecided):
            return 503
        refused: Refused = result
        return 429 if isinstance(refused, RateLimited) else 401

    assert [503, 401] == [status(Undecided()), status(NotFound())]
