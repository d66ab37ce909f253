"""The forwarders, and what docs/organization-events.md shows of them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib.util
import json
import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from jsonschema import Draft202012Validator

from keywright.organizations.events import parse
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

PROVIDERS = ["Cognito", "Auth0", "Clerk", "WorkOS"]
DOCUMENT = (ROOT / "docs/organization-events.md").read_text(encoding="utf-8")
PUBLISHED = json.loads((ROOT / "docs/schemas/organization-event.json").read_text(encoding="utf-8"))
SCHEMA = Draft202012Validator(PUBLISHED)
BUS = "keywright-organizations"
SECRET = "whsec_" + base64.b64encode(b"a signing secret of a test").decode()
NOW = 1772366401
TIME = "2026-03-01T12:00:00.123Z"

Found = list[tuple[str, dict[str, Any]]]


def load(provider: str) -> ModuleType:
    """Import a forwarder, from the one file that it is."""
    path = ROOT / "examples/forwarders" / f"{provider.lower()}.py"
    spec = importlib.util.spec_from_file_location(f"forwarder_{provider.lower()}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


cognito, auth0, clerk, workos = (load(provider) for provider in PROVIDERS)


def samples(provider: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read what the document shows: what a provider sends, and what becomes of it."""
    section = DOCUMENT.split(f"\n### {provider}\n", 1)[1].split("\n### ", 1)[0]
    given, made = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", section, re.DOTALL))
    return given, made


MAPPINGS: dict[str, Callable[[dict[str, Any]], Found]] = {
    "Cognito": lambda given: cognito.events(given, ["acme:member", "acme:admin"], is_enabled=True),
    "Auth0": auth0.events,
    "Clerk": lambda given: clerk.events("msg_2abc", given),
    "WorkOS": workos.events,
}


def usable(found: Found, source: str = "forwarder") -> list[str]:
    """Check that events are what Keywright takes, by schema and function; give their types."""
    for kind, detail in found:
        event = {"source": source, "detail-type": kind, "detail": detail}
        SCHEMA.validate(event)
        assert kind == parse(json.dumps(event)).type
    return [kind for kind, _ in found]


# ---- The document --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_sample_becomes_what_the_document_says(provider: str) -> None:
    """And Keywright takes it."""
    given, made = samples(provider)
    found = MAPPINGS[provider](given)
    usable(found)

    source = f"{provider.lower()}.forwarder"
    assert made == [{"source": source, "detail-type": kind, "detail": detail} for kind, detail in found]


def test_the_document_shows_every_event() -> None:
    """In the same words as the schema."""
    properties = [model.get("properties", {}) for model in PUBLISHED["$defs"].values()]
    kinds = {found["detail-type"]["const"] for found in properties if "detail-type" in found}
    section = DOCUMENT.split("\n## The events\n", 1)[1].split("\n## ", 1)[0]

    assert kinds == set(re.findall(r"^\| `([a-z]+\.[a-z_]+)` \|", section, re.MULTILINE))


def test_the_reasons_in_the_runbook_are_those_that_are_given() -> None:
    """Who looks one up finds it."""
    runbook = (ROOT / "docs/runbooks/dead-letters.md").read_text(encoding="utf-8")
    code = "".join(
        (ROOT / f"layers/shared/python/keywright/{name}.py").read_text(encoding="utf-8")
        for name in ("organization_events", "syncing")
    )

    for reason in (
        "the event cannot be read: ",
        "detail.time lies in the future",
        "detail.time is so long ago that more than half of the grace period is over",
        "the organization was deleted for good",
    ):
        assert reason in runbook
        assert reason in code


LINKS = [
    (path, link)
    for path in ("docs/organization-events.md", "docs/runbooks/dead-letters.md")
    for link in sorted(set(re.findall(r"\]\((?!https?://)([^)#]+)", (ROOT / path).read_text(encoding="utf-8"))))
]


@pytest.mark.parametrize(("path", "link"), LINKS)
def test_links_lead_somewhere(path: str, link: str) -> None:
    """Every file that the documents point to is there."""
    assert ((ROOT / path).parent / link).exists()


# ---- Mappings ------------------------------------------------------------------------------------------------


def trail(name: str, **parameters: str) -> dict[str, Any]:
    """Make what CloudTrail reports of a call."""
    given, _ = samples("Cognito")
    return {**given, "eventName": name, "requestParameters": {"userPoolId": "eu-central-1_AbCdEf", **parameters}}


def members(found: Found) -> list[tuple[str, str, Any]]:
    """Give type, organization and what is said of the member."""
    usable(found)
    return [
        (kind, detail["organization"]["id"], {k: v for k, v in detail["member"].items() if k != "userId"})
        for kind, detail in found
    ]


@pytest.mark.parametrize(
    ("group", "left", "expected"),
    [
        ("acme:owner", ["acme:owner"], [("member.added", "acme", {"role": "owner"})]),
        ("acme:member", ["acme:admin", "acme:member"], [("member.added", "acme", {"role": "admin"})]),
        ("acme:admin", ["other:owner"], [("member.removed", "acme", {})]),
        ("a:b:admin", ["a:b:admin"], [("member.added", "a:b", {"role": "admin"})]),
        ("staff", ["staff"], []),
        ("acme:billing", ["acme:billing"], []),
        (":admin", [":admin"], []),
    ],
)
@pytest.mark.parametrize("name", ["AdminAddUserToGroup", "AdminRemoveUserFromGroup"])
def test_cognito_a_group_is_a_role_in_an_organization(
    name: str, group: str, left: list[str], expected: list[tuple[str, str, Any]]
) -> None:
    """What counts are the groups that the user is in; other groups mean nothing."""
    assert expected == members(cognito.events(trail(name, groupName=group), left, is_enabled=True))


def test_cognito_whoever_is_disabled_does_not_come_back_with_a_group() -> None:
    """Being added would end the suspension: it is said again, under an id that counts as later."""
    added, suspended = cognito.events(trail("AdminAddUserToGroup", groupName="a:admin"), ["a:admin"], is_enabled=False)

    assert ["member.added", "member.suspended"] == usable([added, suspended])
    assert added[1]["eventId"] < suspended[1]["eventId"]


@pytest.mark.parametrize(
    ("name", "kind"), [("AdminDisableUser", "member.suspended"), ("AdminEnableUser", "member.reinstated")]
)
def test_cognito_a_user_is_disabled_everywhere(name: str, kind: str) -> None:
    """Once in each organization."""
    found = cognito.events(trail(name), ["b:owner", "a:member", "a:admin", "staff"], is_enabled=True)

    assert [(kind, "a", {}), (kind, "b", {})] == members(found)


def test_cognito_other_calls_mean_nothing() -> None:
    """Should the rule let them through."""
    assert [] == cognito.events(trail("AdminSetUserPassword"), ["a:admin"], is_enabled=True)


def stream(kind: str, **content: Any) -> dict[str, Any]:
    """Make an event of Auth0's."""
    return {**samples("Auth0")[0], "type": kind, "data": {"object": content}}


ACME = {"id": "org_0123456789abcdef", "name": "acme"}
USER = {"user_id": "auth0|1"}


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        ("organization.created", {**ACME, "display_name": "Acme Inc"}, ["organization.created"]),
        ("organization.updated", ACME, ["organization.updated"]),
        ("organization.deleted", ACME, ["organization.deletion_requested"]),
        ("organization.connection.added", {"organization": ACME}, []),
        ("user.updated", {"user_id": "auth0|1", "blocked": True}, []),
    ],
)
def test_auth0_organizations(kind: str, content: dict[str, Any], expected: list[str]) -> None:
    """Events of other things mean nothing."""
    assert expected == usable(auth0.events(stream(kind, **content)))


@pytest.mark.parametrize(
    ("kind", "role", "expected"),
    [
        ("organization.member.added", None, [("member.added", ACME["id"], {})]),
        ("organization.member.deleted", None, [("member.removed", ACME["id"], {})]),
        ("organization.member.role.assigned", "owner", [("member.role_changed", ACME["id"], {"role": "owner"})]),
        ("organization.member.role.deleted", "owner", [("member.role_changed", ACME["id"], {"role": "member"})]),
        ("organization.member.role.assigned", "billing", []),
        ("organization.member.role.deleted", "billing", []),
    ],
)
def test_auth0_members(kind: str, role: str | None, expected: list[tuple[str, str, Any]]) -> None:
    """Roles come separately; those that are none of Keywright's change nothing."""
    given = {"role": {"id": "rol_1", "name": role}} if role else {}

    assert expected == members(auth0.events(stream(kind, organization=ACME, user=USER, **given)))


def test_auth0_an_organization_has_the_name_that_people_see() -> None:
    """The other one is a slug."""
    ((_, detail),) = auth0.events(stream("organization.created", **ACME, display_name="Acme Inc"))

    assert {"id": ACME["id"], "name": "Acme Inc"} == detail["organization"]


def webhook(kind: str, **data: Any) -> dict[str, Any]:
    """Make a webhook of Clerk's."""
    return {"object": "event", "type": kind, "timestamp": 1772366400123, "data": data}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("organization.created", ["organization.created"]),
        ("organization.updated", ["organization.updated"]),
        ("organization.deleted", ["organization.deletion_requested"]),
        ("organizationInvitation.created", []),
        ("user.updated", []),
    ],
)
def test_clerk_organizations(kind: str, expected: list[str]) -> None:
    """Of a deleted one there is no name; events of other things mean nothing."""
    name = {} if kind == "organization.deleted" else {"name": "Acme"}

    assert expected == usable(clerk.events("msg_1", webhook(kind, id="org_1", **name)))


@pytest.mark.parametrize(
    ("kind", "role", "expected"),
    [
        ("created", "org:owner", ("member.added", "org_1", {"role": "owner"})),
        ("created", "org:billing", ("member.added", "org_1", {"role": "member"})),
        ("updated", "org:admin", ("member.role_changed", "org_1", {"role": "admin"})),
        ("updated", "org:member", ("member.role_changed", "org_1", {"role": "member"})),
        ("deleted", "org:owner", ("member.removed", "org_1", {})),
    ],
)
def test_clerk_members(kind: str, role: str, expected: tuple[str, str, Any]) -> None:
    """A role that is none of Keywright's is the least."""
    data = {"organization": {"id": "org_1"}, "public_user_data": {"user_id": "user_1"}, "role": role}

    assert [expected] == members(clerk.events("msg_1", webhook(f"organizationMembership.{kind}", **data)))


def workos_event(kind: str, **data: Any) -> dict[str, Any]:
    """Make a webhook of WorkOS's."""
    return {"id": "event_1", "event": kind, "created_at": TIME, "data": data}


def membership(status: str, slug: str = "admin") -> dict[str, Any]:
    """Make a membership as WorkOS has it."""
    return {"organization_id": "org_1", "user_id": "user_1", "status": status, "role": {"slug": slug}}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("organization.created", ["organization.created"]),
        ("organization.updated", ["organization.updated"]),
        ("organization.deleted", ["organization.deletion_requested"]),
        ("organization_domain.verified", []),
        ("user.updated", []),
    ],
)
def test_workos_organizations(kind: str, expected: list[str]) -> None:
    """Events of other things mean nothing."""
    assert expected == usable(workos.events(workos_event(kind, id="org_1", name="Acme")))


@pytest.mark.parametrize(
    ("status", "suspended"),
    [("active", False), ("inactive", True), ("pending", True)],
    ids=["active", "inactive", "pending"],
)
def test_workos_members(status: str, suspended: bool) -> None:  # noqa: FBT001 - an expectation
    """Only an active membership gives access; its state counts as later than its creation."""
    added, updated = workos.events(workos_event("organization_membership.created", **membership(status)))

    assert [
        ("member.added", "org_1", {"role": "admin"}),
        ("member.updated", "org_1", {"role": "admin", "suspended": suspended}),
    ] == members([added, updated])
    assert added[1]["eventId"] < updated[1]["eventId"]
    assert [updated] == workos.events(workos_event("organization_membership.updated", **membership(status)))


def test_workos_a_removed_member() -> None:
    """Whatever the membership was."""
    found = workos.events(workos_event("organization_membership.deleted", **membership("inactive", "billing")))

    assert [("member.removed", "org_1", {})] == members(found)


# ---- Signatures ----------------------------------------------------------------------------------------------


def clerk_headers(body: bytes, timestamp: int = NOW, secret: str = SECRET) -> dict[str, str]:
    """Sign as Svix does."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"msg_1.{timestamp}.".encode() + body, hashlib.sha256)
    signature = "v1," + base64.b64encode(digest).decode()
    return {"svix-id": "msg_1", "svix-timestamp": str(timestamp), "svix-signature": signature}


def workos_header(body: bytes, timestamp: float = NOW, secret: str = SECRET) -> str:
    """Sign as WorkOS does."""
    milliseconds = int(timestamp * 1000)
    digest = hmac.new(secret.encode(), f"{milliseconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={milliseconds}, v1={digest}"


def test_clerk_what_clerk_has_signed_is_genuine() -> None:
    """Also where the secret is being changed, and there are two signatures."""
    headers = clerk_headers(b"{}")

    assert clerk.is_genuine(SECRET, headers, b"{}", NOW + 299)
    assert clerk.is_genuine(SECRET, {**headers, "svix-signature": f"v1,AAAA {headers['svix-signature']}"}, b"{}", NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"svix-signature": "v1,AAAA"},
        {"svix-signature": ""},
        {"svix-id": "msg_2"},
        {"svix-timestamp": str(NOW - 1)},
        {"svix-timestamp": "yesterday"},
        clerk_headers(b"{ }"),
        clerk_headers(b"{}", NOW - 301),
        clerk_headers(b"{}", NOW + 301),
        clerk_headers(b"{}", secret="whsec_" + base64.b64encode(b"another secret").decode()),
    ],
    ids=range(9),
)
def test_clerk_anything_else_is_not(change: dict[str, str]) -> None:
    """Another body, id, time or secret, or an old one."""
    assert not clerk.is_genuine(SECRET, {**clerk_headers(b"{}"), **change}, b"{}", NOW)


@pytest.mark.parametrize("missing", ["svix-id", "svix-timestamp", "svix-signature"])
def test_clerk_nothing_may_be_missing(missing: str) -> None:
    """Each header is needed."""
    headers = {name: value for name, value in clerk_headers(b"{}").items() if name != missing}

    assert not clerk.is_genuine(SECRET, headers, b"{}", NOW)


@pytest.mark.parametrize("secret", ["", " ", "\n", "whsec_"])
def test_clerk_an_empty_secret_accepts_nobody(secret: str) -> None:
    """GIVEN a secret that was never filled in WHEN somebody signs with nothing THEN it is an error that says so."""
    with pytest.raises(RuntimeError, match="the signing secret is empty"):
        clerk.is_genuine(secret, clerk_headers(b"{}", secret=""), b"{}", NOW)


def test_clerk_a_secret_of_padding_accepts_nobody() -> None:
    """Whatever decodes to nothing is no secret."""
    assert not clerk.is_genuine("whsec_=", clerk_headers(b"{}", secret=""), b"{}", NOW)


@pytest.mark.parametrize("secret", ["", " ", "\n"])
def test_workos_an_empty_secret_accepts_nobody(secret: str) -> None:
    """The same."""
    with pytest.raises(RuntimeError, match="the signing secret is empty"):
        workos.is_genuine(secret, workos_header(b"{}", secret=secret), b"{}", NOW)


def test_workos_what_workos_has_signed_is_genuine() -> None:
    """For three minutes."""
    assert workos.is_genuine(SECRET, workos_header(b"{}"), b"{}", NOW + 179)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=1, v1=abc",
        workos_header(b"{ }"),
        workos_header(b"{}", NOW - 181),
        workos_header(b"{}", NOW + 181),
        workos_header(b"{}", secret="another secret"),
        workos_header(b"{}").upper(),
    ],
    ids=range(7),
)
def test_workos_anything_else_is_not(header: str) -> None:
    """Another body, time or secret, or an old one."""
    assert not workos.is_genuine(SECRET, header, b"{}", NOW)


# ---- Handlers ------------------------------------------------------------------------------------------------


@dataclass
class Aws:
    """What the forwarders ask of AWS."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    refused: int = 0

    def __call__(self, _: str) -> Aws:
        """Stand for any client."""
        return self

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - AWS's own name
        """Take events, ten at the most."""
        assert 1 <= len(Entries) <= 10
        self.entries += Entries
        return {"FailedEntryCount": self.refused}

    def get_secret_value(self, SecretId: str) -> dict[str, str]:  # noqa: N803
        """Give the signing secret."""
        assert SecretId == "signing-secret"
        return {"SecretString": SECRET}

    def get_paginator(self, operation: str) -> Aws:
        """Prepare to list groups."""
        assert operation == "admin_list_groups_for_user"
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        """List groups, one on each page."""
        return [{"Groups": [{"GroupName": group}]} for group in self.groups]

    def admin_get_user(self, **_: str) -> dict[str, Any]:
        """Give an enabled user."""
        return {"Enabled": True}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    """AWS, and the forwarders' environment."""
    found = Aws()
    monkeypatch.setattr(boto3, "client", found)
    monkeypatch.setenv("EVENT_BUS_NAME", BUS)
    monkeypatch.setenv("SIGNING_SECRET_ID", "signing-secret")
    monkeypatch.setattr("time.time", lambda: NOW)
    for module in (clerk, workos):
        module._secret.cache_clear()
    return found


def request(provider: str, body: bytes, *, is_genuine: bool = True, is_encoded: bool = False) -> dict[str, Any]:
    """Make a request to a function URL."""
    signed = body if is_genuine else b"something else"
    headers = clerk_headers(signed) if provider == "Clerk" else {"workos-signature": workos_header(signed)}
    text = base64.b64encode(body).decode() if is_encoded else body.decode()
    return {"headers": headers, "body": text, "isBase64Encoded": is_encoded}


HANDLERS: dict[str, Callable[..., Any]] = {"Clerk": clerk.handler, "WorkOS": workos.handler}


@pytest.mark.parametrize("is_encoded", [False, True], ids=["text", "base64"])
@pytest.mark.parametrize("provider", HANDLERS)
def test_a_webhook_becomes_events_on_the_bus(aws: Aws, provider: str, is_encoded: bool) -> None:  # noqa: FBT001
    """And is answered 204."""
    body = json.dumps(samples(provider)[0]).encode()

    answer = HANDLERS[provider](request(provider, body, is_encoded=is_encoded), None)

    assert {"statusCode": 204} == answer
    (entry,) = aws.entries
    assert (BUS, f"{provider.lower()}.forwarder") == (entry["EventBusName"], entry["Source"])
    assert samples(provider)[1][0]["detail-type"] == entry["DetailType"]
    assert samples(provider)[1][0]["detail"]["organization"] == json.loads(entry["Detail"])["organization"]


@pytest.mark.parametrize("provider", HANDLERS)
def test_a_webhook_of_somebody_else_is_refused(aws: Aws, provider: str) -> None:
    """With 401, before it is read."""
    answer = HANDLERS[provider](request(provider, b"no JSON", is_genuine=False), None)

    assert ({"statusCode": 401}, []) == (answer, aws.entries)


@pytest.mark.parametrize("provider", HANDLERS)
def test_a_webhook_that_means_nothing_is_done(aws: Aws, provider: str) -> None:
    """The provider shall not send it again."""
    body = json.dumps({"type": "x", "event": "x", "id": "1", "created_at": TIME, "timestamp": 0, "data": {}}).encode()

    assert ({"statusCode": 204}, []) == (HANDLERS[provider](request(provider, body), None), aws.entries)


def test_cognito_asks_the_pool_and_puts_events_on_the_bus(aws: Aws) -> None:
    """As many as there are organizations, ten at a time."""
    aws.groups = [f"organization-{number}:admin" for number in range(12)]

    cognito.handler({"detail": trail("AdminDisableUser")}, None)

    assert [(BUS, "cognito.forwarder", "member.suspended")] * 12 == [
        (entry["EventBusName"], entry["Source"], entry["DetailType"]) for entry in aws.entries
    ]


def test_cognito_what_was_refused_means_nothing(aws: Aws) -> None:
    """CloudTrail reports it all the same."""
    cognito.handler({"detail": {"errorCode": "UserNotFoundException", "eventName": "AdminDisableUser"}}, None)

    assert [] == aws.entries


def test_auth0_puts_events_on_the_bus(aws: Aws) -> None:
    """What the partner bus has delivered."""
    auth0.handler({"source": "aws.partner/auth0.com/example", "detail": samples("Auth0")[0]}, None)

    assert [("auth0.forwarder", "member.role_changed")] == [
        (entry["Source"], entry["DetailType"]) for entry in aws.entries
    ]


@pytest.mark.parametrize("module", [cognito, auth0, clerk, workos], ids=PROVIDERS)
def test_events_that_the_bus_does_not_take_are_not_forgotten(aws: Aws, module: ModuleType) -> None:
    """Raising makes whoever has called try again."""
    aws.refused = 1

    with pytest.raises(RuntimeError, match="1 events were not taken"):
        module.put([("member.removed", {})])


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_forwarder_needs_nothing_that_lambda_does_not_have(provider: str) -> None:
    """Python's own library, and boto3."""
    text = (ROOT / "examples/forwarders" / f"{provider.lower()}.py").read_text(encoding="utf-8")
    imported = {name.split(".")[0] for name in re.findall(r"^(?:from|import) (\S+)", text, re.MULTILINE)}

    assert imported - {"boto3"} <= sys.stdlib_module_names
