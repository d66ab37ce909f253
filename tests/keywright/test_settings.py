"""Settings from environment variables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import keywright
from keywright.settings import (
    AnswerSettings,
    ArchiveSettings,
    Argon2Parameters,
    ConfigurationError,
    ConsoleSettings,
    EventSettings,
    GitHubSettings,
    KeyHash,
    LeakSettings,
    SecretSettings,
    Settings,
    TableSettings,
    is_trusted_address,
)
from local.intrinsics import mapping
from tests.support.cloudformation import section

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.template import Stack

TABLE = {"TABLE_NAME": "keywright", "AUDIT_RETENTION_DAYS": "365", "DELETION_GRACE_DAYS": "30"}
FUNCTION = {
    "PEPPER_SECRET_ID": "pepper",
    "OIDC_ISSUER": "https://id.example.com/",
    "OIDC_AUDIENCE": "keywright",
    "DEAD_LETTER_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/dead-letters",
    "ORGANIZATION_CLAIM": "org_id",
    "KEY_PREFIX": "kk_",
    "PERMISSIONS": "webhooks:read, webhooks:write",
    "KEY_HASH": "argon2id",
    "ARGON2_MEMORY_KIB": "19456",
    "ARGON2_ITERATIONS": "2",
    "ARGON2_PARALLELISM": "1",
    "RECORD_REUSE_SECONDS": "0",
    "USAGE_FLUSH_SECONDS": "60",
    "HTTP_API_ANSWERS": "policy",
    "LEAK_RESPONSE": "disable",
    "IMPORTED_KEYS": "off",
    "LIMITED": "deny",
}


def read(environment: dict[str, str]) -> None:
    """Read the settings of the table and of the functions."""
    TableSettings.from_environment(environment)
    Settings.from_environment(environment)


def test_a_complete_environment_is_read() -> None:
    """Numbers are parsed, and lists split and trimmed, in order."""
    settings = Settings.from_environment(FUNCTION)

    assert ("webhooks:read", "webhooks:write") == settings.permissions
    assert Argon2Parameters(19456, 2, 1) == settings.argon2
    assert "https://id.example.com/" == settings.oidc_issuer
    assert TableSettings("keywright", 365, 30) == TableSettings.from_environment(TABLE)


@pytest.mark.parametrize("chosen", KeyHash)
def test_functions_and_operators_read_the_same_hash(chosen: KeyHash) -> None:
    """A rotation by an operator stores the hash that a rotation by a member does."""
    environment = FUNCTION | {"KEY_HASH": chosen.value}

    assert [chosen, chosen] == [kind.from_environment(environment).key_hash for kind in (Settings, SecretSettings)]


@pytest.mark.parametrize("value", ["bcrypt", "Argon2id", "hmac-sha256 argon2id"])
def test_another_hash_is_refused_with_the_choices(value: str) -> None:
    """The error names the variable, its valid values and the one that it has."""
    with pytest.raises(ConfigurationError) as caught:
        SecretSettings.from_environment(FUNCTION | {"KEY_HASH": value})

    assert f"KEY_HASH must be one of argon2id, hmac-sha256; it is {value!r}" == str(caught.value)


ELSEWHERE = {
    "AWS_ENDPOINT_URL": "aws/endpoints.py",
    "AWS_URL_SUFFIX": "aws/endpoints.py",
    "POWERTOOLS_LOG_LEVEL": "aws_lambda_powertools",
    "POWERTOOLS_METRICS_NAMESPACE": "log.py",
    "PYDANTIC_DISABLE_PLUGINS": "pydantic",
    "STACK_NAME": "keys/verification_log.py",
}
"""Variables of the template that settings.py does not read, and what reads them."""


class Recorded(dict[str, str]):
    """An environment that records which of its variables are read."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        super().__init__(variables)
        self.read: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        """Return a variable."""
        self.read.add(name)
        return super().get(name, default)


def test_every_variable_of_the_template_is_read(stack: Stack) -> None:
    """A parameter of the template that changes nothing, and a setting that no parameter has, are mistakes."""
    environment = Recorded(stack.environment())
    of_functions = (LeakSettings, GitHubSettings, EventSettings, ArchiveSettings, ConsoleSettings)
    for settings in (Settings, TableSettings, AnswerSettings, *of_functions):
        settings.from_environment(environment)

    assert environment.keys() == environment.read | ELSEWHERE.keys()
    assert not environment.read & ELSEWHERE.keys()


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_URL_SUFFIX", "POWERTOOLS_METRICS_NAMESPACE", "STACK_NAME"])
def test_variables_that_are_read_elsewhere_are_named_there(name: str) -> None:
    """Each exception is a variable that its module names."""
    assert name in (Path(keywright.__file__).parent / ELSEWHERE[name]).read_text()


@pytest.mark.parametrize(
    ("parameter", "default"),
    [("UsageFlushSeconds", 60), ("RecordReuseSeconds", 0), ("AuditRetentionDays", 365), ("DeletionGraceDays", 30)],
)
def test_the_defaults_of_the_template_are_those_documented(parameter: str, default: int) -> None:
    """Without a parameter, uses are written once a minute and a revoked key is refused on the next request."""
    declared = mapping(section("Parameters")[parameter], parameter)

    assert default == declared["Default"]


def test_the_template_offers_every_hash_and_defaults_to_the_slow_one() -> None:
    """The values of the parameter are those that functions know; the default is Argon2id."""
    declared = mapping(section("Parameters")["KeyHash"], "KeyHash")

    assert [*KeyHash] == declared["AllowedValues"]
    assert KeyHash.ARGON2ID == declared["Default"]


def test_the_default_cost_of_a_hash_is_owasps_minimum() -> None:
    """The template's defaults are 19 MiB, two iterations and one lane."""
    defaults = {
        name: mapping(declared, name)["Default"]
        for name, declared in section("Parameters").items()
        if name.startswith("Argon2")
    }

    assert {"Argon2MemoryKib": 19456, "Argon2Iterations": 2, "Argon2Parallelism": 1} == defaults


@pytest.mark.parametrize(
    ("origins", "public_url", "expected"),
    [
        ("", "", AnswerSettings(frozenset(), "")),
        (
            "https://a.example, https://b.example",
            "https://api.example/v1/",
            AnswerSettings(frozenset({"https://a.example", "https://b.example"}), "https://api.example/v1"),
        ),
    ],
)
def test_settings_of_answers_need_no_others(origins: str, public_url: str, expected: AnswerSettings) -> None:
    """An error can be answered with every other setting missing."""
    assert expected == AnswerSettings.from_environment({"ALLOWED_ORIGINS": origins, "PUBLIC_URL": public_url})


@pytest.mark.parametrize("name", sorted(TABLE | FUNCTION))
def test_a_missing_variable_is_named(name: str) -> None:
    """The error names a missing variable."""
    with pytest.raises(ConfigurationError, match=name):
        read(TABLE | FUNCTION | {name: " "})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KEY_PREFIX", "KK_"),
        ("KEY_PREFIX", "kk"),
        ("ARGON2_MEMORY_KIB", "0"),
        ("ARGON2_ITERATIONS", "-1"),
        ("ARGON2_PARALLELISM", "\N{SUPERSCRIPT TWO}"),
        ("AUDIT_RETENTION_DAYS", "-1"),
        ("DELETION_GRACE_DAYS", "0"),
        ("PERMISSIONS", "read"),
        ("PERMISSIONS", ","),
        ("HTTP_API_ANSWERS", "neither"),
        ("LIMITED", "throttle"),
        ("LEAK_RESPONSE", "ignore"),
        ("IMPORTED_KEYS", "true"),
        ("OIDC_ISSUER", "http://id.example.com"),
        ("OIDC_ISSUER", "id.example.com"),
    ],
)
def test_an_invalid_value_is_named(name: str, value: str) -> None:
    """The error names the variable of an invalid value."""
    with pytest.raises(ConfigurationError, match=name):
        read(TABLE | FUNCTION | {name: value})


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("https://id.example.com", True),
        ("http://127.0.0.1:8788", True),
        ("http://localhost:8788", True),
        ("http://[::1]:8788", True),
        ("http://id.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("http://localhost@example.com", False),
        ("https://", False),
        ("file:///etc/passwd", False),
        ("", False),
    ],
)
def test_plain_http_is_trusted_on_loopback_only(url: str, trusted: bool) -> None:  # noqa: FBT001 - a table of cases
    """The keys that sign sessions come over TLS or from this machine."""
    assert trusted is is_trusted_address(url)
