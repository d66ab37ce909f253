"""Validation of request bodies: what is accepted, and what is said of the rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from keywright.api import schemas
from keywright.api.fields import metadata_text
from keywright.api.request import Nothing
from keywright.api.schemas import (
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


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("enable", "Did you mean enabled?"),
        ("Enabled", "Did you mean enabled?"),
        ("expires", "Did you mean expiresAt?"),
        ("permission", "Did you mean permissions?"),
        ("version", "The fields are: name, enabled, permissions, metadata, expiresAt."),
        ("x" * 60_000, "The fields are: name, enabled, permissions, metadata, expiresAt."),
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
    assert "The fields are: gracePeriodSeconds." == caught.value.hint
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
