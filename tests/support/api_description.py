"""The API's description, docs/openapi.json, and the check of answers against it."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from tests.support.environment import ROOT

DESCRIPTION: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))
STAGE = "/v1"

_ANNOTATIONS = {"description", "title", "example", "examples", "summary"}
"""Keywords that do not affect validity (JSON Schema 2020-12 Validation, section 9; OpenAPI)."""


def operations() -> dict[str, dict[str, Any]]:
    """Return every operation by its id, with its method, its path and its shared responses and parameters."""
    return {
        operation["operationId"]: {
            **operation,
            "method": method.upper(),
            "path": path,
            "parameters": [_resolved(parameter) for parameter in operation.get("parameters", [])],
            "responses": {status: _resolved(response) for status, response in operation["responses"].items()},
        }
        for path, methods in DESCRIPTION["paths"].items()
        for method, operation in methods.items()
    }


def plain(schema: Any) -> Any:
    """Return a schema in comparable form: references resolved, annotations removed."""
    match schema:
        case {"$ref": str()}:
            return plain(_resolved(schema))
        case {"properties": dict(properties)}:
            rest = plain({name: value for name, value in schema.items() if name != "properties"})
            return {**rest, "properties": {name: plain(value) for name, value in properties.items()}}
        case dict():
            return {name: plain(value) for name, value in schema.items() if name not in _ANNOTATIONS}
        case list():
            return [plain(value) for value in schema]
        case _:
            return schema


def find(method: str, path: str) -> dict[str, Any] | None:
    """Return the operation of a request; the path comes without the stage."""
    matching = [
        operation
        for operation in operations().values()
        if operation["method"] == method and _pattern(operation["path"]).fullmatch(STAGE + path)
    ]
    return min(matching, key=lambda operation: operation["path"].count("{")) if matching else None


def problems(operation: dict[str, Any], status: int, body: object) -> list[str]:
    """Return the differences between an answer and an operation's description."""
    if str(status) not in operation["responses"]:
        return [f"{operation['operationId']} is not described to answer {status}"]
    content = operation["responses"][str(status)]["content"].get("application/json")
    return [] if content is None else [error.message for error in validator(content["schema"]).iter_errors(body)]


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """Return a validator of a schema, which resolves references into the description."""
    return Draft202012Validator({**schema, "components": DESCRIPTION["components"]})


def _resolved(value: dict[str, Any]) -> dict[str, Any]:
    """Return what a reference refers to, and anything else as it is."""
    if "$ref" not in value:
        return value
    target: dict[str, Any] = DESCRIPTION
    for step in value["$ref"].removeprefix("#/").split("/"):
        target = target[step]
    return target


@cache
def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)))
