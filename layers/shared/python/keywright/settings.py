"""Configuration of a deployment, read from the environment once, on first use."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from keywright.cache import once

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
KEY_PREFIX = re.compile(r"[a-z][a-z0-9_]{0,18}_")
KEY_HASH = "KEY_HASH"
"""The variable with the hash of secrets."""
_PERMISSION = re.compile(r"[a-z][a-z0-9_.-]*:[a-z][a-z0-9_.-]*")


class ConfigurationError(Exception):
    """A setting is missing or invalid. The message names it and its valid values."""


class KeyHash(StrEnum):
    """Hash of secrets, over a digest that is keyed with the pepper."""

    ARGON2ID = "argon2id"
    HMAC_SHA256 = "hmac-sha256"


@dataclass(frozen=True, slots=True)
class Argon2Parameters:
    """Cost of an Argon2id hash.

    The template's defaults are OWASP's minimum (Password Storage Cheat Sheet: 19 MiB, two iterations, one lane).
    Secrets of 176 random bits could do with less; the minimum is for the case that the randomness fails.
    """

    memory_kib: int
    iterations: int
    parallelism: int


@dataclass(frozen=True, slots=True)
class TableSettings:
    """Settings of the table, which the operator's command line always has.

    Attributes:
        audit_retention_days: 0 keeps audit records forever.
        deletion_grace_days: time between the request for a deletion and the deletion.
    """

    table_name: str
    audit_retention_days: int
    deletion_grace_days: int

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> TableSettings:
        """Read the settings from environment variables.

        Raises:
            ConfigurationError: a variable is missing or invalid.
        """
        reader = _Reader(environment)
        return cls(
            table_name=reader.text("TABLE_NAME"),
            audit_retention_days=reader.number("AUDIT_RETENTION_DAYS", minimum=0),
            deletion_grace_days=reader.number("DELETION_GRACE_DAYS", minimum=1),
        )


@dataclass(frozen=True, slots=True)
class SecretSettings:
    """Settings of the secrets of keys, which the operator's command line has for a rotation.

    Attributes:
        key_hash: of new hashes; hashes of used keys become such.
        argon2: cost of new hashes of Argon2id.
    """

    pepper_secret_id: str
    key_prefix: str
    key_hash: KeyHash
    argon2: Argon2Parameters

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> SecretSettings:
        """Read the settings from environment variables.

        Raises:
            ConfigurationError: a variable is missing or invalid.
        """
        reader = _Reader(environment)
        return cls(
            pepper_secret_id=reader.text("PEPPER_SECRET_ID"),
            key_prefix=reader.matching("KEY_PREFIX", KEY_PREFIX, "lower-case letters, digits and underscores, as kk_"),
            key_hash=KeyHash(reader.choice(KEY_HASH, tuple(KeyHash))),
            argon2=Argon2Parameters(
                memory_kib=reader.number("ARGON2_MEMORY_KIB", minimum=1),
                iterations=reader.number("ARGON2_ITERATIONS", minimum=1),
                parallelism=reader.number("ARGON2_PARALLELISM", minimum=1),
            ),
        )


@dataclass(frozen=True, slots=True)
class Settings(SecretSettings):
    """Settings of the functions. No secrets: the pepper is fetched, never configured.

    Attributes:
        oidc_issuer: exactly as in the `iss` claim of tokens.
        dead_letter_queue_url: queue of unusable events.
        organization_claim: the claim that names the caller's organization.
        permissions: the catalogue, in the order in which it is shown.
        record_reuse_seconds: how long verifications may reuse a record that was read; 0 for not at all.
        usage_flush_seconds: how long uses of a key are counted before they are written.
        access_rules: JSON, for `access_rules.parse_rules`; empty or `[]` for none.
        answers_http_apis_simply: whether HTTP APIs get simple answers instead of policies.
        lets_in_limited: whether the authorizer of API keys lets in keys whose limit is reached, for backends that
            answer 429 themselves.
        disables_leaked_keys: whether a report that a key is public disables it; it is recorded either way.
        takes_imported_keys: whether keys that were issued elsewhere are looked up.
    """

    oidc_issuer: str
    oidc_audience: str
    dead_letter_queue_url: str
    organization_claim: str
    permissions: tuple[str, ...]
    record_reuse_seconds: int
    usage_flush_seconds: int
    access_rules: str
    answers_http_apis_simply: bool
    lets_in_limited: bool
    disables_leaked_keys: bool
    takes_imported_keys: bool

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read the settings from environment variables.

        Raises:
            ConfigurationError: a variable is missing or invalid.
        """
        reader, secret = _Reader(environment), SecretSettings.from_environment(environment)
        return cls(
            pepper_secret_id=secret.pepper_secret_id,
            key_prefix=secret.key_prefix,
            key_hash=secret.key_hash,
            argon2=secret.argon2,
            oidc_issuer=reader.trusted_address("OIDC_ISSUER"),
            oidc_audience=reader.text("OIDC_AUDIENCE"),
            dead_letter_queue_url=reader.text("DEAD_LETTER_QUEUE_URL"),
            organization_claim=reader.text("ORGANIZATION_CLAIM"),
            permissions=reader.permissions("PERMISSIONS"),
            record_reuse_seconds=reader.number("RECORD_REUSE_SECONDS", minimum=0),
            usage_flush_seconds=reader.number("USAGE_FLUSH_SECONDS", minimum=0),
            access_rules=environment.get("ACCESS_RULES", ""),
            answers_http_apis_simply=reader.choice("HTTP_API_ANSWERS", ("policy", "simple")) == "simple",
            lets_in_limited=reader.choice("LIMITED", ("deny", "allow")) == "allow",
            disables_leaked_keys=reader.choice("LEAK_RESPONSE", ("disable", "notify")) == "disable",
            takes_imported_keys=reader.choice("IMPORTED_KEYS", ("off", "on")) == "on",
        )


@dataclass(frozen=True, slots=True)
class LeakSettings:
    """Settings of the functions that take reports of leaks."""

    leak_reports_queue_url: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> LeakSettings:
        """Read the settings from environment variables.

        Raises:
            ConfigurationError: a variable is missing.
        """
        return cls(leak_reports_queue_url=_Reader(environment).text("LEAK_REPORTS_QUEUE_URL"))


@dataclass(frozen=True, slots=True)
class GitHubSettings:
    """Settings of the function that takes GitHub's reports.

    Attributes:
        github_keys_url: where GitHub publishes the keys that it signs reports with.
    """

    github_keys_url: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> GitHubSettings:
        """Read the settings from environment variables.

        Raises:
            ConfigurationError: a variable is missing or invalid.
        """
        return cls(github_keys_url=_Reader(environment).trusted_address("GITHUB_KEYS_URL"))


@dataclass(frozen=True, slots=True)
class EventSettings:
    """Settings of the function that publishes audit records.

    Attributes:
        event_bus_name: the stack's own bus.
        dead_letter_queue_url: queue of records that cannot become an event.
    """

    event_bus_name: str
    dead_letter_queue_url: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> EventSettings:
        """Read the settings from environment variables.

        Raises:
            ConfigurationError: a variable is missing.
        """
        reader = _Reader(environment)
        return cls(
            event_bus_name=reader.text("EVENT_BUS_NAME"),
            dead_letter_queue_url=reader.text("EVENTS_DEAD_LETTER_QUEUE_URL"),
        )


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """Settings of the function that serves the console.

    Attributes:
        console_client_id: the console's client at the identity provider; empty for no console.
        console_scope: what the console asks the provider for.
    """

    console_client_id: str
    console_scope: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ConsoleSettings:
        """Read the settings from environment variables.

        Raises:
            ConfigurationError: a variable is missing.
        """
        return cls(
            console_client_id=environment.get("CONSOLE_CLIENT_ID", "").strip(),
            console_scope=_Reader(environment).text("CONSOLE_SCOPE"),
        )


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """Settings of the archive of the audit log."""

    audit_archive_bucket: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ArchiveSettings:
        """Read the settings from environment variables.

        Raises:
            ConfigurationError: a variable is missing.
        """
        return cls(audit_archive_bucket=_Reader(environment).text("AUDIT_ARCHIVE_BUCKET"))


@dataclass(frozen=True, slots=True)
class AnswerSettings:
    """Settings of every answer, errors included. Reading them cannot fail, so that there is always an answer.

    Attributes:
        allowed_origins: web origins whose pages may call the API; empty for none.
        public_url: the API's address for clients, without a slash at its end; empty for API Gateway's own.
    """

    allowed_origins: frozenset[str]
    public_url: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> AnswerSettings:
        """Read the settings from environment variables."""
        return cls(
            allowed_origins=frozenset(_Reader(environment).list("ALLOWED_ORIGINS")),
            public_url=environment.get("PUBLIC_URL", "").rstrip("/"),
        )


@once
def settings() -> Settings:
    """Return the settings of the functions."""
    return Settings.from_environment(os.environ)


@once
def secret_settings() -> SecretSettings:
    """Return the settings of the secrets of keys."""
    return SecretSettings.from_environment(os.environ)


@once
def catalogue() -> tuple[str, ...]:
    """Return the permissions that keys can have, which the operator's command line has without the other settings."""
    return _Reader(os.environ).permissions("PERMISSIONS")


@once
def table_settings() -> TableSettings:
    """Return the settings of the table."""
    return TableSettings.from_environment(os.environ)


@once
def leak_settings() -> LeakSettings:
    """Return the settings of reports of leaks."""
    return LeakSettings.from_environment(os.environ)


@once
def github_settings() -> GitHubSettings:
    """Return the settings of GitHub's reports."""
    return GitHubSettings.from_environment(os.environ)


@once
def event_settings() -> EventSettings:
    """Return the settings of the published events."""
    return EventSettings.from_environment(os.environ)


@once
def console_settings() -> ConsoleSettings:
    """Return the settings of the console."""
    return ConsoleSettings.from_environment(os.environ)


@once
def archive_settings() -> ArchiveSettings:
    """Return the settings of the archive of the audit log."""
    return ArchiveSettings.from_environment(os.environ)


@once
def answer_settings() -> AnswerSettings:
    """Return the settings of every answer."""
    return AnswerSettings.from_environment(os.environ)


def is_trusted_address(url: str) -> bool:
    """Return whether documents from a URL can be trusted: over TLS, or from this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        return bool(parts.hostname)
    return parts.scheme == "http" and parts.hostname in _LOOPBACK_HOSTS


@dataclass(frozen=True, slots=True)
class _Reader:
    environment: Mapping[str, str]

    def text(self, name: str) -> str:
        value = self.environment.get(name, "").strip()
        if not value:
            raise ConfigurationError(f"the environment variable {name} is not set")
        return value

    def matching(self, name: str, pattern: re.Pattern[str], rule: str) -> str:
        value = self.text(name)
        if not pattern.fullmatch(value):
            raise ConfigurationError(f"{name} must consist of {rule}; it is {value!r}")
        return value

    def number(self, name: str, *, minimum: int) -> int:
        value = self.text(name)
        if not value.isascii() or not value.isdigit() or int(value) < minimum:
            raise ConfigurationError(f"{name} must be a whole number, at least {minimum}; it is {value!r}")
        return int(value)

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self.text(name)
        if value not in choices:
            raise ConfigurationError(f"{name} must be one of {', '.join(choices)}; it is {value!r}")
        return value

    def list(self, name: str) -> tuple[str, ...]:
        return tuple(item.strip() for item in self.environment.get(name, "").split(",") if item.strip())

    def permissions(self, name: str) -> tuple[str, ...]:
        items = self.list(name)
        if not items or not all(_PERMISSION.fullmatch(item) for item in items):
            raise ConfigurationError(f"{name} must list permissions as resource:action, separated by commas")
        return items

    def trusted_address(self, name: str) -> str:
        value = self.text(name)
        if not is_trusted_address(value):
            raise ConfigurationError(f"{name} must be an https address (http only on loopback); it is {value!r}")
        return value
