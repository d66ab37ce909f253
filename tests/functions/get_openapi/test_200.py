"""The description that get_openapi serves: that of this deployment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.api_description import DESCRIPTION
from tests.support.client import calling

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import Call

call = calling("get_openapi")

DOMAIN = "https://abc.execute-api.eu-central-1.amazonaws.com"


def served(call: Call) -> dict[str, Any]:
    """Return the description that is served."""
    answer = call()
    assert 200 == answer["statusCode"], answer["body"]
    document: dict[str, Any] = json.loads(answer["body"])
    return document


def test_it_is_the_description_in_the_repository(call: Call) -> None:
    """The description is docs/openapi.json, but for the address, with the default catalog of permissions."""
    document = served(call)
    text = json.dumps({**document, "servers": DESCRIPTION["servers"]})

    assert DESCRIPTION == json.loads(text.replace(DOMAIN, DESCRIPTION["servers"][0]["url"]))


def test_it_names_the_address_of_the_request(call: Call) -> None:
    """Server and links of examples have the address of the request."""
    document = served(call)

    assert [{"url": DOMAIN}] == document["servers"]
    assert "/v1/auth/api-keys" in document["paths"]
    assert "127.0.0.1" not in json.dumps(document)
    assert f"{DOMAIN}/v1/docs#FORBIDDEN" in json.dumps(document)


@pytest.mark.parametrize(
    ("public_url", "server", "path"),
    [
        ("https://api.example.com/v1", "https://api.example.com", "/v1/auth/api-keys"),
        ("https://api.example.com/keys/v1", "https://api.example.com/keys", "/v1/auth/api-keys"),
        ("https://api.example.com/keys", "https://api.example.com/keys", "/auth/api-keys"),
        ("https://api.example.com", "https://api.example.com", "/auth/api-keys"),
    ],
)
def test_behind_a_custom_domain(
    call: Call, setting: Callable[[str, str], None], public_url: str, server: str, path: str
) -> None:
    """Server and path together are the public address, with or without the stage in it."""
    setting("PUBLIC_URL", public_url)

    document = served(call)

    assert [{"url": server}] == document["servers"]
    assert path in document["paths"]
    assert len(DESCRIPTION["paths"]) == len(document["paths"])
    assert f"{public_url}/docs#FORBIDDEN" in json.dumps(document)


@pytest.mark.parametrize("catalog", ["a:read", "a:read,a:write,b:read,b:write,c:read,d:read,e:read"])
def test_permissions_are_those_of_the_deployment(call: Call, setting: Callable[[str, str], None], catalog: str) -> None:
    """Schemas and examples name the deployment's permissions only."""
    setting("PERMISSIONS", catalog)

    document = served(call)

    permissions = catalog.split(",")
    assert permissions == document["components"]["schemas"]["Permission"]["enum"]
    body = document["paths"]["/v1/auth/api-keys"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert body["permissions"]
    assert set(body["permissions"]) <= set(permissions)
    assert len(body["permissions"]) == len(set(body["permissions"]))


def test_it_may_be_cached(call: Call) -> None:
    """The description may be cached, unlike answers in the envelope."""
    headers = call()["headers"]

    assert "application/json" == headers["content-type"]
    assert "public, max-age=300" == headers["cache-control"]
