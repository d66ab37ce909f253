"""The policies of docs/verify-outside-aws.md: one workload can assume the role, and the role can verify keys only."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from local.intrinsics import mapping
from tests.support.cloudformation import section
from tests.support.environment import ROOT
from tests.support.iam_policies import ACCOUNT, Request, allows

GUIDE = (ROOT / "docs" / "verify-outside-aws.md").read_text(encoding="utf-8")
VERIFY = f"arn:aws:execute-api:eu-central-1:{ACCOUNT}:abc/v1/POST/auth/api-keys/verify"
TRUST: list[dict[str, Any]] = [
    statement
    for block in re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)
    for statement in json.loads(block)["Statement"]
]


def permissions(resource: str) -> list[dict[str, Any]]:
    """Return the statements that the guide gives the role, with the value of the output."""
    (policy,) = re.findall(r"<<JSON\n(\{\n.*?)\nJSON\n", GUIDE, re.DOTALL)
    statements: list[dict[str, Any]] = json.loads(policy.replace("$VERIFY_ARN", resource))["Statement"]
    return statements


def test_the_role_can_verify_keys() -> None:
    """The policy allows the request of a backend, and its resource is the output that the guide reads."""
    output = mapping(section("Outputs")["VerifyApiKeyArn"], "VerifyApiKeyArn")["Value"]

    assert allows(permissions(VERIFY), Request("execute-api:Invoke", VERIFY))
    assert "/v1/POST/auth/api-keys/verify" in json.dumps(output)
    assert "OutputKey=='VerifyApiKeyArn'" in GUIDE


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("execute-api:Invoke", VERIFY.replace("/verify", "")),
        ("execute-api:Invoke", VERIFY.replace(":abc/", ":other/")),
        ("execute-api:ManageConnections", VERIFY),
        ("dynamodb:GetItem", f"arn:aws:dynamodb:eu-central-1:{ACCOUNT}:table/keywright-Table-1A2B"),
    ],
)
def test_the_role_can_do_nothing_else(action: str, resource: str) -> None:
    """No other route, API, action or service is allowed."""
    assert not allows(permissions(VERIFY), Request(action, resource))


@pytest.mark.parametrize("statement", TRUST, ids=lambda statement: str(statement["Principal"]))
def test_a_trust_policy_names_one_workload(statement: dict[str, Any]) -> None:
    """Each trust policy fixes audience and subject, or anchor and certificate, by equality and without wildcards."""
    conditions = {key: value for tests in statement["Condition"].values() for key, value in tests.items()}
    principal = next(iter(statement["Principal"].values()))

    assert {"StringEquals", "ArnEquals"} >= statement["Condition"].keys()
    assert "*" not in json.dumps(statement)
    if statement["Action"] == "sts:AssumeRoleWithWebIdentity":
        issuer = principal.partition("oidc-provider/")[2] or principal
        assert {f"{issuer}:aud", f"{issuer}:sub"} <= conditions.keys()
    else:
        assert {"aws:PrincipalTag/x509Subject/CN", "aws:SourceArn"} == conditions.keys()
        assert "rolesanywhere.amazonaws.com" == principal
        assert ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"] == statement["Action"]


def test_every_way_has_a_trust_policy() -> None:
    """GitHub, Vercel, Google Cloud and Roles Anywhere are covered."""
    assert 4 == len(TRUST)
