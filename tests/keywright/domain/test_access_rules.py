"""Access rules: their meaning for one request, and mistakes in them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.domain import permissions
from keywright.domain.access_rules import RouteClosed, parse_rules
from keywright.settings import ConfigurationError
from tests.support.access_rules import (
    ADMIN,
    ADMIN_DECODED,
    ANALYZE,
    ENTRIES,
    GRANTS,
    METHODS,
    PATHS,
    READ,
    WRITE,
    assumed_expressible,
    many_rules,
    rules,
)
from tests.support.path_readings import readings
from tests.support.routing import routed

pytestmark = pytest.mark.usefixtures("environment")

CLOSED = RouteClosed()


@pytest.mark.parametrize("text", ["", "[]", " [ ] "])
def test_without_rules_every_route_is_open(text: str) -> None:
    """Without rules, a valid key needs no permission for any route."""
    assert () == parse_rules(text).missing("GET", "/any/route", [])


def test_a_route_without_a_rule_is_closed() -> None:
    """No permission opens a route that the rules do not name."""
    access = rules(("GET", "/sessions", None))

    assert CLOSED == access.missing("POST", "/sessions", [READ, WRITE, ANALYZE])
    assert CLOSED == access.missing("GET", "/reports", [READ, WRITE, ANALYZE])


def test_the_most_specific_path_decides() -> None:
    """A literal comes before a parameter, a parameter before a greedy one, and a method before ANY."""
    access = rules(
        ("ANY", "/{rest+}", READ),
        ("ANY", "/a/{x}", READ),
        ("GET", "/a/{x}", READ),
        ("GET", "/a/b", READ),
        ("ANY", "/a/c/{rest+}", READ),
    )
    expected = {
        ("GET", "/a/b"): "GET /a/b",
        ("PUT", "/a/b"): "ANY /a/{x}",
        ("GET", "/a/7"): "GET /a/{x}",
        ("PUT", "/a/7"): "ANY /a/{x}",
        ("GET", "/a"): "ANY /{rest+}",
        ("GET", "/a/7/8"): "ANY /{rest+}",
        ("GET", "/a/c"): "GET /a/{x}",
        ("GET", "/a/c/7"): "ANY /a/c/{rest+}",
        ("GET", "/a/c/7/8/9"): "ANY /a/c/{rest+}",
    }

    decided = {request: access.find(*request) for request in expected}

    assert expected == {request: rule and f"{rule.method} {rule.path}" for request, rule in decided.items()}


@pytest.mark.parametrize("path", ["/a", "/a/", "/a//", "/A/7", "/a/7/", "a/7", "//a/7", "/a/7?x=/a/7"])
def test_a_rule_matches_whole_paths(path: str) -> None:
    """A path that only resembles the rule's has no rule."""
    assert rules(("GET", "/a/{x}", None)).find("GET", path) is None


@pytest.mark.parametrize(
    "value", ["7", "a%20b", "caf%C3%A9", "caf%c3%a9", "%F0%9F%98%80", "*", "{x}", "é", "a b", "..."]
)
def test_a_parameter_takes_any_one_segment(value: str) -> None:
    """The value may be encoded, or decoded as HTTP APIs send it."""
    assert () == rules(("GET", "/a/{x}", None)).missing("GET", f"/a/{value}", [])


def test_write_implies_read() -> None:
    """A key with `sessions:write` may call a route that requires `sessions:read`."""
    assert () == rules(("GET", "/sessions", READ)).missing("GET", "/sessions", [WRITE])


def test_dots_in_paths_are_literal() -> None:
    """No character of a rule's path is a regular expression."""
    access = rules(("GET", "/v1.json", None))

    assert access.find("GET", "/v1.json") is not None
    assert access.find("GET", "/v1xjson") is None


def test_a_slash_at_the_end_needs_the_same_permission() -> None:
    """A path with a slash at its end requires what the path without it requires."""
    access = rules(("GET", "/a", READ), ("GET", "/b", WRITE), ("GET", "/c/{rest+}", None))

    assert () == access.missing("GET", "/a/", [READ])
    assert (WRITE,) == access.missing("GET", "/b/", [READ])
    assert () == access.missing("GET", "/c/d/", [READ])
    assert CLOSED == access.missing("GET", "/d/", [READ])


def test_a_slash_at_the_end_needs_the_permissions_of_both_readings() -> None:
    """GIVEN a path whose readings with and without the slash have two rules THEN the key needs both permissions."""
    access = rules(("GET", "/a", READ), ("GET", "/{rest+}", ANALYZE))

    assert access.missing("GET", "/a/", []) in {(READ, ANALYZE), (ANALYZE, READ)}
    assert (ANALYZE,) == access.missing("GET", "/a/", [READ])
    assert (READ,) == access.missing("GET", "/a/", [ANALYZE])
    assert () == access.missing("GET", "/a/", [READ, ANALYZE])
    assert (READ,) == access.missing("GET", "/a", [ANALYZE])


@pytest.mark.parametrize("path", [*ADMIN, *ADMIN_DECODED])
@pytest.mark.parametrize(
    "others", [["/{rest+}"], ["/{x}", "/{x}/{y}", "/{x}/{y}/{z}", "/{x}/{y}/{z}/{rest+}"]], ids=" ".join
)
def test_no_other_spelling_falls_to_a_catch_all(others: list[str], path: str) -> None:
    """GIVEN a refused route, and a catch-all WHEN the route is spelled differently THEN it is closed."""
    access = rules(("ANY", "/admin", WRITE), *[("ANY", other, None) for other in others])

    assert "/admin" in readings(path)
    assert CLOSED == access.missing("GET", path, [READ])


@pytest.mark.parametrize("path", ["/%zz", "/%", "/%2", "/a%", "/%e9", "/%80", "/%ed%a0%80", "/%ff", "/\x7f", "/a\nb"])
def test_an_invalid_encoding_is_closed(path: str) -> None:
    """Backends differ in how they read an invalid encoding."""
    assert CLOSED == rules(("GET", "/{rest+}", None)).missing("GET", path, [])


@pytest.mark.parametrize("path", [*ADMIN, *ADMIN_DECODED, "/%zz"])
def test_without_rules_every_spelling_is_open(path: str) -> None:
    """Without rules there is nothing to circumvent."""
    assert () == parse_rules("").missing("GET", path, [])


@many_rules
@given(ENTRIES, GRANTS, METHODS, st.sampled_from(PATHS))
def test_a_request_has_the_rule_of_its_route(
    entries: list[tuple[str, str, str | None]], granted: list[str], method: str, path: str
) -> None:
    """The rule of a request is that of the route that API Gateway chooses."""
    access, route = assumed_expressible(entries), routed(entries, method, path)

    if route is None:
        assert CLOSED == access.missing(method, path, granted)
    else:
        required = [] if route[2] is None else [route[2]]
        assert permissions.missing(granted, required) == access.missing(method, path, granted)


# ---- Mistakes --------------------------------------------------------------------------------------------------

RULE: dict[str, Any] = {"method": "GET", "path": "/a", "permission": None}


@pytest.mark.parametrize("text", ["{", "{}", "null", '"[]"', "1", "[" * 100_000])
def test_anything_but_an_array_is_an_error(text: str) -> None:
    """The error shows an example of the setting."""
    with pytest.raises(ConfigurationError, match=r"^ACCESS_RULES must be a JSON array like \[\{"):
        parse_rules(text)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ([], r"\[1\] must be an object with method, path and permission, and nothing else"),
        ({"method": "GET", "path": "/a"}, r"\[1\] must be an object with method, path and permission"),
        ({**RULE, "note": ""}, r"\[1\] must be an object with method, path and permission"),
        ({**RULE, "method": "get"}, r"\[1\]\.method must be one of ANY, DELETE, GET, .*; it is 'get'"),
        ({**RULE, "method": "*"}, r"\[1\]\.method must be one of .*; it is '\*'"),
        ({**RULE, "method": None}, r"\[1\]\.method must be one of .*; it is None"),
        ({**RULE, "method": ["GET"]}, r"\[1\]\.method must be one of .*; it is \['GET'\]"),
        (
            {**RULE, "permission": "sessions:delete"},
            r"\[1\]\.permission must be null or one of .*; it is 'sessions:delete'",
        ),
        ({**RULE, "permission": [READ]}, r"\[1\]\.permission must be null or one of .*; it is \['sessions:read'\]"),
        *[
            ({**RULE, "path": path}, r"\[1\]\.path must be a path without the stage, as /sessions/\{id\}, .*; it is ")
            for path in [
                *("", "/", "a", "/a/", "//a", "/a b", "/a?", "/*", "/{}", "/{x", "/x{y}", "/{rest+}/a", "/é", 1),
                *("/%61", "/a%20b", "/a%2Fb", "/a;b", "/.", "/a/..", "/./a", "/a\\b", "/a#b"),
            ]
        ],
    ],
)
def test_a_mistake_in_a_rule_names_the_rule(entry: object, message: str) -> None:
    """The error has the rule's index, the expected value and the actual one."""
    with pytest.raises(ConfigurationError, match=rf"^ACCESS_RULES{message}"):
        parse_rules(json.dumps([{**RULE, "path": "/z"}, entry]))


@pytest.mark.parametrize("path", ["/a/{x}", "/a/{other}"])
def test_two_rules_for_one_route_are_an_error(path: str) -> None:
    """Routes are equal regardless of the names of their parameters."""
    with pytest.raises(ConfigurationError, match=r"^ACCESS_RULES\[2\] is about the same route as ACCESS_RULES\[0\]$"):
        rules(("GET", "/a/{x}", READ), ("PUT", "/a/{x}", WRITE), ("GET", path, None))
