"""The forwarders of organization events, and their samples in docs/organization-events.md."""

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

from keywright.organizations.events import parse_event
from local.intrinsics import load_template
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

PROVIDERS = ["Cognito", "Auth0", "Clerk", "WorkOS"]
DOCUMENT = (ROOT / "docs/organization-events.md").read_text(encoding="utf-8")
PUBLISHED = json.loads((ROOT / "docs/schemas/organization-event.json").read_text(encoding="utf-8"))
SCHEMA = Draft202012Validator(PUBLISHED)
BUS = "keywright-organizations"
SECRET = "whsec_" + base64.b64encode(b"a signing secret of a test").decode()
NOW = 1772366401
TIME = "2026-03-01T12:00:00.123Z"

Events = list[tuple[str, dict[str, Any]]]


def load(provider: str) -> ModuleType:
    """Import a forwarder from its file."""
    path = ROOT / "examples/forwarders" / f"{provider.lower()}.py"
    spec = importlib.util.spec_from_file_location(f"forwarder_{provider.lower()}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


cognito, auth0, clerk, workos = (load(provider) for provider in PROVIDERS)


def samples(provider: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the samples of the document: the provider's event, and the events of the forwarder."""
    section = DOCUMENT.split(f"\n### {provider}\n", 1)[1].split("\n### ", 1)[0]
    sent, forwarded = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", section, re.DOTALL))
    return sent, forwarded


MAPPINGS: dict[str, Callable[[dict[str, Any]], Events]] = {
    "Cognito": lambda sent: cognito.translate(sent, ["acme:member", "acme:admin"], is_enabled=True),
    "Auth0": auth0.translate,
    "Clerk": lambda sent: clerk.translate("msg_2abc", sent),
    "WorkOS": workos.translate,
}


def usable(events: Events, source: str = "forwarder") -> list[str]:
    """Check that Keywright accepts the events, by its schema and its parser; return their types."""
    for kind, detail in events:
        event = {"source": source, "detail-type": kind, "detail": detail}
        SCHEMA.validate(event)
        assert kind == parse_event(json.dumps(event)).type
    return [kind for kind, _ in events]


# ---- The document --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", PROVIDERS)
def test_documented_samples(provider: str) -> None:
    """The forwarder translates the sample as documented, and Keywright accepts the result."""
    sent, forwarded = samples(provider)
    events = MAPPINGS[provider](sent)
    usable(events)

    source = f"{provider.lower()}.forwarder"
    assert forwarded == [{"source": source, "detail-type": kind, "detail": detail} for kind, detail in events]


def test_every_event_is_documented() -> None:
    """The table of the document lists every type of event in the schema."""
    properties = [model.get("properties", {}) for model in PUBLISHED["$defs"].values()]
    kinds = {event["detail-type"]["const"] for event in properties if "detail-type" in event}
    section = DOCUMENT.split("\n## The events\n", 1)[1].split("\n## ", 1)[0]

    assert kinds == set(re.findall(r"^\| `([a-z]+\.[a-z_]+)` \|", section, re.MULTILINE))


def test_the_reasons_in_the_runbook() -> None:
    """The runbook lists each reason as it is logged."""
    runbook = (ROOT / "docs/runbooks/dead-letters.md").read_text(encoding="utf-8")
    code = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "layers/shared/python/keywright/organizations").glob("*.py")
    )

    for reason in (
        "the event cannot be read: ",
        "detail.time lies in the future",
        "detail.time is so long ago that more than half of the grace period is over",
        "the organization was deleted for good",
    ):
        assert reason in runbook
        assert reason in code


# ---- Mappings ------------------------------------------------------------------------------------------------


def trail(name: str, **parameters: str) -> dict[str, Any]:
    """Return the CloudTrail record of a call."""
    sample, _ = samples("Cognito")
    return {**sample, "eventName": name, "requestParameters": {"userPoolId": "eu-central-1_AbCdEf", **parameters}}


def members(events: Events) -> list[tuple[str, str, Any]]:
    """Return type, organization and member fields of each event."""
    usable(events)
    return [
        (kind, detail["organization"]["id"], {k: v for k, v in detail["member"].items() if k != "userId"})
        for kind, detail in events
    ]


@pytest.mark.parametrize(
    ("group", "current_groups", "expected"),
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
def test_cognito_groups(name: str, group: str, current_groups: list[str], expected: list[tuple[str, str, Any]]) -> None:
    """The groups that the user is in now decide; groups with other names are ignored."""
    assert expected == members(cognito.translate(trail(name, groupName=group), current_groups, is_enabled=True))


def test_cognito_disabled_users_stay_suspended() -> None:
    """An addition ends a suspension, so a second event with a later id suspends the member again."""
    added, suspended = cognito.translate(
        trail("AdminAddUserToGroup", groupName="a:admin"), ["a:admin"], is_enabled=False
    )

    assert ["member.added", "member.suspended"] == usable([added, suspended])
    assert added[1]["eventId"] < suspended[1]["eventId"]


@pytest.mark.parametrize(
    ("name", "kind"), [("AdminDisableUser", "member.suspended"), ("AdminEnableUser", "member.reinstated")]
)
def test_cognito_disabling_and_enabling(name: str, kind: str) -> None:
    """Each organization of the user gets one event."""
    events = cognito.translate(trail(name), ["b:owner", "a:member", "a:admin", "staff"], is_enabled=True)

    assert [(kind, "a", {}), (kind, "b", {})] == members(events)


def test_cognito_other_calls() -> None:
    """Calls that change no membership are ignored, should the rule let them through."""
    assert [] == cognito.translate(trail("AdminSetUserPassword"), ["a:admin"], is_enabled=True)


def stream(kind: str, **content: Any) -> dict[str, Any]:
    """Return an event of Auth0."""
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
    """Creation, update and deletion of an organization are translated; other events are ignored."""
    assert expected == usable(auth0.translate(stream(kind, **content)))


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
    """Roles arrive as separate events; roles that Keywright does not have are ignored."""
    content = {"role": {"id": "rol_1", "name": role}} if role else {}

    assert expected == members(auth0.translate(stream(kind, organization=ACME, user=USER, **content)))


def test_auth0_display_name() -> None:
    """The display name is used rather than the slug."""
    ((_, detail),) = auth0.translate(stream("organization.created", **ACME, display_name="Acme Inc"))

    assert {"id": ACME["id"], "name": "Acme Inc"} == detail["organization"]


def webhook(kind: str, **data: Any) -> dict[str, Any]:
    """Return a webhook of Clerk."""
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
    """A deleted organization has no name; other events are ignored."""
    name = {} if kind == "organization.deleted" else {"name": "Acme"}

    assert expected == usable(clerk.translate("msg_1", webhook(kind, id="org_1", **name)))


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
    """A role that Keywright does not have becomes member."""
    data = {"organization": {"id": "org_1"}, "public_user_data": {"user_id": "user_1"}, "role": role}

    assert [expected] == members(clerk.translate("msg_1", webhook(f"organizationMembership.{kind}", **data)))


def workos_event(kind: str, **data: Any) -> dict[str, Any]:
    """Return a webhook of WorkOS."""
    return {"id": "event_1", "event": kind, "created_at": TIME, "data": data}


def membership(status: str, slug: str = "admin") -> dict[str, Any]:
    """Return a membership of WorkOS."""
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
    """Creation, update and deletion of an organization are translated; other events are ignored."""
    assert expected == usable(workos.translate(workos_event(kind, id="org_1", name="Acme")))


@pytest.mark.parametrize(
    ("status", "suspended"),
    [("active", False), ("inactive", True), ("pending", True)],
    ids=["active", "inactive", "pending"],
)
def test_workos_members(status: str, suspended: bool) -> None:  # noqa: FBT001 - an expectation
    """Only an active membership gives access; the event with its state has a later id than its creation."""
    added, updated = workos.translate(workos_event("organization_membership.created", **membership(status)))

    assert [
        ("member.added", "org_1", {"role": "admin"}),
        ("member.updated", "org_1", {"role": "admin", "suspended": suspended}),
    ] == members([added, updated])
    assert added[1]["eventId"] < updated[1]["eventId"]
    assert [updated] == workos.translate(workos_event("organization_membership.updated", **membership(status)))


def test_workos_removed_members() -> None:
    """A deleted membership removes the member, even if it was inactive."""
    events = workos.translate(workos_event("organization_membership.deleted", **membership("inactive", "billing")))

    assert [("member.removed", "org_1", {})] == members(events)


# ---- Signatures ----------------------------------------------------------------------------------------------


def clerk_headers(body: bytes, timestamp: int = NOW, secret: str = SECRET) -> dict[str, str]:
    """Return the headers with which Svix signs a webhook."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"msg_1.{timestamp}.".encode() + body, hashlib.sha256)
    signature = "v1," + base64.b64encode(digest).decode()
    return {"svix-id": "msg_1", "svix-timestamp": str(timestamp), "svix-signature": signature}


def workos_header(body: bytes, timestamp: float = NOW, secret: str = SECRET) -> str:
    """Return the header with which WorkOS signs a webhook."""
    milliseconds = int(timestamp * 1000)
    digest = hmac.new(secret.encode(), f"{milliseconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={milliseconds}, v1={digest}"


def test_clerk_valid_signature() -> None:
    """A valid signature is accepted, also beside another one during a rotation of the secret."""
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
def test_clerk_invalid_signature(change: dict[str, str]) -> None:
    """A signature for another body, id, time or secret is refused, and so is an expired timestamp."""
    assert not clerk.is_genuine(SECRET, {**clerk_headers(b"{}"), **change}, b"{}", NOW)


@pytest.mark.parametrize("missing", ["svix-id", "svix-timestamp", "svix-signature"])
def test_clerk_missing_header(missing: str) -> None:
    """Each of the three headers is required."""
    headers = {name: value for name, value in clerk_headers(b"{}").items() if name != missing}

    assert not clerk.is_genuine(SECRET, headers, b"{}", NOW)


@pytest.mark.parametrize("secret", ["", " ", "\n", "whsec_"])
def test_clerk_empty_secret(secret: str) -> None:
    """GIVEN a secret that was never filled in WHEN a request is signed with nothing THEN the error says so."""
    with pytest.raises(RuntimeError, match="the signing secret is empty"):
        clerk.is_genuine(secret, clerk_headers(b"{}", secret=""), b"{}", NOW)


def test_clerk_secret_that_decodes_to_nothing() -> None:
    """A secret of padding alone verifies no signature."""
    assert not clerk.is_genuine("whsec_=", clerk_headers(b"{}", secret=""), b"{}", NOW)


@pytest.mark.parametrize("secret", ["", " ", "\n"])
def test_workos_empty_secret(secret: str) -> None:
    """GIVEN a secret that was never filled in WHEN a request is signed with it THEN the error says so."""
    with pytest.raises(RuntimeError, match="the signing secret is empty"):
        workos.is_genuine(secret, workos_header(b"{}", secret=secret), b"{}", NOW)


def test_workos_valid_signature() -> None:
    """A signature is valid for three minutes."""
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
def test_workos_invalid_signature(header: str) -> None:
    """A signature for another body, time or secret is refused, and so is an expired timestamp."""
    assert not workos.is_genuine(SECRET, header, b"{}", NOW)


# ---- Handlers ------------------------------------------------------------------------------------------------


@dataclass
class FakeAws:
    """The AWS operations that the forwarders call."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    failed_entries: int = 0

    def __call__(self, _: str) -> FakeAws:
        """Return the client of any service."""
        return self

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - name of the parameter in AWS
        """Record events, at most ten in one call."""
        assert 1 <= len(Entries) <= 10
        self.entries += Entries
        return {"FailedEntryCount": self.failed_entries}

    def get_secret_value(self, SecretId: str) -> dict[str, str]:  # noqa: N803
        """Return the signing secret."""
        assert SecretId == "signing-secret"
        return {"SecretString": SECRET}

    def get_paginator(self, operation: str) -> FakeAws:
        """Return the paginator of groups."""
        assert operation == "admin_list_groups_for_user"
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        """Return pages with one group each."""
        return [{"Groups": [{"GroupName": group}]} for group in self.groups]

    def admin_get_user(self, **_: str) -> dict[str, Any]:
        """Return an enabled user."""
        return {"Enabled": True}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    """Replace AWS, and set the environment of the forwarders."""
    fake = FakeAws()
    monkeypatch.setattr(boto3, "client", fake)
    monkeypatch.setenv("EVENT_BUS_NAME", BUS)
    monkeypatch.setenv("SIGNING_SECRET_ID", "signing-secret")
    monkeypatch.setattr("time.time", lambda: NOW)
    for module in (clerk, workos):
        module._secret.cache_clear()
    return fake


def request(provider: str, body: bytes, *, is_genuine: bool = True, is_encoded: bool = False) -> dict[str, Any]:
    """Return a request to a function URL."""
    signed = body if is_genuine else b"something else"
    headers = clerk_headers(signed) if provider == "Clerk" else {"workos-signature": workos_header(signed)}
    text = base64.b64encode(body).decode() if is_encoded else body.decode()
    return {"headers": headers, "body": text, "isBase64Encoded": is_encoded}


HANDLERS: dict[str, Callable[..., Any]] = {"Clerk": clerk.handler, "WorkOS": workos.handler}


@pytest.mark.parametrize("is_encoded", [False, True], ids=["text", "base64"])
@pytest.mark.parametrize("provider", HANDLERS)
def test_webhooks_are_forwarded(aws: FakeAws, provider: str, is_encoded: bool) -> None:  # noqa: FBT001
    """A genuine webhook is answered 204 once its events are on the bus."""
    body = json.dumps(samples(provider)[0]).encode()

    answer = HANDLERS[provider](request(provider, body, is_encoded=is_encoded), None)

    assert {"statusCode": 204} == answer
    (entry,) = aws.entries
    assert BUS == entry["EventBusName"]
    assert f"{provider.lower()}.forwarder" == entry["Source"]
    assert samples(provider)[1][0]["detail-type"] == entry["DetailType"]
    assert samples(provider)[1][0]["detail"]["organization"] == json.loads(entry["Detail"])["organization"]


@pytest.mark.parametrize("provider", HANDLERS)
def test_forged_webhooks_are_refused(aws: FakeAws, provider: str) -> None:
    """A forged webhook is refused before its body is parsed."""
    answer = HANDLERS[provider](request(provider, b"no JSON", is_genuine=False), None)

    assert {"statusCode": 401} == answer
    assert [] == aws.entries


@pytest.mark.parametrize("provider", HANDLERS)
def test_irrelevant_webhooks(aws: FakeAws, provider: str) -> None:
    """Irrelevant webhooks are answered 204, so that the provider does not send them again."""
    body = json.dumps({"type": "x", "event": "x", "id": "1", "created_at": TIME, "timestamp": 0, "data": {}}).encode()

    assert {"statusCode": 204} == HANDLERS[provider](request(provider, body), None)
    assert [] == aws.entries


def test_cognito_forwards_events(aws: FakeAws) -> None:
    """The forwarder puts one event for each organization on the bus, in batches of ten."""
    aws.groups = [f"organization-{number}:admin" for number in range(12)]

    cognito.handler({"detail": trail("AdminDisableUser")}, None)

    assert [(BUS, "cognito.forwarder", "member.suspended")] * 12 == [
        (entry["EventBusName"], entry["Source"], entry["DetailType"]) for entry in aws.entries
    ]


def test_cognito_failed_calls(aws: FakeAws) -> None:
    """CloudTrail records failed calls too; they are ignored."""
    cognito.handler({"detail": {"errorCode": "UserNotFoundException", "eventName": "AdminDisableUser"}}, None)

    assert [] == aws.entries


def test_auth0_forwards_events(aws: FakeAws) -> None:
    """An event from the partner bus is put on Keywright's bus."""
    auth0.handler({"source": "aws.partner/auth0.com/example", "detail": samples("Auth0")[0]}, None)

    assert [("auth0.forwarder", "member.role_changed")] == [
        (entry["Source"], entry["DetailType"]) for entry in aws.entries
    ]


@pytest.mark.parametrize("module", [cognito, auth0, clerk, workos], ids=PROVIDERS)
def test_rejected_events(aws: FakeAws, module: ModuleType) -> None:
    """The forwarder raises if the bus rejects an event, so that it is delivered again."""
    aws.failed_entries = 1

    with pytest.raises(RuntimeError, match="1 events were not accepted"):
        module.publish([("member.removed", {})])


@pytest.mark.parametrize("provider", PROVIDERS)
def test_dependencies(provider: str) -> None:
    """A forwarder imports only what Lambda provides: the standard library and boto3."""
    text = (ROOT / "examples/forwarders" / f"{provider.lower()}.py").read_text(encoding="utf-8")
    imported = {name.split(".")[0] for name in re.findall(r"^(?:from|import) (\S+)", text, re.MULTILINE)}

    assert imported - {"boto3"} <= sys.stdlib_module_names


# ---- The template --------------------------------------------------------------------------------------------

TEMPLATE: Any = load_template(ROOT / "examples" / "forwarders" / "template.yaml")
MODULES = {"Auth0": auth0, "Clerk": clerk, "Cognito": cognito, "WorkOS": workos}


def forwarder_properties() -> dict[str, Any]:
    """Return the properties of the function."""
    properties: dict[str, Any] = TEMPLATE["Resources"]["Forwarder"]["Properties"]
    return properties


def test_every_forwarder_can_be_deployed() -> None:
    """The template deploys each of the forwarders, by the name of the provider, and no other."""
    handlers = {name: item["Handler"] for name, item in TEMPLATE["Mappings"]["Providers"].items()}

    assert handlers == {name: f"{name.lower()}.handler" for name in PROVIDERS}
    assert sorted(PROVIDERS) == TEMPLATE["Parameters"]["Provider"]["AllowedValues"]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_template_sets_every_variable(provider: str) -> None:
    """The function has each variable that a forwarder reads."""
    code = (ROOT / "examples" / "forwarders" / f"{provider.lower()}.py").read_text(encoding="utf-8")
    read = set(re.findall(r'os\.environ\["(\w+)"\]', code))

    assert read
    assert read <= forwarder_properties()["Environment"]["Variables"].keys()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_template_gives_every_permission(provider: str) -> None:
    """The function may do what the first lines of a forwarder say that it needs."""
    needed = set(re.findall(r"\b[a-z-]+:[A-Z]\w+\b", MODULES[provider].__doc__ or ""))

    assert needed
    assert needed <= set(re.findall(r"[a-z-]+:[A-Z]\w+", json.dumps(forwarder_properties()["Policies"])))


def test_the_rules_select_what_the_forwarders_read() -> None:
    """The rules of Cognito and Auth0 have the patterns that the forwarders name."""
    resources = TEMPLATE["Resources"]
    (pattern,) = re.findall(r"\n\n( +\{.*?\}\})\n\n", cognito.__doc__ or "", re.DOTALL)
    named = json.loads(pattern)
    pool = {"Ref": "UserPoolId"}

    assert ["<the pool>"] == named["detail"]["requestParameters"].pop("userPoolId")
    named["detail"]["requestParameters"]["userPoolId"] = [pool]
    assert named == resources["CognitoRule"]["Properties"]["EventPattern"]
    assert json.dumps(resources["Auth0Rule"]["Properties"]["EventPattern"]) in (auth0.__doc__ or "")


def test_a_webhook_without_a_stored_secret_is_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN the template's secret, which has no value yet WHEN a webhook arrives THEN the function fails.

    So the provider sends it again, and nothing is remembered: the next one is checked with the secret stored by then.
    """
    secret = TEMPLATE["Resources"]["SigningSecret"]["Properties"]
    assert {"SecretString", "GenerateSecretString"}.isdisjoint(secret)
    monkeypatch.setenv("SIGNING_SECRET_ID", "empty")
    for module in (clerk, workos):
        module._secret.cache_clear()
        answers = iter([LookupError("ResourceNotFoundException"), {"SecretString": SECRET}])
        monkeypatch.setattr(boto3, "client", lambda _, answers=answers: _Secrets(answers))

        with pytest.raises(LookupError):
            module._secret()
        assert SECRET == module._secret()
        module._secret.cache_clear()


@dataclass(frozen=True, slots=True)
class _Secrets:
    """Secrets Manager with these answers."""

    answers: Iterator[LookupError | dict[str, str]]

    def get_secret_value(self, **_: str) -> dict[str, str]:
        answer = next(self.answers)
        if isinstance(answer, LookupError):
            raise answer
        return answer
