"""Fields and query parameters that a request does not have: every operation of docs/openapi.json refuses them.

Three things are lenient: a create ignores additional fields, which its contract allows, the documents ignore queries,
and what GitHub sends is GitHub's to choose.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.api.deployment import CREATE, DOCS, FIRST_PAGE, OPENAPI, VALID_BODY, Deployment, data, values
from tests.api.signing import signed
from tests.support import api_description
from tests.support.depth import mostly_deep

if TYPE_CHECKING:
    import httpx

OPERATIONS = api_description.operations()
DOCUMENTS = ["get_console", "get_console_script", "get_openapi", "get_reference"]
WEBHOOK = "report_github_leaks"
WITH_A_BODY = [name for name, operation in OPERATIONS.items() if "requestBody" in operation and name != WEBHOOK]
FIELDS_OF_AN_UPDATE = (
    "The fields are: name, enabled, permissions, metadata, expiresAt, rateLimit, quota, allowedIps, leak, reason."
)
NAME_HINT = "name is a string of 1 to 120 characters."
OWNERS = {"request_organization_deletion", "cancel_organization_deletion"}


def send(
    deployment: Deployment, name: str, key: dict[str, Any], query: str = "", fields: dict[str, Any] | None = None
) -> httpx.Response:
    """Send a request of an operation about a key: its valid body with further fields, and a query."""
    operation = OPERATIONS[name]
    path = operation["path"].removeprefix(api_description.STAGE).format(id=key["id"]) + query
    headers: dict[str, str] = {}
    persona: str | None = "owner" if name in OWNERS else "admin"
    content = b""
    if "requestBody" in operation:
        example = {
            "verify_api_key": {"key": key["key"]},
            "verify_api_keys": {"verifications": [{"key": key["key"]}]},
            "create_api_key": VALID_BODY,
            "update_api_key": {"name": "b"},
            "report_leak": {"keys": [key["key"]]},
        }
        content = json.dumps({**example.get(name, {}), **(fields or {})}).encode()
        headers = {"content-type": "application/json"}
    if name in {"verify_api_key", "verify_api_keys"}:
        headers |= signed(deployment.base_url + path, content, deployment.iam)
        return deployment.client.post(deployment.base_url + path, content=content, headers=headers)
    if name in {"get_current_api_key", "revoke_current_api_key"}:
        headers, persona = {"x-api-key": key["key"]}, None
    return deployment.request(operation["method"], path, persona=persona, headers=headers, content=content)


def updated_at(deployment: Deployment, key: dict[str, Any]) -> object:
    """Return the time of the last change of a key, which still exists."""
    return deployment.get_key(key["id"])["updatedAt"]


FIELDS = ["unknown", "expires_at", "gracePeriod", "enable", "permission", "__proto__", ""]
QUERIES = {
    "misspelled": "?limti=1",
    "another case": "?Limit=1",
    "brackets": "?limit%5B%5D=1",
    "no name": "?=",
    "no UTF-8": "?%FF=1",
    "long": "?x=" + "y" * 4000,
}


@pytest.mark.parametrize("kind", mostly_deep(QUERIES, {"misspelled", "no UTF-8"}.__contains__))
@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in {*DOCUMENTS, WEBHOOK}])
def test_400_an_unknown_query_parameter(deployment: Deployment, name: str, kind: str) -> None:
    """Every operation refuses it before it does anything."""
    key = deployment.create_key()
    before = updated_at(deployment, key)
    response = send(deployment, name, key, QUERIES[kind])

    page = FIRST_PAGE if name.startswith("list_") else None
    assert (400, "BAD_REQUEST") == deployment.refusal(response, page)
    assert response.json()["error"]["message"].endswith("is not a query parameter of this request")
    assert before == updated_at(deployment, key)


@pytest.mark.parametrize("field", mostly_deep(FIELDS, {"unknown", ""}.__contains__))
@pytest.mark.parametrize("name", [name for name in WITH_A_BODY if name != "create_api_key"])
def test_400_an_unknown_field(deployment: Deployment, name: str, field: str) -> None:
    """Every body but that of a create refuses it; the key is unchanged."""
    key = deployment.create_key()
    before = updated_at(deployment, key)
    response = send(deployment, name, key, fields={field: None})

    assert (400, "BAD_REQUEST") == deployment.refusal(response)
    assert response.json()["error"]["message"].endswith("is not a field of this request")
    assert before == updated_at(deployment, key)


@pytest.mark.parametrize(
    ("field", "meant"),
    [
        ("expires_at", "expiresAt"),
        ("expires-at", "expiresAt"),
        ("ExpiresAt", "expiresAt"),
        ("META_DATA", "metadata"),
        ("Name", "name"),
    ],
)
def test_400_a_misspelled_field_of_a_create(deployment: Deployment, field: str, meant: str) -> None:
    """A create refuses a name that differs from a known one in case, `_` or `-` only, and names the right one."""
    response = deployment.create({**VALID_BODY, field: "2099-01-31T12:00:00Z"})

    assert (400, "BAD_REQUEST") == deployment.refusal(response)
    assert f"Did you mean {meant}?" == response.json()["error"]["hint"]


@pytest.mark.parametrize(
    ("name", "fields", "hint"),
    [
        ("rotate_api_key", {"gracePeriod": 3600}, "Did you mean gracePeriodSeconds?"),
        ("update_api_key", {"enable": False}, "Did you mean enabled?"),
        ("verify_api_key", {"permission": ["sessions:read"]}, "Did you mean permissions?"),
        ("verify_api_keys", {"verifications": [{"key": "kk_", "permission": []}]}, "Did you mean permissions?"),
        (
            "update_api_key",
            {"name": 1, "Enabled": False, "owner": "x"},
            f"{NAME_HINT} Did you mean enabled? {FIELDS_OF_AN_UPDATE}",
        ),
    ],
)
def test_the_hint_speaks_of_each_problem(deployment: Deployment, name: str, fields: dict[str, Any], hint: str) -> None:
    """The hint has the nearest known name, or all."""
    assert hint == send(deployment, name, deployment.create_key(), fields=fields).json()["error"]["hint"]


@pytest.mark.parametrize("path", [OPENAPI, DOCS])
def test_documents_ignore_queries(deployment: Deployment, path: str) -> None:
    """Links and caches add parameters; the document is the same."""
    plain, asked = (deployment.request("GET", path + query, persona=None) for query in ("", "?utm_source=x&limit=0"))

    assert 200 == asked.status_code
    assert plain.content == asked.content
    assert values(plain, "cache-control") == values(asked, "cache-control")


@pytest.mark.parametrize("query", ["", "?limti=1", f"?{quote('x' * 200)}="])
def test_preflights_ignore_queries(deployment: Deployment, query: str) -> None:
    """A browser sends the preflight to the address of the request that follows."""
    headers = {"origin": "https://app.example", "access-control-request-method": "GET"}

    assert 204 == deployment.client.options(deployment.base_url + CREATE + query, headers=headers).status_code


def test_a_body_where_none_is_read(deployment: Deployment) -> None:
    """GET and DELETE have no body; one that is sent is not read."""
    key_id = deployment.create_key()["id"]
    path = f"{CREATE}/{key_id}"

    assert key_id == data(deployment.request("GET", path, content=b"{"))["id"]
    assert data(deployment.request("DELETE", path, content=b'{"dryRun": true}'))
