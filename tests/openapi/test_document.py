"""The description is what the code says, and what the code does is what the description says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from keywright.errors import CATALOGUE
from openapi.document import describe, text
from tests.support.api_description import DESCRIPTION, find, operations, plain, problems, validator
from tests.support.cases import REQUESTS
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from local.cases import Case
    from local.template import Stack

OPERATIONS = operations()
EXAMPLES = [
    pytest.param(operation, status, name, example["value"], id=f"{operation}-{status}-{name}")
    for operation, described in OPERATIONS.items()
    for status, response in described["responses"].items()
    for name, example in response["content"].get("application/json", {}).get("examples", {}).items()
]
DENIED = {
    ("get_current_api_key", "ORGANIZATION_FROZEN"): {403},
    ("revoke_current_api_key", "ORGANIZATION_FROZEN"): {403, 410},
}
"""Denials of an authorizer are always 403. A function may also find the organization frozen after the authorizer."""
ANSWERED = [case for case in REQUESTS if case.status != 204]


def test_the_file_is_what_the_code_says() -> None:
    """docs/openapi.json is what `make generate` writes."""
    assert text(describe(ROOT)) == (ROOT / "docs" / "openapi.json").read_text(encoding="utf-8")


def test_what_is_served_is_the_file() -> None:
    """The copy that get_openapi serves is docs/openapi.json."""
    served = (ROOT / "functions" / "get_openapi" / "openapi.json").read_text(encoding="utf-8")

    assert DESCRIPTION == json.loads(served)


def test_every_route_is_described(stack: Stack) -> None:
    """The description has each method of each path of the template, and no other."""
    routes = {(route.method, f"/{stack.api.stage}{route.path}") for route in stack.api.routes}

    assert {route for route in routes if route[0] != "OPTIONS"} == {
        (operation["method"], operation["path"]) for operation in OPERATIONS.values()
    }


def test_operations_have_the_names_of_their_functions() -> None:
    """Each operation is named after the folder of its function."""
    assert all((ROOT / "functions" / name / "handler.py").is_file() for name in OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_described(name: str) -> None:
    """Each operation has a summary, a description and a tag that is explained."""
    operation = OPERATIONS[name]

    assert all(operation[part].strip() for part in ("summary", "description"))
    assert set(operation["tags"]) <= {tag["name"] for tag in DESCRIPTION["tags"]}


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_parameter_is_described(name: str) -> None:
    """Each parameter of the path, the query and the headers has a description and a schema."""
    parameters = OPERATIONS[name].get("parameters", [])

    assert [] == [parameter["name"] for parameter in parameters if not parameter.get("description", "").strip()]
    assert [] == [parameter["name"] for parameter in parameters if not parameter.get("schema")]


@pytest.mark.parametrize("name", DESCRIPTION["components"]["schemas"])
def test_each_schema_and_field_is_described(name: str) -> None:
    """Each schema, and each field of an object that is not described itself, has a description."""
    schema = DESCRIPTION["components"]["schemas"][name]

    assert schema["description"].strip()
    assert [] == undescribed(schema)


def undescribed(schema: dict[str, Any], place: str = "") -> list[str]:
    """Return the fields of a schema without a description, at any depth; references lead to described schemas."""
    missing = []
    for name, field in schema.get("properties", {}).items():
        if "properties" in field:
            missing += undescribed(field, f"{place}{name}.")
        elif "$ref" not in field and not field.get("description", "").strip():
            missing.append(f"{place}{name}")
    return missing


def test_every_recorded_answer_is_described() -> None:
    """GIVEN an event WHEN it is replayed THEN its answer has a status, a code and a form that are described."""
    wrong = {str(case): found for case in ANSWERED if (found := undescribed_parts(case))}

    assert {} == wrong


def undescribed_parts(case: Case) -> list[str]:
    """Return what the description does not say about a recorded answer."""
    operation, body = OPERATIONS[case.function], case.expected["answer"]["body"]
    if isinstance(body, str):  # a document
        return [] if "200" in operation["responses"] else ["200"]
    found = problems(operation, case.status, body)
    if not found and case.status != 200 and body["error"]["code"] not in codes(operation, str(case.status)):
        found.append(body["error"]["code"])
    return found


def test_every_recorded_body_that_was_accepted_is_described() -> None:
    """Every accepted body is valid by the description."""
    bodies = {
        str(case): (OPERATIONS[case.function]["requestBody"]["content"]["application/json"], case.event["body"])
        for case in ANSWERED
        if case.status == 200 and case.event["body"] and not case.event["isBase64Encoded"]
    }

    assert bodies
    assert {} == {
        name: found
        for name, (content, body) in bodies.items()
        if (found := [error.message for error in validator(content["schema"]).iter_errors(json.loads(body))])
    }


def test_every_body_but_that_of_a_create_is_closed() -> None:
    """Bodies allow no additional properties, but for those of a create and of GitHub, whose contracts allow them."""
    bodies = {
        name: plain(operation["requestBody"]["content"]["application/json"]["schema"]).get("additionalProperties", True)
        for name, operation in OPERATIONS.items()
        if "requestBody" in operation
    }

    opened = {name for name, is_open in bodies.items() if is_open}
    assert {"create_api_key", "report_github_leaks"} == opened
    closed = {"update_api_key", "rotate_api_key", "verify_api_key", "verify_api_keys", "report_leak"}
    assert closed == bodies.keys() - opened


@pytest.mark.parametrize(("operation", "status", "name", "answer"), EXAMPLES)
def test_an_example_of_an_error_is_one(operation: str, status: str, name: str, answer: Any) -> None:
    """Each example of an error has the described form, and its code belongs to its status."""
    assert name
    assert [] == problems(OPERATIONS[operation], int(status), answer)
    code = answer["error"]["code"]
    assert int(status) in DENIED.get((operation, code), {CATALOGUE[code].status})


@pytest.mark.parametrize(
    "name",
    sorted(
        {case.function for case in ANSWERED if case.status == 200 and isinstance(case.expected["answer"]["body"], dict)}
    ),
)
def test_an_operation_has_an_example_of_its_success(name: str) -> None:
    """Each operation has valid examples of its success and of its body, if it takes one."""
    operation = OPERATIONS[name]
    answer = operation["responses"]["200"]["content"]["application/json"]["example"]
    assert [] == problems(operation, 200, answer)

    if "requestBody" in operation:
        content = operation["requestBody"]["content"]["application/json"]
        assert [] == [error.message for error in validator(content["schema"]).iter_errors(content["example"])]


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_code_of_an_operation_has_an_example(name: str) -> None:
    """Each status other than 200 has examples with its codes."""
    responses = OPERATIONS[name]["responses"]

    assert all(codes(OPERATIONS[name], status) for status in responses if status != "200")


def codes(operation: dict[str, Any], status: str) -> set[str]:
    """Return the codes of an operation's examples for a status."""
    examples = operation["responses"][status]["content"]["application/json"]["examples"]
    return {example["value"]["error"]["code"] for example in examples.values()}


def test_only_the_documents_are_open_to_everybody() -> None:
    """All operations but the documents and the two reports of leaks need credentials."""
    open_to_everybody = {name for name, operation in OPERATIONS.items() if operation.get("security") == []}

    documents = {"get_console", "get_console_script", "get_openapi", "get_reference"}
    assert documents | {"report_leak", "report_github_leaks"} == open_to_everybody


def test_a_path_leads_to_its_operation() -> None:
    """A fixed path takes precedence over one with a parameter."""
    found = find("GET", "/auth/api-keys/019b7e3c-9585-719d-81cb-3b8af1c594c2")

    assert found
    assert "get_api_key" == found["operationId"]
    assert find("GET", "/nothing") is None


def test_references_are_followed() -> None:
    """References are resolved recursively, without annotations."""
    assert {"type": "string", "enum": DESCRIPTION["components"]["schemas"]["Permission"]["enum"]} == plain(
        {"$ref": "#/components/schemas/Permission"}
    )


def test_an_error_of_several_operations_is_described_once() -> None:
    """Every shared error and parameter is referenced by at least two operations."""
    text = (ROOT / "docs" / "openapi.json").read_text(encoding="utf-8")

    for kind in ("responses", "parameters"):
        for name in DESCRIPTION["components"][kind]:
            assert text.count(f'"#/components/{kind}/{name}"') > 1
