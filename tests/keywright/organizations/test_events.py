"""Events of organizations and members: the published schema equals what is accepted."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from keywright.organizations.events import OrganizationEvent, UnusableEventError, json_schema, parse_event
from tests.support.environment import ROOT
from tests.support.event_queue import about, event

pytestmark = pytest.mark.usefixtures("environment")

PUBLISHED = ROOT / "docs/schemas/organization-event.json"
SCHEMA: dict[str, Any] = json.loads(PUBLISHED.read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=FormatChecker())

NAMED: dict[str, Any] = {"organization": {"id": "org_2abc", "name": "Acme"}}
RATE = {"limit": 100, "windowSeconds": 60}
SAMPLES: dict[str, dict[str, Any]] = {
    "created": event("organization.created", **NAMED),
    "renamed": event("organization.updated", **NAMED),
    "limited": event("organization.updated", organization={"id": "org_2abc", "rateLimit": RATE}),
    "limited in all ways": event(
        "organization.updated",
        organization={
            "id": "org_2abc",
            "rateLimit": RATE | {"burst": 20},
            "quota": {"limit": 10_000, "period": "month"},
            "usagePlanKey": "apikey1234abcdefghij0123456789",
        },
    ),
    "not limited any more": event(
        "organization.updated", organization={"id": "org_2abc", "rateLimit": None, "quota": None, "usagePlanKey": None}
    ),
    "deletion requested": event("organization.deletion_requested"),
    "deletion cancelled": event("organization.deletion_canceled"),
    "added": event("member.added", **about()),
    "added with role": event("member.added", **about(role="owner")),
    "role changed": event("member.role_changed", **about(role="admin")),
    "updated role": event("member.updated", **about(role="member")),
    "updated suspension": event("member.updated", **about(suspended=True)),
    "suspended": event("member.suspended", **about()),
    "reinstated": event("member.reinstated", **about()),
    "removed": event("member.removed", **about()),
}
each_sample = pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)


def test_the_published_schema_is_the_one_of_the_models() -> None:
    """The schema and the models change together. `make generate` writes the schema."""
    assert json_schema() == SCHEMA


def test_the_published_schema_is_one() -> None:
    """The published schema is a valid JSON Schema (draft 2020-12)."""
    Draft202012Validator.check_schema(SCHEMA)


def test_every_kind_has_a_sample() -> None:
    """The tests below cover every kind of event."""
    kinds = {get_args(model.model_fields["type"].annotation)[0] for model in get_args(OrganizationEvent)}

    assert kinds == {sample["detail-type"] for sample in SAMPLES.values()}


@each_sample
def test_what_eventbridge_delivers_is_accepted(sample: dict[str, Any]) -> None:
    """The schema and the function accept EventBridge's envelope."""
    VALIDATOR.validate(sample)

    assert sample["detail-type"] == parse_event(json.dumps(sample)).type


@each_sample
def test_unknown_fields_are_ignored_everywhere(sample: dict[str, Any]) -> None:
    """A provider may send more fields than required."""
    detail = {name: {**value, "x": 1} if isinstance(value, dict) else value for name, value in sample["detail"].items()}
    more = {**sample, "x": 1, "detail": {**detail, "x": {"y": []}}}
    VALIDATOR.validate(more)

    assert parse_event(json.dumps(sample)) == parse_event(json.dumps(more))


def paths(value: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return the path of every field that the schema requires."""
    return [
        ("source",),
        ("detail-type",),
        ("detail",),
        *[("detail", name) for name in value["detail"]],
        *[("detail", name, inner) for name in ("organization", "member") for inner in value["detail"].get(name, {})],
    ]


def without(value: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """Return a copy without a field."""
    first, *rest = path
    if rest:
        return {**value, first: without(value[first], tuple(rest))}
    return {name: inner for name, inner in value.items() if name != first}


def is_accepted(sample: dict[str, Any]) -> bool:
    """Return whether the function accepts an event."""
    try:
        parse_event(json.dumps(sample))
    except UnusableEventError:
        return False
    return True


@pytest.mark.parametrize(
    ("sample", "path"),
    [
        pytest.param(sample, path, id=f"{name}, {'.'.join(path)}")
        for name, sample in SAMPLES.items()
        for path in paths(sample)
    ],
)
def test_schema_and_function_agree_on_what_can_be_left_out(sample: dict[str, Any], path: tuple[str, ...]) -> None:
    """Only the role of a new member is optional, and every change of an organization except the last one."""
    less = without(sample, path)

    assert VALIDATOR.is_valid(less) == is_accepted(less)
    is_optional = (path == ("detail", "member", "role") and sample["detail-type"] == "member.added") or (
        path[-1] in {"rateLimit", "quota", "usagePlanKey"} and len(less["detail"]["organization"]) > 1
    )
    assert is_accepted(less) == is_optional


LIMITS: dict[str, list[tuple[object, bool]]] = {
    "rateLimit": [
        (RATE | {"burst": 1}, True),
        ({"limit": 1, "windowSeconds": 1}, True),
        ({"limit": 10_000, "windowSeconds": 3600, "burst": 10_000}, True),
        ({"limit": 100.0, "windowSeconds": 60.0}, True),
        (RATE | {"unknown": 1}, True),
        ({"limit": 0, "windowSeconds": 1}, False),
        ({"limit": 10_001, "windowSeconds": 1}, False),
        ({"limit": 1.5, "windowSeconds": 1}, False),
        ({"limit": 1, "windowSeconds": 0}, False),
        ({"limit": 1, "windowSeconds": 3601}, False),
        ({"limit": 1}, False),
        ({"windowSeconds": 1}, False),
        (RATE | {"burst": 0}, False),
        (RATE | {"burst": None}, False),
        (RATE | {"limit": "100"}, False),
        (RATE | {"limit": True}, False),
    ],
    "quota": [
        ({"limit": 10**12, "period": "total"}, True),
        ({"limit": 10**12 + 1, "period": "total"}, False),
        ({"limit": 0, "period": "day"}, False),
        ({"limit": 1, "period": "year"}, False),
        ({"limit": 1}, False),
    ],
    "usagePlanKey": [("x" * 20, True), ("~!" * 64, True), ("x" * 19, False), ("x" * 129, False), ("ü" * 20, False)],
}


@pytest.mark.parametrize(
    ("name", "value", "expected"), [(name, *case) for name, cases in LIMITS.items() for case in cases], ids=repr
)
def test_schema_and_function_agree_on_limits(name: str, value: object, expected: bool) -> None:  # noqa: FBT001 - a case
    """Limits have the ranges of keys' limits."""
    sample = event("organization.updated", organization={"id": "org_2abc", name: value})

    assert expected == VALIDATOR.is_valid(sample)
    assert expected == is_accepted(sample)


def test_a_burst_is_at_most_the_limit() -> None:
    """A burst above the limit, which a schema cannot refuse, is refused by the function."""
    assert not is_accepted(
        event("organization.updated", organization={"id": "org_2abc", "rateLimit": RATE | {"burst": 101}})
    )


@pytest.mark.parametrize("value", ["x" * 19 + " ", "x" * 20 + "\n", ""])
def test_a_usage_plan_key_without_spaces(value: str) -> None:
    """A line break at the end would be sent to API Gateway: it is refused."""
    assert not is_accepted(event("organization.updated", organization={"id": "org_2abc", "usagePlanKey": value}))


def test_an_event_does_not_show_its_usage_plan_key() -> None:
    """The value is not in the representation of an event, which a log could have."""
    assert "apikey1234" not in repr(parse_event(json.dumps(SAMPLES["limited in all ways"])))


@pytest.mark.parametrize(
    "path",
    [("detail-type",), ("detail",), ("detail", "organization"), ("detail", "eventId"), ("detail", "member", "role")],
    ids=".".join,
)
@pytest.mark.parametrize("wrong", [None, 1, True, "", [], ["x"], {}], ids=repr)
def test_what_is_of_another_type_is_refused_by_both(path: tuple[str, ...], wrong: object) -> None:
    """Schema and function convert no value to another type."""
    sample = event("member.role_changed", **about(role="admin"))
    place = sample
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = wrong

    assert not VALIDATOR.is_valid(sample)
    assert not is_accepted(sample)
