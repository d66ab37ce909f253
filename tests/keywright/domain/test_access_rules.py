"""Access rules, and the policies that say the same for every route at once."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from keywright.domain import access_rules, permissions
from keywright.domain.access_rules import METHODS, parse
from keywright.settings import ConfigurationError
from local.authorization import allows
from tests.readings import readings
from tests.routing import routed
from tests.sizes import size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from keywright.domain.access_rules import AccessRules

pytestmark = pytest.mark.usefixtures("environment")

API = "arn:aws:execute-api:eu-central-1:123456789012:abcdef1234/prod/"
READ, WRITE, ANALYZE = "sessions:read", "sessions:write", "analytics:read"


def rules(*entries: tuple[str, str, str | None]) -> AccessRules:
    """Make rules of (method, path, permission)."""
    return parse(json.dumps([dict(zip(("method", "path", "permission"), entry, strict=True)) for entry in entries]))


def lets_in(access: AccessRules, granted: Sequence[str], method: str, path: str) -> bool:
    """Tell whether the policy for a key lets a request in."""
    return allows(policy(access, granted), f"{API}{method}{path}")


def policy(access: AccessRules, granted: Sequence[str]) -> tuple[dict[str, Any], ...]:
    """Give the statements for a key."""
    return tuple(dict(statement) for statement in access.statements(API, granted))


# ---- What rules mean -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "[]", " [ ] "])
def test_without_rules_every_valid_key_may_call_everything(text: str) -> None:
    """Nothing is asked of it."""
    access = parse(text)

    assert () == access.missing("GET", "/whatever/there/is", [])
    assert [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": f"{API}*"}] == access.statements(API, [])


def test_what_rules_do_not_name_nobody_may_call() -> None:
    """Whatever permissions they have: a route that was forgotten is closed."""
    access = rules(("GET", "/sessions", None))

    assert access.missing("POST", "/sessions", [READ, WRITE, ANALYZE]) is None
    assert access.missing("GET", "/reports", [READ, WRITE, ANALYZE]) is None


def test_the_most_specific_path_decides() -> None:
    """A literal before a parameter, a parameter before the rest, and of one path a method before ANY."""
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

    found = {asked: access.find(*asked) for asked in expected}

    assert expected == {asked: rule and f"{rule.method} {rule.path}" for asked, rule in found.items()}


@pytest.mark.parametrize("path", ["/a", "/a/", "/a//", "/A/7", "/a/7/", "a/7", "//a/7", "/a/7?x=/a/7"])
def test_a_path_is_matched_as_a_whole(path: str) -> None:
    """What only looks like the path of a rule is not."""
    assert rules(("GET", "/a/{x}", None)).find("GET", path) is None


@pytest.mark.parametrize(
    "value", ["7", "a%20b", "caf%C3%A9", "caf%c3%a9", "%F0%9F%98%80", "*", "{x}", "é", "a b", "..."]
)
def test_a_parameter_takes_any_one_segment(value: str) -> None:
    """As the client wrote it, or as an HTTP API has decoded it; other requests may be let in by the same policy."""
    access = rules(("GET", "/a/{x}", None))

    assert () == access.missing("GET", f"/a/{value}", [])
    assert lets_in(access, [], "GET", f"/a/{value}")


def test_writing_implies_reading() -> None:
    """As everywhere else."""
    assert () == rules(("GET", "/sessions", READ)).missing("GET", "/sessions", [WRITE])


def test_dots_in_paths_are_dots() -> None:
    """No character of a rule is a pattern."""
    access = rules(("GET", "/v1.json", None))

    assert (True, False) == (access.find("GET", "/v1.json") is not None, access.find("GET", "/v1xjson") is not None)


# ---- A slash at the end ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entries",
    [
        [("GET", "/{x}", None), ("GET", "/a", READ)],
        [("GET", "/{rest+}", None), ("GET", "/a", READ)],
        [("GET", "/a/{x}", None), ("GET", "/a", READ)],
        [("GET", "/a/{rest+}", None), ("GET", "/a", READ)],
        [("GET", "/a/{rest+}", None), ("GET", "/{x}", READ)],
        [("ANY", "/{x}/{y}", None), ("GET", "/{x}", READ)],
    ],
    ids=lambda entries: " ".join(path for _, path, _ in entries),
)
def test_a_slash_at_the_end_does_not_let_in(entries: list[tuple[str, str, str | None]]) -> None:
    """A REST API takes /a/ for /a, while a policy's `*` takes it for something else: it is refused where /a is."""
    access = rules(*entries)

    assert not lets_in(access, [], "GET", "/a/")
    assert () != access.missing("GET", "/a/", [])


def test_a_slash_at_the_end_of_an_allowed_path_is_as_good() -> None:
    """Of what the rules allow for the path without, the key may know that it is allowed."""
    access = rules(("GET", "/a", READ), ("GET", "/b", WRITE), ("GET", "/c/{rest+}", None))

    assert ((), (WRITE,), (), None) == tuple(
        access.missing("GET", path, [READ]) for path in ("/a/", "/b/", "/c/d/", "/d/")
    )


# ---- Readings of a path ----------------------------------------------------------------------------------------

ADMIN = [
    *("//admin", "/%61dmin", "/x/../admin", "/./admin", "/admin/.", "/admin/x/..", "/x/..//admin", "/admin//"),
    *("/%2e/admin", "/x/%2e%2E/admin", "/x/.%2e/admin", "/x%2f..%2fadmin", "/x%2F..%2Fadmin", "/%2fadmin"),
    *("/%2561dmin", "/%25%36%31dmin", "/x%252f..%252fadmin", "/x%5c..%5cadmin", "/x\\..\\admin", "/\\admin"),
    *("/admin;x", "/admin;x=1", "/;/admin", "/x/..;/admin", "/admin%3bx", "/admin%3Bx", "/admin%23", "/admin#"),
    *("/%c1%a1dmin", "/%C1%A1dmin", "/x/%c0%ae%c0%ae/admin", "/x%c0%af..%c0%afadmin", "/%u0061dmin"),
    *("/admin%00", "/admin%00.png", "/%41%44min/%2e%2e/admin", "/%7e/../admin", "/admin%3f"),
]
"""Readings of each are /admin, though it is written in another way."""
ONLY_DECODED = ["/admin?", "/admin?x", "/admin\0", "/admin\0.png"]
"""The same, but in no request line: only an HTTP API can make them, which decodes before it asks."""


@pytest.mark.parametrize("path", [*ADMIN, *ONLY_DECODED])
@pytest.mark.parametrize(
    "others", [["/{rest+}"], ["/{x}", "/{x}/{y}", "/{x}/{y}/{z}", "/{x}/{y}/{z}/{rest+}"]], ids=" ".join
)
def test_no_spelling_of_a_refused_route_falls_to_a_catch_all(others: list[str], path: str) -> None:
    """GIVEN a route that the key may not call, and all others WHEN it is spelled in another way THEN it is refused."""
    access = rules(("ANY", "/admin", WRITE), *[("ANY", other, None) for other in others])

    assert "/admin" in readings(path)
    assert access.missing("GET", path, [READ]) is None


@pytest.mark.parametrize("path", ADMIN)
def test_no_spelling_of_a_refused_route_is_let_in_by_a_reused_policy(path: str) -> None:
    """The policy was made for another request, so all that it has against the spelling are its own statements."""
    access = rules(("ANY", "/admin", WRITE), ("ANY", "/{rest+}", None))

    assert lets_in(access, [READ], "GET", "/administration")
    assert not lets_in(access, [READ], "GET", path)


@pytest.mark.parametrize("path", ["/%zz", "/%", "/%2", "/a%", "/%e9", "/%80", "/%ed%a0%80", "/%ff", "/\x7f", "/a\nb"])
def test_what_is_no_encoding_is_refused(path: str) -> None:
    """Backends do not agree about what it is."""
    assert rules(("GET", "/{rest+}", None)).missing("GET", path, []) is None


@pytest.mark.parametrize("path", [*ADMIN, *ONLY_DECODED, "/%zz"])
def test_without_rules_no_spelling_matters(path: str) -> None:
    """There is nothing that it could get around."""
    access = parse("")

    assert () == access.missing("GET", path, [])
    assert lets_in(access, [], "GET", path)


def test_policies_stay_small() -> None:
    """The denial of what is not plain takes less than two kilobytes of each policy."""
    statements = policy(rules(("GET", "/{rest+}", None)), [])

    assert ["Allow", "Deny"] == [statement["Effect"] for statement in statements]
    assert len(json.dumps(statements[1])) < 2048


# ---- Policies --------------------------------------------------------------------------------------------------


def test_a_policy_in_full() -> None:
    """What a key may call, and what of the rest that would let in."""
    access = rules(
        ("GET", "/sessions/{id}", READ), ("GET", "/sessions/all", ANALYZE), ("ANY", "/open", None), ("PUT", "/x", WRITE)
    )

    assert [
        {
            "Action": "execute-api:Invoke",
            "Effect": "Allow",
            "Resource": [*[f"{API}{method}/open" for method in METHODS], f"{API}GET/sessions/*"],
        },
        {
            "Action": "execute-api:Invoke",
            "Effect": "Deny",
            "Resource": [f"{API}GET/sessions/all", f"{API}GET/sessions/*/*", f"{API}GET/sessions/all/"],
        },
        {
            "Action": "execute-api:Invoke",
            "Effect": "Deny",
            "Resource": [f"arn:aws:execute-api:*:*:{glob}" for glob in access_rules._NOT_PLAIN_GLOBS],
        },
    ] == access.statements(API, [READ])


def test_a_key_that_may_call_nothing_is_denied_everything() -> None:
    """A policy needs a statement."""
    access = rules(("GET", "/sessions", READ))

    assert [{"Action": "execute-api:Invoke", "Effect": "Deny", "Resource": f"{API}*"}] == access.statements(API, [])


def test_policies_of_two_apis_do_not_mix() -> None:
    """They are remembered for each API."""
    access, other = rules(("GET", "/a", None)), API.replace("prod", "test")

    assert [f"{API}GET/a", f"{other}GET/a"] == [access.statements(api, [])[0]["Resource"][0] for api in (API, other)]


def test_what_lies_below_a_parameter_is_not_let_in() -> None:
    """`*` matches slashes; a route that the rules do not name stays closed."""
    access = rules(("GET", "/a/{x}", None))

    assert [True, False, False] == [lets_in(access, [], "GET", path) for path in ("/a/7", "/a/7/8", "/a/7/8/9/10")]


def test_the_documented_exception() -> None:
    """Below an allowed parameter, beside a longer allowed path, what is not named is let in when answers are reused."""
    access = rules(("GET", "/a/{x}", None), ("GET", "/a/{x}/b", None))

    assert access.missing("GET", "/a/7/c", []) is None
    assert lets_in(access, [], "GET", "/a/7/c")


def test_a_parameter_that_takes_a_part_of_the_rest_does_not_let_in() -> None:
    """`GET/*/a/*` matches /1/2/a/3, whose rule is the one about the rest; no policy can tell it from /1/a/3."""
    with pytest.raises(ConfigurationError, match=r"no policy can deny GET /\{x\}/\{rest\+\} "):
        rules(("GET", "/{x}/{rest+}", READ), ("GET", "/{x}/a/{rest+}", None))


SEGMENTS = ["a", "b", "{x}"]
entries = st.lists(
    st.tuples(
        st.sampled_from(["GET", "POST", "ANY"]),
        st.tuples(
            st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=4), st.sampled_from(["", "", "", "/{rest+}"])
        ).map(lambda parts: "/" + "/".join(parts[0]) + parts[1]),
        st.sampled_from([None, READ, WRITE, ANALYZE]),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda entry: entry[:2],
)
grants = st.sets(st.sampled_from([READ, WRITE, ANALYZE])).map(sorted)
PATHS = ["/" + "/".join(found) for length in range(1, 6) for found in itertools.product("ab1", repeat=length)]
FRESH = [path for path in PATHS if "1" in path]


def parsed(named: list[tuple[str, str, str | None]]) -> AccessRules:
    """Parse rules, unless no policy can express them."""
    try:
        return rules(*named)
    except ConfigurationError as error:
        assume("no policy can deny" not in str(error))
        raise


policies = settings(
    max_examples=size("POLICIES", 60),
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much, HealthCheck.too_slow],
)


@policies
@given(entries, grants, st.sampled_from(["GET", "POST"]))
def test_a_policy_never_lets_in_what_the_rules_refuse(
    named: list[tuple[str, str, str | None]], granted: list[str], method: str
) -> None:
    """For every route that they name, every value of its parameters, and with a slash at the end of it as well."""
    access, may = parsed(named), permissions.effective(granted)
    statements = policy(access, granted)
    for path in PATHS:
        for written in (path, f"{path}/"):
            # With its slash the path is another one to HTTP APIs, and the same to REST APIs.
            found = [route for taken in {path, written} if (route := routed(named, method, taken))]
            lacked = {permission for _, _, permission in found if permission is not None} - set(may)
            if not lacked:
                continue
            assert not allows(statements, f"{API}{method}{written}"), written
            assert access.missing(method, written, granted)


@policies
@given(entries, grants, st.sampled_from(["GET", "POST"]))
def test_a_policy_denies_too_much_only_where_a_value_repeats_a_literal(
    named: list[tuple[str, str, str | None]], granted: list[str], method: str
) -> None:
    """With any other value of its parameters a route can be called by who may call it."""
    access, may = parsed(named), permissions.effective(granted)
    statements = policy(access, granted)
    for path in PATHS:
        route = routed(named, method, path)
        if route is None or route[2] not in {None, *may}:
            continue
        assert access.missing(method, path, granted) == ()
        if repeats_a_literal(route, path):
            continue
        assert allows(statements, f"{API}{method}{path}"), path


SEPARATORS = ["/"] * 8 + [
    "//",
    "/./",
    "/1/../",
    "%2f",
    "%2F",
    "\\",
    "%5C",
    "%252f",
    "/%2e/",
    "/1/%2E./",
    "%c0%af",
    "%u002f",
]
SEGMENTS_SPELLED = {
    "a": ["a"] * 12 + ["%61", "%2561", "%25%36%31", "%c1%a1", "%u0061", "a;x", "a%3b", "a%00", "a#", "a%23x", "a%3Fx"],
    "b": ["b"] * 12 + ["%62", "%2562", "%C1%A2", "%U0062", "b;", "b%3Bx", "b%00.png", "b%23", "b;a=1"],
    "1": ["1"] * 6 + ["%31", "%20", "%c3%a9", "%C3%A9", "x%20y", ";", "%zz", "%", "...", ".a"],
}
spellings = st.lists(
    st.tuples(
        st.sampled_from(SEPARATORS),
        st.sampled_from("aab1").flatmap(lambda name: st.sampled_from(SEGMENTS_SPELLED[name])),
    ),
    min_size=1,
    max_size=4,
).map(lambda parts: ("/" + "".join(map("".join, parts))).replace("//", "/", 1))
"""Paths in which any segment and any slash may be written in another way."""


@policies
@given(entries, grants, st.sampled_from(["GET", "POST"]), st.lists(spellings, min_size=40, max_size=60))
def test_every_reading_of_what_is_let_in_is_allowed(
    named: list[tuple[str, str, str | None]], granted: list[str], method: str, paths: list[str]
) -> None:
    """For any spelling: no reading is a route whose permission the key lacks, in the policy and in the simple answer.

    A catch-all lets in whatever the rules do not name.
    """
    named = [*named, ("ANY", "/{rest+}", None)]
    access, may = parsed(named), permissions.effective(granted)
    statements = policy(access, granted)
    for path in paths:
        is_allowed = access.missing(method, path, granted) == ()
        if not is_allowed and not allows(statements, f"{API}{method}{path}"):
            continue
        found = {reading: route for reading in readings(path) if (route := routed(named, method, reading))}
        lacked = {reading: route for reading, route in found.items() if route[2] not in {None, *may}}

        assert not lacked, f"{path} is let in and can be read as {lacked}"
        assert found or not is_allowed


def repeats_a_literal(route: tuple[str, str, str | None], path: str) -> bool:
    """Tell whether a parameter of the route has the value a or b, which are literal segments elsewhere."""
    pattern, values = route[1][1:].split("/"), path[1:].split("/")
    fixed = len([segment for segment in pattern if segment != "{rest+}"])
    parameters = [value for segment, value in zip(pattern, values, strict=False) if segment == "{x}"]
    return bool({"a", "b"}.intersection(parameters + values[fixed:]))


@policies
@given(entries, grants, st.sampled_from(["GET", "POST"]), st.sampled_from(PATHS))
def test_a_rule_is_found_as_api_gateway_finds_a_route(
    named: list[tuple[str, str, str | None]], granted: list[str], method: str, path: str
) -> None:
    """The simple answer, which is for one request alone, is exactly what the route's own rule says."""
    access, route = parsed(named), routed(named, method, path)

    if route is None:
        assert access.missing(method, path, granted) is None
    else:
        required = [] if route[2] is None else [route[2]]
        assert permissions.missing(granted, required) == access.missing(method, path, granted)


# ---- Mistakes --------------------------------------------------------------------------------------------------

RULE: dict[str, Any] = {"method": "GET", "path": "/a", "permission": None}


@pytest.mark.parametrize("text", ["{", "{}", "null", '"[]"', "1", "[" * 100_000])
def test_what_is_no_array_is_a_configuration_error(text: str) -> None:
    """It says what the setting takes."""
    with pytest.raises(ConfigurationError, match=r"^ACCESS_RULES must be a JSON array like \[\{"):
        parse(text)


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
    """By its place, with what it should be and what it is."""
    with pytest.raises(ConfigurationError, match=rf"^ACCESS_RULES{message}"):
        parse(json.dumps([{**RULE, "path": "/z"}, entry]))


@pytest.mark.parametrize("path", ["/a/{x}", "/a/{other}"])
def test_two_rules_about_one_route_are_a_mistake(path: str) -> None:
    """The names of parameters make no difference: which of the two should count?"""
    with pytest.raises(ConfigurationError, match=r"^ACCESS_RULES\[2\] is about the same route as ACCESS_RULES\[0\]$"):
        rules(("GET", "/a/{x}", READ), ("PUT", "/a/{x}", WRITE), ("GET", path, None))


def test_rules_that_no_policy_can_express_are_a_mistake() -> None:
    """They are refused as a whole and by name, rather than answered wrongly for some request."""
    with pytest.raises(
        ConfigurationError, match=r"no policy can deny GET /\{x\}/\{y\} to a key that may call GET /\{x\} "
    ):
        rules(("GET", "/{x}", None), ("GET", "/{x}/{y}", READ), ("GET", "/{x}/{y}/{z}", None))


def test_the_same_rules_with_one_permission_are_none() -> None:
    """Where nobody can lack one and have the other, there is nothing to express."""
    assert 3 == len(rules(("GET", "/{x}", READ), ("GET", "/{x}/{y}", READ), ("GET", "/{x}/{y}/{z}", READ)).rules)


def test_the_rules_of_the_deployment(setting: Callable[[str, str], None]) -> None:
    """They come from the setting, once."""
    setting("ACCESS_RULES", json.dumps([RULE]))

    assert ["/a"] == [rule.path for rule in access_rules.access_rules().rules]
    assert access_rules.access_rules() is access_rules.access_rules()
