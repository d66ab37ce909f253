"""docs/clients.md and the clients say the same: names, codes, defaults, prices."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
from typing import TYPE_CHECKING

import pytest

import keywright_client
from keywright_client import ApiError, Keywright, Use
from tests.support.cloudformation import section
from tests.support.environment import ROOT
from tools import costs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
PAGES_WITH_CODE = ("README.md", "docs/clients.md")
TYPESCRIPT = ROOT / "clients" / "typescript"
SCHEMAS = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))["components"]["schemas"]
RESULTS = {"NOT_FOUND", *SCHEMAS["VerifiedApiKey"]["properties"]["code"]["enum"]}


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the first table under a heading, without its header."""
    part = re.split(rf"^## {heading}$", PAGE, flags=re.MULTILINE)[1].partition("\n## ")[0]
    table = re.findall(r"(?:^\|.*\n)+", part, re.MULTILINE)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def names(cell: str) -> list[str]:
    """Return what a cell has in backquotes."""
    return re.findall(r"`([^`]+)`", cell)


def python_code() -> Iterator[ast.Module]:
    """Yield the Python of the pages."""
    for page in PAGES_WITH_CODE:
        for block in re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL):
            yield ast.parse(block)


def test_every_result_of_a_verification_has_a_row() -> None:
    """Each code that Keywright answers is in the table of results once, beside the class of the Python client."""
    codes = [code for row in rows("What verify returns") for code in names(row[0])]
    classes = [name for row in rows("What verify returns")[:-1] for name in names(row[1])]

    assert sorted(RESULTS) == sorted(codes)
    assert codes == [getattr(keywright_client, name).__dataclass_fields__["code"].default for name in classes]


def test_every_error_of_the_client_has_a_row() -> None:
    """The errors are those of the Python client, and those of an answer have the named attributes."""
    table = rows("Errors")
    attributes = set(names(table[0][1]))

    assert ["ApiError", "ApiConnectionError", "ConfigurationError"] == [names(row[0])[0] for row in table]
    assert all(issubclass(getattr(keywright_client, names(row[0])[0]), Exception) for row in table)
    assert inspect.signature(ApiError).parameters.keys() == attributes


def test_the_defaults_are_those_of_the_client() -> None:
    """Time-out, retries and the number of reused answers are the defaults of the constructor."""
    defaults = {name: each.default for name, each in inspect.signature(Keywright).parameters.items()}
    (entries,) = re.findall(r"`reuse_entries` \(([\d,]+)\)", PAGE)

    for row in rows("Time-outs and retries"):
        assert float(row[1]) == defaults[names(row[0])[0]]
    assert int(entries.replace(",", "")) == defaults["reuse_entries"]
    assert 0 == defaults["reuse_seconds"]


def test_the_methods_exist() -> None:
    """Each call of the table of credentials is a method of the client."""
    calls = {name for row in rows("Credentials") for name in names(row[0])}

    assert calls == {name for name in calls if callable(getattr(Keywright, name, None))}


@pytest.mark.parametrize("row", rows("Frameworks"), ids=lambda row: row[0])
def test_an_integration_exists(row: list[str]) -> None:
    """Each framework's module is part of the package, with what is imported from it."""
    *imported, module = names(row[1])

    if module.startswith("keywright_client."):
        assert all(hasattr(importlib.import_module(module), name) for name in imported)
    else:
        name = module.removeprefix("@keywright/client/")
        package = json.loads((TYPESCRIPT / "package.json").read_text(encoding="utf-8"))
        assert f"./{name}" in package["exports"]
        source = (TYPESCRIPT / "src" / f"{name}.ts").read_text(encoding="utf-8")
        assert imported == re.findall(r"^export function (\w+)", source, re.MULTILINE)


def test_imported_names_are_public() -> None:
    """What the pages' Python imports from the client is public."""
    imported = [
        alias.name
        for code in python_code()
        for node in ast.walk(code)
        if isinstance(node, ast.ImportFrom) and node.module == "keywright_client"
        for alias in node.names
    ]

    assert imported
    assert {*imported} <= {*keywright_client.__all__}


def test_calls_have_arguments_that_exist() -> None:
    """What the pages' Python passes to the client is in the signatures of constructor and methods."""
    calls = [node for code in python_code() for node in ast.walk(code) if isinstance(node, ast.Call)]
    called: dict[str, Callable[..., object]] = {
        "Keywright": Keywright,
        "Use": Use,
        "keywright.verify": Keywright.verify,
        "keywright.verify_batch": Keywright.verify_batch,
    }

    assert called.keys() == {ast.unparse(call.func) for call in calls} - {"isinstance", "print"}
    for call in calls:
        if function := called.get(ast.unparse(call.func)):
            inspect.signature(function).bind_partial(**{str(keyword.arg): None for keyword in call.keywords})


def test_the_price_is_that_of_the_costs() -> None:
    """What direct invocation saves is the price of a request in the table of costs."""
    prices = json.loads((costs.COSTS_FOLDER / "prices.json").read_text(encoding="utf-8"))["prices"]
    request = prices["api_gateway_rest_request"]

    assert f"${request['price']:.2f} for a million requests" in PAGE
    assert 1_000_000 == request["per"]


def test_the_named_parameters_exist() -> None:
    """The parameters and outputs that the page names are those of the stack."""
    named = set(re.findall(r"`((?:Verify|Record)\w+|ApiUrl)`", PAGE))

    assert {"ApiUrl", "VerifyApiKeyFunctionArn", "VerifyThrottlingRate", "RecordReuseSeconds"} <= named
    assert named <= {*section("Parameters"), *section("Outputs")}
