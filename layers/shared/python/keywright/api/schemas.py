"""The models of requests and responses. Their docstrings are the descriptions in the OpenAPI description."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from keywright.api.fields import (
    DEFAULT_LIMIT,
    AuditEvents,
    BooleanText,
    Cursor,
    Day,
    GracePeriodSeconds,
    Limit,
    Metadata,
    MetadataValue,
    Moment,
    Name,
    Permission,
    Permissions,
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


class Body(BaseModel):
    """A request body. Unknown fields are refused."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


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
    """

    model_config = ConfigDict(json_schema_extra=_additional_properties)

    name: Name
    permissions: Permissions
    metadata: Metadata = Field(default_factory=dict)
    expires_at: Moment | None = Field(default=None, alias="expiresAt")

    @model_validator(mode="before")
    @classmethod
    def _ignore_additional_fields(cls, values: Mapping[str, object]) -> dict[str, object]:
        known = {spelling(name) for name in field_names(cls)}
        return {name: value for name, value in values.items() if spelling(name) in known}


_OMITTED: Any = None
"""The default of a field that can be omitted and cannot be null. An update never reads it."""


class UpdateApiKey(Body):
    """Fields to change. Omitted fields stay as they are.

    Attributes:
        name: The name that people recognize the key by. White space around it is removed; control characters are not
            allowed.
        enabled: Whether the key is enabled. A disabled key is refused.
        permissions: The new list of permissions. It replaces the current one.
        metadata: The new metadata. It replaces the current metadata.
        expires_at: When the key expires, a time in the future. null removes the expiry.
    """

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    name: Name = _OMITTED
    enabled: bool = _OMITTED
    permissions: Permissions = _OMITTED
    metadata: Metadata = _OMITTED
    expires_at: Moment | None = Field(default=None, alias="expiresAt")

    @model_validator(mode="after")
    def _has_changes(self) -> Self:
        if not self.model_fields_set:
            raise broken_rule(
                "contains no changes", "Send at least one of: name, enabled, permissions, metadata, expiresAt."
            )
        return self


class RotateApiKey(Body):
    """Options of a rotation.

    Attributes:
        grace_period_seconds: How long the previous secret keeps working, up to 7 days. By default it stops working at
            once.
    """

    grace_period_seconds: GracePeriodSeconds = Field(default=0, alias="gracePeriodSeconds")


class VerifyApiKey(Body):
    """A key to verify, and the permissions it needs.

    Attributes:
        key: The text of the key, as your caller presented it.
        permissions: The permissions that the key must have. By default none are required.
    """

    key: str = Field(repr=False)
    permissions: list[Permission] = Field(default_factory=list)


# ---- Query parameters ----------------------------------------------------------------------------------------


class Query(BaseModel):
    """Query parameters, as text. Unknown parameters are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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
    """

    enabled: BooleanText = None
    permission: Permission | None = None


class ListAuditLogsQuery(PageQuery):
    """A page of the audit log. A record must match every filter.

    Attributes:
        event: Only these events, comma-separated.
        actor_user_id: Only actions of this user.
        actor_api_key_id: Only actions of this key.
        target_id: Only changes to this key, member or organization.
        created_from: Only records created at or after this time.
        created_to: Only records created at or before this time.
    """

    event: AuditEvents = ()
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
    """Uses of a key by day.

    Attributes:
        from_: The first day, in UTC.
        to: The last day, in UTC.
        request_count: How many times the key was verified in these days, accurate to about a minute.
        days: Every day, also those without uses.
    """

    from_: WrittenDay = Field(alias="from")
    to: WrittenDay
    request_count: int
    days: list[ApiKeyUsageOfDay]


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
    """

    valid: bool
    code: Literal["VALID", "EXPIRED", "DISABLED", "ORGANIZATION_FROZEN", "INSUFFICIENT_PERMISSIONS"]
    id: str
    organization_id: str
    name: str
    permissions: list[str]
    missing_permissions: list[str]
    metadata: dict[str, MetadataValue]
    expires_at: WrittenMoment | None


class CurrentApiKey(Answer):
    """The key of the request, as its holder sees it.

    Attributes:
        id: The id of the key.
        organization_id: The id of the organization that owns the key.
        name: The name of the key.
        permissions: The permissions that were granted to the key.
        metadata: The organization's own data about the key.
        hint: The beginning and end of the key's text.
        created_at: When the key was created.
        expires_at: When the key expires. null if it never does.
    """

    id: str
    organization_id: str
    name: str
    permissions: list[str]
    metadata: dict[str, MetadataValue]
    hint: str
    created_at: WrittenMoment
    expires_at: WrittenMoment | None


class AuditLogActor(Answer):
    """The actor of a change.

    Attributes:
        type: `user`, `api_key`, `operator`, `identity_provider` or `system`.
        id: The id of the actor.
    """

    type: str
    id: str


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
