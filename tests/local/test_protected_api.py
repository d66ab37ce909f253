"""A customer's API behind the API key authorizer: access and refusals."""

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
from local.sigv4 import SigningCredential
from local.template import read_stack
from tests.local.serving import ANSWER_SECONDS, ECHO, PLAIN_HTTP, add_function
from tests.support.environment import ROOT
from tests.support.sample_keys import SampleKey
from tests.support.world import KEY_ID, ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from local.template import Stack
    from tests.support.world import Table, World

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
      ApiKeySourceType: AUTHORIZER
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
    Properties: {CodeUri: CODE_OF_THE_AUTHORIZER}
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
        Planned: {Type: Api, Properties: {Path: /planned, Method: get, Auth: {ApiKeyRequired: true}}}
"""

RULES = [
    {"method": "GET", "path": "/sessions", "permission": None},
    {"method": "POST", "path": "/sessions", "permission": "sessions:write"},
    {"method": "GET", "path": "/sessions/{id}", "permission": "sessions:read"},
    {"method": "GET", "path": "/sessions/all", "permission": "analytics:read"},
    {"method": "GET", "path": "/token", "permission": "sessions:read"},
    {"method": "GET", "path": "/planned", "permission": "sessions:read"},
]
ROUTES = {
    ("GET", "/sessions"): 200,
    ("POST", "/sessions"): 403,
    ("GET", "/sessions/7"): 200,
    ("GET", "/sessions/all"): 403,
    ("GET", "/unnamed"): 403,
}
"""The status of each route for a key with sessions:read."""
OTHER_HOST = "127.0.0.2"
"""Another address of this machine, to send requests from."""
EXAMPLE = ROOT / "examples" / "protected_api" / "functions" / "reports" / "handler.py"
RATE = '{"limit":1,"windowSeconds":3600,"burst":1}'


@dataclass(slots=True)
class Protected:
    """A client of the API.

    Attributes:
        elsewhere: a client with the address OTHER_HOST.
        now: the clock of the authorizer cache, in seconds.
    """

    client: httpx.Client
    elsewhere: httpx.Client
    now: float = 0.0

    def send(self, key: str | None, method: str = "GET", path: str = "/sessions/7") -> httpx.Response:
        """Send a request with or without a key."""
        return self.client.request(method, f"/v1{path}", headers={} if key is None else {"x-api-key": key})

    def status_from(self, address: str, key: str, method: str = "GET", path: str = "/sessions/7") -> int:
        """Send a request with a key from one of both addresses; return the status."""
        client = self.elsewhere if address == OTHER_HOST else self.client
        return client.request(method, f"/v1{path}", headers={"x-api-key": key}).status_code

    def refusal(self, key: str | None, method: str = "GET", path: str = "/sessions/7") -> tuple[int, str, str]:
        """Send a request that is refused; return status, code and hint of the envelope."""
        response = self.send(key, method, path)
        content = response.json()
        error = content["error"]
        assert {"data": None, "error": error} == content
        assert {"code", "message", "hint", "docs"} == error.keys()
        assert all(isinstance(text, str) and text for text in error.values())
        return response.status_code, error["code"], error["hint"]


@pytest.fixture
def table(world: World, setting: Callable[[str, str], None]) -> Table:
    """Return a table with one organization, in a deployment with access rules."""
    setting("ACCESS_RULES", json.dumps(RULES))
    world.table.put_organization()
    return world.table


@pytest.fixture
def serve(
    table: Table, tmp_path: Path, stack: Stack, access_keys: Mapping[str, AccessKey]
) -> Iterator[Callable[..., Protected]]:
    """Return a function that serves the API with the gateway responses of Keywright's template."""
    del table
    opened: list[tuple[Server, Protected]] = []

    def start(*, is_cached: bool = False, code: str = ECHO) -> Protected:
        add_function(tmp_path, "echo", code)
        text = TEMPLATE.replace("CODE_OF_THE_AUTHORIZER", str(ROOT / "functions" / "authorize_api_key"))
        default = "DefaultAuthorizer: Cached" if is_cached else "DefaultAuthorizer: Fresh"
        (tmp_path / "template.yaml").write_text(text.replace("DefaultAuthorizer: Fresh", default))
        served_stack = read_stack(tmp_path / "template.yaml", {}, {})
        keys = {"AuthorizeApiKey": access_keys["authorize_api_key"], "Echo": AccessKey(NONE)}
        listener = reserve(0)
        gateway = Gateway(
            api=replace(served_stack.api, gateway_responses=stack.api.gateway_responses),
            invoke=replace(Functions.load(served_stack, Iam()), keys=keys).invoke,
            credential=SigningCredential.generate(),
            domain=f"{HOST}:{port_of(listener)}",
            port=port_of(listener),
            announce=lambda _: None,
            clock=lambda: served.now,
        )
        server = Server(gateway, listener, threads=4, channel=channel_for(gateway))
        client, elsewhere = (
            httpx.Client(
                base_url=server.url,
                timeout=ANSWER_SECONDS,
                transport=httpx.HTTPTransport(verify=PLAIN_HTTP, trust_env=False, local_address=address),
            )
            for address in (HOST, OTHER_HOST)
        )
        served = Protected(client, elsewhere)
        opened.append((server, served))
        return served

    yield start
    for server, protected in opened:
        protected.client.close()
        protected.elsewhere.close()
        server.stop()


@pytest.fixture
def protected(serve: Callable[..., Protected]) -> Protected:
    """Serve the API without a cache of authorizer answers."""
    return serve()


def test_200_context_of_the_authorizer(protected: Protected, table: Table) -> None:
    """The event has organization, key and all permissions, including implied ones."""
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
    """A TOKEN authorizer reads the key from its header, after the scheme."""
    response = protected.client.get("/v1/token", headers={"authorization": f"Bearer {KEY.put(table)}"})

    assert 200 == response.status_code


@pytest.mark.parametrize("key", [None, "", "kk_" + "0" * 92, "nonsense"], ids=str)
def test_401_no_key(protected: Protected, table: Table, key: str | None) -> None:
    """A request without a key gets a 401 in the envelope, with a challenge."""
    KEY.put(table)

    assert (401, "UNAUTHORIZED") == protected.refusal(key)[:2]
    assert "Bearer" == protected.send(key).headers["www-authenticate"]


def test_401_revoked_key(protected: Protected, table: Table) -> None:
    """A revoked key is refused on the next request."""
    text = KEY.put(table)
    before = protected.send(text).status_code
    KEY.put(table, enabled=False)

    assert 200 == before
    assert 401 == protected.send(text).status_code


def test_403_missing_permission(protected: Protected, table: Table) -> None:
    """The hint of a refusal names the permissions of the key."""
    text = KEY.put(table)

    assert (
        403,
        "INSUFFICIENT_PERMISSIONS",
        "Its permissions are: sessions:read. Use a key that has the one this route needs.",
    ) == protected.refusal(text, "GET", "/sessions/all")


def test_403_route_without_a_rule(protected: Protected, table: Table) -> None:
    """A route without a rule is denied to every key."""
    text = KEY.put(table, permissions=["sessions:write", "analytics:read"])

    assert (403, "INSUFFICIENT_PERMISSIONS") == protected.refusal(text, "GET", "/unnamed")[:2]


def test_403_frozen_organization(protected: Protected, table: Table) -> None:
    """The code of the refusal says that the organization is frozen."""
    table.freeze()

    assert (403, "ORGANIZATION_FROZEN") == protected.refusal(KEY.put(table))[:2]


def test_404_unknown_route(protected: Protected, table: Table) -> None:
    """For an unknown route the authorizer is not asked."""
    assert (404, "NOT_FOUND") == protected.refusal(KEY.put(table), "GET", "/nothing")[:2]


def test_503_invalid_rules(protected: Protected, table: Table, setting: Callable[[str, str], None]) -> None:
    """With invalid rules the answer is 503: the key may be valid, so the client is told to retry."""
    text = KEY.put(table)
    setting("ACCESS_RULES", "[{}]")

    assert (503, "SERVICE_UNAVAILABLE") == protected.refusal(text)[:2]
    assert "1" == protected.send(text).headers["retry-after"]


def test_every_route_without_a_cache(protected: Protected, table: Table) -> None:
    """Each route is decided by its rule."""
    text = KEY.put(table)

    assert ROUTES == {route: protected.send(text, *route).status_code for route in ROUTES}


def test_every_route_with_a_cache(serve: Callable[..., Protected], table: Table) -> None:
    """A policy is correct for all routes, no matter which route it was requested for."""
    protected, text = serve(is_cached=True), KEY.put(table)
    for first, second in itertools.permutations(ROUTES, 2):
        protected.now += CACHED_SECONDS

        assert ROUTES[first] == protected.send(text, *first).status_code
        assert ROUTES[second] == protected.send(text, *second).status_code, f"{first} was requested before {second}"


def test_a_revoked_key_works_until_the_cache_expires(serve: Callable[..., Protected], table: Table) -> None:
    """A cached policy is used for ReauthorizeEvery seconds and no longer."""
    protected, text = serve(is_cached=True), KEY.put(table)
    protected.send(text)
    KEY.put(table, enabled=False)
    protected.now += CACHED_SECONDS - 1
    within = protected.send(text).status_code
    protected.now += 1

    assert 200 == within
    assert 401 == protected.send(text).status_code


def test_the_cache_is_by_key(serve: Callable[..., Protected], table: Table) -> None:
    """A key does not get the cached policy of another key."""
    protected = serve(is_cached=True)
    other = SampleKey(key_id=ORGANIZATION_ID)
    texts = KEY.put(table), other.put(table, permissions=["analytics:read"])

    assert [200, 403] == [protected.send(text, "GET", "/sessions/7").status_code for text in texts]


# ---- Addresses ------------------------------------------------------------------------------------------


def test_403_from_another_address(protected: Protected, table: Table) -> None:
    """A key works from its allowed addresses only, and a forwarding header changes nothing."""
    text = KEY.put(table, allowed_ips=[OTHER_HOST])
    forwarded = {"x-api-key": text, "x-forwarded-for": OTHER_HOST}

    assert 200 == protected.status_from(OTHER_HOST, text)
    assert (403, "IP_NOT_ALLOWED") == protected.refusal(text)[:2]
    assert 403 == protected.client.get("/v1/sessions/7", headers=forwarded).status_code


def test_every_route_and_address_with_a_cache(serve: Callable[..., Protected], table: Table) -> None:
    """A policy is correct for all routes and addresses, no matter which ones it was requested for."""
    protected, text = serve(is_cached=True), KEY.put(table, allowed_ips=["127.0.0.2/31", "2001:db8::/32"])
    requests = {
        (address, *route): status if address == OTHER_HOST else 403
        for address in (HOST, OTHER_HOST)
        for route, status in ROUTES.items()
    }
    for first, second in itertools.permutations(requests, 2):
        protected.now += CACHED_SECONDS

        assert requests[first] == protected.status_from(first[0], text, *first[1:])
        assert requests[second] == protected.status_from(second[0], text, *second[1:]), f"{first} came before {second}"


def test_a_reused_refusal_is_true(serve: Callable[..., Protected], table: Table) -> None:
    """The refusal of a reused policy names both reasons, whichever the policy was requested for."""
    protected, text = serve(is_cached=True), KEY.put(table, allowed_ips=[OTHER_HOST])
    protected.status_from(OTHER_HOST, text)
    error = protected.send(text).json()["error"]

    assert "for this route, or may not be used from this address" in error["message"]
    assert "from one of the key's allowed addresses" in error["hint"]


def test_a_token_authorizer_refuses_keys_with_addresses(protected: Protected, table: Table) -> None:
    """A TOKEN authorizer gets no address, so such a key is refused from any."""
    headers = {"authorization": f"Bearer {KEY.put(table, allowed_ips=[HOST])}"}

    response = protected.client.get("/v1/token", headers=headers)

    assert 403 == response.status_code
    assert "IP_NOT_ALLOWED" == response.json()["error"]["code"]


# ---- Limits ------------------------------------------------------------------------------------------


def put_limited(table: Table) -> str:
    """Write a key that may be used once an hour; return its text."""
    table.put(pk=f"LIMIT#{KEY_ID}", sk="LIMIT")
    return KEY.put(table, rate_limit=RATE)


def test_403_limited(protected: Protected, table: Table) -> None:
    """A request above the limit is refused with the code of the limit."""
    text = put_limited(table)

    assert 200 == protected.send(text).status_code
    assert (403, "RATE_LIMITED") == protected.refusal(text)[:2]


def test_200_limited_with_the_seconds_to_wait(
    protected: Protected, table: Table, setting: Callable[[str, str], None]
) -> None:
    """GIVEN Limited=allow WHEN a limit is reached THEN the backend learns what to answer."""
    setting("LIMITED", "allow")
    text = put_limited(table)
    first, second = (protected.send(text).json()["event"]["requestContext"]["authorizer"] for _ in range(2))

    assert "limited" not in first
    assert {"limited": "true", "code": "RATE_LIMITED"}.items() <= second.items()
    assert second["retryAfterSeconds"] in {"3599", "3600"}


@pytest.mark.parametrize(
    ("limits", "waits"),
    [({"rate_limit": RATE}, {"3599", "3600"}), ({"quota": '{"limit":1,"period":"total"}'}, {None})],
    ids=["rate limit", "quota"],
)
def test_429_of_the_example(
    serve: Callable[..., Protected],
    table: Table,
    setting: Callable[[str, str], None],
    limits: dict[str, str],
    waits: set[str | None],
) -> None:
    """GIVEN Limited=allow WHEN a limit is reached THEN the example answers 429, with the seconds to wait if any."""
    setting("LIMITED", "allow")
    protected = serve(code=EXAMPLE.read_text(encoding="utf-8"))
    table.put(pk=f"LIMIT#{KEY_ID}", sk="LIMIT")
    text = KEY.put(table, **limits)
    first, second = protected.send(text), protected.send(text)

    assert ORGANIZATION_ID == first.json()["caller"]["organizationId"]
    assert 429 == second.status_code
    assert second.headers.get("retry-after") in waits
    assert {"code", "message", "hint"} == second.json()["error"].keys()


def test_a_reused_answer_asks_no_limiter(serve: Callable[..., Protected], table: Table) -> None:
    """What the template and the guides warn of: with a cache, both an admission and a refusal last for its time."""
    protected, text = serve(is_cached=True), put_limited(table)
    admitted = [protected.send(text).status_code for _ in range(3)]
    protected.now += CACHED_SECONDS
    refused = [protected.send(text).status_code]
    table.put(pk=f"LIMIT#{KEY_ID}", sk="LIMIT")
    refused.append(protected.send(text).status_code)

    assert [200] * 3 == admitted
    assert [403] * 2 == refused


# ---- Usage plans ------------------------------------------------------------------------------------------


def test_200_with_the_key_of_the_usage_plan(serve: Callable[..., Protected], table: Table) -> None:
    """A route that requires an API key of API Gateway gets that of the organization, also from a reused answer."""
    table.put_organization(usage_plan_key="usage-plan-key-of-acme")
    protected, text = serve(is_cached=True), KEY.put(table)
    events = [protected.send(text, "GET", "/planned").json()["event"] for _ in range(2)]

    assert ["usage-plan-key-of-acme"] * 2 == [event["requestContext"]["identity"]["apiKey"] for event in events]
    assert not [
        "usage-plan-key-of-acme" for event in events if "usage-plan" in str(event["requestContext"]["authorizer"])
    ]


def test_401_without_a_key_of_a_usage_plan(protected: Protected, table: Table) -> None:
    """API Gateway refuses a request to such a route if the organization has no usage plan."""
    text = KEY.put(table)

    assert 401 == protected.send(text, "GET", "/planned").status_code
    assert "INVALID_API_KEY" == protected.send(text, "GET", "/planned").headers["x-amzn-errortype"]
    assert 200 == protected.send(text).status_code
