"""The parameters of the template: explained, safe by default, and refused when they cannot work."""

from __future__ import annotations

import json
import re

import pytest

from local.intrinsics import Json, mapping, sequence, text
from tests.support.cloudformation import REQUIRED_PARAMETERS, function_ids, resource, section

each_parameter = pytest.mark.parametrize("parameter", sorted(section("Parameters")))


@each_parameter
def test_a_parameter_explains_itself(parameter: str) -> None:
    """Each parameter has a description, and a message for invalid values."""
    declared = _declared(parameter)

    assert text(declared["Description"], parameter).strip()
    assert text(declared["ConstraintDescription"], parameter).startswith("must be ")


@each_parameter
def test_a_parameter_is_constrained(parameter: str) -> None:
    """Each parameter has a pattern, a list of values or a minimum."""
    declared = _declared(parameter)

    assert {"AllowedPattern", "AllowedValues", "MinValue"} & set(declared)


@each_parameter
def test_a_default_is_an_allowed_value(parameter: str) -> None:
    """Each default is an allowed value: a stack can be deployed with the required parameters alone."""
    declared = _declared(parameter)
    value = text(declared.get("Default", REQUIRED_PARAMETERS.get(parameter)), parameter)

    assert _accepts(parameter, value)


@each_parameter
def test_a_text_has_a_greatest_length(parameter: str) -> None:
    """Each text has a maximum length, from which the size of the environment is computed."""
    declared = _declared(parameter)

    assert declared["Type"] in {"String", "Number"}
    if declared["Type"] == "String" and "AllowedValues" not in declared:
        assert 1 <= int(text(declared["MaxLength"], parameter)) <= 1280


LARGEST_ENVIRONMENT_BYTES = 4096
"""AWS Lambda Developer Guide, "Lambda quotas": all environment variables of a function together. Lambda measures them
as one JSON object, names and escapes included: it quotes that object after "String measured:" where it refuses one.
"""

LONGEST_REGION = "us-isof-south-1"
RANDOM = "X" * 13
"""The end of a name that CloudFormation generates."""
LONGEST_NAMES = {
    "AWS::StackName": "s" * 128,
    "AWS::URLSuffix": "amazonaws.com.cn",
    "Table": f"{'s' * 128}-Table-{RANDOM}",
    "Pepper": f"arn:aws-us-gov:secretsmanager:{LONGEST_REGION}:123456789012:secret:Pepper-{RANDOM}-AbCdEf",
    "OrganizationEventsDeadLetters": f"https://sqs.{LONGEST_REGION}.amazonaws.com.cn/123456789012/{'q' * 80}",
    "EventBus": f"{'s' * 128}-events",
    "EventsDeadLetters": f"https://sqs.{LONGEST_REGION}.amazonaws.com.cn/123456789012/{'q' * 80}",
    "AuditArchiveBucket": "b" * 63,
    "LeakReportsQueue": f"https://sqs.{LONGEST_REGION}.amazonaws.com.cn/123456789012/{'q' * 80}",
}
"""CloudFormation User Guide, "Stack name" (128 characters); Amazon SQS, "Quotas" (queue names of 80); Amazon S3 User
Guide, "General purpose bucket naming rules" (63)."""

SHORTEST_RULE = '{"method":"GET","path":"/a","permission":"a:b"}'
"""Of all parameters, only access rules can have characters that JSON escapes; of those, short rules have the most."""


def longest_environment(function: str) -> str:
    """Return the environment of a function, as Lambda measures it, with every parameter at its longest."""
    shared = mapping(mapping(section("Globals")["Function"], "Globals")["Environment"], "Environment")
    own = mapping(mapping(resource(function)["Properties"], function).get("Environment"), function)
    values = {
        name: _longest(text(mapping(value, name)["Ref"], name)) if isinstance(value, dict) else value
        for variables in (shared, own)
        for name, value in mapping(variables.get("Variables"), "Variables").items()
    }
    return json.dumps(values, separators=(",", ":"))


@pytest.mark.parametrize("function", function_ids())
def test_the_environment_at_its_longest_fits(function: str) -> None:
    """With every parameter at its longest, the environment of each function fits into Lambda's limit."""
    assert len(longest_environment(function)) <= LARGEST_ENVIRONMENT_BYTES


def test_access_rules_at_their_longest_are_access_rules() -> None:
    """The longest access rules are accepted by the template and can be read by the authorizer."""
    rules = _longest("AccessRules")

    assert _accepts("AccessRules", rules)
    assert 1280 == len(rules)
    assert 24 <= len(json.loads(rules))


def test_only_the_identity_provider_has_to_be_given() -> None:
    """Only the identity provider has no default."""
    without = [name for name in section("Parameters") if "Default" not in _declared(name)]

    assert without == ["OidcIssuer", "OidcAudience"]


@each_parameter
def test_a_parameter_has_its_place_in_the_console(parameter: str) -> None:
    """The parameter groups of the console name every parameter, once."""
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
        ("GitHubKeysUrl", "https://api.github.com/meta/public_keys/secret_scanning"),
        ("GitHubKeysUrl", "http://localhost:8788/meta/public_keys/secret_scanning"),
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
        ("AccessRules", "[]"),
        ("AccessRules", '[\n  {"method": "GET", "path": "/reports/{id}", "permission": null}]'),
        ("AlarmTopicArn", ""),
        ("AlarmTopicArn", "arn:aws:sns:eu-central-1:123456789012:alarms"),
        ("AlarmTopicArn", "arn:aws-us-gov:sns:us-gov-west-1:123456789012:on_call-2"),
        ("PermissionsBoundaryArn", ""),
        ("PermissionsBoundaryArn", "arn:aws:iam::123456789012:policy/keywright-iam-Boundary-1A2B3C4D5E6F"),
        ("PermissionsBoundaryArn", "arn:aws-cn:iam::123456789012:policy/security/boundary"),
    ],
)
def test_a_value_that_works_is_accepted(parameter: str, value: str) -> None:
    """Values of real identity providers, key prefixes and addresses are accepted."""
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
        ("OidcAudience", 'an"audience'),
        ("OidcAudience", "an\\audience"),
        ("OidcAudience", "a" * 129),
        ("OidcIssuer", "https://issuer.example/" + "a" * 178),
        ("OrganizationClaim", "a" * 101),
        ("PublicUrl", "https://api.example.com/" + "a" * 105),
        ("AllowedOrigins", ",".join(["https://app.example.com"] * 11)),
        ("AccessRules", ""),
        ("AccessRules", '{"method": "GET"}'),
        ("AccessRules", "[\\]"),
        ("AccessRules", "[\t]"),
        ("AccessRules", "[\N{LATIN SMALL LETTER E WITH ACUTE}]"),
        ("AccessRules", "[" + " " * 1279 + "]"),
        ("OrganizationClaim", ""),
        ("OrganizationClaim", "organization id"),
        ("GitHubKeysUrl", ""),
        ("GitHubKeysUrl", "http://api.github.com/meta/public_keys/secret_scanning"),
        ("GitHubKeysUrl", "https://api.github.com/keys?of=github"),
        ("GitHubKeysUrl", "https://api.github.com/" + "a" * 106),
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
        ("Permissions", ",".join(["webhooks:read"] * 29)),
        ("KeyHash", ""),
        ("KeyHash", "sha256"),
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
        ("VerifyThrottlingRate", "0"),
        ("VerifyThrottlingRate", "10001"),
        ("VerifyThrottlingBurst", "5001"),
        ("ManageApiGatewayLogRole", "yes"),
        ("PythonRuntime", "python3.10"),
        ("Architecture", "aarch64"),
    ],
)
def test_a_value_that_cannot_work_is_refused(parameter: str, value: str) -> None:
    """A value that cannot work stops the deployment, not the first request after it."""
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
    return len(value) <= _limit(declared, "MaxLength") and bool(
        re.fullmatch(text(declared["AllowedPattern"], parameter), value)
    )


def _longest(name: str) -> str:
    """Return the longest text that a reference in the environment can have."""
    if name in LONGEST_NAMES:
        return LONGEST_NAMES[name]
    declared = _declared(name)
    if "AllowedValues" in declared:
        return max((text(value, name) for value in sequence(declared["AllowedValues"], name)), key=len)
    if declared["Type"] == "Number":
        return text(declared["MaxValue"], name)
    length = int(_limit(declared, "MaxLength"))
    if name != "AccessRules":
        return "x" * length
    separator = ",\n"
    count = (length - 2 + len(separator)) // (len(SHORTEST_RULE) + len(separator))
    return f"[{separator.join([SHORTEST_RULE] * count)}".ljust(length - 1) + "]"


def _limit(declared: dict[str, Json], name: str) -> float:
    return float(text(declared[name], name))
