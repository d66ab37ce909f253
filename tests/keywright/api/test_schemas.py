"""Validation of request bodies: what is accepted, and what is said of the rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args

import pytest
from pydantic import ValidationError

from keywright.api import schemas
from keywright.api.fields import QuotaPeriod, metadata_text
from keywright.api.request import Nothing
from keywright.api.schemas import (
    AuditLogActor,
    Body,
    CreateApiKey,
    CreatedApiKey,
    PageQuery,
    Query,
    RotateApiKey,
    RotatedApiKey,
    UpdateApiKey,
    VerifyApiKey,
    field_names,
    spelling,
)
from keywright.api.validation import validate
from keywright.domain.limits import Period
from keywright.errors import ServiceError

if TYPE_CHECKING:
    from pydantic import BaseModel

pytestmark = pytest.mark.usefixtures("environment")

VALID: dict[str, Any] = {"name": "CI", "permissions": ["sessions:read"]}


def refusal(body: dict[str, Any]) -> ServiceError:
    """Validate a body that must be refused."""
    with pytest.raises(ServiceError) as caught:
        validate(CreateApiKey, body)
    return caught.value


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a", "a"),
        ("  spaced \t", "spaced"),
        ("x" * 120, "x" * 120),
        ("\N{GRINNING FACE}" * 120, "\N{GRINNING FACE}" * 120),
        ("  CI\r\n", "CI"),
        ("\N{MAN}\N{ZERO WIDTH JOINER}\N{ROCKET}", "\N{MAN}\N{ZERO WIDTH JOINER}\N{ROCKET}"),
        ("\N{RIGHT-TO-LEFT MARK}", "\N{RIGHT-TO-LEFT MARK}"),
        ("\N{ZERO WIDTH SPACE}", "\N{ZERO WIDTH SPACE}"),
    ],
)
def test_name_is_trimmed_and_otherwise_kept(name: str, expected: str) -> None:
    """A name has 1 to 120 characters of any alphabet; only white space around it is removed."""
    assert expected == validate(CreateApiKey, VALID | {"name": name}).name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": ""}, "name must have at least 1 character"),
        ({"name": " \n\t"}, "name must not be blank"),
        ({"name": "x" * 121}, "name must have at most 120 characters"),
        ({"name": None}, "name must be a string"),
        ({"name": 1}, "name must be a string"),
        *(
            ({"name": f"a{character}b"}, "name must not contain control characters")
            for character in "\0\t\n\r\x1b\x1f\x7f\x80\x85\x9f\u2028\u2029\u202a\u202e\u2066\u2069"
        ),
        ({"name": "\ud800"}, "name contains a lone surrogate"),
        ({"permissions": []}, "permissions must have at least 1 item"),
        ({"permissions": "sessions:read"}, "permissions must be an array"),
        ({"permissions": None}, "permissions must be an array"),
        ({"permissions": {"0": "sessions:read"}}, "permissions must be an array"),
        ({"permissions": ["sessions:read", "sessions:fly"]}, "permissions[1] is not a permission of this service"),
        ({"permissions": [1]}, "permissions[0] must be a string"),
        ({"metadata": None}, "metadata must be an object"),
        ({"metadata": []}, "metadata must be an object"),
        ({"metadata": {"a": None}}, "metadata.a must be a string, a number or a boolean"),
        ({"metadata": {"a": []}}, "metadata.a must be a string, a number or a boolean"),
        ({"metadata": {"a b": {}}}, 'metadata["a b"] must be a string, a number or a boolean'),
        ({"metadata": {"a": "x" * 513}}, "metadata.a must have at most 512 characters"),
        ({"metadata": {"a": float("inf")}}, "metadata.a must be a finite number"),
        ({"metadata": {"a": 10**309}}, "metadata.a must be a finite number"),
        ({"metadata": {"a": "\udfff"}}, "metadata.a contains a lone surrogate"),
        ({"metadata": {"\udfff": 1}}, 'metadata["\\ufffd\\ufffd\\ufffd"] contains a lone surrogate'),
        (
            {"metadata": {str(i): "x" * 500 for i in range(40)}},
            "metadata has 20311 bytes as JSON; the maximum is 16384",
        ),
    ],
)
def test_message_names_the_field_and_the_rule(change: dict[str, Any], message: str) -> None:
    """The message tells where the problem is and what is allowed."""
    assert refusal(VALID | change).message.startswith(message)


def test_hint_lists_the_allowed_permissions() -> None:
    """An unknown permission is answered with the known ones."""
    hint = refusal(VALID | {"permissions": ["nope"]}).hint

    assert "Use any of: webhooks:read, webhooks:write, sessions:read, sessions:write, analytics:read." == hint


@pytest.mark.parametrize("field", ["name", "permissions"])
def test_missing_field_is_named_and_explained(field: str) -> None:
    """The message says what is missing, the hint what goes there."""
    error = refusal({key: value for key, value in VALID.items() if key != field})

    assert f"{field} is required" == error.message
    assert error.hint.startswith(f"{field} is ")


def test_several_problems_are_told_at_once_but_not_all() -> None:
    """The message names three broken rules and counts the rest."""
    message = refusal({"name": 1, "permissions": ["a", "b", "c", "d"]}).message

    assert message.startswith("name must be a string; permissions[0] ")
    assert message.endswith("; and 2 more")


def test_duplicate_permissions_collapse_in_order() -> None:
    """Each permission counts once, where it came first."""
    wanted = ["sessions:write", "sessions:read", "sessions:write", "webhooks:read", "sessions:read"]

    body = validate(CreateApiKey, VALID | {"permissions": wanted})

    assert ["sessions:write", "sessions:read", "webhooks:read"] == body.permissions


def test_additional_fields_of_a_create_are_ignored() -> None:
    """Even ones whose values would be wrong anywhere else."""
    body = validate(CreateApiKey, VALID | {"extra": {"deep": [float("inf"), None]}})

    assert "CI" == body.name


@pytest.mark.parametrize(
    "name",
    [
        *("expires_at", "expires-at", "EXPIRESAT", "expiresat", "ExpiresAt", "_expiresAt_", "expires--__at"),
        *("Name", "NAME", "na-me", "Permissions", "per_missions", "meta_data", "MetaData"),
    ],
)
def test_a_field_of_a_create_in_another_spelling_is_refused(name: str) -> None:
    """It would be ignored otherwise: a key that was to expire would never do so."""
    error = refusal(VALID | {name: "2030-01-31T12:00:00Z"})

    known = next(field for field in field_names(CreateApiKey) if spelling(field) == spelling(name))
    assert error.message.endswith("is not a field of this request")
    assert f"Did you mean {known}?" == error.hint


def test_a_field_in_two_spellings_is_refused() -> None:
    """The right spelling does not excuse the other one."""
    error = refusal(VALID | {"expiresAt": "2030-01-31T12:00:00Z", "expires_at": None})

    assert "expires_at is not a field of this request" == error.message


RATE = {"limit": 60, "windowSeconds": 60}
QUOTA = {"limit": 1, "period": "total"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rateLimit": 60}, "rateLimit must be an object"),
        ({"rateLimit": [RATE]}, "rateLimit must be an object"),
        ({"rateLimit": {}}, "rateLimit.limit is required; rateLimit.windowSeconds is required"),
        ({"rateLimit": RATE | {"limit": 0}}, "rateLimit.limit must be at least 1"),
        ({"rateLimit": RATE | {"limit": 10_001}}, "rateLimit.limit must be at most 10000"),
        ({"rateLimit": RATE | {"limit": 1.5}}, "rateLimit.limit must be a whole number"),
        ({"rateLimit": RATE | {"limit": True}}, "rateLimit.limit must be a whole number"),
        ({"rateLimit": RATE | {"limit": "60"}}, "rateLimit.limit must be a whole number"),
        ({"rateLimit": RATE | {"windowSeconds": 0}}, "rateLimit.windowSeconds must be at least 1"),
        ({"rateLimit": RATE | {"windowSeconds": 3_601}}, "rateLimit.windowSeconds must be at most 3600"),
        ({"rateLimit": RATE | {"burst": 0}}, "rateLimit.burst must be at least 1"),
        ({"rateLimit": RATE | {"burst": 61}}, "rateLimit.burst must not be greater than rateLimit.limit"),
        ({"rateLimit": RATE | {"burst": None}}, "rateLimit.burst must be a whole number"),
        ({"rateLimit": RATE | {"window": 60}}, "rateLimit.window is not a field of this request"),
        ({"quota": 1}, "quota must be an object"),
        ({"quota": {"limit": 1}}, "quota.period is required"),
        ({"quota": QUOTA | {"limit": 0}}, "quota.limit must be at least 1"),
        ({"quota": QUOTA | {"limit": 10**12 + 1}}, "quota.limit must be at most 1000000000000"),
        ({"quota": QUOTA | {"period": "year"}}, "quota.period must be 'day', 'week', 'month' or 'total'"),
        ({"quota": QUOTA | {"period": None}}, "quota.period must be 'day', 'week', 'month' or 'total'"),
        ({"quota": QUOTA | {"used": 0}}, "quota.used is not a field of this request"),
        ({"allowedIps": "192.0.2.1"}, "allowedIps must be an array"),
        ({"allowedIps": [f"192.0.2.{number}" for number in range(51)]}, "allowedIps must have at most 50 items"),
        ({"allowedIps": ["192.0.2.1", 1]}, "allowedIps[1] must be a string"),
        *(
            ({"allowedIps": [text]}, "allowedIps[0] must be an IP address or a range of them")
            for text in ("", "example.com", "192.0.2", "192.0.2.01", " 192.0.2.1", "192.0.2.1:443", "192.0.2.0/33")
        ),
        ({"allowedIps": ["fe80::1%eth0"]}, "allowedIps[0] must be an IP address or a range of them"),
        ({"allowedIps": ["x" * 60_000]}, "allowedIps[0] must be an IP address or a range of them"),
        ({"allowedIps": ["192.0.2.1/24"]}, "allowedIps[0] has bits set after its prefix"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_limits_name_the_place_and_the_rule(change: dict[str, Any], message: str) -> None:
    """The message of a limit that is refused has the place inside of it, and the hint has the remedy."""
    refused = refusal(VALID | change)

    assert message == refused.message
    assert refused.hint


@pytest.mark.parametrize(
    ("rate", "burst"), [(RATE, 60), (RATE | {"burst": 1}, 1), (RATE | {"burst": 60.0}, 60), (RATE | {"limit": 7.0}, 7)]
)
def test_a_burst_is_the_limit_by_default(rate: dict[str, Any], burst: int) -> None:
    """Whole numbers may be written as 60.0, and a burst that is omitted is the limit."""
    limit = validate(CreateApiKey, VALID | {"rateLimit": rate}).rate_limit

    assert limit is not None
    assert burst == limit.burst
    assert {int} == {type(limit.burst), type(limit.limit)}


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ([], None),
        (None, None),
        (["192.0.2.1/32", "192.0.2.1", "::ffff:192.0.2.1"], ["192.0.2.1"]),
        (["2001:DB8::/32", "0.0.0.0/0"], ["2001:db8::/32", "0.0.0.0/0"]),
        (["::ffff:192.0.2.0/120"], ["192.0.2.0/24"]),
        ([f"192.0.2.{number}" for number in range(50)], [f"192.0.2.{number}" for number in range(50)]),
    ],
    ids=lambda value: str(value)[:40],
)
def test_allowed_addresses_are_written_in_one_way(sent: list[str] | None, stored: list[str] | None) -> None:
    """Each address or range counts once, in its shortest form; no address at all allows all."""
    assert stored == validate(CreateApiKey, VALID | {"allowedIps": sent}).allowed_ips


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("192.0.2.1/24", "192.0.2.0/24"),
        ("::ffff:192.0.2.1/120", "192.0.2.0/24"),
        ("2001:db8::1/32", "2001:db8::/32"),
        ("255.255.255.255/0", "0.0.0.0/0"),
    ],
)
def test_the_hint_has_the_range_that_is_meant(sent: str, meant: str) -> None:
    """An address with a prefix is not guessed to be its range: the hint proposes it."""
    assert f"Did you mean {meant}?" == refusal(VALID | {"allowedIps": [sent]}).hint


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"rateLimit": RATE | {"window_seconds": 60}}, "Did you mean windowSeconds?"),
        ({"rateLimit": RATE | {"x": 60}}, "The fields of rateLimit are: limit, windowSeconds, burst."),
        ({"quota": QUOTA | {"periods": 60}}, "Did you mean period?"),
        ({"quota": QUOTA | {"windowSeconds": 60}}, "The fields of quota are: limit, period."),
        ({"rate_limit": RATE}, "Did you mean rateLimit?"),
        ({"allowedips": []}, "Did you mean allowedIps?"),
    ],
)
def test_misspelled_limits_are_refused(change: dict[str, Any], hint: str) -> None:
    """A limit of a create that is misspelled is no additional field, and the hint has the fields of the object."""
    assert hint == refusal(VALID | change).hint


def test_the_periods_are_those_of_quotas() -> None:
    """The API takes the periods that the limiter knows."""
    assert list(Period) == list(get_args(QuotaPeriod))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cost": -1}, "cost must be at least 0"),
        ({"cost": 10**6 + 1}, "cost must be at most 1000000"),
        ({"cost": "1"}, "cost must be a whole number"),
        ({"cost": None}, "cost must be a whole number"),
        ({"clientIp": 7}, "clientIp must be a string"),
        *(
            ({"clientIp": text}, "clientIp must be an IP address")
            for text in (
                "",
                "localhost",
                "203.0.113.7:443",
                "[::1]",
                "203.0.113.0/24",
                "fe80::1%eth0",
                "1.2.3.4, 5.6.7.8",
            )
        ),
    ],
    ids=str,
)
def test_what_a_key_is_used_for_is_checked(change: dict[str, Any], message: str) -> None:
    """The message names the field, and the hint has the remedy."""
    with pytest.raises(ServiceError) as caught:
        validate(VerifyApiKey, {"key": "kk_"} | change)

    assert message == caught.value.message
    assert caught.value.hint


def test_a_use_costs_one_by_default() -> None:
    """A body without cost takes one use, and 0.0 is 0."""
    assert [1, 0, 10**6] == [
        validate(VerifyApiKey, {"key": "kk_", **change}).cost for change in ({}, {"cost": 0.0}, {"cost": 1e6})
    ]


LENIENT = {CreateApiKey}
REQUEST_MODELS = [
    model for model in vars(schemas).values() if isinstance(model, type) and issubclass(model, (Body, Query))
]


@pytest.mark.parametrize("model", [*REQUEST_MODELS, Nothing], ids=lambda model: model.__name__)
def test_bodies_and_queries_are_strict(model: type[BaseModel]) -> None:
    """Each refuses unknown fields with the list of the known ones, except the body of a create."""
    with pytest.raises(ServiceError) as caught:
        validate(model, {"": 1, "unknown": 1})

    assert ("unknown is not a" in caught.value.message) == (model not in LENIENT)
    assert ("unknown" in str(caught.value.reason)) == (model not in LENIENT)


def test_models_of_requests_are_found() -> None:
    """The test above knows each model."""
    assert {Body, Query, PageQuery, CreateApiKey, UpdateApiKey, RotateApiKey, VerifyApiKey} < set(REQUEST_MODELS)


FIELDS_OF_AN_UPDATE = (
    "The fields are: name, enabled, permissions, metadata, expiresAt, rateLimit, quota, allowedIps, leak, reason."
)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("enable", "Did you mean enabled?"),
        ("Enabled", "Did you mean enabled?"),
        ("expires", "Did you mean expiresAt?"),
        ("permission", "Did you mean permissions?"),
        ("version", FIELDS_OF_AN_UPDATE),
        (
            "x" * 60_000,
            FIELDS_OF_AN_UPDATE,
        ),
    ],
    ids=lambda text: text[:20],
)
def test_the_hint_has_the_nearest_name(name: str, hint: str) -> None:
    """The nearest known name is suggested, if it is alike."""
    with pytest.raises(ServiceError) as caught:
        validate(UpdateApiKey, {"name": "CI", name: 1})

    assert hint == caught.value.hint


def test_many_unknown_fields_are_counted() -> None:
    """Thousands of unknown fields get one short message and hint."""
    with pytest.raises(ServiceError) as caught:
        validate(RotateApiKey, {f"field {number}": number for number in range(5_000)})

    assert caught.value.message.endswith("; and 4997 more")
    assert "The fields are: gracePeriodSeconds, reason." == caught.value.hint
    assert "unknown field" == caught.value.reason


@pytest.mark.parametrize(
    "value",
    [0, -1, 2**53 + 1, 10**308, 1e300, 5e-324, -0.0, 1.0, True, False, "", "x" * 512, "\N{NULL}\N{DROMEDARY CAMEL}"],
)
def test_metadata_keeps_value_and_type(value: object) -> None:
    """1, 1.0 and true stay what they are, in the stored text as well."""
    body = validate(CreateApiKey, VALID | {"metadata": {"": value}})

    stored = json.loads(metadata_text(body.metadata))
    assert value == stored[""]
    assert type(value) is type(stored[""])


WITH_A_KEY = [
    model for model in vars(schemas).values() if isinstance(model, type) and "key" in getattr(model, "model_fields", ())
]


@pytest.mark.parametrize("model", WITH_A_KEY, ids=lambda model: model.__name__)
def test_repr_shows_no_key(model: type[BaseModel]) -> None:
    """A body or an answer with the text of a key that ends up in an exception does not give the key away."""
    shown = model.model_construct(key="the-text-of-a-key")

    assert "the-text-of-a-key" not in repr(shown)
    assert "the-text-of-a-key" not in str(shown)


def test_three_models_hold_a_key() -> None:
    """The test above finds the models."""
    assert {CreatedApiKey, RotatedApiKey, VerifyApiKey} == set(WITH_A_KEY)


def test_errors_do_not_hold_what_was_refused() -> None:
    """An answer that cannot be made is logged as an error, without its values, which may be personal data."""
    with pytest.raises(ValidationError) as refused:
        AuditLogActor(type="user", id="user_9", name=["Ada Lovelace"])

    assert "Ada" not in str(refused.value)
