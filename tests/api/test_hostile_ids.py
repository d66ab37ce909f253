"""Invalid ids in a path: always the same 404, never a 5xx."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.deployment import CREATE, KEY, ROTATE, Deployment
from tests.api.key_text import unused_id
from tests.support.depth import mostly_deep

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


TYPICAL = {"dots and a slash", "a zero byte", "a lone surrogate", "the sort key of the organization", "a sort key"}


@each_request
@pytest.mark.parametrize("what", mostly_deep(HOSTILE, TYPICAL.__contains__))
def test_404_no_such_key(deployment: Deployment, method: str, path: str, body: Any, what: str) -> None:
    """A malformed id is a 404 of the function or of the gateway."""
    response = deployment.request(method, path.format(id=HOSTILE[what]), json=body)

    assert deployment.refusal(response) in {(404, "API_KEY_NOT_FOUND"), (404, "NOT_FOUND")}
    assert "x-injected" not in response.headers


@each_request
def test_404_an_unused_id(deployment: Deployment, method: str, path: str, body: Any) -> None:
    """A well-formed id that no key has is a 404."""
    response = deployment.request(method, path.format(id=unused_id()), json=body)

    assert (404, "API_KEY_NOT_FOUND") == deployment.refusal(response)


@each_request
def test_404_a_key_of_another_organization(deployment: Deployment, method: str, path: str, body: Any) -> None:
    """Another organization gets the same response for an existing key as for an unused id; the key stays unchanged.

    The other organization is frozen, so its writes are refused with 410 before the key is read.
    """
    key_id = deployment.create_key()["id"]
    before = deployment.get_key(key_id)
    answers = [
        deployment.request(method, path.format(id=requested), json=body, persona="frozen_admin")
        for requested in (key_id, unused_id())
    ]

    expected = (404, "API_KEY_NOT_FOUND") if method == "GET" else (410, "ORGANIZATION_FROZEN")
    assert [expected] * 2 == [deployment.refusal(answer) for answer in answers]
    assert answers[0].json() == answers[1].json()
    assert before == deployment.get_key(key_id)


@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
def test_404_no_id(deployment: Deployment, method: str) -> None:
    """A route of a key without an id is unknown: no request affects all keys."""
    assert (404, "NOT_FOUND") == deployment.refusal(deployment.request(method, f"{CREATE}/", json={"name": "a"}))


def test_404_no_id_to_rotate(deployment: Deployment) -> None:
    """A rotation without an id is an unknown route."""
    assert (404, "NOT_FOUND") == deployment.refusal(deployment.request("POST", f"{CREATE}//rotate"))
