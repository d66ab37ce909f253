"""The parameters of the template: explained, safe by default, and refused when they cannot work."""

from __future__ import annotations

import re

import pytest

from local.intrinsics import Json, mapping, sequence, text
from tests.template.cloudformation import REQUIRED_PARAMETERS, section

each_parameter = pytest.mark.parametrize("parameter", sorted(section("Parameters")))


@each_parameter
def test_a_parameter_explains_itself(parameter: str) -> None:
    """Whoever deploys reads what a value means, and why a wrong one was refused."""
    declared = _declared(parameter)

    assert text(declared["Description"], parameter).strip()
    assert text(declared["ConstraintDescription"], parameter).startswith("must be ")


@each_parameter
def test_a_parameter_is_constrained(parameter: str) -> None:
    """No value is taken as it comes."""
    declared = _declared(parameter)

    assert {"AllowedPattern", "AllowedValues", "MinValue"} & set(declared)


@each_parameter
def test_a_default_is_an_allowed_value(parameter: str) -> None:
    """A stack can be deployed with the parameters that have no default alone."""
    declared = _declared(parameter)
    value = text(declared.get("Default", REQUIRED_PARAMETERS.get(parameter)), parameter)

    assert _accepts(parameter, value)


def test_only_the_identity_provider_has_to_be_given() -> None:
    """What Keywright can decide, it decides; whose sessions to trust it cannot."""
    without = [name for name in section("Parameters") if "Default" not in _declared(name)]

    assert without == ["OidcIssuer", "OidcAudience"]


@each_parameter
def test_a_parameter_has_its_place_in_the_console(parameter: str) -> None:
    """The parameter groups name every parameter, once."""
    interface = mapping(section("Metadata")["AWS::CloudFormation::Interface"], "Interface")
    groups = sequence(interface["ParameterGroups"], "ParameterGroups")
    grouped = [name for group in groups for name in sequence(mapping(group, "group")["Parameters"], "group")]

    assert grouped.count(parameter) == 1


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("OidcIssuer", "https://tenant.eu.auth0.com/"),
        ("OidcIssuer", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf"),
        ("OidcIssuer", "https://id.example.com:8443/realms/main"),
        ("OidcIssuer", "http://127.0.0.1:8788"),
        ("OidcIssuer", "http://localhost:8788/issuer"),
        ("OidcIssuer", "http://[::1]:8788"),
        ("OidcAudience", "https://api.example.com/"),
        ("OrganizationClaim", "https://example.com/organization"),
        ("OrganizationClaim", "custom:organization"),
        ("KeyPrefix", "k_"),
        ("KeyPrefix", "acme_live_"),
        ("Permissions", "reports:read"),
        ("Permissions", "audit-logs:read,billing.invoices:write"),
        ("AllowedOrigins", ""),
        ("AllowedOrigins", "https://app.example.com"),
        ("AllowedOrigins", "https://app.example.com,http://localhost:5173,http://[::1]:3000"),
        ("PublicUrl", ""),
        ("PublicUrl", "https://api.example.com"),
        ("PublicUrl", "https://api.example.com/keys/v1"),
        ("PublicUrl", "http://127.0.0.1:8787/v1"),
        ("AlarmTopicArn", ""),
        ("AlarmTopicArn", "arn:aws:sns:eu-central-1:123456789012:alarms"),
        ("AlarmTopicArn", "arn:aws-us-gov:sns:us-gov-west-1:123456789012:on_call-2"),
        ("PermissionsBoundaryArn", ""),
        ("PermissionsBoundaryArn", "arn:aws:iam::123456789012:policy/keywright-iam-Boundary-1A2B3C4D5E6F"),
        ("PermissionsBoundaryArn", "arn:aws-cn:iam::123456789012:policy/security/boundary"),
    ],
)
def test_a_value_that_works_is_accepted(parameter: str, value: str) -> None:
    """No constraint stands in the way of a real identity provider, key prefix or address."""
    assert _accepts(parameter, value)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("PermissionsBoundaryArn", "keywright-iam-Boundary"),
        ("PermissionsBoundaryArn", "arn:aws:iam::123456789012:role/keywright"),
        ("OidcIssuer", ""),
        ("OidcIssuer", "issuer.example"),
        ("OidcIssuer", "http://issuer.example"),
        ("OidcIssuer", "http://127.0.0.1.example.com"),
        ("OidcIssuer", "http://localhost.example.com"),
        ("OidcIssuer", "https://"),
        ("OidcIssuer", "https://user@issuer.example"),
        ("OidcIssuer", "https://issuer.example?tenant=1"),
        ("OidcIssuer", "https://issuer.example/#main"),
        ("OidcIssuer", "https://issuer.example/ "),
        ("OidcAudience", ""),
        ("OidcAudience", "two audiences"),
        ("OrganizationClaim", ""),
        ("OrganizationClaim", "organization id"),
        ("KeyPrefix", ""),
        ("KeyPrefix", "kk"),
        ("KeyPrefix", "KK_"),
        ("KeyPrefix", "1k_"),
        ("KeyPrefix", "_"),
        ("KeyPrefix", "kk-"),
        ("KeyPrefix", "k" * 20 + "_"),
        ("Permissions", ""),
        ("Permissions", "webhooks"),
        ("Permissions", "webhooks:*"),
        ("Permissions", "webhooks:read,"),
        ("Permissions", "webhooks:read, webhooks:write"),
        ("Permissions", "Webhooks:Read"),
        ("Argon2MemoryKib", "1024"),
        ("Argon2MemoryKib", "1048576"),
        ("Argon2Iterations", "0"),
        ("Argon2Parallelism", "0"),
        ("AllowedOrigins", "*"),
        ("AllowedOrigins", "https://*.example.com"),
        ("AllowedOrigins", "http://app.example.com"),
        ("AllowedOrigins", "https://app.example.com/"),
        ("AllowedOrigins", "https://app.example.com,*"),
        ("AllowedOrigins", "https://app.example.com, https://b.example.com"),
        ("AllowedOrigins", "null"),
        ("PublicUrl", "api.example.com"),
        ("PublicUrl", "http://api.example.com"),
        ("PublicUrl", "https://api.example.com/"),
        ("PublicUrl", "https://api.example.com/v1?x"),
        ("PublicUrl", 'https://api.example.com/"'),
        ("AlarmTopicArn", "alarms"),
        ("AlarmTopicArn", "arn:aws:sqs:eu-central-1:123456789012:alarms"),
        ("AlarmTopicArn", "arn:aws:sns:eu-central-1:123456789012:alarms:6b0e71bd-7e97-4d97-80ce-4a0994e55286"),
        ("LogRetentionDays", "2"),
        ("ThrottlingRate", "0"),
        ("ThrottlingBurst", "0"),
        ("ManageApiGatewayLogRole", "yes"),
        ("PythonRuntime", "python3.10"),
        ("Architecture", "aarch64"),
    ],
)
def test_a_value_that_cannot_work_is_refused(parameter: str, value: str) -> None:
    """A mistake stops the deployment, not the first request after it."""
    assert not _accepts(parameter, value)


def _declared(parameter: str) -> dict[str, Json]:
    return mapping(section("Parameters")[parameter], parameter)


def _accepts(parameter: str, value: str) -> bool:
    """Decide as CloudFormation does: a pattern has to match all of the value."""
    declared = _declared(parameter)
    allowed = [text(item, parameter) for item in sequence(declared.get("AllowedValues"), parameter)]
    if allowed:
        return value in allowed
    if declared["Type"] == "Number":
        return _limit(declared, "MinValue") <= float(value) <= _limit(declared, "MaxValue")
    return re.fullmatch(text(declared["AllowedPattern"], parameter), value) is not None


def _limit(declared: dict[str, Json], name: str) -> float:
    return float(text(declared[name], name))
