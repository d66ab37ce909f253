"""The policies of docs/verify-outside-aws.md: one workload can assume the role, and the role can verify keys only.

The tokens are those that the platforms document. Signatures and times of tokens are not part of a policy.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

import pytest

from local.intrinsics import mapping
from tests.support.cloudformation import section
from tests.support.environment import ROOT
from tests.support.iam_policies import ACCOUNT, Request, allows

GUIDE = (ROOT / "docs" / "verify-outside-aws.md").read_text(encoding="utf-8")
VERIFY = f"arn:aws:execute-api:eu-central-1:{ACCOUNT}:abc/v1/POST/auth/api-keys/verify"
BATCH = f"{VERIFY}-batch"
FUNCTION = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:keywright-VerifyApiKey-1A2B"
OUTPUTS = {"VerifyApiKeyArn": VERIFY, "VerifyApiKeysArn": BATCH, "VerifyApiKeyFunctionArn": FUNCTION}
TRUST: list[dict[str, Any]] = [
    statement
    for block in re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)
    for statement in json.loads(block)["Statement"]
]
FEDERATED = [statement for statement in TRUST if "Federated" in statement["Principal"]]


def permissions() -> list[dict[str, Any]]:
    """Return the statements that the guide gives the role, with the values of the outputs."""
    (policy,) = re.findall(r"<<JSON\n(\{\n.*?)\nJSON\n", GUIDE, re.DOTALL)
    resolved = re.sub(r"\$\(output (\w+)\)", lambda match: OUTPUTS[match[1]], policy)
    statements: list[dict[str, Any]] = json.loads(resolved)["Statement"]
    return statements


@pytest.mark.parametrize(
    ("action", "resource"),
    [("execute-api:Invoke", VERIFY), ("execute-api:Invoke", BATCH), ("lambda:InvokeFunction", FUNCTION)],
)
def test_the_role_can_verify_keys(action: str, resource: str) -> None:
    """The policy allows a verification over HTTP, of one key or several, and by direct invocation."""
    assert allows(permissions(), Request(action, resource))


def test_the_resources_are_outputs_of_the_stack() -> None:
    """The outputs that the guide reads name the routes and the function that verify keys."""
    outputs = section("Outputs")

    for output, arn in (("VerifyApiKeyArn", VERIFY), ("VerifyApiKeysArn", BATCH)):
        route = str(mapping(mapping(outputs[output], output)["Value"], output)["Fn::Sub"]).partition("${Api}")[2]
        assert f"abc{route}" == arn.rpartition(":")[2]
    assert {"Fn::GetAtt": ["VerifyApiKey", "Arn"]} == mapping(outputs["VerifyApiKeyFunctionArn"], "output")["Value"]


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("execute-api:Invoke", VERIFY.replace("/verify", "")),
        ("execute-api:Invoke", VERIFY.replace(":abc/", ":other/")),
        ("execute-api:Invoke", f"{BATCH}-of-another-kind"),
        ("execute-api:ManageConnections", VERIFY),
        ("lambda:InvokeFunction", FUNCTION.replace("VerifyApiKey", "CreateApiKey")),
        ("lambda:InvokeFunction", FUNCTION.replace("VerifyApiKey", "VerifyApiKeys")),
        ("lambda:InvokeFunction", FUNCTION.replace(ACCOUNT, "999999999999")),
        ("lambda:InvokeAsync", FUNCTION),
        ("lambda:GetFunction", FUNCTION),
        ("lambda:UpdateFunctionCode", FUNCTION),
        ("dynamodb:GetItem", f"arn:aws:dynamodb:eu-central-1:{ACCOUNT}:table/keywright-Table-1A2B"),
    ],
)
def test_the_role_can_do_nothing_else(action: str, resource: str) -> None:
    """No other route, API, function, action or service is allowed."""
    assert not allows(permissions(), Request(action, resource))


# ---- Trust ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Workload:
    """A program that asks for the role.

    Attributes:
        provider: who vouches for it: an issuer without `https://`, or AWS's service.
        claims: what the provider says about it, by the name after the colon of a condition key.
    """

    provider: str
    claims: dict[str, str]

    def __str__(self) -> str:
        return f"{self.provider} {' '.join(self.claims.values())}"

    def says(self, **claims: str) -> Workload:
        """Return the workload with other claims."""
        return replace(self, claims=self.claims | claims)


def is_trusted(workload: Workload) -> bool:
    """Return whether one of the trust policies admits a workload.

    A condition key is that of its own provider, so no provider can say anything under another one's name.
    """
    context = {f"{workload.provider}:{name}": value for name, value in workload.claims.items()}
    policy = [
        {name: value for name, value in statement.items() if name != "Principal"} | {"Resource": "*"}
        for statement in FEDERATED
        if provider_of(statement) == workload.provider
    ]
    return allows(policy, Request("sts:AssumeRoleWithWebIdentity", "role", context))


def provider_of(statement: dict[str, Any]) -> str:
    """Return the issuer that a trust policy names, without `https://`."""
    principal: str = statement["Principal"]["Federated"]
    own = principal.removeprefix(f"arn:aws:iam::{ACCOUNT}:oidc-provider/")
    assert own != principal or "accounts.google.com" == principal
    return own


GITHUB = Workload(
    "token.actions.githubusercontent.com",
    {"aud": "sts.amazonaws.com", "sub": "repo:acme@123456/backend@456789:environment:production"},
)
VERCEL = Workload(
    "oidc.vercel.com/acme",
    {"aud": "https://vercel.com/acme", "sub": "owner:acme:project:backend:environment:production"},
)
FLY = Workload("oidc.fly.io/acme", {"aud": "sts.amazonaws.com", "sub": "acme:backend:148e21ea7e46e8"})
CLOUDFLARE = Workload("<issuer>", {"aud": "sts.amazonaws.com", "sub": "<subject>"})
GOOGLE_ID = "<unique id of the service account>"
GOOGLE = Workload("accounts.google.com", {"aud": GOOGLE_ID, "oaud": "keywright", "sub": GOOGLE_ID})
WORKLOADS = [GITHUB, VERCEL, FLY, CLOUDFLARE, GOOGLE]


@pytest.mark.parametrize("workload", WORKLOADS, ids=str)
def test_the_workload_is_trusted(workload: Workload) -> None:
    """The token that the platform issues to the workload gets the role."""
    assert is_trusted(workload)


@pytest.mark.parametrize(
    "other",
    [
        GITHUB.says(sub="repo:mallory@666/backend@456789:environment:production"),
        GITHUB.says(sub="repo:acme@666/backend@456789:environment:production"),
        GITHUB.says(sub="repo:acme@123456/backend@666:environment:production"),
        GITHUB.says(sub="repo:acme/backend:environment:production"),
        GITHUB.says(sub="repo:acme@123456/backend@456789:pull_request"),
        GITHUB.says(sub="repo:acme@123456/backend@456789:ref:refs/heads/main"),
        GITHUB.says(aud="https://github.com/acme"),
        VERCEL.says(sub="owner:mallory:project:backend:environment:production"),
        VERCEL.says(sub="owner:acme:project:website:environment:production"),
        VERCEL.says(sub="owner:acme:project:backend:environment:preview"),
        VERCEL.says(aud="https://vercel.com/mallory"),
        replace(VERCEL, provider="oidc.vercel.com/mallory"),
        FLY.says(sub="mallory:backend:148e21ea7e46e8"),
        FLY.says(sub="acme:website:148e21ea7e46e8"),
        FLY.says(sub="acme:backend-staging:148e21ea7e46e8"),
        FLY.says(sub="acme:backend"),
        FLY.says(aud="https://fly.io/acme"),
        replace(FLY, provider="oidc.fly.io/mallory"),
        CLOUDFLARE.says(sub="<subject> of another Worker"),
        CLOUDFLARE.says(aud="https://api.example.com"),
        GOOGLE.says(aud="100000000000000000001", sub="100000000000000000001"),
        GOOGLE.says(oaud="https://api.example.com"),
    ],
    ids=str,
)
def test_another_workload_is_not_trusted(other: Workload) -> None:
    """A token of another tenant, project, environment or audience, though genuine, does not get the role."""
    assert not is_trusted(other)


@pytest.mark.parametrize("workload", WORKLOADS, ids=str)
def test_each_claim_is_needed(workload: Workload) -> None:
    """A token without one of the claims does not get the role."""
    for missing in workload.claims:
        assert not is_trusted(replace(workload, claims={k: v for k, v in workload.claims.items() if k != missing}))


@pytest.mark.parametrize("workload", WORKLOADS, ids=str)
def test_a_token_of_another_issuer_is_not_trusted(workload: Workload) -> None:
    """A token with these claims from any other of the providers does not get the role."""
    for other in WORKLOADS:
        assert (other is workload) == is_trusted(replace(workload, provider=other.provider))


@pytest.mark.parametrize("statement", FEDERATED, ids=provider_of)
def test_a_trust_policy_compares_whole_values(statement: dict[str, Any]) -> None:
    """Audience and subject are compared by equality. Only the Machine of Fly.io is open, after the last colon."""
    keys = {key.partition(":")[2] for tests in statement["Condition"].values() for key in tests}
    patterns = [
        value for value in statement["Condition"].get("StringLike", {}).values() if "oidc.fly.io" in str(statement)
    ]

    assert "sts:AssumeRoleWithWebIdentity" == statement["Action"]
    assert {"aud", "sub"} <= keys <= {"aud", "oaud", "sub"}
    assert {"StringEquals"} | ({"StringLike"} if patterns else set()) == statement["Condition"].keys()
    assert not re.findall(r"[*?]", json.dumps(statement["Condition"]["StringEquals"]))
    assert all(re.fullmatch(r"[a-z-]+:[a-z-]+:\*", pattern) for pattern in patterns)


CN, ANCHOR = "backend.example.com", f"arn:aws:rolesanywhere:us-east-1:{ACCOUNT}:trust-anchor/<id>"


@pytest.mark.parametrize("action", ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"])
@pytest.mark.parametrize(
    ("common_name", "anchor", "is_admitted"),
    [
        (CN, ANCHOR, True),
        ("backend2.example.com", ANCHOR, False),
        ("", ANCHOR, False),
        (CN, ANCHOR.replace("<id>", "another"), False),
        (CN, ANCHOR.replace(ACCOUNT, "999999999999"), False),
    ],
)
def test_one_certificate_is_trusted(action: str, common_name: str, anchor: str, *, is_admitted: bool) -> None:
    """A certificate with another common name, or of another authority, does not get the role."""
    context = {"aws:PrincipalTag/x509Subject/CN": common_name, "aws:SourceArn": anchor}
    policy = [
        {name: value for name, value in statement.items() if name != "Principal"} | {"Resource": "*"}
        for statement in TRUST
        if "Service" in statement["Principal"]
    ]

    assert is_admitted == allows(policy, Request(action, "role", context))


def test_a_certificate_is_named() -> None:
    """Roles Anywhere gets the role for one common name under one trust anchor, with the actions that it needs."""
    (statement,) = (each for each in TRUST if "Service" in each["Principal"])
    conditions = {key: value for tests in statement["Condition"].values() for key, value in tests.items()}

    assert {"Service": "rolesanywhere.amazonaws.com"} == statement["Principal"]
    assert ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"] == statement["Action"]
    assert {"StringEquals", "ArnEquals"} == statement["Condition"].keys()
    assert {"aws:PrincipalTag/x509Subject/CN", "aws:SourceArn"} == conditions.keys()
    assert not re.findall(r"[*?]", json.dumps(conditions))


def test_every_way_has_a_trust_policy() -> None:
    """Every platform of the page has one trust policy, and Roles Anywhere has another."""
    assert sorted(workload.provider for workload in WORKLOADS) == sorted(provider_of(each) for each in FEDERATED)
    assert len(FEDERATED) + 1 == len(TRUST)


@pytest.mark.parametrize("workload", [GITHUB, VERCEL, FLY], ids=str)
def test_the_table_names_the_claims(workload: Workload) -> None:
    """The table at the top has issuer, audience and subject of the trust policy below it."""
    (row,) = re.findall(rf"^\| .*`{re.escape(workload.provider)}`.*$", GUIDE, re.MULTILINE)

    assert f"`{workload.claims['aud']}`" in row
    assert f"`{workload.claims['sub'].replace('148e21ea7e46e8', '<Machine>')}`" in row
