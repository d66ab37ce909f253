"""The description of "Create an API key" is the contract's in everything that a client can see."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.api_description import DESCRIPTION, operations, plain
from tests.support.environment import ROOT

CONTRACT: dict[str, Any] = json.loads((ROOT / "tests/contract/create_api_key.json").read_text(encoding="utf-8"))
CREATE = operations()["create_api_key"]
ADDED = {"expiresAt", "rateLimit", "quota", "allowedIps"}
"""Fields that this service takes besides; none of them is required."""


def schema(response: dict[str, Any]) -> Any:
    """Return the schema of an answer."""
    return plain(response["content"]["application/json"]["schema"])


def test_method_and_path() -> None:
    """The route is the contract's, under the contract's own server."""
    assert CONTRACT["server"] == DESCRIPTION["servers"][0]["url"]
    assert CONTRACT["method"] == CREATE["method"]
    assert CONTRACT["path"] == CREATE["path"]


def test_the_body_of_the_request() -> None:
    """The body has the contract's fields, bounds and permissions; an added field can be omitted."""
    body = CREATE["requestBody"]
    described = plain(body["content"]["application/json"]["schema"])
    fields = {name: value for name, value in described["properties"].items() if name not in ADDED}

    assert body["required"] is True
    assert CONTRACT["request"] == {**described, "properties": fields}
    assert ADDED == described["properties"].keys() - fields.keys()


def test_success() -> None:
    """200, with id and key and nothing else."""
    assert CONTRACT["success"] == schema(CREATE["responses"]["200"])


@pytest.mark.parametrize("status", CONTRACT["failures"])
def test_failures(status: str) -> None:
    """Each status of the contract, in its form."""
    assert CONTRACT["failure"] == schema(CREATE["responses"][status])


@pytest.mark.parametrize("status", sorted(CREATE["responses"].keys() - {"200", *CONTRACT["failures"]}))
def test_failures_that_were_added(status: str) -> None:
    """They have the form of all others."""
    assert CONTRACT["failure"] == schema(CREATE["responses"][status])


def test_which_failures_were_added() -> None:
    """No token, a clash of ids, too large, an Idempotency-Key used twice, too many, not now."""
    assert {"401", "409", "413", "422", "429", "503"} == CREATE["responses"].keys() - {"200", *CONTRACT["failures"]}


def test_security() -> None:
    """A bearer token, as for everything that does not say otherwise."""
    (name,) = CONTRACT["security"]
    scheme = DESCRIPTION["components"]["securitySchemes"][name]

    assert "security" not in CREATE
    assert [{name: []}] == DESCRIPTION["security"]
    assert CONTRACT["security"][name].items() <= scheme.items()


def test_what_was_added_to_the_request_can_be_left_out() -> None:
    """A client of the contract knows no header but its token."""
    assert not [parameter for parameter in CREATE["parameters"] if parameter.get("required")]
