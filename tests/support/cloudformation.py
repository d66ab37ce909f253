"""The parts of template.yaml that the tests look at, in the form CloudFormation and SAM give them."""

from __future__ import annotations

import re
from functools import cache

from local.intrinsics import Json, Resolver, load_template, mapping
from tests.support.environment import ROOT

REQUIRED_PARAMETERS = {"OidcIssuer": "https://issuer.example/", "OidcAudience": "keywright"}
"""Values for the parameters that have no default."""

FUNCTION = "AWS::Serverless::Function"


def section(name: str) -> dict[str, Json]:
    """Return a top-level section of the template, as written."""
    return mapping(_template().get(name), name)


def resources(resource_type: str) -> dict[str, dict[str, Json]]:
    """Return the resources of a type by logical id, as written."""
    found = {logical_id: mapping(resource, logical_id) for logical_id, resource in section("Resources").items()}
    return {logical_id: resource for logical_id, resource in found.items() if resource["Type"] == resource_type}


def resource(logical_id: str) -> dict[str, Json]:
    """Return a resource, as written."""
    return mapping(section("Resources")[logical_id], logical_id)


def properties(logical_id: str, **parameters: str) -> dict[str, Json]:
    """Return the properties of a resource in a stack with these parameters; functions include Globals."""
    declared = mapping(resource(logical_id)["Properties"], logical_id)
    if resource(logical_id)["Type"] == FUNCTION:
        declared = {**mapping(section("Globals")["Function"], "Globals"), **declared}
    return mapping(_resolver(**parameters).resolve(declared, logical_id), logical_id)


def function_ids() -> list[str]:
    """Return the logical ids of all functions."""
    return list(resources(FUNCTION))


def folder_name(logical_id: str) -> str:
    """Return the folder of a function: CreateApiKey is create_api_key."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", logical_id).lower()


@cache
def _template() -> dict[str, Json]:
    return load_template(ROOT / "template.yaml")


def _resolver(**parameters: str) -> Resolver:
    defaults = {
        name: mapping(declaration, name)["Default"]
        for name, declaration in section("Parameters").items()
        if "Default" in mapping(declaration, name)
    }
    return Resolver({**defaults, **REQUIRED_PARAMETERS, **parameters}, section("Conditions"), section("Resources"))
