"""Policies as API Gateway evaluates them, and the answers of authorizers that it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from local.authorization import Authorization, allows
from local.events import Request
from local.refusals import RefusalError
from local.template import Authorizer

if TYPE_CHECKING:
    from local.intrinsics import Json

STAGE = "arn:aws:execute-api:us-east-1:123456789012:local/v1/"
AUTHORIZER = Authorizer("Asked", "REQUEST", "Authorize", "Authorization", None, ("x-api-key",), (), 0)


def statement(effect: str, condition: Json = None) -> dict[str, Json]:
    """Return a statement about every route, with or without a condition."""
    plain: dict[str, Json] = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": f"{STAGE}*"}
    return plain if condition is None else plain | {"Condition": condition}


def source_ip(*ranges: str) -> dict[str, Json]:
    """Return the condition that a request is from one of these ranges."""
    return {"IpAddress": {"aws:SourceIp": list(ranges)}}


@pytest.mark.parametrize(
    ("condition", "address", "is_allowed"),
    [
        (source_ip("192.0.2.0/24"), "192.0.2.255", True),
        (source_ip("192.0.2.0/24"), "192.0.3.0", False),
        (source_ip("192.0.2.1"), "192.0.2.1", True),
        ({"IpAddress": {"aws:SourceIp": "192.0.2.1"}}, "192.0.2.1", True),
        (source_ip("192.0.2.1", "2001:db8::/32"), "2001:db8:ffff::1", True),
        (source_ip("192.0.2.1", "2001:db8::/32"), "2001:db9::1", False),
        (source_ip("0.0.0.0/0"), "192.0.2.1", True),
        (source_ip("0.0.0.0/0"), "2001:db8::1", False),
        (source_ip("0.0.0.0/0", "::/0"), None, False),
        (source_ip(), "192.0.2.1", False),
        (None, None, True),
    ],
    ids=str,
)
def test_an_address_is_compared_with_ranges(condition: Json, address: str | None, *, is_allowed: bool) -> None:
    """Each range is of one version of IP; a request without aws:SourceIp is in none."""
    assert is_allowed == allows((statement("Allow", condition),), f"{STAGE}GET/a", address)


def test_a_condition_limits_a_denial_as_well() -> None:
    """A Deny whose condition is not fulfilled denies nothing."""
    policy = (statement("Allow"), statement("Deny", source_ip("192.0.2.0/24")))

    assert [False, True] == [allows(policy, f"{STAGE}GET/a", address) for address in ("192.0.2.1", "192.0.3.1")]


def answered(**fields: Any) -> str | None:
    """Return the key of the usage plan in the answer of an authorizer with these fields, as API Gateway reads it."""
    answer = {"principalId": "p", "policyDocument": {"Statement": [statement("Allow")]}} | fields
    request = Request("GET", "/v1/a", "", (("x-api-key", "k"),), b"", "192.0.2.1", "localhost", 80)
    return Authorization(lambda _, __: answer, "v1").check(AUTHORIZER, request, {}).usage_plan_key


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"NotIpAddress": {"aws:SourceIp": ["192.0.2.1"]}},
        {"IpAddress": {"aws:VpcSourceIp": ["192.0.2.1"]}},
        {"IpAddress": {"aws:sourceip": ["192.0.2.1"]}},
        {"IpAddress": {"aws:SourceIp": ["192.0.2.1"], "aws:VpcSourceIp": ["10.0.0.1"]}},
        {"IpAddress": {"aws:SourceIp": ["192.0.2.1"]}, "Bool": {"aws:SecureTransport": "true"}},
        {"StringEquals": {"aws:SourceIp": "192.0.2.1"}},
        {"IpAddressIfExists": {"aws:SourceIp": ["192.0.2.1"]}},
        source_ip("192.0.2.1/24"),
        source_ip("everywhere"),
        source_ip(""),
        {"IpAddress": {"aws:SourceIp": [7]}},
        {"IpAddress": {"aws:SourceIp": None}},
        {"IpAddress": ["192.0.2.1"]},
        ["IpAddress"],
    ],
    ids=str,
)
def test_an_unknown_condition_is_refused(condition: Json) -> None:
    """A condition that would have to be guessed is a configuration error, whether it allows or denies."""
    for effect in ("Allow", "Deny"):
        with pytest.raises(RefusalError, match="AUTHORIZER_CONFIGURATION_ERROR"):
            answered(policyDocument={"Statement": [statement("Allow"), statement(effect, condition)]})


@pytest.mark.parametrize("key", [7, ["key"], {}, True])
def test_a_malformed_usage_identifier_key_is_refused(key: Json) -> None:
    """The key of a usage plan is a text."""
    with pytest.raises(RefusalError, match="AUTHORIZER_CONFIGURATION_ERROR"):
        answered(usageIdentifierKey=key)


@pytest.mark.parametrize(("fields", "expected"), [({}, None), ({"usageIdentifierKey": "plan"}, "plan")])
def test_the_key_of_a_usage_plan_is_passed_on(fields: dict[str, str], expected: str | None) -> None:
    """An answer may name the API key of a usage plan."""
    assert expected == answered(**fields)
