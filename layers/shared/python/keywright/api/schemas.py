"""The models of requests and responses. Their docstrings are the descriptions in the OpenAPI description."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic.alias_generators import to_camel

from keywright.api.fields import (
    DEFAULT_LIMIT,
    MAXIMUM_VERIFICATIONS,
    ActorTypes,
    AllowedIps,
    AuditEvents,
    BooleanText,
    ClientIp,
    Cost,
    Cursor,
    Day,
    GracePeriodSeconds,
    LeakUrl,
    Limit,
    Metadata,
    MetadataValue,
    Moment,
    Name,
    Permission,
    Permissions,
    QuotaPeriod,
    QuotaUses,
    RateLimitUses,
    Reason,
    ReportedKeys,
    WindowSeconds,
    WrittenDay,
    WrittenMoment,
    broken_rule,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.config import JsonDict

# ---- Names of fields -----------------------------------------------------------------------------------------


def field_names(model: type[BaseModel]) -> list[str]:
    """Return the names of a model's fields in requests."""
    return [field.alias or name for name, field in model.model_fields.items()]


def spelling(name: str) -> str:
    """Return a name without what different conventions write differently: case, `_` and `-`."""
    return name.replace("_", "").replace("-", "").lower()


# ---- Request bodies ------------------------------------------------------------------------------------------


class BodyPart(BaseModel):
    """An object in a request body. Unknown fields are refused."""

    # Deferred, here and below: to build every model takes a twelfth of a cold start, and a function needs three.
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", defer_build=True)


class Body(BodyPart):
    """A request body."""


_OMITTED: Any = None
"""The default of a field that can be omitted and cannot be null. It is never read."""


class RateLimitInput(BodyPart):
    """A limit of the rate of uses.

    Attributes:
        limit: The number of uses in a window, on average, up to 10,000.
        window_seconds: The length of the window, up to an hour.
        burst: The number of uses at once after enough rest, up to `limit`, which is the default.
    """

    limit: RateLimitUses
    window_seconds: WindowSeconds = Field(alias="windowSeconds")
    burst: RateLimitUses = _OMITTED

    @field_validator("burst")
    @classmethod
    def _is_within_limit(cls, burst: int, info: ValidationInfo) -> int:
        if burst > info.data.get("limit", burst):
            raise broken_rule("must not be greater than rateLimit.limit", "Omit burst for a burst of the whole limit.")
        return burst

    @model_validator(mode="after")
    def _has_burst(self) -> Self:
        return self if "burst" in self.model_fields_set else self.model_copy(update={"burst": self.limit})


class Quota(BodyPart):
    """A limit of the number of uses.

    Attributes:
        limit: The number of uses in a period, up to 10^12.
        period: How often the count starts anew, in UTC: at midnight, on Mondays, on the first of a month, or never
            (`total`).
    """

    limit: QuotaUses
    period: QuotaPeriod


def _additional_properties(schema: JsonDict) -> None:
    """Allow additional properties."""
    del schema["additionalProperties"]


class CreateApiKey(Body):
    """A new key. Additional fields are ignored, unless they look like one of these fields, as `expires_at` does.

    Attributes:
        name: The name that people recognize the key by. White space around it is removed; control characters are not
            allowed.
        permissions: What the key can do. `X:write` includes `X:read`. Duplicates are removed.
        metadata: Your own data about the key, up to 16 KiB as JSON.
        expires_at: When the key expires, a time in the future. By default it never expires.
        rate_limit: How fast the key can be used. By default it has no rate limit.
        quota: How often the key can be used. By default it has no quota.
        allowed_ips: The IP addresses, and ranges in CIDR notation, that the key can be used from. By default it can be
            used from anywhere, as with an empty list.
    """

    model_config = ConfigDict(json_schema_extra=_additional_properties)

    name: Name
    permissions: Permissions
    metadata: Metadata = Field(default_factory=dict)
    expires_at: Moment | None = Field(default=None, alias="expiresAt")
    rate_limit: RateLimitInput | None = Field(default=None, alias="rateLimit")
    quota: Quota | None = None
    allowed_ips: AllowedIps | None = Field(default=None, alias="allowedIps")

    @model_validator(mode="before")
    @classmethod
    def _ignore_additional_fields(cls, values: Mapping[str, object]) -> dict[str, object]:
        known = {spelling(name) for name in field_names(cls)}
        return {name: value for name, value in values.items() if spelling(name) in known}


class UpdateApiKey(Body):
    """Fields to change. Omitted fields stay as they are.

    Attributes:
        name: The name that people recognize the key by. White space around it is removed; control characters are not
            allowed.
        enabled: Whether the key is enabled. A disabled key is refused.
        permissions: The new list of permissions. It replaces the current one.
        metadata: The new metadata. It replaces the current metadata.
        expires_at: When the key expires, a time in the future. null removes the expiry.
        rate_limit: The new rate limit, from the next use on. null removes it.
        quota: The new quota, from the next use on. What was used of the period stays used. null removes it.
        allowed_ips: The new list of IP addresses and ranges that the key can be used from. null and an empty list allow
            all.
        leak: null clears the report that the text of the key is public. A disabled key with such a report can only be
            enabled together with it.
        reason: Why the key is disabled, for the audit log. Only together with `enabled`: false.
    """

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    name: Name = _OMITTED
    enabled: bool = _OMITTED
    permissions: Permissions = _OMITTED
    metadata: Metadata = _OMITTED
    expires_at: Moment | None = Field(default=None, alias="expiresAt")
    rate_limit: RateLimitInput | None = Field(default=None, alias="rateLimit")
    quota: Quota | None = None
    allowed_ips: AllowedIps | None = Field(default=None, alias="allowedIps")
    leak: None = None
    reason: Reason = _OMITTED

    @field_validator("reason")
    @classmethod
    def _is_of_disabling(cls, reason: Reason, info: ValidationInfo) -> Reason:
        # A field that is not valid itself is not in the data: its own error says enough.
        if info.data.get("enabled", False) is not False:
            raise broken_rule("is only for disabling a key", "Send it together with enabled: false, or omit it.")
        return reason

    @model_validator(mode="after")
    def _has_changes(self) -> Self:
        if not self.model_fields_set:
            changes = [name for name in field_names(type(self)) if name != "reason"]
            raise broken_rule("contains no changes", f"Send at least one of: {', '.join(changes)}.")
        return self


class RotateApiKey(Body):
    """Options of a rotation.

    Attributes:
        grace_period_seconds: How long the previous secret keeps working, up to 7 days. By default it stops working at
            once.
        reason: Why the key is rotated, for the audit log.
    """

    grace_period_seconds: GracePeriodSeconds = Field(default=0, alias="gracePeriodSeconds")
    reason: Reason = _OMITTED


class VerifyApiKey(Body):
    """A key to verify, and what it is used for.

    Attributes:
        key: The text of the key, as your caller presented it.
        permissions: The permissions that the key must have. By default none are required.
        cost: How much of the key's limits this use takes. 0 takes nothing and shows what is left.
        client_ip: The IP address of your caller, as your server sees it. Without it, a key with allowed addresses is
            refused. Do not take it from a header that callers can set.
    """

    key: str = Field(repr=False)
    permissions: list[Permission] = Field(default_factory=list)
    cost: Cost = 1
    client_ip: ClientIp | None = Field(default=None, alias="clientIp")


class VerifyApiKeys(Body):
    """Keys to verify.

    Attributes:
        verifications: The keys, each with what it is used for. A key that is there twice is used twice.
    """

    verifications: list[VerifyApiKey] = Field(min_length=1, max_length=MAXIMUM_VERIFICATIONS)


class ReportLeak(Body):
    """Keys that are public.

    Attributes:
        keys: The texts of the keys, as they were found.
        url: Where they were found. Admins of the keys' organizations see it.
    """

    keys: ReportedKeys = Field(repr=False)
    url: LeakUrl | None = None


class GitHubMatch(BaseModel):
    """A match of GitHub's secret scanning.

    Attributes:
        token: The text that was found.
        type: The name that GitHub has for keys of this service.
        url: Where it was found. It may be empty.
        source: The kind of place, such as `content`.
    """

    model_config = ConfigDict(defer_build=True)

    token: str = Field(repr=False)
    type: str
    url: str = ""
    source: str = ""


# ---- Query parameters ----------------------------------------------------------------------------------------


class Query(BaseModel):
    """Query parameters, as text. Unknown parameters are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class PageQuery(Query):
    """A page of a list.

    Attributes:
        limit: The maximum number of items on the page.
        starting_after: The `next_cursor` of the previous page.
    """

    limit: Limit = DEFAULT_LIMIT
    starting_after: Cursor = None


class ListApiKeysQuery(PageQuery):
    """A page of a list of keys. A key must match every filter.

    Attributes:
        enabled: Only keys that are enabled (`true`) or disabled (`false`).
        permission: Only keys that were granted this permission directly. `X:read` does not find keys with `X:write`.
        expires_before: Only keys that expire before this time, or have expired.
    """

    enabled: BooleanText = None
    permission: Permission | None = None
    expires_before: Moment | None = None


class RevocationQuery(Query):
    """Options of the deletion of a key.

    Attributes:
        reason: Why the key is deleted, for the audit log.
    """

    reason: Reason | None = None


class ListAuditLogsQuery(PageQuery):
    """A page of the audit log. A record must match every filter.

    Attributes:
        event: Only these events, comma-separated.
        actor_type: Only changes by actors of these types, comma-separated.
        actor_user_id: Only actions of this user.
        actor_api_key_id: Only actions of this key.
        target_id: Only changes to this key, member or organization.
        created_from: Only records created at or after this time.
        created_to: Only records created at or before this time.
    """

    event: AuditEvents = ()
    actor_type: ActorTypes = ()
    actor_user_id: str | None = None
    actor_api_key_id: str | None = None
    target_id: str | None = None
    created_from: Moment | None = None
    created_to: Moment | None = None


class GetApiKeyUsageQuery(Query):
    """A range of days.

    Attributes:
        from_: The first day (UTC), at most 89 days ago. By default, the range has 30 days.
        to: The last day (UTC). By default it is today.
    """

    from_: Day | None = Field(default=None, alias="from")
    to: Day | None = None


# ---- Responses -----------------------------------------------------------------------------------------------


class Answer(BaseModel):
    """The data of a response, in camelCase."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        json_schema_serialization_defaults_required=True,  # a response always has every field
        hide_input_in_errors=True,  # errors are logged
        defer_build=True,
    )


class CreatedApiKey(Answer):
    """A new key.

    Attributes:
        id: The id of the key in this API and in the audit log.
        key: The text of the key. Store it now: it is never shown again.
    """

    id: str
    key: str = Field(repr=False)


class Done(Answer):
    """Confirmation that the operation succeeded.

    Attributes:
        status: Always `success`.
        message: What was done, for people.
    """

    status: Literal["success"] = "success"
    message: str


class RateLimit(Answer):
    """A limit of the rate of uses.

    Attributes:
        limit: The number of uses in a window, on average.
        window_seconds: The length of the window.
        burst: The number of uses at once after enough rest.
    """

    limit: int
    window_seconds: int
    burst: int


class RateLimitStatus(Answer):
    """What is left of a rate limit.

    Attributes:
        limit: The number of uses in a window, on average.
        remaining: How many uses would be admitted at once now. null if the limiter could not be asked.
        reset_seconds: How many seconds until the whole burst is free again. null if the limiter could not be asked.
    """

    limit: int
    remaining: int | None
    reset_seconds: int | None


class QuotaStatus(Answer):
    """What is left of a quota.

    Attributes:
        limit: The number of uses in a period.
        used: How much of it was used in this period.
        remaining: How much of it is left in this period.
        resets_at: When the next period begins. null if never.
    """

    limit: int
    used: int
    remaining: int
    resets_at: WrittenMoment | None


class Leak(Answer):
    """A report that the text of a key is public.

    Attributes:
        reported_at: When it was reported first.
        source: `report`: by anyone who holds the text. `github`: by GitHub's secret scanning.
        url: Where the text was found. null if the report does not say.
    """

    reported_at: WrittenMoment
    source: Literal["report", "github"]
    url: str | None


class ApiKeySummary(Answer):
    """A key in a list.

    Attributes:
        id: The id of the key in this API and in the audit log.
        name: The name of the key.
        enabled: Whether the key is enabled. An expired key is refused even if it is enabled.
        permissions: The permissions that were granted to the key.
        metadata: Your own data about the key.
        created_at: When the key was created.
        updated_at: When the key was last changed or rotated.
        expires_at: When the key expires. null if it never does.
        last_used_at: When the key was last verified, accurate to about a minute. null if it never was.
        last_used_ip: The IP address of the client that last used the key. null if it is not known.
        request_count: How many times the key was verified.
        hint: The beginning and end of the key's text.
        rate_limit: How fast the key can be used. null if it has no rate limit.
        quota: How often the key can be used. null if it has no quota.
        allowed_ips: The IP addresses and ranges that the key can be used from. null if from anywhere.
        leak: The report that the text of the key is public. null if there is none.
    """

    id: str
    name: str
    enabled: bool
    permissions: list[str]
    metadata: dict[str, MetadataValue]
    created_at: WrittenMoment
    updated_at: WrittenMoment
    expires_at: WrittenMoment | None
    last_used_at: WrittenMoment | None
    last_used_ip: str | None = None  # with a default: the answer to a rotation is kept for a day, before a deployment
    request_count: int
    hint: str
    # With defaults, because the answer to a rotation is kept for a day: a deployment may add a field meanwhile.
    rate_limit: RateLimit | None = None
    quota: Quota | None = None
    allowed_ips: list[str] | None = None
    leak: Leak | None = None


class ApiKeyDetails(ApiKeySummary):
    """A key with all its details.

    Attributes:
        created_by: The id of the user who created the key.
        previous_key_expires_at: When the text before the last rotation stops working. null if it no longer works.
        previous_key_last_used_at: When that text was last used since the rotation, accurate to about a minute. null if
            it was not used, or no longer works.
    """

    created_by: str
    previous_key_expires_at: WrittenMoment | None
    previous_key_last_used_at: WrittenMoment | None = None


class ApiKeyUsageOfDay(Answer):
    """Uses of a key in one day.

    Attributes:
        date: The day, in UTC.
        request_count: How many times the key was verified.
    """

    date: WrittenDay
    request_count: int


class ApiKeyUsage(Answer):
    """Uses of a key by day, and what is left of its limits.

    Attributes:
        from_: The first day, in UTC.
        to: The last day, in UTC.
        request_count: How many times the key was verified in these days, accurate to about a minute.
        days: Every day, also those without uses.
        rate_limit: What is left of the key's rate limit now. null if it has none.
        quota: What is left of the key's quota now. null if it has none.
    """

    from_: WrittenDay = Field(alias="from")
    to: WrittenDay
    request_count: int
    days: list[ApiKeyUsageOfDay]
    rate_limit: RateLimitStatus | None
    quota: QuotaStatus | None


class UpdatedApiKey(Done):
    """A changed key.

    Attributes:
        api_key: The key as it is now.
    """

    api_key: ApiKeyDetails


class RotatedApiKey(UpdatedApiKey):
    """A rotated key.

    Attributes:
        id: The id of the key in this API and in the audit log.
        key: The new text of the key. Store it now: it is never shown again.
        previous_key_expires_at: When the previous text stops working. null if it no longer works.
    """

    id: str
    key: str = Field(repr=False)
    previous_key_expires_at: WrittenMoment | None


class UnknownApiKey(Answer):
    """The key is unknown. Malformed, forged, deleted and rotated-out keys are indistinguishable on purpose.

    Attributes:
        valid: Always `false`.
        code: Always `NOT_FOUND`.
    """

    valid: Literal[False] = False
    code: Literal["NOT_FOUND"] = "NOT_FOUND"


class VerifiedApiKey(Answer):
    """Result of verifying a key.

    Attributes:
        valid: Whether the key works and has the required permissions.
        code: `VALID`, or why the key was refused.
        id: The id of the key.
        organization_id: The id of the organization that owns the key.
        name: The name of the key.
        permissions: The permissions that were granted to the key.
        missing_permissions: The required permissions that the key does not have.
        metadata: Your own data about the key.
        expires_at: When the key expires. null if it never does.
        allowed_ips: The IP addresses and ranges that the key can be used from. null if from anywhere.
        rate_limit: What is left of the rate limit of the key or of its organization, whichever is tighter. null if
            there is none, or if the key was refused before its limits were asked.
        quota: What is left of the quota of the key or of its organization, likewise.
        retry_after_seconds: In how many seconds a use that is `RATE_LIMITED` or `QUOTA_EXCEEDED` would be admitted if
            nothing else is used. null for other codes, and if it never would be.
        leak: The report that the text of the key is public. null if there is none.
    """

    valid: bool
    code: Literal[
        "VALID",
        "EXPIRED",
        "DISABLED",
        "ORGANIZATION_FROZEN",
        "IP_NOT_ALLOWED",
        "INSUFFICIENT_PERMISSIONS",
        "RATE_LIMITED",
        "QUOTA_EXCEEDED",
    ]
    id: str
    organization_id: str
    name: str
    permissions: list[str]
    missing_permissions: list[str]
    metadata: dict[str, MetadataValue]
    expires_at: WrittenMoment | None
    allowed_ips: list[str] | None
    rate_limit: RateLimitStatus | None
    quota: QuotaStatus | None
    retry_after_seconds: int | None
    leak: Leak | None


class UndecidedApiKey(Answer):
    """The key could not be decided. Ask again for this key.

    Attributes:
        valid: Always `false`.
        code: Always `SERVICE_UNAVAILABLE`: the key's quota could not be asked, or there was no time, or no room in the
            answer, left for the key.
    """

    valid: Literal[False] = False
    code: Literal["SERVICE_UNAVAILABLE"] = "SERVICE_UNAVAILABLE"


class VerifiedApiKeys(Answer):
    """Results of verifying keys.

    Attributes:
        results: One for each key, in order.
    """

    results: list[VerifiedApiKey | UnknownApiKey | UndecidedApiKey]


class CurrentApiKey(Answer):
    """The key of the request, as its holder sees it. Without a report of a leak, which a thief would read too.

    Attributes:
        id: The id of the key.
        organization_id: The id of the organization that owns the key.
        name: The name of the key.
        permissions: The permissions that were granted to the key.
        metadata: The organization's own data about the key.
        hint: The beginning and end of the key's text.
        created_at: When the key was created.
        expires_at: When the key expires. null if it never does.
        rate_limit: How fast the key can be used. null if it has no rate limit.
        quota: How often the key can be used. null if it has no quota.
        allowed_ips: The IP addresses and ranges that the key can be used from. null if from anywhere.
    """

    id: str
    organization_id: str
    name: str
    permissions: list[str]
    metadata: dict[str, MetadataValue]
    hint: str
    created_at: WrittenMoment
    expires_at: WrittenMoment | None
    rate_limit: RateLimit | None
    quota: Quota | None
    allowed_ips: list[str] | None


class CurrentOrganization(Answer):
    """The organization of the session, as its members see it.

    Attributes:
        id: The id of the organization in this API.
        name: The name of the organization. null if it is not known yet.
        created_at: When the organization was created. null if it is not known yet.
        pending_deletion_at: When the organization will be deleted. null if no deletion is scheduled.
        role: Your role in the organization.
        permissions: The permissions that keys of this deployment can have.
        rate_limit: How fast the organization's keys can be used together. null if they have no common rate limit.
        quota: How often the organization's keys can be used together. null if they have no common quota.
    """

    id: str
    name: str | None
    created_at: WrittenMoment | None
    pending_deletion_at: WrittenMoment | None
    role: Literal["owner", "admin", "member"]
    permissions: list[str]
    rate_limit: RateLimit | None
    quota: Quota | None


class AuditLogActor(Answer):
    """The actor of a change.

    Attributes:
        type: `user`, `api_key`, `operator`, `identity_provider` or `system`.
        id: The id of the user or key, the ARN of the operator's AWS credentials, the `source` of the identity
            provider's event, or the job of the system.
        name: The name of the key at that time, the user or session at the end of the operator's ARN, or the system's
            job in words. null if no name is known, as for users and the identity provider.
    """

    type: str
    id: str
    name: str | None


class AuditLog(Answer):
    """A record of the audit log.

    Attributes:
        id: The id of the record.
        event: What happened, such as `api_key.created`.
        actor: The user, key, operator or system that made the change.
        target_id: The id of what was changed.
        target_type: The type of what was changed, such as `api_key`.
        changes: The changed fields, `before` and `after`.
        source_ip: The IP address of the request. null if there was no request.
        request_id: The `x-request-id` of the request. null if there was no request.
        created_at: When it happened. For events of the identity provider, the time that the provider gave.
        received_at: When the record was written. For events of the identity provider, this can be much later.
        reason: Why the key was disabled, rotated or deleted: `compromised`, `superseded`, `no_longer_used` or `other`.
            null if that was not said.
    """

    id: str
    event: str
    actor: AuditLogActor
    target_id: str
    target_type: str
    changes: dict[str, object]
    source_ip: str | None
    request_id: str | None
    created_at: WrittenMoment
    received_at: WrittenMoment
    reason: str | None


class PublishedAuditLog(AuditLog):
    """A record of the audit log, as the event of it has it.

    Attributes:
        organization_id: The id of the organization whose log has the record.
    """

    organization_id: str


class LeakResult(Answer):
    """The outcome of a report of one text.

    Attributes:
        outcome: `reported`: the key is disabled, or marked, as this deployment is configured. `already_reported`: it
            was before. `inactive`: the text was a key and is not accepted any more. `accepted`: the text is a key, and
            the report is processed within minutes. `unknown`: the text is not a key of this service.
    """

    outcome: Literal["reported", "already_reported", "inactive", "accepted", "unknown"]


class LeakResults(Answer):
    """The outcomes of a report.

    Attributes:
        results: One for each text, in order.
    """

    results: list[LeakResult]


class GitHubLabel(BaseModel):
    """Whether a match is a key, in GitHub's format.

    Attributes:
        token_hash: The SHA-256 of the token, in hexadecimal.
        token_type: The type of the match.
        label: Whether the token was issued by this service, even if it is not accepted any more.
    """

    model_config = ConfigDict(defer_build=True)

    token_hash: str
    token_type: str
    label: Literal["true_positive", "false_positive"]
