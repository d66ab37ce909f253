"""Query parameters that an endpoint does not have."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tests.support.endpoints import (
    CREATE,
    CURRENT,
    DELETE,
    GET_USAGE,
    LIST,
    LIST_RECORDS,
    NO_PAGE,
    READING,
    REVOKE_CURRENT,
    VERIFY,
    VERIFY_BATCH,
    WRITING,
    Endpoint,
    each,
)
from tests.support.sample_keys import PASTED_KEY, pasted_key_parts

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import Call

NO_PARAMETERS = "This request has no query parameters."
PARAMETERS = {
    GET_USAGE.name: "The query parameters are: from, to.",
    DELETE.name: "The query parameters are: reason.",
    REVOKE_CURRENT.name: "The query parameters are: reason.",
}
EVERY = (*READING, *WRITING, CURRENT, REVOKE_CURRENT, VERIFY, VERIFY_BATCH)


@pytest.mark.parametrize("name", ["limti", "Limit", "limit[]", "", "X-Amz-Date", "\N{SNOWMAN}", "x" * 8_000])
@each(*EVERY)
def test_400_an_unknown_parameter(call: Call, endpoint: Endpoint, name: str) -> None:
    """A parameter that the request does not have is refused, and nothing is done."""
    endpoint.prepare(call.table)

    refusal = call.refused(endpoint.body, query={name: "1"})

    assert 400 == refusal.status
    assert "BAD_REQUEST" == refusal.code
    assert refusal.message.endswith(" is not a query parameter of this request")
    assert refusal.pagination == (NO_PAGE if endpoint.is_list else None)
    if not endpoint.is_list:
        assert refusal.hint == PARAMETERS.get(endpoint.name, NO_PARAMETERS)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("limti", "Did you mean limit?"),
        ("LIMIT", "Did you mean limit?"),
        ("startingAfter", "Did you mean starting_after?"),
        ("after", "The query parameters are: limit, starting_after, enabled, permission, expires_before."),
        ("permissions", "Did you mean permission?"),
    ],
)
@each(LIST)
def test_the_nearest_parameter_is_named(call: Call, endpoint: Endpoint, name: str, hint: str) -> None:
    """The hint names the parameter that is probably meant, or all."""
    assert hint == call.refused(query={name: "x"}).hint
    assert endpoint.is_list


@each(LIST, LIST_RECORDS)
def test_a_refusal_of_a_list_has_its_limit(call: Call, endpoint: Endpoint) -> None:
    """The pagination repeats the limit beside an unknown parameter."""
    assert NO_PAGE | {"limit": 7} == call.refused(query={"limit": "7", endpoint.name: "x"}).pagination


@each(CREATE, LIST)
def test_the_name_of_an_unknown_parameter_is_not_logged(
    call: Call, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller chose it, and it can be a key."""
    with caplog.at_level(logging.DEBUG, logger="keywright"):
        refusal = call.refused(endpoint.body, query={PASTED_KEY: PASTED_KEY})

    logged = repr([record.__dict__ for record in caplog.records])
    assert 400 == refusal.status
    assert "unknown query parameter" in logged
    assert [] == pasted_key_parts(logged)


@pytest.mark.parametrize("name", ["get_console_script", "get_openapi", "get_reference"])
def test_documents_ignore_queries(functions: Callable[[str], Call], name: str) -> None:
    """Caches and links add parameters, and a document is the same with any."""
    document = functions(name)

    assert document()["body"] == document(query={"utm_source": "x", "limit": "0"})["body"]


@each(*(endpoint for endpoint in EVERY if endpoint != VERIFY))
def test_preflights_ignore_queries(call: Call, endpoint: Endpoint) -> None:
    """A browser sends the preflight with the query of the request that follows."""
    answer = call(endpoint.body, query={"limti": "1"}, httpMethod="OPTIONS")

    assert 204 == answer["statusCode"]
