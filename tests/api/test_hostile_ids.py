"""Invalid ids in a path: always the same 404, never a 5xx."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api.deployment import CREATE, KEY, ROTATE
from tests.api.key_text import unused_id

if TYPE_CHECKING:
    from tests.api.deployment import Deployment

REQUESTS: dict[str, tuple[str, str, Any]] = {
    "get": ("GET", KEY, None),
    "update": ("PATCH", KEY, {"name": "a"}),
    "delete": ("DELETE", KEY, None),
    "rotate": ("POST", ROTATE, {}),
}
each_request = pytest.mark.parametrize(("method", "path", "body"), REQUESTS.values(), ids=REQUESTS.keys())

HOSTILE = {
    "a word": "undefined",
    "dots": "%2e%2e",
    "dots and a slash": "%2e%2e%2f%2e%2e",
    "a slash": "a%2Fb",
    "a backslash": "%5C",
    "a blank": "%20",
    "a zero byte": "%00",
    "a line break": "%0D%0Ax-injected:%201",
    "no UTF-8": "%FF%FE",
    "a lone surrogate": "%ED%A0%80",
    "an emoji": "%F0%9F%9A%80",
    "right to left": "%E2%80%AE",
    "full-width digits": "%EF%BC%90" * 8,
    "a percent sign": "%25",
    "encoded twice": "%252e%252e",
    "a question mark": "%3F",
    "braces": "%7Bid%7D",
    "the sort key of the organization": "ORG",
    "the sort key of a member": "MEMBER%23demo-owner",
    "a sort key": "KEY%2301a20a38-9585-719d-81cb-3b8af1c594c2",
    "a UUID in braces": "%7B01a20a38-9585-719d-81cb-3b8af1c594c2%7D",
    "a URN": "urn:uuid:01a20a38-9585-719d-81cb-3b8af1c594c2",
    "a UUID without hyphens": "01a20a389585719d81cb3b8af1c594c2",
    "a UUID and a line break": "01a20a38-9585-719d-81cb-3b8af1c594c2%0A",
    "the nil UUID": "00000000-0000-0000-0000-000000000000",
    "the max UUID": "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "a UUID of version 4": "0b5f0e0c-8f0e-4b57-9f1c-2f7d5c1b7a55",
    "4,000 characters": "a" * 4000,
    "1,000 emoji": "%F0%9F%9A%80" * 300,
    "a statement": "'%20OR%20'1'='1",
}


@each_request
@pytest.mark.parametrize("key_id", HOSTILE.values(), ids=HOSTILE.keys())
def test_404_no_such_key(deployment: Deployment, method: str, path: str, body: Any, key_id: str) -> None:
    """An id of no key in the organization is a 404, of the function or the gateway."""
    response = deployment.request(method, path.format(id=key_id), json=body)

    status, code = deployment.refusal(response)
    assert (404, True) == (status, code in {"API_KEY_NOT_FOUND", "NOT_FOUND"})
    assert "x-injected" not in response.headers


@each_request
def test_404_a_fresh_id_of_no_key(deployment: Deployment, method: str, path: str, body: Any) -> None:
    """A well-formed id is found nowhere but in its organization's own keys."""
    response = deployment.request(method, path.format(id=unused_id()), json=body)

    assert (404, "API_KEY_NOT_FOUND") == deployment.refusal(response)


@each_request
def test_the_key_of_another_organization_is_like_none(
    deployment: Deployment, method: str, path: str, body: Any
) -> None:
    """To another organization a key is exactly what one that never was is; and nothing happens to it.

    The other organization is a frozen one, so that it is told so before anything about a key it would change.
    """
    key_id = deployment.create_key()["id"]
    before = deployment.get_key(key_id)
    answers = [
        deployment.request(method, path.format(id=asked), json=body, persona="frozen_admin")
        for asked in (key_id, unused_id())
    ]

    expected = (404, "API_KEY_NOT_FOUND") if method == "GET" else (410, "ORGANIZATION_FROZEN")
    assert [expected] * 2 == [deployment.refusal(answer) for answer in answers]
    assert answers[0].json() == answers[1].json()
    assert before == deployment.get_key(key_id)


@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
def test_404_no_id(deployment: Deployment, method: str) -> None:
    """There is no way to do something to all keys at once."""
    assert (404, "NOT_FOUND") == deployment.refusal(deployment.request(method, f"{CREATE}/", json={"name": "a"}))


def test_404_no_id_to_rotate(deployment: Deployment) -> None:
    """The same in the middle of a path."""
    assert (404, "NOT_FOUND") == deployment.refusal(deployment.request("POST", f"{CREATE}//rotate"))
