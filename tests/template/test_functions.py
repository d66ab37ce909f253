"""Every function of the template: one identity, observable, and allowed no more than it needs."""

from __future__ import annotations

import pytest

from local.intrinsics import Json, mapping, sequence, text
from tests.support.cloudformation import folder_name, function_ids, properties, resource, resources, section
from tests.support.environment import ROOT
from tests.support.modules import FUNCTIONS

each_function = pytest.mark.parametrize("function", function_ids())

API_GATEWAY_TIMEOUT_SECONDS = 29
WITHOUT_CALLER = ["PurgeOrganizations"]
"""The functions that no caller waits for."""

BOUNDARY = "arn:aws:iam::123456789012:policy/keywright-iam-Boundary-1A2B3C"

OWN_RESOURCES = [
    {"Ref": "Pepper"},
    *({"Fn::GetAtt": [name, "Arn"]} for name in ("Table", "OrganizationEventsQueue", "OrganizationEventsDeadLetters")),
]


def test_the_template_and_the_functions_folder_name_the_same_functions() -> None:
    """A function cannot be deployed without its code, nor code be left out of the deployment."""
    assert sorted(FUNCTIONS) == sorted(folder_name(function) for function in function_ids())


@each_function
def test_a_function_runs_the_handler_of_the_folder_of_its_name(function: str) -> None:
    """The logical id, the folder and the code are one identity."""
    declared = properties(function)

    assert (declared["CodeUri"], declared["Handler"]) == (f"functions/{folder_name(function)}", "handler.handler")


@each_function
def test_a_function_has_no_dependencies_of_its_own(function: str) -> None:
    """With a requirements.txt beside a handler, sam build would need the exact Python of the runtime."""
    assert not (ROOT / "functions" / folder_name(function) / "requirements.txt").exists()


@each_function
def test_a_function_is_traced(function: str) -> None:
    """Every invocation appears in X-Ray."""
    assert properties(function)["Tracing"] == "Active"


@each_function
def test_a_function_logs_to_a_group_of_its_own_that_forgets(function: str) -> None:
    """Logs are found by the function's name and are deleted after the days the operator chose."""
    group = f"{function}Logs"

    assert mapping(resource(function)["Properties"], function)["LoggingConfig"] == {
        "LogFormat": "JSON",
        "LogGroup": {"Ref": group},
    }
    assert properties(group, LogRetentionDays="7") == {"RetentionInDays": "7"}


@pytest.mark.parametrize("function", [function for function in function_ids() if function not in WITHOUT_CALLER])
def test_a_function_ends_before_api_gateway_gives_up(function: str) -> None:
    """A function's own answer reaches the client, even a late one."""
    assert 0 < int(text(properties(function)["Timeout"], function)) < API_GATEWAY_TIMEOUT_SECONDS


@each_function
def test_a_function_has_the_environment_all_functions_have(function: str) -> None:
    """The local service can run all functions in one process."""
    assert "Environment" not in mapping(resource(function)["Properties"], function)


def test_the_environment_holds_no_secret() -> None:
    """The pepper is named, not given: whoever may read a function's configuration does not read it."""
    environment = mapping(mapping(section("Globals")["Function"], "Globals")["Environment"], "Environment")

    assert mapping(environment["Variables"], "Variables")["PEPPER_SECRET_ID"] == {"Ref": "Pepper"}
    assert "resolve:secretsmanager" not in str(section("Globals"))


@each_function
def test_a_permission_is_one_action_on_one_resource(function: str) -> None:
    """No function has a permission that is not listed here."""
    for statement in _statements(function):
        assert set(statement) == {"Sid", "Effect", "Action", "Resource"}
        assert statement["Effect"] == "Allow"
        assert isinstance(statement["Action"], str)
        assert isinstance(statement["Resource"], str)
        assert "*" not in f"{statement['Action']}{statement['Resource']}"


@each_function
def test_a_permission_is_on_a_resource_of_this_stack(function: str) -> None:
    """Statements name the table, the pepper or a queue of this stack and nothing else of the account."""
    for statement in _written_statements(function):
        assert statement["Resource"] in OWN_RESOURCES


@each_function
def test_a_function_has_no_other_way_to_permissions(function: str) -> None:
    """Functions have no external role and no managed policy."""
    assert not {"Role", "ManagedPolicyArns"} & properties(function).keys()


@each_function
def test_a_role_has_the_boundary_that_is_given(function: str) -> None:
    """Roles have the permissions boundary of the parameter, and none without it."""
    assert BOUNDARY == properties(function, PermissionsBoundaryArn=BOUNDARY)["PermissionsBoundary"]
    assert "PermissionsBoundary" not in properties(function)


@pytest.mark.parametrize("role", list(resources("AWS::IAM::Role")))
def test_a_role_that_no_function_has_is_bounded_as_well(role: str) -> None:
    """The deployer's policy allows no role without the boundary."""
    assert BOUNDARY == properties(role, PermissionsBoundaryArn=BOUNDARY)["PermissionsBoundary"]
    assert "PermissionsBoundary" not in properties(role)


def _statements(function: str) -> list[dict[str, Json]]:
    policies = sequence(properties(function).get("Policies"), function)
    # A name instead of a policy would be one of AWS's managed policies or SAM's templates, which are far wider.
    documents = [mapping(policy, function) for policy in policies]
    return [
        mapping(statement, function)
        for document in documents
        for statement in sequence(document["Statement"], function)
    ]


def _written_statements(function: str) -> list[dict[str, Json]]:
    policies = sequence(mapping(resource(function)["Properties"], function).get("Policies"), function)
    return [
        mapping(statement, function)
        for policy in policies
        for statement in sequence(mapping(policy, function)["Statement"], function)
    ]
