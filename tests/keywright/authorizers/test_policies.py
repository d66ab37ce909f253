"""Policies: right for every route, in every spelling, within what IAM can express."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.authorizers import policies
from keywright.authorizers.policies import allow, expressible_rules, only_from, statements_for
from keywright.domain import permissions
from keywright.domain.access_rules import METHODS as EVERY_METHOD
from keywright.domain.ip_addresses import is_within, normalized
from keywright.settings import ConfigurationError
from local.authorization import allows
from tests.support.access_rules import (
    ADMIN,
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

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from keywright.domain.access_rules import AccessRules

pytestmark = pytest.mark.usefixtures("environment")

STAGE = "arn:aws:execute-api:eu-central-1:123456789012:abcdef1234/prod/"
INVOKE = "execute-api:Invoke"


def policy(access: AccessRules, granted: Sequence[str]) -> tuple[dict[str, Any], ...]:
    """Return the statements for a key."""
    return tuple(dict(statement) for statement in statements_for(granted, access, STAGE))


def lets_in(access: AccessRules, granted: Sequence[str], path: str) -> bool:
    """Return whether the policy for a key lets in a GET request."""
    return allows(policy(access, granted), f"{STAGE}GET{path}")


@pytest.mark.parametrize("text", ["", "[]"])
def test_without_rules_a_policy_allows_every_route(text: str) -> None:
    """Without rules, the policy of any valid key is one statement."""
    assert ({"Action": INVOKE, "Effect": "Allow", "Resource": f"{STAGE}*"},) == policy(expressible_rules(text), [])


def test_a_policy_in_full() -> None:
    """A policy allows the key's routes, and denies what these let in and the paths that are not plain."""
    access = rules(
        ("GET", "/sessions/{id}", READ), ("GET", "/sessions/all", ANALYZE), ("ANY", "/open", None), ("PUT", "/x", WRITE)
    )

    assert (
        {
            "Action": INVOKE,
            "Effect": "Allow",
            "Resource": [*[f"{STAGE}{method}/open" for method in EVERY_METHOD], f"{STAGE}GET/sessions/*"],
        },
        {
            "Action": INVOKE,
            "Effect": "Deny",
            "Resource": [f"{STAGE}GET/sessions/all", f"{STAGE}GET/sessions/*/*", f"{STAGE}GET/sessions/all/"],
        },
        {
            "Action": INVOKE,
            "Effect": "Deny",
            "Resource": [f"arn:aws:execute-api:*:*:{glob}" for glob in policies._NOT_PLAIN_GLOBS],
        },
    ) == policy(access, [READ])


def test_a_key_without_routes_is_denied_everything() -> None:
    """A policy needs a statement, so it denies the whole stage."""
    access = rules(("GET", "/sessions", READ))

    assert ({"Action": INVOKE, "Effect": "Deny", "Resource": f"{STAGE}*"},) == policy(access, [])


def test_each_stage_has_its_own_policy() -> None:
    """Remembered policies of two stages do not mix."""
    access, other = rules(("GET", "/a", None)), STAGE.replace("prod", "test")

    resources = [statements_for([], access, stage)[0]["Resource"] for stage in (STAGE, other)]

    assert [[f"{STAGE}GET/a"], [f"{other}GET/a"]] == resources


def test_policies_stay_small() -> None:
    """The denial of paths that are not plain takes less than two kilobytes of each policy."""
    statements = policy(rules(("GET", "/{rest+}", None)), [])

    assert ["Allow", "Deny"] == [statement["Effect"] for statement in statements]
    assert len(json.dumps(statements[1])) < 2048


@pytest.mark.parametrize(
    "value", ["7", "a%20b", "caf%C3%A9", "caf%c3%a9", "%F0%9F%98%80", "*", "{x}", "é", "a b", "..."]
)
def test_a_policy_lets_in_any_one_segment(value: str) -> None:
    """A policy allows any value of a parameter, encoded or decoded."""
    assert lets_in(rules(("GET", "/a/{x}", None)), [], f"/a/{value}")


def test_a_policy_denies_routes_below_a_parameter() -> None:
    """`*` matches slashes, but a route without a rule stays closed."""
    access = rules(("GET", "/a/{x}", None))

    assert lets_in(access, [], "/a/7")
    assert not lets_in(access, [], "/a/7/8")
    assert not lets_in(access, [], "/a/7/8/9/10")


def test_the_documented_exception() -> None:
    """A reused policy lets in an unnamed route below an allowed parameter and beside a longer allowed path."""
    access = rules(("GET", "/a/{x}", None), ("GET", "/a/{x}/b", None))

    assert access.missing("GET", "/a/7/c", [])
    assert lets_in(access, [], "/a/7/c")


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
    """A REST API takes /a/ for /a, and a `*` matches it as another path: it is refused where /a is."""
    access = rules(*entries)

    assert not lets_in(access, [], "/a/")
    assert access.missing("GET", "/a/", [])


@pytest.mark.parametrize("path", ADMIN)
def test_a_reused_policy_denies_every_spelling(path: str) -> None:
    """A policy that was made for another request denies every spelling of a refused route."""
    access = rules(("ANY", "/admin", WRITE), ("ANY", "/{rest+}", None))

    assert lets_in(access, [READ], "/administration")
    assert not lets_in(access, [READ], path)


@pytest.mark.parametrize("path", [*ADMIN, "/%zz"])
def test_without_rules_every_spelling_is_let_in(path: str) -> None:
    """Without rules there is nothing to circumvent."""
    assert lets_in(expressible_rules(""), [], path)


# ---- Random rules ----------------------------------------------------------------------------------------------


@many_rules
@given(ENTRIES, GRANTS, METHODS)
def test_a_policy_lets_in_nothing_that_rules_refuse(
    entries: list[tuple[str, str, str | None]], granted: list[str], method: str
) -> None:
    """For every named route and every value of its parameters, with and without a slash at the end."""
    access, held = assumed_expressible(entries), permissions.effective(granted)
    statements = policy(access, granted)
    for path in PATHS:
        for written in (path, f"{path}/"):
            # With its slash the path is a different one to HTTP APIs, and the same to REST APIs.
            routes = [route for reading in {path, written} if (route := routed(entries, method, reading))]
            lacked = {permission for _, _, permission in routes if permission is not None} - set(held)
            if not lacked:
                continue
            assert not allows(statements, f"{STAGE}{method}{written}"), written
            assert access.missing(method, written, granted)


@many_rules
@given(ENTRIES, GRANTS, METHODS)
def test_a_policy_allows_all_but_repeated_literals(
    entries: list[tuple[str, str, str | None]], granted: list[str], method: str
) -> None:
    """An allowed request is let in, unless the value of a parameter repeats a literal segment."""
    access, held = assumed_expressible(entries), permissions.effective(granted)
    statements = policy(access, granted)
    for path in PATHS:
        route = routed(entries, method, path)
        if route is None or route[2] not in {None, *held}:
            continue
        assert access.missing(method, path, granted) == ()
        if repeats_a_literal(route, path):
            continue
        assert allows(statements, f"{STAGE}{method}{path}"), path


def repeats_a_literal(route: tuple[str, str, str | None], path: str) -> bool:
    """Return whether a parameter of the route has the value a or b, the literal segments of all rules."""
    pattern, values = route[1][1:].split("/"), path[1:].split("/")
    fixed = len([segment for segment in pattern if segment != "{rest+}"])
    parameters = [value for segment, value in zip(pattern, values, strict=False) if segment == "{x}"]
    return bool({"a", "b"}.intersection(parameters + values[fixed:]))


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
SPELLINGS = st.lists(
    st.tuples(
        st.sampled_from(SEPARATORS),
        st.sampled_from("aab1").flatmap(lambda name: st.sampled_from(SEGMENTS_SPELLED[name])),
    ),
    min_size=1,
    max_size=4,
).map(lambda parts: ("/" + "".join(map("".join, parts))).replace("//", "/", 1))
"""Paths in which any segment and any slash may be spelled differently."""


@many_rules
@given(ENTRIES, GRANTS, METHODS, st.lists(SPELLINGS, min_size=40, max_size=60))
def test_every_reading_of_a_let_in_path_is_allowed(
    entries: list[tuple[str, str, str | None]], granted: list[str], method: str, paths: list[str]
) -> None:
    """No reading of a path that a policy or a simple answer lets in is a route whose permission the key lacks.

    A catch-all lets in all routes that the rules do not name.
    """
    entries = [*entries, ("ANY", "/{rest+}", None)]
    access, held = assumed_expressible(entries), permissions.effective(granted)
    statements = policy(access, granted)
    for path in paths:
        is_allowed = access.missing(method, path, granted) == ()
        if not is_allowed and not allows(statements, f"{STAGE}{method}{path}"):
            continue
        routes = {reading: route for reading in readings(path) if (route := routed(entries, method, reading))}
        lacked = {reading: route for reading, route in routes.items() if route[2] not in {None, *held}}

        assert not lacked, f"{path} is let in and can be read as {lacked}"
        assert routes or not is_allowed


# ---- Addresses -----------------------------------------------------------------------------------------------

RANGES = st.builds(
    lambda address, length: normalized(
        str(ip_network((str(address), min(length, address.max_prefixlen)), strict=False))
    ),
    st.ip_addresses(),
    st.integers(0, 128),
)


def neighbors(range_: str) -> list[str]:
    """Return the first and the last address of a range, and the addresses beside it."""
    network = ip_network(range_)
    first, last = int(network.network_address), int(network.broadcast_address)
    numbers = [number for number in (first - 1, first, last, last + 1) if 0 <= number < 1 << network.max_prefixlen]
    return [str(type(network.network_address)(number)) for number in numbers]


@given(st.lists(RANGES, min_size=1, max_size=4), st.ip_addresses().map(str))
def test_a_policy_and_a_verification_agree_on_addresses(ranges: list[str], another: str) -> None:
    """A policy lets in exactly the addresses that a verification lets in."""
    statements: tuple[dict[str, Any], ...] = tuple(map(dict, only_from(ranges, [allow(f"{STAGE}*")])))
    for address in [another, *(neighbor for range_ in ranges for neighbor in neighbors(range_))]:
        if getattr(ip_address(address), "ipv4_mapped", None):  # whose form in aws:SourceIp is not documented
            continue

        assert is_within(address, ranges) == allows(statements, f"{STAGE}GET/a", address), address
    assert not allows(statements, f"{STAGE}GET/a", None)


# ---- Rules that no policy can express --------------------------------------------------------------------------


def test_a_star_that_takes_a_part_of_the_rest_is_an_error() -> None:
    """`GET/*/a/*` matches /1/2/a/3 of the greedy route, and no policy can tell it from /1/a/3."""
    with pytest.raises(ConfigurationError, match=r"no policy can deny GET /\{x\}/\{rest\+\} "):
        rules(("GET", "/{x}/{rest+}", READ), ("GET", "/{x}/a/{rest+}", None))


def test_rules_that_no_policy_can_express_are_an_error() -> None:
    """They are refused as a whole, by name, instead of being wrong for some requests."""
    with pytest.raises(
        ConfigurationError, match=r"no policy can deny GET /\{x\}/\{y\} to a key that may call GET /\{x\} "
    ):
        rules(("GET", "/{x}", None), ("GET", "/{x}/{y}", READ), ("GET", "/{x}/{y}/{z}", None))


def test_the_same_rules_with_one_permission_are_fine() -> None:
    """No key lacks one of them and has the others, so a policy need not tell them apart."""
    assert 3 == len(rules(("GET", "/{x}", READ), ("GET", "/{x}/{y}", READ), ("GET", "/{x}/{y}/{z}", READ)).rules)


def test_the_rules_of_a_deployment_are_read_once(setting: Callable[[str, str], None]) -> None:
    """The rules come from the setting, and a container parses them once."""
    setting("ACCESS_RULES", json.dumps([{"method": "GET", "path": "/a", "permission": None}]))

    assert ["/a"] == [rule.path for rule in policies.access_rules().rules]
    assert policies.access_rules() is policies.access_rules()


# ---- Statements ------------------------------------------------------------------------------------------------


def test_a_long_denial_is_cut_and_a_long_allowance_is_not() -> None:
    """A resource has at most 512 characters. A cut one matches more, so only a denial is cut."""
    resource = f"{STAGE}GET/{'x' * 1500}"

    assert f"{resource[:511]}*" == policies.deny(resource)["Resource"]
    assert resource == policies.allow(resource)["Resource"]
