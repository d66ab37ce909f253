"""An API of somebody else's, behind the authorizer of API keys: who gets in, and what those who do not are told."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local.functions import Functions
from local.gateway import Gateway, channel_for
from local.iam import NONE, AccessKey, Iam
from local.server import HOST, Server, port_of, reserve
from local.sigv4 import Credential
from local.template import read_stack
from tests.conftest import ROOT
from tests.keys import SampleKey
from tests.local.serving import ANSWER_SECONDS, ECHO, add_function
from tests.world import KEY_ID, ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from local.template import Stack
    from tests.world import Table, World

KEY = SampleKey()
CACHED_SECONDS = 300

TEMPLATE = """
AWSTemplateFormatVersion: 2010-09-09
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Handler: handler.handler, Timeout: 5}
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: v1
      Auth:
        DefaultAuthorizer: Fresh
        Authorizers:
          Fresh:
            FunctionArn: !GetAtt AuthorizeApiKey.Arn
            FunctionPayloadType: REQUEST
            Identity: {ReauthorizeEvery: 0}
          Cached:
            FunctionArn: !GetAtt AuthorizeApiKey.Arn
            FunctionPayloadType: REQUEST
            Identity: {Headers: [x-api-key], ReauthorizeEvery: 300}
          Token:
            FunctionArn: !GetAtt AuthorizeApiKey.Arn
            FunctionPayloadType: TOKEN
            Identity: {Header: Authorization, ReauthorizeEvery: 0}
  AuthorizeApiKey:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: AUTHORIZER}
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/echo
      Events:
        List: {Type: Api, Properties: {Path: /sessions, Method: get}}
        Create: {Type: Api, Properties: {Path: /sessions, Method: post}}
        Show: {Type: Api, Properties: {Path: '/sessions/{id}', Method: get}}
        All: {Type: Api, Properties: {Path: /sessions/all, Method: get}}
        Unnamed: {Type: Api, Properties: {Path: /unnamed, Method: get}}
        Token: {Type: Api, Properties: {Path: /token, Method: get, Auth: {Authorizer: Token}}}
"""

RULES = [
    {"method": "GET", "path": "/sessions", "permission": None},
    {"method": "POST", "path": "/sessions", "permission": "sessions:write"},
    {"method": "GET", "path": "/sessions/{id}", "permission": "sessions:read"},
    {"method": "GET", "path": "/sessions/all", "permission": "analytics:read"},
    {"method": "GET", "path": "/token", "permission": "sessions:read"},
]
ROUTES = {
    ("GET", "/sessions"): 200,
    ("POST", "/sessions"): 403,
    ("GET", "/sessions/7"): 200,
    ("GET", "/sessions/all"): 403,
    ("GET", "/unnamed"): 403,
}
"""What a key that may read sessions gets."""


@dataclass(slots=True)
class Protected:
    """The API over HTTP.

    Attributes:
        now: the clock that answers of authorizers age by.
    """

    client: httpx.Client
    now: float = 0.0

    def send(self, key: str | None, method: str = "GET", path: str = "/sessions/7") -> httpx.Response:
        """Send a request with a key, or without one."""
        return self.client.request(method, f"/v1{path}", headers={} if key is None else {"x-api-key": key})

    def refusal(self, key: str | None, method: str = "GET", path: str = "/sessions/7") -> tuple[int, str, str]:
        """Send a request in vain; give status, code and hint of an answer in the envelope."""
        response = self.send(key, method, path)
        content = response.json()
        error = content["error"]
        assert {"data": None, "error": error} == content
        assert {"code", "message", "hint", "docs"} == error.keys()
        assert all(isinstance(text, str) and text for text in error.values())
        return response.status_code, error["code"], error["hint"]


@pytest.fixture
def table(world: World, setting: Callable[[str, str], None]) -> Table:
    """A table with one organization, in a deployment with rules."""
    setting("ACCESS_RULES", json.dumps(RULES))
    world.table.put_organization()
    return world.table


@pytest.fixture
def serve(
    table: Table, tmp_path: Path, stack: Stack, access_keys: Mapping[str, AccessKey]
) -> Iterator[Callable[..., Protected]]:
    """Serve the API, refusing in the words of this product's own template."""
    del table
    servers: list[tuple[Server, httpx.Client]] = []

    def start(*, is_cached: bool = False) -> Protected:
        add_function(tmp_path, "echo", ECHO)
        text = TEMPLATE.replace("AUTHORIZER", str(ROOT / "functions" / "authorize_api_key"))
        default = "DefaultAuthorizer: Cached" if is_cached else "DefaultAuthorizer: Fresh"
        (tmp_path / "template.yaml").write_text(text.replace("DefaultAuthorizer: Fresh", default))
        described = read_stack(tmp_path / "template.yaml", {}, {})
        keys = {"AuthorizeApiKey": access_keys["authorize_api_key"], "Echo": AccessKey(NONE)}
        listener = reserve(0)
        gateway = Gateway(
            api=replace(described.api, gateway_responses=stack.api.gateway_responses),
            invoke=replace(Functions.load(described, Iam()), keys=keys).invoke,
            credential=Credential.draw(),
            domain=f"{HOST}:{port_of(listener)}",
            port=port_of(listener),
            announce=lambda _: None,
            clock=lambda: served.now,
        )
        server = Server(gateway, listener, threads=4, channel=channel_for(gateway))
        client = httpx.Client(base_url=server.url, timeout=ANSWER_SECONDS, trust_env=False)
        servers.append((server, client))
        served = Protected(client)
        return served

    yield start
    for server, client in servers:
        client.close()
        server.stop()


@pytest.fixture
def protected(serve: Callable[..., Protected]) -> Protected:
    """The API; its authorizer is asked on every request."""
    return serve()


def test_200_the_function_learns_whose_key_it_is(protected: Protected, table: Table) -> None:
    """In the context of its event, with all that the key may do."""
    response = protected.send(KEY.put(table, permissions=["sessions:write"]))
    context: dict[str, Any] = response.json()["event"]["requestContext"]["authorizer"]

    assert 200 == response.status_code
    assert {
        "principalId": KEY_ID,
        "organizationId": ORGANIZATION_ID,
        "apiKeyId": KEY_ID,
        "keyName": "CI",
        "permissions": "sessions:write,sessions:read",
    }.items() <= context.items()


def test_200_with_a_token_authorizer(protected: Protected, table: Table) -> None:
    """The header that it names holds the key behind its scheme."""
    response = protected.client.get("/v1/token", headers={"authorization": f"Bearer {KEY.put(table)}"})

    assert 200 == response.status_code


@pytest.mark.parametrize("key", [None, "", "kk_" + "0" * 86, "nonsense"], ids=str)
def test_401_no_key(protected: Protected, table: Table, key: str | None) -> None:
    """In the envelope, with a challenge."""
    KEY.put(table)

    assert (401, "UNAUTHORIZED") == protected.refusal(key)[:2]
    assert "Bearer" == protected.send(key).headers["www-authenticate"]


def test_401_a_key_that_was_revoked(protected: Protected, table: Table) -> None:
    """On the very next request."""
    text = KEY.put(table)
    before = protected.send(text).status_code
    KEY.put(table, enabled=False)

    assert (200, 401) == (before, protected.send(text).status_code)


def test_403_a_missing_permission(protected: Protected, table: Table) -> None:
    """The answer names the permissions that the key has."""
    text = KEY.put(table)

    assert (
        403,
        "INSUFFICIENT_PERMISSIONS",
        "Its permissions are: sessions:read. Use a key that has the one this route needs.",
    ) == protected.refusal(text, "GET", "/sessions/all")


def test_403_a_route_that_no_rule_names(protected: Protected, table: Table) -> None:
    """Whatever the key may do."""
    text = KEY.put(table, permissions=["sessions:write", "analytics:read"])

    assert (403, "INSUFFICIENT_PERMISSIONS") == protected.refusal(text, "GET", "/unnamed")[:2]


def test_403_a_frozen_organization(protected: Protected, table: Table) -> None:
    """Said as such."""
    table.freeze()

    assert (403, "ORGANIZATION_FROZEN") == protected.refusal(KEY.put(table))[:2]


def test_404_a_route_that_is_not_there(protected: Protected, table: Table) -> None:
    """No authorizer is asked about it."""
    assert (404, "NOT_FOUND") == protected.refusal(KEY.put(table), "GET", "/nothing")[:2]


def test_503_when_nobody_knows(protected: Protected, table: Table, setting: Callable[[str, str], None]) -> None:
    """The key may be valid: its holder is told to come back."""
    text = KEY.put(table)
    setting("ACCESS_RULES", "[{}]")

    assert (503, "SERVICE_UNAVAILABLE") == protected.refusal(text)[:2]
    assert "1" == protected.send(text).headers["retry-after"]


def test_every_route_gets_what_the_rules_say(protected: Protected, table: Table) -> None:
    """Each by itself."""
    text = KEY.put(table)

    assert ROUTES == {route: protected.send(text, *route).status_code for route in ROUTES}


def test_every_route_gets_the_same_when_answers_are_reused(serve: Callable[..., Protected], table: Table) -> None:
    """Whichever route was asked about first: one policy is right for all of them."""
    protected, text = serve(is_cached=True), KEY.put(table)
    for first, second in itertools.permutations(ROUTES, 2):
        protected.now += CACHED_SECONDS

        assert ROUTES[first] == protected.send(text, *first).status_code
        assert ROUTES[second] == protected.send(text, *second).status_code, f"{first} was asked about before {second}"


def test_a_revoked_key_works_as_long_as_answers_are_reused(serve: Callable[..., Protected], table: Table) -> None:
    """As the one who chose to reuse them has chosen, and no longer."""
    protected, text = serve(is_cached=True), KEY.put(table)
    protected.send(text)
    KEY.put(table, enabled=False)
    protected.now += CACHED_SECONDS - 1
    within = protected.send(text).status_code
    protected.now += 1

    assert (200, 401) == (within, protected.send(text).status_code)


def test_another_key_does_not_get_the_answer_of_this_one(serve: Callable[..., Protected], table: Table) -> None:
    """Answers are remembered by the key's text."""
    protected = serve(is_cached=True)
    other = SampleKey(key_id=ORGANIZATION_ID)
    texts = KEY.put(table), other.put(table, permissions=["analytics:read"])

    assert [200, 403] == [protected.send(text, "GET", "/sessions/7").status_code for text in texts]
