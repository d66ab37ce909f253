"""Managing keys: what each method sends, and what it returns."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from keywright_client import UNSET, ApiError, ConfigurationError, Quota, RateLimit
from tests.clients.python.drivers import (
    FEWER_KINDS,
    FUNCTION,
    KEY_ID,
    KEY_TEXT,
    TOKEN,
    URL,
    details,
    page,
    pretended,
    success,
)

if TYPE_CHECKING:
    import httpx

    from tests.clients.python.drivers import Kind

CREATED = success({"id": KEY_ID, "key": KEY_TEXT})
UPDATED = success({"status": "success", "message": "Done", "apiKey": details()})
ROTATED = success({"id": KEY_ID, "key": KEY_TEXT, "previousKeyExpiresAt": None, "apiKey": details()})
DONE = success({"status": "success", "message": "Done"})
NOON = datetime(2030, 1, 31, 12, tzinfo=UTC)


def test_create_sends_all_fields(kind: Kind) -> None:
    """Each field has the name and the form of the API."""
    keywright = pretended(CREATED)
    kind.client(URL, handler=keywright).create(
        name="CI",
        permissions=("a:read",),
        metadata={"seats": 9007199254740993},
        expires_at=NOON.astimezone(timezone(timedelta(hours=2))),
        rate_limit=RateLimit(limit=60, window_seconds=60, burst=10),
        quota=Quota(limit=100, period="month"),
        allowed_ips=["192.0.2.0/24"],
    )

    assert [
        {
            "name": "CI",
            "permissions": ["a:read"],
            "metadata": {"seats": 9007199254740993},
            "expiresAt": "2030-01-31T12:00:00.000Z",
            "rateLimit": {"limit": 60, "windowSeconds": 60, "burst": 10},
            "quota": {"limit": 100, "period": "month"},
            "allowedIps": ["192.0.2.0/24"],
        }
    ] == keywright.bodies()
    assert f"Bearer {TOKEN}" == keywright.received[0].headers["authorization"]


def test_create_leaves_out_what_is_not_given(kind: Kind) -> None:
    """Fields without a value are not sent."""
    keywright = pretended(CREATED)
    kind.client(URL, handler=keywright).create(name="CI", permissions=["a:read"])

    assert [{"name": "CI", "permissions": ["a:read"]}] == keywright.bodies()


def test_update_sends_what_changes(kind: Kind) -> None:
    """Omitted fields are not sent; None is sent as null; UNSET is the same as omitted."""
    keywright = pretended(UPDATED)
    kind.client(URL, handler=keywright).update(KEY_ID, enabled=True, quota=None, leak=None, name=UNSET)

    assert [{"enabled": True, "quota": None, "leak": None}] == keywright.bodies()
    assert "PATCH" == keywright.received[0].method


def test_rotate(kind: Kind) -> None:
    """A rotation sends the grace period and the reason."""
    keywright = pretended(ROTATED)
    rotated = kind.client(URL, handler=keywright).rotate(KEY_ID, grace_period_seconds=60, reason="superseded")

    assert [{"gracePeriodSeconds": 60, "reason": "superseded"}] == keywright.bodies()
    assert f"{URL}/auth/api-keys/{KEY_ID}/rotate" == str(keywright.received[0].url)
    assert "CI" == rotated.api_key.name


def test_delete(kind: Kind) -> None:
    """A deletion has its reason in the query, and no body."""
    keywright = pretended(DONE)
    client = kind.client(URL, handler=keywright)
    client.delete(KEY_ID)
    client.delete(KEY_ID, reason="compromised")
    first, second = keywright.received

    assert f"{URL}/auth/api-keys/{KEY_ID}" == str(first.url)
    assert f"{URL}/auth/api-keys/{KEY_ID}?reason=compromised" == str(second.url)
    assert b"" == first.content
    assert "content-type" not in first.headers


def test_list_sends_its_filters(kind: Kind) -> None:
    """Filters are in the query as the API reads them."""
    keywright = pretended(page([], None))
    client = kind.client(URL, handler=keywright)
    list(client.list(enabled=False, permission="a:read", expires_before=NOON, page_size=7))

    assert {
        "enabled": "false",
        "permission": "a:read",
        "expires_before": "2030-01-31T12:00:00.000Z",
        "limit": "7",
    } == dict(keywright.received[0].url.params)


@pytest.mark.parametrize("method", ["list", "audit_logs"])
@pytest.mark.parametrize(
    ("page_size", "error"), [(0, ValueError), (101, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_a_page_size_that_no_request_can_have(
    kind: Kind, method: str, page_size: object, error: type[Exception]
) -> None:
    """A size that Keywright would refuse is an error of the call itself, before a page is read."""
    keywright = pretended(page([], None))
    with pytest.raises(error, match="page_size must be"):
        getattr(kind.client(URL, handler=keywright), method)(page_size=page_size)

    assert [] == keywright.received


@pytest.mark.parametrize("method", ["list", "audit_logs"])
@pytest.mark.parametrize("page_size", [1, 100])
def test_the_smallest_and_the_largest_page(kind: Kind, method: str, page_size: int) -> None:
    """Both ends of the range are in it."""
    keywright = pretended(page([], None))
    list(getattr(kind.client(URL, handler=keywright), method)(page_size=page_size))

    assert str(page_size) == keywright.received[0].url.params["limit"]


def test_audit_logs_send_their_filters(kind: Kind) -> None:
    """Several events are one parameter, with commas; a value is encoded."""
    keywright = pretended(page([], None))
    client = kind.client(URL, handler=keywright)
    list(client.audit_logs(event=["api_key.created", "api_key.deleted"], actor_user_id="a&b=c d+e", created_from=NOON))

    assert {
        "event": "api_key.created,api_key.deleted",
        "actor_user_id": "a&b=c d+e",
        "created_from": "2030-01-31T12:00:00.000Z",
        "limit": "100",
    } == dict(keywright.received[0].url.params)


def test_pages_are_read_as_they_are_needed(kind: Kind) -> None:
    """Nothing is requested before the first item, and the next page only after the last item of one."""
    keywright = pretended(page([details(), details()], "c-1"), page([details()], None))
    keys = kind.client(URL, handler=keywright).list()
    requests = [len(keywright.received)]
    requests += [len(keywright.received) for _ in keys]

    assert [0, 1, 1, 2] == requests


def test_ten_thousand_items(kind: Kind) -> None:
    """A long list is read to its end, each item once, in order."""
    pages = [
        page([details(id=str(number)) for number in range(first, first + 100)], str(first + 100))
        for first in range(0, 9_900, 100)
    ]
    pages.append(page([details(id=str(number)) for number in range(9_900, 10_000)], None))
    keywright = pretended(*pages)
    ids = [key.id for key in kind.all(kind.client(URL, handler=keywright).list())]

    assert [str(number) for number in range(10_000)] == ids
    assert [None, *(str(number) for number in range(100, 10_000, 100))] == [
        request.url.params.get("starting_after") for request in keywright.received
    ]


def test_an_empty_page_is_not_the_end(kind: Kind) -> None:
    """A page without items, as filters can give, is followed by the next one."""
    keywright = pretended(page([], "c-1"), page([details()], None))

    assert 1 == len(list(kind.client(URL, handler=keywright).list()))


@pytest.mark.parametrize(
    "answer",
    [
        success([]),
        success([], pagination=None),
        success([], pagination={}),
        success([], pagination={"next_cursor": 7}),
        success({}, pagination={"next_cursor": None}),
        success([7], pagination={"next_cursor": None}),
    ],
    ids=["no pagination", "null", "no cursor", "a number", "no list", "no keys"],
)
def test_a_malformed_page(kind: Kind, answer: httpx.Response) -> None:
    """A page that is not from Keywright is an error, not the end of the list."""
    with pytest.raises(ApiError) as caught:
        list(kind.client(URL, handler=pretended(answer)).list())

    assert "UNEXPECTED_ANSWER" == caught.value.code


@pytest.mark.parametrize(
    "field",
    [{"enabled": 1}, {"requestCount": True}, {"requestCount": 1.5}, {"quota": {"limit": 1}}, {"createdAt": 7}],
    ids=str,
)
def test_a_malformed_key(kind: Kind, field: dict[str, Any]) -> None:
    """A field of another type than the API's is an error."""
    with pytest.raises(ApiError) as caught:
        kind.client(URL, handler=pretended(success(details(**field)))).get(KEY_ID)

    assert "UNEXPECTED_ANSWER" == caught.value.code


def test_a_list_without_an_end(kind: Kind) -> None:
    """A server that answers with the same cursor again does not keep the client busy forever."""
    keys = kind.client(URL, handler=pretended(page([details()], "c-1"))).list()
    with pytest.raises(ApiError):
        list(itertools.islice(keys, 10))


@FEWER_KINDS
@pytest.mark.parametrize("key_id", ["", ".", "..", "current", "verify"])
@pytest.mark.parametrize("method", ["get", "update", "rotate", "delete"])
def test_ids_that_are_other_resources(kind: Kind, method: str, key_id: str) -> None:
    """A segment that would address another resource is not an id."""
    keywright = pretended(DONE)
    with pytest.raises(ValueError, match="id must be the id of an API key"):
        getattr(kind.client(URL, handler=keywright), method)(key_id)

    assert [] == keywright.received


@pytest.mark.parametrize("key_id", ["../orgs/request-delete", "a/b", "a?b", "a#b", "a%2fb", "ä", " "])
def test_hostile_ids(kind: Kind, key_id: str) -> None:
    """An id from elsewhere stays one segment of the path."""
    keywright = pretended(success(details()))
    kind.client(URL, handler=keywright).get(key_id)
    path = keywright.received[0].url.raw_path.decode()

    assert path.startswith("/v1/auth/api-keys/")
    assert 4 == path.count("/")
    assert "?" not in path


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"permissions": "a:read"}, TypeError),
        ({"permissions": ["a:read"], "allowed_ips": "192.0.2.1"}, TypeError),
        ({"permissions": ["a:read"], "expires_at": datetime(2030, 1, 1)}, ValueError),  # noqa: DTZ001
        ({"permissions": ["a:read"], "metadata": {"a": float("nan")}}, ValueError),
        ({"permissions": ["a:read"], "metadata": {"a": object()}}, TypeError),
    ],
    ids=["permissions", "addresses", "no time zone", "NaN", "metadata"],
)
def test_fields_that_cannot_be_sent(kind: Kind, fields: dict[str, Any], error: type[Exception]) -> None:
    """A value that has no form in the API is refused by the client, and nothing is sent."""
    keywright = pretended(CREATED)
    with pytest.raises(error):
        kind.client(URL, handler=keywright).create(name="CI", **fields)

    assert [] == keywright.received


def test_a_rate_limit_without_a_burst() -> None:
    """The burst of a rate limit is the whole limit by default."""
    assert 60 == RateLimit(limit=60, window_seconds=1).burst


@pytest.mark.parametrize("token", ["", " ", "a b", "token\n", "tök", 7, None])
def test_a_token_that_cannot_be_sent(kind: Kind, token: Any) -> None:
    """A token with a line break or space, as files have it, is refused without showing it."""
    keywright = pretended(success(details()))
    with pytest.raises(ConfigurationError, match=r"token: ") as caught:
        kind.client(URL, handler=keywright, token=lambda: token).get(KEY_ID)

    assert "tök" not in str(caught.value)
    assert [] == keywright.received


def test_no_token(kind: Kind) -> None:
    """Without a token the message says what to pass."""
    with pytest.raises(ConfigurationError, match="token: pass the session token"):
        kind.client(URL, handler=pretended(DONE), token=None).get(KEY_ID)


def test_a_function_only_verifies(kind: Kind) -> None:
    """A client of a function cannot manage keys; the message says which argument is missing."""
    with pytest.raises(ConfigurationError, match="url: keys are managed over the API"):
        kind.client(function=FUNCTION, handler=pretended(DONE)).get(KEY_ID)


def test_an_error_of_the_token_function(kind: Kind) -> None:
    """An exception of the caller's own function reaches the caller as it is."""

    def token() -> str:
        raise LookupError("no session")

    with pytest.raises(LookupError, match="no session"):
        kind.client(URL, handler=pretended(DONE), token=token).get(KEY_ID)
