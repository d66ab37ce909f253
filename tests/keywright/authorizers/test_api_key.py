"""The answers of authorize_api_key to API Gateway, for each of the four forms of events."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from keywright.authorizers.api_key import authorize_api_key
from keywright.errors import CATALOGUE, SERVICE_UNAVAILABLE, ServiceError, Unauthorized
from keywright.keys.usage import meter
from keywright.settings import ConfigurationError
from local.authorization import allows
from tests.support import faults
from tests.support.sample_keys import SampleKey
from tests.support.world import KEY_ID, ORGANIZATION_ID, Context

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.world import Table, World

KEY = SampleKey()
API = "arn:aws:execute-api:eu-central-1:123456789012:abcdef1234/prod"
INVOKE = "execute-api:Invoke"
RULES = [
    {"method": "GET", "path": "/sessions/{id}", "permission": "sessions:read"},
    {"method": "GET", "path": "/sessions/all", "permission": "analytics:read"},
]


@pytest.fixture
def table(world: World) -> Table:
    """A table with one organization."""
    world.table.put_organization()
    return world.table


def token(text: str, route: str = "GET/sessions/7") -> dict[str, Any]:
    """Return the event of a TOKEN authorizer of a REST API."""
    return {"type": "TOKEN", "authorizationToken": text, "methodArn": f"{API}/{route}"}


def rest(headers: dict[str, str] | None, route: str = "GET/sessions/7") -> dict[str, Any]:
    """Return the event of a REQUEST authorizer of a REST API, with the fields that are read."""
    return {"type": "REQUEST", "methodArn": f"{API}/{route}", "headers": headers}


def http_1(headers: dict[str, str] | None, route: str = "GET/sessions/7") -> dict[str, Any]:
    """Return the event of an HTTP API with payload 1.0."""
    return rest(headers, route) | {"version": "1.0"}


def http_2(headers: dict[str, str] | None, route: str = "GET/sessions/7") -> dict[str, Any]:
    """Return the event of an HTTP API with payload 2.0."""
    return {"version": "2.0", "type": "REQUEST", "routeArn": f"{API}/{route}", "headers": headers}


FORMS: dict[str, Callable[..., dict[str, Any]]] = {
    "token": token,
    "rest": lambda text, *route: rest({"x-api-key": text}, *route),
    "http 1.0": lambda text, *route: http_1({"x-api-key": text}, *route),
    "http 2.0": lambda text, *route: http_2({"x-api-key": text}, *route),
}
NOT_HTTP_2 = {name: form for name, form in FORMS.items() if name != "http 2.0"}


def ask(event: dict[str, Any]) -> dict[str, Any]:
    """Return the authorizer's answer."""
    answer: dict[str, Any] = dict(authorize_api_key(event, Context()))  # type: ignore[arg-type]  # any event
    return json.loads(json.dumps(answer))  # type: ignore[no-any-return]


def is_let_in(answer: dict[str, Any], route: str = "GET/sessions/7") -> bool:
    """Return whether API Gateway lets in a request to a route after this answer."""
    if "isAuthorized" in answer:
        return bool(answer["isAuthorized"])
    return allows(tuple(answer["policyDocument"]["Statement"]), f"{API}/{route}")


# ---- Place of the key ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_valid_key_is_let_in(table: Table, form: Callable[..., dict[str, Any]]) -> None:
    """Without rules, a valid key may call every route."""
    answer = ask(form(KEY.put(table)))

    assert KEY_ID == answer["principalId"]
    assert {"Version": "2012-10-17", "Statement": [{"Action": INVOKE, "Effect": "Allow", "Resource": f"{API}/*"}]} == (
        answer["policyDocument"]
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": "KEY"},
        {"X-API-Key": "KEY"},
        {"authorization": "Bearer KEY"},
        {"Authorization": "bearer KEY"},
        {"AUTHORIZATION": "BEARER KEY"},
        {"x-api-key": "KEY", "authorization": "Bearer another"},
        {"X-Api-Key": "KEY", "authorization": ""},
    ],
    ids=str,
)
@pytest.mark.parametrize("form", [rest, http_1, http_2], ids=lambda form: form.__name__)
def test_a_key_is_found_in_either_header(
    table: Table, form: Callable[..., dict[str, Any]], headers: dict[str, str]
) -> None:
    """Header names and the scheme may be in any case. x-api-key takes precedence."""
    text = KEY.put(table)

    assert is_let_in(ask(form({name: value.replace("KEY", text) for name, value in headers.items()})))


@pytest.mark.parametrize("presented", ["KEY", "Bearer KEY", "bearer KEY"])
def test_a_token_may_have_a_scheme(table: Table, presented: str) -> None:
    """The header of a TOKEN authorizer may have a scheme or not."""
    assert is_let_in(ask(token(presented.replace("KEY", KEY.put(table)))))


@pytest.mark.parametrize(
    "headers",
    [
        None,
        {},
        {"x-api-key": ""},
        {"x-api-key": "Bearer KEY"},
        {"x-api-key": "KEY "},
        {"x-api-key": "KEY,KEY"},
        {"authorization": "KEY"},
        {"authorization": "Basic KEY"},
        {"authorization": "Bearer"},
        {"authorization": "Bearer  KEY"},
        {"authorization": "Bearer KEY, Bearer KEY"},
        {"x-api-key": "another", "authorization": "Bearer KEY"},
        {"x-api-key": "", "authorization": "Bearer KEY"},
        {"cookie": "x-api-key=KEY"},
        {"api-key": "KEY"},
    ],
    ids=str,
)
@pytest.mark.parametrize("form", [rest, http_1], ids=lambda form: form.__name__)
def test_401_without_exactly_one_key(
    table: Table, form: Callable[..., dict[str, Any]], headers: dict[str, str] | None
) -> None:
    """No key, two keys, another scheme or another place are refused."""
    text = KEY.put(table)
    filled = headers and {name: value.replace("KEY", text) for name, value in headers.items()}

    with pytest.raises(Unauthorized, match=r"^Unauthorized$"):
        ask(form(filled))


# ---- Refused keys -----------------------------------------------------------------------------------------

UNKNOWN: dict[str, Callable[[Table], str]] = {
    "malformed": lambda _: "kk_" + "0" * 85,
    "unknown": lambda _: KEY.text(),
    "wrong secret": lambda table: KEY.put(table, hash=SampleKey(secret="another-than-the-right").hash()),
    "rotated out": lambda table: KEY.put(table, generation=1),
}
ENDED: dict[str, Callable[[Table], str]] = {
    "expired": lambda table: KEY.put(table, expires_at="2026-01-01T00:00:00.000Z"),
    "disabled": lambda table: KEY.put(table, enabled=False),
}


@pytest.mark.parametrize("present", [*UNKNOWN.values(), *ENDED.values()], ids=[*UNKNOWN, *ENDED])
@pytest.mark.parametrize("form", NOT_HTTP_2.values(), ids=NOT_HTTP_2)
def test_401_for_an_invalid_key(
    table: Table, form: Callable[..., dict[str, Any]], present: Callable[[Table], str]
) -> None:
    """API Gateway answers 401 to exactly this message, and does not reuse it."""
    with pytest.raises(Unauthorized, match=r"^Unauthorized$"):
        ask(form(present(table)))


@pytest.mark.parametrize("answers", ["policy", "simple"])
def test_http_2_denies_an_invalid_key(table: Table, setting: Callable[[str, str], None], answers: str) -> None:
    """Payload 2.0 has no 401: all invalid keys get the same denial, without the ids in the key."""
    setting("HTTP_API_ANSWERS", answers)
    refusals = [ask(FORMS["http 2.0"](present(table))) for present in (*UNKNOWN.values(), *ENDED.values())]

    assert refusals[:1] * 6 == refusals
    assert {"code", "message", "hint"} == refusals[0]["context"].keys()
    assert "UNAUTHORIZED" == refusals[0]["context"]["code"]
    assert not is_let_in(refusals[0])


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_403_of_a_frozen_organization(table: Table, form: Callable[..., dict[str, Any]]) -> None:
    """Every route is denied, and the context has the key and the reason."""
    table.freeze()
    answer = ask(form(KEY.put(table)))

    assert [{"Action": INVOKE, "Effect": "Deny", "Resource": f"{API}/*"}] == answer["policyDocument"]["Statement"]
    assert "ORGANIZATION_FROZEN" == answer["context"]["code"]
    assert KEY_ID == answer["context"]["apiKeyId"]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_503_when_the_key_cannot_be_read(table: Table, form: Callable[..., dict[str, Any]]) -> None:
    """An exception with any other message is a 5xx, which API Gateway does not reuse."""
    text = KEY.put(table)
    with faults.injected(*[faults.error("InternalServerError", 500)] * 100), pytest.raises(ServiceError) as caught:
        authorize_api_key(form(text), Context(remaining_milliseconds=4_500))  # type: ignore[arg-type]  # any event

    assert SERVICE_UNAVAILABLE == caught.value.error
    assert "Unauthorized" != str(caught.value)


def test_503_for_invalid_rules(table: Table, setting: Callable[[str, str], None]) -> None:
    """Invalid rules let in no key."""
    setting("ACCESS_RULES", "[{}]")

    with pytest.raises(ConfigurationError, match=r"^ACCESS_RULES\[0\]"):
        ask(token(KEY.put(table)))


# ---- Context ------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_context_names_organization_and_key(table: Table, form: Callable[..., dict[str, Any]]) -> None:
    """All values are texts. The permissions include the implied ones."""
    text = KEY.put(table, permissions=["webhooks:write", "sessions:read"])
    context = ask(form(text))["context"]

    assert {
        "organizationId": ORGANIZATION_ID,
        "apiKeyId": KEY_ID,
        "keyName": "CI",
        "permissions": "webhooks:write,webhooks:read,sessions:read",
    }.items() <= context.items()
    assert {str} == {type(value) for value in context.values()}


@pytest.mark.parametrize("name", ['"quotes"', "\\", "line\nfeed", "größe", "\N{GRINNING FACE}"])
def test_a_denial_needs_no_escape_in_json(table: Table, setting: Callable[[str, str], None], name: str) -> None:
    """API Gateway puts code, message and hint into JSON without escaping; the key's name is in none of them."""
    setting("ACCESS_RULES", json.dumps(RULES))
    context = ask(token(KEY.put(table, name=name), "GET/sessions/all"))["context"]

    for field in ("code", "message", "hint"):
        assert json.loads(f'"{context[field]}"') == context[field]
        assert name not in context[field]
    assert name == context["keyName"]


def test_codes_are_in_the_catalogue(table: Table, setting: Callable[[str, str], None]) -> None:
    """The documentation has a row for each code."""
    setting("ACCESS_RULES", json.dumps(RULES))
    text = KEY.put(table)
    codes = {ask(token(text, "GET/sessions/all"))["context"]["code"]}
    table.freeze()
    codes.add(ask(token(text))["context"]["code"])
    codes.add(ask(http_2({}))["context"]["code"])

    assert {"INSUFFICIENT_PERMISSIONS", "ORGANIZATION_FROZEN", "UNAUTHORIZED"} == codes
    assert codes <= CATALOGUE.keys()


# ---- Routes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("answers", ["policy", "simple"])
def test_rules_decide_about_each_route(
    table: Table, setting: Callable[[str, str], None], form: Callable[..., dict[str, Any]], answers: str
) -> None:
    """Only a route whose permission the key has is let in; a route without a rule is not."""
    setting("ACCESS_RULES", json.dumps(RULES))
    setting("HTTP_API_ANSWERS", answers)
    text = KEY.put(table)
    routes = ("GET/sessions/7", "GET/sessions/all", "DELETE/sessions/7", "GET/")

    assert [True, False, False, False] == [is_let_in(ask(form(text, route)), route) for route in routes]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("answers", ["policy", "simple"])
@pytest.mark.parametrize(
    "route", ["GET//sessions/all", "GET/%73essions/all", "GET/x/../sessions/all", "GET/x%2f..%2fsessions/all"]
)
def test_another_spelling_of_a_route_is_denied(
    table: Table, setting: Callable[[str, str], None], form: Callable[..., dict[str, Any]], answers: str, route: str
) -> None:
    """GIVEN a catch-all for any key WHEN a refused route is spelled differently THEN it is denied."""
    setting("ACCESS_RULES", json.dumps([RULES[1], {"method": "ANY", "path": "/{rest+}", "permission": None}]))
    setting("HTTP_API_ANSWERS", answers)

    assert not is_let_in(ask(form(KEY.put(table), route)), route)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("answers", ["policy", "simple"])
def test_a_denial_by_the_rules_is_logged_as_one(
    table: Table,
    setting: Callable[[str, str], None],
    capsys: pytest.CaptureFixture[str],
    form: Callable[..., dict[str, Any]],
    answers: str,
) -> None:
    """The log has the verdict for the request, not for the policy, and a denial is no use of the key."""
    setting("ACCESS_RULES", json.dumps(RULES))
    setting("HTTP_API_ANSWERS", answers)
    table.put_unused()
    text = KEY.put(table)
    routes = ("GET/sessions/7", "GET/sessions/all", "DELETE/sessions/7", "GET//sessions/7", OWN_ROUTE)
    verdicts = []
    for route in routes:
        capsys.readouterr()
        ask(form(text, route))
        (line,) = capsys.readouterr().out.splitlines()
        verdicts.append(tuple(json.loads(line)[name] for name in ("code", "reason", "Verifications", "api_key_id")))
    meter().flush_all(seconds=60)

    denied = "INSUFFICIENT_PERMISSIONS"
    assert [
        ("VALID", "valid", 1, KEY_ID),
        (denied, "lacks analytics:read", 1, KEY_ID),
        (denied, "no access rule allows the route", 1, KEY_ID),
        (denied, "no access rule allows the route", 1, KEY_ID),
        ("VALID", "valid", 1, KEY_ID),
    ] == verdicts
    assert 2 == table.item(f"USAGE#{KEY_ID}")["request_count"]


def test_a_policy_can_be_reused_for_any_other_route(table: Table, setting: Callable[[str, str], None]) -> None:
    """API Gateway reuses a policy by the key alone, so it is right for each route of the rules."""
    setting("ACCESS_RULES", json.dumps(RULES))
    text = KEY.put(table)
    routes = {"GET/sessions/7": True, "GET/sessions/8": True, "GET/sessions/all": False, "PUT/sessions/7": False}

    for asked, other in itertools.permutations(routes, 2):
        answer = ask(token(text, asked))

        assert routes[other] == is_let_in(answer, other), f"asked for {asked}, reused for {other}"
        assert "INSUFFICIENT_PERMISSIONS" == answer["context"]["code"]


def test_only_http_2_gets_simple_answers(table: Table, setting: Callable[[str, str], None]) -> None:
    """The other forms get policies, regardless of the setting."""
    setting("HTTP_API_ANSWERS", "simple")
    text = KEY.put(table)
    answers = {name: ask(form(text)) for name, form in FORMS.items()}

    assert {"isAuthorized", "context"} == answers.pop("http 2.0").keys()
    assert [{"principalId", "policyDocument", "context"}] * 3 == [set(answer) for answer in answers.values()]


OWN_ROUTE = "GET/auth/api-keys/current"
REVOCATION = "DELETE/auth/api-keys/current"


@pytest.mark.parametrize("route", [OWN_ROUTE, REVOCATION])
@pytest.mark.parametrize(
    "rules",
    [
        [],
        RULES,
        [{"method": "GET", "path": "/reports", "permission": "analytics:read"}],
        [{"method": "ANY", "path": "/{rest+}", "permission": "analytics:read"}],
        [
            {"method": "GET", "path": "/{a}/{b}/{c}", "permission": "analytics:read"},
            {"method": "GET", "path": "/auth/{b}/{c}", "permission": None},
        ],
        [
            {"method": "GET", "path": "/auth/{b}/current", "permission": "analytics:read"},
            {"method": "GET", "path": "/auth/{b}/{c}", "permission": None},
        ],
    ],
    ids=["none", "about others", "no permission at all", "of everything", "below a denial", "beside a denial"],
)
def test_the_own_route_of_a_key_is_open_under_any_rules(
    table: Table, setting: Callable[[str, str], None], rules: list[dict[str, str | None]], route: str
) -> None:
    """Every valid key may be shown to its holder and deleted by it, regardless of denials by the rules."""
    setting("ACCESS_RULES", json.dumps(rules))

    assert is_let_in(ask(rest({"x-api-key": KEY.put(table)}, route)), route)


@pytest.mark.parametrize(("route", "other"), [(OWN_ROUTE, REVOCATION), (REVOCATION, OWN_ROUTE)])
def test_the_own_route_of_a_key_opens_no_other(
    table: Table, setting: Callable[[str, str], None], route: str, other: str
) -> None:
    """The answer for an own route allows this one request only."""
    setting("ACCESS_RULES", json.dumps(RULES))
    answer = ask(rest({"x-api-key": KEY.put(table)}, route))

    routes = (
        other,
        "POST/auth/api-keys/current",
        "GET/auth/api-keys/current/7",
        "GET/auth/api-keys",
        "GET/sessions/all",
    )
    assert not any(is_let_in(answer, route) for route in routes)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("answers", ["policy", "simple"])
def test_other_methods_of_the_own_route_follow_the_rules(
    table: Table, setting: Callable[[str, str], None], form: Callable[..., dict[str, Any]], answers: str
) -> None:
    """GIVEN a refused route with the own route's path and another method THEN it is denied as any other."""
    setting("ACCESS_RULES", json.dumps([{"method": "ANY", "path": "/auth/{rest+}", "permission": "analytics:read"}]))
    setting("HTTP_API_ANSWERS", answers)
    text = KEY.put(table)
    routes = [f"{method}/auth/api-keys/current" for method in ("HEAD", "OPTIONS", "PATCH", "POST", "PUT")]

    answered = {route: ask(form(text, route)) for route in routes}

    assert [] == [route for route, answer in answered.items() if is_let_in(answer, route)]
    assert {"INSUFFICIENT_PERMISSIONS"} == {answer["context"]["code"] for answer in answered.values()}


@pytest.mark.parametrize("path", ["auth/api-keys/current/", "auth/api-keys//current", "v1/auth/api-keys/current"])
def test_other_spellings_of_the_own_route_follow_the_rules(
    table: Table, setting: Callable[[str, str], None], path: str
) -> None:
    """Only the path itself is open under any rules."""
    setting("ACCESS_RULES", json.dumps(RULES))

    assert not is_let_in(ask(rest({"x-api-key": KEY.put(table)}, f"GET/{path}")), f"GET/{path}")


def test_a_long_path_is_denied(table: Table, setting: Callable[[str, str], None]) -> None:
    """A resource has at most 512 characters, and a longer one would be an error instead of a 403."""
    setting("ACCESS_RULES", json.dumps(RULES))
    route = "GET/" + "x" * 1500
    answer = ask(token(KEY.put(table), route))
    resources = [statement["Resource"] for statement in answer["policyDocument"]["Statement"]]
    listed = [one for resource in resources for one in ([resource] if isinstance(resource, str) else resource)]

    assert 512 == max(map(len, listed))
    assert not is_let_in(answer, route)


# ---- Addresses ------------------------------------------------------------------------------------------

ALLOWED = ["192.0.2.0/24", "2001:db8::/32", "203.0.113.7"]
WITHIN = ("192.0.2.77", "2001:db8::1", "203.0.113.7")
ELSEWHERE = ("203.0.113.8", "2001:db9::1", "10.0.0.1")
WITH_ADDRESS = {name: form for name, form in FORMS.items() if name != "token"}


def seen(event: dict[str, Any], address: str) -> dict[str, Any]:
    """Return an event with the address of the client, where its form has it."""
    if event.get("version") == "2.0":
        return event | {"requestContext": {"http": {"sourceIp": address}}}
    return event | {"requestContext": {"identity": {"sourceIp": address}}}


def is_let_in_from(answer: dict[str, Any], address: str, route: str = "GET/sessions/7") -> bool:
    """Return whether API Gateway lets in a request from an address after this answer."""
    if "isAuthorized" in answer:
        return bool(answer["isAuthorized"])
    return allows(tuple(answer["policyDocument"]["Statement"]), f"{API}/{route}", address)


@pytest.mark.parametrize("form", WITH_ADDRESS.values(), ids=WITH_ADDRESS)
@pytest.mark.parametrize("answers", ["policy", "simple"])
@pytest.mark.parametrize("rules", [[], RULES], ids=["no rules", "rules"])
def test_allowed_addresses_are_let_in_and_no_others(
    table: Table,
    setting: Callable[[str, str], None],
    form: Callable[..., dict[str, Any]],
    answers: str,
    rules: list[dict[str, str]],
) -> None:
    """A key with allowed addresses works from these only; the code of a refusal says so."""
    setting("ACCESS_RULES", json.dumps(rules))
    setting("HTTP_API_ANSWERS", answers)
    text = KEY.put(table, allowed_ips=ALLOWED)
    answered = {address: ask(seen(form(text), address)) for address in (*WITHIN, *ELSEWHERE)}

    assert set(WITHIN) == {address for address, answer in answered.items() if is_let_in_from(answer, address)}
    assert {"IP_NOT_ALLOWED"} == {answered[address]["context"]["code"] for address in ELSEWHERE}
    assert {KEY_ID} == {answer["context"]["apiKeyId"] for answer in answered.values()}


@pytest.mark.parametrize("form", WITH_ADDRESS.values(), ids=WITH_ADDRESS)
def test_an_ipv4_address_written_as_ipv6_is_the_ipv4_address(table: Table, form: Callable[..., dict[str, Any]]) -> None:
    """A verification compares a mapped address as the IPv4 address that it stands for."""
    answer = ask(seen(form(KEY.put(table, allowed_ips=ALLOWED)), "::ffff:192.0.2.77"))

    assert is_let_in_from(answer, "192.0.2.77")


@pytest.mark.parametrize("header", ["x-forwarded-for", "X-Forwarded-For", "forwarded", "x-real-ip", "cf-connecting-ip"])
@pytest.mark.parametrize("form", [rest, http_1, http_2], ids=lambda form: form.__name__)
def test_a_header_is_no_address(table: Table, form: Callable[..., dict[str, Any]], header: str) -> None:
    """A client cannot choose its address."""
    event = form({"x-api-key": KEY.put(table, allowed_ips=ALLOWED), header: WITHIN[0]})
    answers = [ask(event), ask(seen(event, ELSEWHERE[0]))]

    assert [False, False] == [is_let_in_from(answer, ELSEWHERE[0]) for answer in answers]
    assert ["IP_NOT_ALLOWED"] * 2 == [answer["context"]["code"] for answer in answers]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("rules", [[], RULES], ids=["no rules", "rules"])
def test_without_an_address_everything_is_denied(
    table: Table, setting: Callable[[str, str], None], form: Callable[..., dict[str, Any]], rules: list[dict[str, str]]
) -> None:
    """A TOKEN authorizer gets no address, so nothing was verified that a policy could let in from an allowed one."""
    setting("ACCESS_RULES", json.dumps(rules))
    answer = ask(form(KEY.put(table, allowed_ips=ALLOWED)))

    assert [{"Action": INVOKE, "Effect": "Deny", "Resource": f"{API}/*"}] == answer["policyDocument"]["Statement"]
    assert "IP_NOT_ALLOWED" == answer["context"]["code"]
    assert "REQUEST authorizer" in answer["context"]["hint"]


def test_a_request_without_a_source_ip_is_denied(table: Table) -> None:
    """Requests to private APIs have no aws:SourceIp, although their events have an address."""
    answer = ask(seen(FORMS["rest"](KEY.put(table, allowed_ips=["10.0.0.0/8"])), "10.0.0.1"))

    assert not allows(tuple(answer["policyDocument"]["Statement"]), f"{API}/GET/sessions/7", None)


@pytest.mark.parametrize("rules", [[], RULES], ids=["no rules", "rules"])
def test_a_policy_can_be_reused_for_any_other_address_and_route(
    table: Table, setting: Callable[[str, str], None], rules: list[dict[str, str]]
) -> None:
    """API Gateway reuses a policy by the key alone, so policy and refusal are right for each address and route."""
    setting("ACCESS_RULES", json.dumps(rules))
    text = KEY.put(table, allowed_ips=ALLOWED)
    routes = {"GET/sessions/7": True, "GET/sessions/all": not rules, "GET//sessions/7": not rules, OWN_ROUTE: not rules}
    asked = [(route, address) for route in routes for address in (WITHIN[0], ELSEWHERE[0]) if route != OWN_ROUTE]

    for (route, address), (other, from_) in itertools.product(asked, itertools.product(routes, (*WITHIN, *ELSEWHERE))):
        answer = ask(seen(FORMS["rest"](text, route), address))
        context = answer["context"]

        assert is_let_in_from(answer, from_, other) == (routes[other] and from_ in WITHIN), (route, address, other)
        assert "address" in context["message"]
        assert ("route" in context["message"]) == bool(rules)
        assert context["code"] == (
            "INSUFFICIENT_PERMISSIONS" if rules and address in WITHIN else "IP_NOT_ALLOWED"
        )  # what refuses this request, or could


def test_a_simple_answer_says_exactly_why(table: Table, setting: Callable[[str, str], None]) -> None:
    """A simple answer is right for one request, so its code is the one reason: the address comes first."""
    setting("ACCESS_RULES", json.dumps(RULES))
    setting("HTTP_API_ANSWERS", "simple")
    text = KEY.put(table, allowed_ips=ALLOWED)
    contexts = [
        ask(seen(FORMS["http 2.0"](text, "GET/sessions/all"), address))["context"]
        for address in (WITHIN[0], ELSEWHERE[0])
    ]

    assert [
        {name: error[name] for name in ("code", "message")} for error in contexts
    ] == [
        {"code": error.code, "message": error.message}
        for error in (CATALOGUE["INSUFFICIENT_PERMISSIONS"], CATALOGUE["IP_NOT_ALLOWED"])
    ]  # fmt: skip


@pytest.mark.parametrize("form", WITH_ADDRESS.values(), ids=WITH_ADDRESS)
def test_the_own_route_needs_an_allowed_address(table: Table, form: Callable[..., dict[str, Any]]) -> None:
    """The route that every key may call is no way around its addresses."""
    text = KEY.put(table, allowed_ips=ALLOWED)
    answers = [(ask(seen(form(text, OWN_ROUTE), address)), address) for address in (WITHIN[0], ELSEWHERE[0])]

    assert [True, False] == [is_let_in_from(answer, address, OWN_ROUTE) for answer, address in answers]


def test_only_what_is_allowed_has_a_condition(table: Table, setting: Callable[[str, str], None]) -> None:
    """A denial with a condition would not deny; a key without addresses has no conditions."""
    setting("ACCESS_RULES", json.dumps(RULES))

    def conditions(**attributes: object) -> dict[str, list[Any]]:
        event = seen(FORMS["rest"](KEY.put(table, **attributes), "GET/sessions/all"), WITHIN[0])
        statements = ask(event)["policyDocument"]["Statement"]
        return {
            effect: [statement.get("Condition") for statement in statements if statement["Effect"] == effect]
            for effect in ("Allow", "Deny")
        }

    condition = {"IpAddress": {"aws:SourceIp": ALLOWED}}
    assert {"Allow": [condition], "Deny": [None, None, None]} == conditions(allowed_ips=ALLOWED)
    assert {"Allow": [None], "Deny": [None, None, None]} == conditions()


def test_fifty_ranges_take_little_of_a_policy(table: Table) -> None:
    """The most and longest ranges take 2.4 KB. API Gateway limits the answers for WebSocket APIs only, to 8 KB."""
    ranges = [f"2001:db8:{number:04x}:ffff:ffff:ffff:ffff:fffe/127" for number in range(0x1000, 0x1000 + 50)]
    text = KEY.put(table, allowed_ips=ranges)
    answers = [json.dumps(ask(seen(FORMS["rest"](text), ELSEWHERE[0])))]
    KEY.put(table)
    answers.append(json.dumps(ask(seen(FORMS["rest"](text), ELSEWHERE[0]))))

    assert 2_000 < len(answers[0]) - len(answers[1]) < 2_500


# ---- Limits ------------------------------------------------------------------------------------------

RATE = '{"limit":1,"windowSeconds":3600,"burst":1}'
QUOTA = '{"limit":1,"period":"total"}'
LIMITS = {"RATE_LIMITED": {"rate_limit": RATE}, "QUOTA_EXCEEDED": {"quota": QUOTA}}

each_limit = pytest.mark.parametrize("code", LIMITS)


def put_limited(table: Table, **attributes: object) -> str:
    """Write a key with limits, of which nothing is used; return its text."""
    table.put(pk=f"LIMIT#{KEY_ID}", sk="LIMIT")
    return KEY.put(table, **attributes)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("answers", ["policy", "simple"])
@each_limit
def test_a_limit_denies_everything(
    table: Table,
    setting: Callable[[str, str], None],
    form: Callable[..., dict[str, Any]],
    answers: str,
    code: str,
) -> None:
    """The first use is let in, the second is refused for every route, with the seconds until it would not be."""
    setting("HTTP_API_ANSWERS", answers)
    text = put_limited(table, **LIMITS[code])
    first, second = ask(form(text)), ask(form(text))
    context = second["context"]

    assert [True, False] == [is_let_in(answer) for answer in (first, second)]
    assert {"code": code, "message": CATALOGUE[code].message, "apiKeyId": KEY_ID}.items() <= context.items()
    assert {str} == {type(value) for value in context.values()}
    assert context["retryAfterSeconds"] in ({"3599", "3600"} if code == "RATE_LIMITED" else {""})
    assert "limited" not in context
    if "policyDocument" in second:
        assert [{"Action": INVOKE, "Effect": "Deny", "Resource": f"{API}/*"}] == second["policyDocument"]["Statement"]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("answers", ["policy", "simple"])
@each_limit
def test_backends_can_answer_to_a_limit(
    table: Table,
    setting: Callable[[str, str], None],
    form: Callable[..., dict[str, Any]],
    answers: str,
    code: str,
) -> None:
    """GIVEN Limited=allow WHEN a limit is reached THEN the answer is that to a valid key, and its context says so."""
    setting("ACCESS_RULES", json.dumps(RULES))
    setting("HTTP_API_ANSWERS", answers)
    setting("LIMITED", "allow")
    text = put_limited(table, **LIMITS[code])
    first, second = ask(form(text)), ask(form(text))

    assert first.get("policyDocument") == second.get("policyDocument")
    assert [True, True] == [is_let_in(answer) for answer in (first, second)]
    assert "limited" not in first["context"]
    assert {"limited": "true", "code": code}.items() <= second["context"].items()
    assert second["context"]["retryAfterSeconds"] in ({"3599", "3600"} if code == "RATE_LIMITED" else {""})
    assert {str} == {type(value) for value in second["context"].values()}


def test_a_limited_key_gets_no_more_than_its_routes_and_addresses(
    table: Table, setting: Callable[[str, str], None]
) -> None:
    """GIVEN Limited=allow WHEN a limit is reached THEN the policy is still that of the key's routes and addresses."""
    setting("ACCESS_RULES", json.dumps(RULES))
    setting("LIMITED", "allow")
    text = put_limited(table, rate_limit=RATE, allowed_ips=ALLOWED)
    event = seen(FORMS["rest"](text), WITHIN[0])
    ask(event)
    answer = ask(event)

    assert "RATE_LIMITED" == answer["context"]["code"]
    assert is_let_in_from(answer, WITHIN[0])
    assert not is_let_in_from(answer, ELSEWHERE[0])
    assert not is_let_in_from(answer, WITHIN[0], "GET/sessions/all")


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_own_route_denies_limited_keys(
    table: Table, setting: Callable[[str, str], None], form: Callable[..., dict[str, Any]]
) -> None:
    """GIVEN Limited=allow THEN the route of this API still refuses a limited key: its function answers no 429."""
    setting("LIMITED", "allow")
    text = put_limited(table, rate_limit=RATE)

    assert [True, False] == [is_let_in(ask(form(text, OWN_ROUTE)), OWN_ROUTE) for _ in range(2)]


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_key_may_revoke_itself_when_its_limit_is_reached(
    table: Table, form: Callable[..., dict[str, Any]], limits: dict[str, str]
) -> None:
    """GIVEN a limit of one use that is used THEN the route that deletes the key lets it in, and any other does not."""
    text = put_limited(table, **limits)

    assert [True, False] == [is_let_in(ask(form(text))) for _ in range(2)]
    assert [True, True] == [is_let_in(ask(form(text, REVOCATION)), REVOCATION) for _ in range(2)]


def test_a_revocation_is_no_use(table: Table) -> None:
    """It takes nothing of a limit, and is not counted: the key is gone afterwards, unless the deletion fails."""
    text = put_limited(table, **LIMITS["QUOTA_EXCEEDED"])
    before = table.items()
    ask(rest({"x-api-key": text}, REVOCATION))
    meter().flush_all(seconds=60)

    assert before == table.items()
    assert is_let_in(ask(rest({"x-api-key": text})))


def test_a_refusal_spends_nothing(table: Table, setting: Callable[[str, str], None]) -> None:
    """A request that is refused by its address or route takes nothing of the limit."""
    setting("ACCESS_RULES", json.dumps(RULES))
    text = put_limited(table, rate_limit=RATE, allowed_ips=ALLOWED)
    events = [
        seen(FORMS["rest"](text), ELSEWHERE[0]),
        seen(FORMS["rest"](text, "GET/sessions/all"), WITHIN[0]),
        token(text),
        seen(FORMS["rest"](text), WITHIN[0]),
    ]

    assert ["IP_NOT_ALLOWED", "INSUFFICIENT_PERMISSIONS", "IP_NOT_ALLOWED"] == [
        ask(event)["context"]["code"] for event in events[:3]
    ]
    assert is_let_in_from(ask(events[3]), WITHIN[0])


def failing_updates() -> list[faults.Fault | None]:
    """Return the faults of a read that is answered and a limiter that is not."""
    return [None, *[faults.error("InternalServerError", 500)] * 20]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_rate_limit_that_cannot_be_asked_lets_in(
    table: Table, capsys: pytest.CaptureFixture[str], form: Callable[..., dict[str, Any]]
) -> None:
    """The key is let in, and the log counts the failure."""
    text = put_limited(table, rate_limit=RATE)
    with faults.injected(*failing_updates()):
        answer = ask(form(text))

    assert is_let_in(answer)
    assert '"LimiterFailures":1' in capsys.readouterr().out


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_503_when_a_quota_cannot_be_asked(table: Table, form: Callable[..., dict[str, Any]]) -> None:
    """A quota is held or the request fails, and API Gateway does not reuse a failure."""
    text = put_limited(table, quota=QUOTA)
    with faults.injected(*failing_updates()), pytest.raises(ServiceError) as caught:
        ask(form(text))

    assert SERVICE_UNAVAILABLE == caught.value.error


# ---- Usage plans ------------------------------------------------------------------------------------------

USAGE_PLAN_KEY = "usage-plan-key-of-acme"


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_rest_apis_get_the_key_of_the_usage_plan(
    table: Table, form: Callable[..., dict[str, Any]], request: pytest.FixtureRequest
) -> None:
    """Answers to REST APIs name the organization's API key of API Gateway; HTTP APIs have no usage plans."""
    is_rest = request.node.callspec.id in {"token", "rest"}
    text = KEY.put(table)
    without = ask(form(text))
    table.put_organization(usage_plan_key=USAGE_PLAN_KEY)
    answer = ask(form(text))

    assert without == {name: value for name, value in answer.items() if name != "usageIdentifierKey"}
    assert answer.get("usageIdentifierKey") == (USAGE_PLAN_KEY if is_rest else None)


def test_a_policy_that_refuses_its_request_has_the_key_of_the_usage_plan(
    table: Table, setting: Callable[[str, str], None]
) -> None:
    """The policy can be reused for a route that it allows, and that request counts for the plan too."""
    setting("ACCESS_RULES", json.dumps(RULES))
    table.put_organization(usage_plan_key=USAGE_PLAN_KEY)
    text = KEY.put(table, allowed_ips=ALLOWED)
    answers = [
        ask(seen(FORMS["rest"](text), ELSEWHERE[0])),
        ask(seen(FORMS["rest"](text, "GET/sessions/all"), WITHIN[0])),
    ]

    assert [USAGE_PLAN_KEY] * 2 == [answer["usageIdentifierKey"] for answer in answers]


@pytest.mark.parametrize("present", UNKNOWN.values(), ids=UNKNOWN)
def test_401_for_an_invalid_key_of_an_organization_with_a_usage_plan(
    table: Table, present: Callable[[Table], str]
) -> None:
    """An unknown key has no usage plan."""
    table.put_organization(usage_plan_key=USAGE_PLAN_KEY)

    with pytest.raises(Unauthorized, match=r"^Unauthorized$"):
        ask(FORMS["rest"](present(table)))
