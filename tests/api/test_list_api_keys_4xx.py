"""GET /auth/api-keys: errors. No query leads to a 5xx, and every error of the function has a pagination."""

from __future__ import annotations

import pytest

from tests.api.deployment import CREATE, FIRST_PAGE, Deployment, listed

INVALID = {
    "limit is empty": "limit=",
    "limit is 0": "limit=0",
    "limit is negative": "limit=-1",
    "limit is 101": "limit=101",
    "limit has a point": "limit=10.0",
    "limit has an exponent": "limit=1e1",
    "limit has a sign": "limit=%2B5",
    "limit has a blank": "limit=%205",
    "limit has an underscore": "limit=1_0",
    "limit in Arabic digits": "limit=%D9%A3",
    "limit of 5,000 digits": "limit=" + "9" * 5000,
    "limit is a zero byte": "limit=%00",
    "limit is no UTF-8": "limit=%FF",
    "starting_after is empty": "starting_after=",
    "starting_after is a number": "starting_after=1",
    "starting_after in braces": "starting_after=%7B01a20a38-9585-719d-81cb-3b8af1c594c2%7D",
    "starting_after without hyphens": "starting_after=01a20a389585719d81cb3b8af1c594c2",
    "starting_after is a sort key": "starting_after=KEY%2301a20a38-9585-719d-81cb-3b8af1c594c2",
    "starting_after is a lone surrogate": "starting_after=%ED%A0%80",
    "enabled is empty": "enabled=",
    "enabled is 1": "enabled=1",
    "enabled in capitals": "enabled=TRUE",
    "permission is empty": "permission=",
    "permission is unknown": "permission=root",
    "permission is two": "permission=sessions:read,sessions:write",
    "permission is an expression": "permission=:permission)%20OR%20(attribute_exists(pk)",
    "permission is a zero byte": "permission=sessions:read%00",
}


@pytest.mark.parametrize("query", INVALID.values(), ids=INVALID.keys())
def test_400_names_the_parameter(deployment: Deployment, query: str) -> None:
    """The message of an invalid parameter begins with its name."""
    response = deployment.request("GET", f"{CREATE}?{query}")

    assert (400, "BAD_REQUEST") == deployment.refusal(response, FIRST_PAGE)
    assert query.partition("=")[0] == response.json()["error"]["message"].split(" ")[0]


def test_400_names_each_parameter(deployment: Deployment) -> None:
    """The message names all invalid parameters."""
    response = deployment.request("GET", f"{CREATE}?limit=0&enabled=x&permission=y")

    assert (400, "BAD_REQUEST") == deployment.refusal(response, FIRST_PAGE)
    assert ["limit", "enabled", "permission"] == [
        problem.split(" ")[0] for problem in response.json()["error"]["message"].split("; ")
    ]


def test_400_has_the_limit_of_the_request(deployment: Deployment) -> None:
    """The pagination of a 400 has the limit of the request if it is valid."""
    response = deployment.request("GET", f"{CREATE}?limit=7&enabled=x")

    assert (400, "BAD_REQUEST") == deployment.refusal(response, {**FIRST_PAGE, "limit": 7})


def test_403_has_the_limit_of_the_request(deployment: Deployment) -> None:
    """The pagination of a 403 has the limit of the request."""
    response = deployment.request("GET", f"{CREATE}?limit=100", persona="member")

    assert (403, "FORBIDDEN") == deployment.refusal(response, {**FIRST_PAGE, "limit": 100})


def test_400_comes_before_403(deployment: Deployment) -> None:
    """The query is validated before the caller's role is checked."""
    response = deployment.request("GET", f"{CREATE}?limit=0", persona="outsider")

    assert (400, "BAD_REQUEST") == deployment.refusal(response, FIRST_PAGE)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("limits=0", "limits"),
        ("enabled%00=x", '"enabled\\u0000"'),
        ("limit[]=0", '"limit[]"'),
        ("a=1;limit=0", "a"),
        ("startingAfter=", "startingAfter"),
        ("x=1&limit=7", "x"),
    ],
)
def test_400_an_unknown_parameter(deployment: Deployment, query: str, name: str) -> None:
    """An unknown parameter is named; a misspelled filter or limit does not list something else."""
    response = deployment.request("GET", f"{CREATE}?{query}")

    page = {**FIRST_PAGE, "limit": 7 if "limit=7" in query else 10}
    assert (400, "BAD_REQUEST") == deployment.refusal(response, page)
    assert f"{name} is not a query parameter of this request" == response.json()["error"]["message"]


def test_200_an_empty_query(deployment: Deployment) -> None:
    """Separators without a parameter are an empty query."""
    assert 10 == listed(deployment.request("GET", f"{CREATE}?&&&"))[1]["limit"]
