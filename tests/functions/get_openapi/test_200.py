"""What get_openapi serves: the description of this deployment, and not just of any."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.description import DESCRIPTION

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.calling import Call

DOMAIN = "https://abc.execute-api.eu-central-1.amazonaws.com"


def served(call: Call) -> dict[str, Any]:
    """Give what is served."""
    answer = call()
    assert 200 == answer["statusCode"], answer["body"]
    document: dict[str, Any] = json.loads(answer["body"])
    return document


def test_it_is_the_description_in_the_repository(call: Call) -> None:
    """But for the address, with the default catalogue of permissions."""
    document = served(call)
    text = json.dumps({**document, "servers": DESCRIPTION["servers"]})

    assert DESCRIPTION == json.loads(text.replace(DOMAIN, DESCRIPTION["servers"][0]["url"]))


def test_it_names_the_address_that_it_was_asked_at(call: Call) -> None:
    """As server, and in the links of its examples."""
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
    """Server and path together are the address that clients use, whether or not the stage is part of it."""
    setting("PUBLIC_URL", public_url)

    document = served(call)

    assert [{"url": server}] == document["servers"]
    assert path in document["paths"]
    assert len(DESCRIPTION["paths"]) == len(document["paths"])
    assert f"{public_url}/docs#FORBIDDEN" in json.dumps(document)


@pytest.mark.parametrize("catalogue", ["a:read", "a:read,a:write,b:read,b:write,c:read,d:read,e:read"])
def test_permissions_are_those_of_the_deployment(
    call: Call, setting: Callable[[str, str], None], catalogue: str
) -> None:
    """Where they can be chosen from, and in the examples: nothing suggests what would be refused."""
    setting("PERMISSIONS", catalogue)

    document = served(call)

    permissions = catalogue.split(",")
    assert permissions == document["components"]["schemas"]["Permission"]["enum"]
    body = document["paths"]["/v1/auth/api-keys"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert body["permissions"]
    assert set(body["permissions"]) <= set(permissions)
    assert len(body["permissions"]) == len(set(body["permissions"]))


def test_it_may_be_kept_for_a_while(call: Call) -> None:
    """Unlike everything in the envelope."""
    headers = call()["headers"]

    assert ("application/json", "public, max-age=300") == (headers["content-type"], headers["cache-control"])
