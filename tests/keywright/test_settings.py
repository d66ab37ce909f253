"""Configuration from the environment."""

from __future__ import annotations

import pytest

from keywright.settings import AnswerSettings, ConfigurationError, Settings, is_trusted_address

ENVIRONMENT = {
    "TABLE_NAME": "keywright",
    "PEPPER_SECRET_ID": "pepper",
    "OIDC_ISSUER": "https://id.example.com/",
    "OIDC_AUDIENCE": "keywright",
    "DEAD_LETTER_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/dead-letters",
    "ORGANIZATION_CLAIM": "org_id",
    "KEY_PREFIX": "kk_",
    "PERMISSIONS": "webhooks:read, webhooks:write",
    "ARGON2_MEMORY_KIB": "19456",
    "ARGON2_ITERATIONS": "2",
    "ARGON2_PARALLELISM": "1",
    "AUDIT_RETENTION_DAYS": "365",
    "DELETION_GRACE_DAYS": "30",
    "RECORD_REUSE_SECONDS": "0",
    "USAGE_FLUSH_SECONDS": "60",
    "HTTP_API_ANSWERS": "policy",
}


def test_a_complete_environment_is_read() -> None:
    """Lists are split and trimmed, in order; empty means none."""
    settings = Settings.from_environment(ENVIRONMENT)

    assert ("webhooks:read", "webhooks:write") == settings.permissions
    assert (19456, 2, 1) == (settings.argon2.memory_kib, settings.argon2.iterations, settings.argon2.parallelism)
    assert "https://id.example.com/" == settings.oidc_issuer


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
def test_answers_can_be_given_whatever_else_is_wrong(origins: str, public_url: str, expected: AnswerSettings) -> None:
    """Their settings are read without the others."""
    assert expected == AnswerSettings.from_environment({"ALLOWED_ORIGINS": origins, "PUBLIC_URL": public_url})


@pytest.mark.parametrize("name", sorted(ENVIRONMENT))
def test_a_missing_variable_is_named(name: str) -> None:
    """The error says which one."""
    with pytest.raises(ConfigurationError, match=name):
        Settings.from_environment(ENVIRONMENT | {name: " "})


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
        ("OIDC_ISSUER", "http://id.example.com"),
        ("OIDC_ISSUER", "id.example.com"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: str) -> None:
    """The error says which variable, and what it takes."""
    with pytest.raises(ConfigurationError, match=name):
        Settings.from_environment(ENVIRONMENT | {name: value})


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
    """Keys that sign sessions come over TLS or from this machine."""
    assert trusted is is_trusted_address(url)
