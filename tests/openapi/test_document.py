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
DENIED = {("get_current_api_key", "ORGANIZATION_FROZEN"): 403}
"""Denials of an authorizer are always 403."""
ANSWERED = [case for case in REQUESTS if case.status != 204]


def test_the_file_is_what_the_code_says() -> None:
    """Neither is changed without the other: `make openapi` brings the file up to date."""
    assert text(describe(ROOT)) == (ROOT / "docs" / "openapi.json").read_text(encoding="utf-8")


def test_what_is_served_is_the_file() -> None:
    """The function's copy, which sam build takes along, says the same."""
    served = (ROOT / "functions" / "get_openapi" / "openapi.json").read_text(encoding="utf-8")

    assert DESCRIPTION == json.loads(served)


def test_every_route_is_described(stack: Stack) -> None:
    """Each method of each path of the template, and none else."""
    routes = {(route.method, f"/{stack.api.stage}{route.path}") for route in stack.api.routes}

    assert {route for route in routes if route[0] != "OPTIONS"} == {
        (operation["method"], operation["path"]) for operation in OPERATIONS.values()
    }


def test_operations_have_the_names_of_their_functions() -> None:
    """A name in a generated client leads to the code."""
    assert all((ROOT / "functions" / name / "handler.py").is_file() for name in OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_described(name: str) -> None:
    """In a line, in a sentence, and under a heading that the description explains."""
    operation = OPERATIONS[name]

    assert all(operation[part].strip() for part in ("summary", "description"))
    assert set(operation["tags"]) <= {tag["name"] for tag in DESCRIPTION["tags"]}


@pytest.mark.parametrize("case", ANSWERED, ids=str)
def test_every_recorded_answer_is_described(case: Case) -> None:
    """GIVEN an event WHEN it is replayed THEN its answer has a status, a code and a form that are described."""
    operation = OPERATIONS[case.function]
    body = case.expected["answer"]["body"]

    if isinstance(body, str):  # a document
        assert "200" in operation["responses"]
        return
    assert [] == problems(operation, case.status, body)
    if case.status != 200:
        assert body["error"]["code"] in codes(operation, str(case.status))


@pytest.mark.parametrize("case", [case for case in ANSWERED if case.status == 200 and case.event["body"]], ids=str)
def test_every_recorded_body_that_was_accepted_is_described(case: Case) -> None:
    """Every accepted body is valid by the description."""
    if case.event["isBase64Encoded"]:
        return
    content = OPERATIONS[case.function]["requestBody"]["content"]["application/json"]

    assert [] == [error.message for error in validator(content["schema"]).iter_errors(json.loads(case.event["body"]))]


@pytest.mark.parametrize(("operation", "status", "name", "answer"), EXAMPLES)
def test_an_example_of_an_error_is_one(operation: str, status: str, name: str, answer: Any) -> None:
    """It has the form that is described, and its code belongs to its status."""
    assert name
    assert [] == problems(OPERATIONS[operation], int(status), answer)
    code = answer["error"]["code"]
    assert int(status) == DENIED.get((operation, code), CATALOGUE[code].status)


@pytest.mark.parametrize(
    "name",
    sorted(
        {case.function for case in ANSWERED if case.status == 200 and isinstance(case.expected["answer"]["body"], dict)}
    ),
)
def test_an_operation_has_an_example_of_its_success(name: str) -> None:
    """As has the body of its request, if it takes one."""
    operation = OPERATIONS[name]
    answer = operation["responses"]["200"]["content"]["application/json"]["example"]
    assert [] == problems(operation, 200, answer)

    if "requestBody" in operation:
        content = operation["requestBody"]["content"]["application/json"]
        assert [] == [error.message for error in validator(content["schema"]).iter_errors(content["example"])]


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_code_of_an_operation_has_an_example(name: str) -> None:
    """No status is listed without the codes that it stands for."""
    responses = OPERATIONS[name]["responses"]

    assert all(codes(OPERATIONS[name], status) for status in responses if status != "200")


def codes(operation: dict[str, Any], status: str) -> set[str]:
    """Return the codes of an operation's examples for a status."""
    examples = operation["responses"][status]["content"]["application/json"]["examples"]
    return {example["value"]["error"]["code"] for example in examples.values()}


def test_only_the_documents_are_open_to_everybody() -> None:
    """All other operations need credentials."""
    open_to_everybody = {name for name, operation in OPERATIONS.items() if operation.get("security") == []}

    assert {"get_openapi", "get_reference"} == open_to_everybody


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
