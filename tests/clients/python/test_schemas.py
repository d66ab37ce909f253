"""The client has what docs/openapi.json describes: fields, parameters, and every answer that the API can give."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import json
import re
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis_jsonschema import from_schema

import keywright_client
from keywright_client import AsyncKeywright, Keywright, parsing, results, uses
from tests.support.api_description import DESCRIPTION, operations, plain
from tests.support.depth import mostly_deep, size

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMAS: dict[str, Any] = DESCRIPTION["components"]["schemas"]
CLASSES: dict[str, type[Any]] = {
    "ApiKeyDetails": results.ApiKeyDetails,
    "ApiKeySummary": results.ApiKeySummary,
    "AuditLog": results.AuditLog,
    "AuditLogActor": results.AuditLogActor,
    "CreatedApiKey": results.CreatedApiKey,
    "Leak": results.Leak,
    "Quota": results.Quota,
    "QuotaStatus": results.QuotaStatus,
    "RateLimit": results.RateLimit,
    "RateLimitStatus": results.RateLimitStatus,
    "RotatedApiKey": results.RotatedApiKey,
    "UndecidedApiKey": results.Undecided,
    "UnknownApiKey": results.NotFound,
    "VerifiedApiKey": results.VerifiedApiKey,
}
"""The class of each schema of an answer."""
LEFT_OUT = {"RotatedApiKey": {"status", "message"}}
"""Fields that say the same in every answer."""
PARSERS: dict[str, Callable[[Any], Any]] = {
    "ApiKeyDetails": parsing.api_key_details,
    "ApiKeySummary": parsing.api_key_summary,
    "AuditLog": parsing.audit_log,
    "CreatedApiKey": parsing.created_api_key,
    "RotatedApiKey": parsing.rotated_api_key,
}
BODIES = {"create": "CreateApiKey", "update": "UpdateApiKey", "rotate": "RotateApiKey", "verify": "VerifyApiKey"}
"""The schema of the body that each method sends."""
QUERIES = {"list": "list_api_keys", "audit_logs": "list_audit_logs", "delete": "delete_api_key"}
"""The operation whose parameters each method takes."""
OTHER_NAMES = {"key": "text", "limit": "page_size"}
"""Arguments that have another name than in the API."""
OF_THE_CLIENT = {"self", "idempotency_key", "id"}
"""Arguments that are not fields: of the path and of a header."""
EXAMPLES = {
    "create_api_key": "CreatedApiKey",
    "get_api_key": "ApiKeyDetails",
    "list_api_keys": "ApiKeySummary",
    "list_audit_logs": "AuditLog",
    "rotate_api_key": "RotatedApiKey",
    "verify_api_key": "VerifiedApiKey",
}
"""The schema of what each operation answers."""
METHODS = ["verify", "verify_batch", "create", "list", "get", "update", "rotate", "delete", "audit_logs"]

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(9999, 12, 31)).map(  # noqa: DTZ001 - made aware below
    lambda moment: moment.replace(tzinfo=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
)
"""Times as Keywright writes them."""

SOME_EXAMPLES = settings(max_examples=size("ANSWERS", 10, full=30))
"""Answers by a schema take long to make."""


def snake(name: str) -> str:
    """Return the name of a field of the API as Python writes it."""
    return re.sub(r"([A-Z])", r"_\1", name).lower()


def camel(name: str) -> str:
    """Return the name of a field as the API writes it."""
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


def is_nullable(schema: dict[str, Any]) -> bool:
    """Return whether a value may be null."""
    return {"type": "null"} in schema.get("anyOf", []) or schema.get("type") == "null"


def argument_names(method: str) -> set[str]:
    """Return the names of a method's arguments that are fields."""
    return set(inspect.signature(getattr(Keywright, method)).parameters) - OF_THE_CLIENT


@pytest.mark.parametrize("name", CLASSES)
def test_a_result_has_the_fields_of_its_schema(name: str) -> None:
    """A class has every field of its schema, and no other."""
    expected = {snake(field) for field in SCHEMAS[name]["properties"]} - LEFT_OUT.get(name, set())

    assert expected == {field.name for field in dataclasses.fields(CLASSES[name])}
    assert SCHEMAS[name]["required"] == list(SCHEMAS[name]["properties"])


@pytest.mark.parametrize("name", CLASSES)
def test_a_field_is_optional_where_it_can_be_null(name: str) -> None:
    """A field may be None exactly where the schema allows null."""
    hints = get_type_hints(CLASSES[name])
    nullable = {snake(field) for field, schema in SCHEMAS[name]["properties"].items() if is_nullable(schema)}

    assert nullable == {field for field, hint in hints.items() if type(None) in get_args(hint)}


def test_every_class_is_compared() -> None:
    """Each public class of results is that of a schema, or a result of a verification."""
    classes = {value for value in vars(results).values() if dataclasses.is_dataclass(value)}
    verifications = {value for value in classes if issubclass(value, results._Answered)}  # type: ignore[arg-type]

    assert classes - verifications == set(CLASSES.values()) - verifications


def test_the_codes_of_a_verification() -> None:
    """Each code has a class, and no class has a code that Keywright does not answer."""
    codes = {*SCHEMAS["VerifiedApiKey"]["properties"]["code"]["enum"], "NOT_FOUND"}
    classes = set(get_args(results.Verification)) - {results.Refused}

    assert codes == {get_args(get_type_hints(cls)["code"])[0] for cls in classes}


@pytest.mark.parametrize(
    ("alias", "schema"),
    [
        (results.QuotaPeriod, SCHEMAS["Quota"]["properties"]["period"]),
        (results.Reason, SCHEMAS["UpdateApiKey"]["properties"]["reason"]),
        (results.Reason, SCHEMAS["RotateApiKey"]["properties"]["reason"]),
        (results.Reason, DESCRIPTION["components"]["parameters"]["reason"]["schema"]),
    ],
    ids=["period", "reason of a change", "reason of a rotation", "reason of a deletion"],
)
def test_the_values_of_an_enumeration(alias: Any, schema: dict[str, Any]) -> None:
    """A literal type has the values of the schema, in their order."""
    assert schema["enum"] == list(get_args(alias))


@pytest.mark.parametrize("method", BODIES)
def test_a_method_takes_the_fields_of_its_body(method: str) -> None:
    """Each field of the body is an argument, and each argument is a field."""
    expected = {snake(field) for field in SCHEMAS[BODIES[method]]["properties"]}

    assert {OTHER_NAMES.get(name, name) for name in expected} == argument_names(method)


def test_a_use_has_the_fields_of_its_schema() -> None:
    """A key of a batch has every field of its schema, and no other, with the defaults of `verify`."""
    item = SCHEMAS["VerifyApiKeys"]["properties"]["verifications"]["items"]
    use, verify = (inspect.signature(function).parameters for function in (keywright_client.Use, Keywright.verify))

    assert "VerifyApiKey" == item["$ref"].rpartition("/")[2]
    assert dict(use) == {name: parameter for name, parameter in verify.items() if name != "self"}


@pytest.mark.parametrize("method", BODIES)
def test_required_fields_are_required_arguments(method: str) -> None:
    """An argument has no default exactly if the schema requires its field."""
    parameters = inspect.signature(getattr(Keywright, method)).parameters
    required = {name for name in argument_names(method) if parameters[name].default is inspect.Parameter.empty}
    expected = {snake(field) for field in SCHEMAS[BODIES[method]].get("required", [])}

    assert {OTHER_NAMES.get(name, name) for name in expected} == required


def test_fields_that_can_be_removed() -> None:
    """`update` takes None for the fields that may be null, and for no other."""
    nullable = {snake(name) for name, schema in SCHEMAS["UpdateApiKey"]["properties"].items() if is_nullable(schema)}
    parameters = inspect.signature(Keywright.update).parameters

    assert nullable == {
        name for name, parameter in parameters.items() if "None" in str(parameter.annotation).split(" | ")
    }


@pytest.mark.parametrize("method", QUERIES)
def test_a_method_takes_the_parameters_of_its_query(method: str) -> None:
    """Each parameter of the query is an argument, except the cursor, which the client keeps."""
    parameters = operations()[QUERIES[method]]["parameters"]
    expected = {parameter["name"] for parameter in parameters if parameter["in"] == "query"} - {"starting_after"}

    assert {OTHER_NAMES.get(name, name) for name in expected} == argument_names(method)


@pytest.mark.parametrize("method", METHODS)
def test_both_clients_take_the_same_arguments(method: str) -> None:
    """A method of AsyncKeywright has the arguments, defaults and description of that of Keywright."""
    one, other = (getattr(client, method) for client in (Keywright, AsyncKeywright))

    assert str(inspect.signature(one)).partition(" -> ")[0] == str(inspect.signature(other)).partition(" -> ")[0]
    assert inspect.getdoc(one) == inspect.getdoc(other)


def test_both_clients_take_the_same_options() -> None:
    """AsyncKeywright has the options of Keywright, with the same defaults."""
    one, other = (inspect.signature(client).parameters for client in (Keywright, AsyncKeywright))

    assert {name: option.default for name, option in one.items()} == {
        name: option.default for name, option in other.items()
    }


def test_public_names() -> None:
    """Every name in `__all__` exists, in order, and every class of results and errors is public."""
    names = keywright_client.__all__
    classes = {
        name
        for module in (keywright_client.results, keywright_client.errors)
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__ and not name.startswith("_")
    }

    assert sorted(names) == sorted(set(names) & set(dir(keywright_client)))
    assert classes <= set(names)


@functools.cache
def answers(name: str) -> st.SearchStrategy[Any]:
    """Return what the API can answer by a schema, times as Keywright writes them."""
    text = json.dumps(plain(SCHEMAS[name])).replace('"format": "date-time"', '"format": "moment"')
    return from_schema(json.loads(text), custom_formats={"moment": MOMENTS})


def written(value: Any) -> Any:
    """Return a value of the client as the API writes it."""
    match value:
        case Enum():
            return value.value
        case datetime():
            return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case tuple():
            return [written(item) for item in value]
        case _ if dataclasses.is_dataclass(value):
            return {camel(field.name): written(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return value


def without(fields: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """Return fields without those of some names."""
    return {name: value for name, value in fields.items() if name not in names}


def described(schema: dict[str, Any], value: Any) -> Any:
    """Return the part of an answer that its schema describes."""
    if value is not None and "anyOf" in schema:
        schema = next(option for option in schema["anyOf"] if option.get("type") != "null")
    match schema, value:
        case {"properties": dict(properties)}, dict():
            return {name: described(properties[name], value[name]) for name in properties}
        case {"items": dict(items)}, list():
            return [described(items, item) for item in value]
    return value


@pytest.mark.parametrize("operation", EXAMPLES)
def test_the_example_of_an_operation_is_parsed(operation: str) -> None:
    """The client returns the values of each example of the description."""
    name = EXAMPLES[operation]
    data = operations()[operation]["responses"]["200"]["content"]["application/json"]["example"]["data"]
    items = data if isinstance(data, list) else [data]
    parse = {**PARSERS, "VerifiedApiKey": parsing.verification}[name]

    assert [without(item, LEFT_OUT.get(name, set())) for item in items] == [written(parse(item)) for item in items]


def test_the_example_of_a_batch_is_parsed() -> None:
    """The client returns the results of the description's example of a batch, and those that it may hold besides."""
    content = operations()["verify_api_keys"]["responses"]["200"]["content"]["application/json"]
    results_of_example = content["example"]["data"]["results"]
    answer = [*results_of_example, {"valid": False, "code": "SERVICE_UNAVAILABLE"}]

    assert answer == [written(result) for result in parsing.batch_of(len(answer))({"results": answer})]


def test_what_a_batch_may_hold() -> None:
    """A batch has at most as many keys as the description allows, and results of the kinds that it names."""
    kinds = SCHEMAS["VerifiedApiKeys"]["properties"]["results"]["items"]["anyOf"]

    assert SCHEMAS["VerifyApiKeys"]["properties"]["verifications"]["maxItems"] == uses.LARGEST_BATCH
    assert {"VerifiedApiKey", "UnknownApiKey", "UndecidedApiKey"} == {kind["$ref"].rpartition("/")[2] for kind in kinds}
    assert SCHEMAS["UndecidedApiKey"]["properties"]["code"]["const"] == results.Undecided().code


@pytest.mark.parametrize("name", mostly_deep(PARSERS, lambda name: name == "CreatedApiKey"))
@SOME_EXAMPLES
@given(data=st.data())
def test_every_answer_is_parsed(name: str, data: st.DataObject) -> None:
    """The client returns the values of every answer that the schema allows, and ignores other fields."""
    schema = plain(SCHEMAS[name])
    answer = data.draw(answers(name))

    assert without(described(schema, answer), LEFT_OUT.get(name, set())) == written(PARSERS[name](answer))


@pytest.mark.deep
@SOME_EXAMPLES
@given(data=st.data())
def test_every_verification_is_parsed(data: st.DataObject) -> None:
    """The client returns the values of every verification; `valid` is true for VALID alone, as Keywright answers it."""
    schema = plain(SCHEMAS["VerifiedApiKey"])
    answer = data.draw(answers("VerifiedApiKey"))
    answer["valid"] = answer["code"] == "VALID"

    assert described(schema, answer) == written(parsing.verification(answer))


@pytest.mark.deep
@SOME_EXAMPLES
@given(valid=st.booleans(), code=st.text() | st.sampled_from(["VALID", "NOT_FOUND", "EXPIRED"]), data=st.data())
def test_only_valid_is_valid(valid: bool, code: str, data: st.DataObject) -> None:  # noqa: FBT001 - drawn
    """The result is Valid if a server answers `valid` and VALID together, and for no other answer."""
    answer = {**data.draw(answers("VerifiedApiKey")), "valid": valid, "code": code}
    try:
        result = parsing.verification(answer)
    except parsing.MalformedError:
        assert valid is not (code == "VALID")
    else:
        assert isinstance(result, results.Valid) is valid is (code == "VALID")


@given(moment=st.datetimes(timezones=st.just(UTC)), digits=st.integers(0, 9), zone=st.sampled_from(["Z", "+00:00"]))
def test_times_of_any_precision(moment: datetime, digits: int, zone: str) -> None:
    """A time is parsed up to microseconds, with any number of digits."""
    fraction = f".{moment.microsecond:06}000"[: digits + 1] if digits else ""
    text = moment.replace(microsecond=0, tzinfo=None).isoformat() + fraction + zone
    microsecond = int(fraction[1:7].ljust(6, "0")) if digits else 0

    assert moment.replace(microsecond=microsecond) == parsing._moment(text)


@pytest.mark.parametrize(
    ("text", "hour"),
    [("2026-01-02T12:00:00+02:00", 10), ("2026-01-02T12:00:00-05:30", 17), ("2026-01-02T12:00:00Z", 12)],
)
def test_times_of_other_zones(text: str, hour: int) -> None:
    """A time with an offset is the same moment in UTC."""
    moment = parsing._moment(text)

    assert hour == moment.hour
    assert UTC == moment.tzinfo


def test_literals_are_types() -> None:
    """The public aliases can be used at run time, as pydantic does."""
    assert Literal["day", "week", "month", "total"] == results.QuotaPeriod
