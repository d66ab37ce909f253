"""Events of an identity provider about organizations and their members, as the stack's event bus takes them.

docs/schemas/organization-event.json is made of these models; docs/organization-events.md explains them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, WithJsonSchema, model_validator
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticCustomError

from keywright.api.fields import Moment, QuotaPeriod, QuotaUses, RateLimitUses, WindowSeconds
from keywright.api.json_body import parse_object
from keywright.api.validation import validate
from keywright.domain.limits import Period, Quota, RateLimit
from keywright.domain.organization_state import Setting
from keywright.errors import ServiceError
from keywright.ids import MAXIMUM_ID_BYTES, is_plain

if TYPE_CHECKING:
    from pydantic.config import JsonDict
    from pydantic_core import CoreSchema

ORGANIZATION_NAME_CHARACTERS = 255
USAGE_PLAN_KEY = re.compile("[!-~]{20,128}")
"""Amazon API Gateway Developer Guide, "Usage plans and API keys for REST APIs": a value has 20 to 128 characters. The
guide calls it alphanumeric; other characters are left to API Gateway to refuse."""


class UnusableEventError(Exception):
    """No retry can help this event; the message says what is wrong, without repeating any of its text."""


def _wrong(rule: str) -> PydanticCustomError:
    return PydanticCustomError("rule", "{rule}", {"rule": rule})


def _organization_id(text: str) -> str:
    if len(text.encode()) > MAXIMUM_ID_BYTES:
        raise _wrong(f"must have at most {MAXIMUM_ID_BYTES} bytes")
    return text


def _user_id(text: str) -> str:
    # As the subject of a session token: any other id could never sign in.
    if len(text.encode()) > MAXIMUM_ID_BYTES or not is_plain(text):
        raise _wrong(f"must have at most {MAXIMUM_ID_BYTES} bytes, printable, without quotation marks and backslashes")
    return text


def _name(text: str) -> str:
    trimmed = text.strip()
    if not trimmed or not trimmed.isprintable():
        raise _wrong("must be printable and not blank")
    return trimmed


def _usage_plan_key(text: str) -> str:
    if not USAGE_PLAN_KEY.fullmatch(text):
        raise _wrong("must have 20 to 128 printable ASCII characters, without spaces")
    return text


def _ascii(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        raise _wrong("must consist of printable ASCII characters")
    return text


class _Part(BaseModel):
    """A part of an event. Unknown fields are ignored."""

    model_config = ConfigDict(strict=True, frozen=True)


class OrganizationReference(_Part):
    """An organization."""

    id: Annotated[str, Field(min_length=1, max_length=MAXIMUM_ID_BYTES), AfterValidator(_organization_id)] = Field(
        description="The value of the session tokens' organization claim: a UUID in lower case, or a name for it."
    )


OrganizationName = Annotated[
    str,
    Field(min_length=1, max_length=ORGANIZATION_NAME_CHARACTERS, description="White space around it is removed."),
    AfterValidator(_name),
]


class NamedOrganization(OrganizationReference):
    """An organization and its name."""

    name: OrganizationName


def _without_default(schema: JsonDict) -> None:
    schema.pop("default")


class OrganizationRateLimit(_Part):
    """A rate: `limit` uses in each window on average, and at most `burst` at once."""

    limit: RateLimitUses
    window_seconds: WindowSeconds = Field(alias="windowSeconds")
    burst: RateLimitUses = Field(
        default=0, json_schema_extra=_without_default, description="At most `limit`, which is the default."
    )

    @model_validator(mode="after")
    def _burst_within_limit(self) -> Self:
        if self.burst > self.limit:
            raise _wrong("must have a burst of at most its limit")
        return self

    @property
    def rate(self) -> RateLimit:
        """The rate."""
        return RateLimit(self.limit, self.window_seconds, self.burst or self.limit)


class OrganizationQuota(_Part):
    """A number of uses in each day, week or month of the UTC calendar, or in total."""

    limit: QuotaUses
    period: QuotaPeriod

    @property
    def quota(self) -> Quota:
        """The quota."""
        return Quota(self.limit, Period(self.period))


UsagePlanKey = Annotated[
    str,
    AfterValidator(_usage_plan_key),
    WithJsonSchema({"type": "string", "pattern": f"^{USAGE_PLAN_KEY.pattern}$"}),
]


class UpdatedOrganization(OrganizationReference):
    """An organization, with a new name, new limits or both; omitted fields stay as they are, null clears a limit."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [{"required": [name]} for name in ("name", "rateLimit", "quota", "usagePlanKey")],
        }
    )

    name: OrganizationName = Field(default="", json_schema_extra=_without_default)
    rate_limit: OrganizationRateLimit | None = Field(
        default=None, alias="rateLimit", json_schema_extra=_without_default, description="Of all its keys together."
    )
    quota: OrganizationQuota | None = Field(
        default=None, json_schema_extra=_without_default, description="Of all its keys together."
    )
    usage_plan_key: UsagePlanKey | None = Field(
        default=None,
        alias="usagePlanKey",
        repr=False,
        json_schema_extra=_without_default,
        description="The value of an API key of API Gateway, whose usage plans count requests with the keys.",
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set - {"id"}:
            raise _wrong("must give a name, rateLimit, quota or usagePlanKey")
        return self

    @property
    def settings(self) -> dict[Setting, str | None]:
        """The new texts of the settings that are given; None clears one."""
        texts = {
            Setting.RATE_LIMIT: None if self.rate_limit is None else self.rate_limit.rate.stored(),
            Setting.QUOTA: None if self.quota is None else self.quota.quota.stored(),
            Setting.USAGE_PLAN_KEY: self.usage_plan_key,
        }
        return {setting: text for setting, text in texts.items() if setting in self.model_fields_set}


class MemberReference(_Part):
    """A member."""

    user_id: Annotated[str, Field(min_length=1, max_length=MAXIMUM_ID_BYTES), AfterValidator(_user_id)] = Field(
        alias="userId", description="The `sub` of the person's session tokens."
    )


RoleName = Literal["owner", "admin", "member"]


class NewMember(MemberReference):
    """A new member and their role."""

    role: RoleName = "member"


class MemberWithRole(MemberReference):
    """A member and their new role."""

    role: RoleName


class MemberState(MemberReference):
    """A member and their state; omitted fields stay as they are."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["role"]}, {"required": ["suspended"]}]})

    role: RoleName = Field(default="member", json_schema_extra=_without_default)
    suspended: bool = Field(default=False, json_schema_extra=_without_default)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set & {"role", "suspended"}:
            raise _wrong("must give a role, suspended, or both")
        return self


class _Detail(_Part):
    event_id: Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_ascii)] = Field(
        alias="eventId", description="The provider's id of this event; the same each time it is sent."
    )
    time: Moment = Field(description="When it happened, RFC 3339. The later of two events counts. Cut to milliseconds.")


class OrganizationDetail(_Detail):
    """Details of an event about an organization."""

    organization: OrganizationReference


class NamedOrganizationDetail(_Detail):
    """Details of an event about an organization and its name."""

    organization: NamedOrganization


class UpdatedOrganizationDetail(_Detail):
    """Details of an event about an organization that has changed."""

    organization: UpdatedOrganization


class NewMemberDetail(OrganizationDetail):
    """Details of an event about a new member."""

    member: NewMember


class MemberWithRoleDetail(OrganizationDetail):
    """Details of an event about a member and their role."""

    member: MemberWithRole


class MemberStateDetail(OrganizationDetail):
    """Details of an event about the state of a member."""

    member: MemberState


class MemberDetail(OrganizationDetail):
    """Details of an event about a member."""

    member: MemberReference


class _Event(_Part):
    """An event as EventBridge delivers it; its other fields (id, time, account, ...) are ignored."""

    source: Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_ascii)] = Field(
        description="The identity provider, for the audit log."
    )


class OrganizationCreated(_Event):
    """An organization was created."""

    type: Literal["organization.created"] = Field(alias="detail-type")
    detail: NamedOrganizationDetail


class OrganizationUpdated(_Event):
    """An organization was renamed, or has other limits."""

    type: Literal["organization.updated"] = Field(alias="detail-type")
    detail: UpdatedOrganizationDetail


class OrganizationDeletionRequested(_Event):
    """The deletion of an organization is scheduled for the end of the grace period; its keys stop working now."""

    type: Literal["organization.deletion_requested"] = Field(alias="detail-type")
    detail: OrganizationDetail


class OrganizationDeletionCanceled(_Event):
    """The scheduled deletion of an organization is canceled."""

    type: Literal["organization.deletion_canceled"] = Field(alias="detail-type")
    detail: OrganizationDetail


class MemberAdded(_Event):
    """A user is a member of an organization."""

    type: Literal["member.added"] = Field(alias="detail-type")
    detail: NewMemberDetail


class MemberRoleChanged(_Event):
    """The role of a member has changed."""

    type: Literal["member.role_changed"] = Field(alias="detail-type")
    detail: MemberWithRoleDetail


class MemberUpdated(_Event):
    """A member's role, suspension or both have changed; for providers that send a member's whole state."""

    type: Literal["member.updated"] = Field(alias="detail-type")
    detail: MemberStateDetail


class MemberSuspended(_Event):
    """A member is suspended: every request is refused until they are reinstated."""

    type: Literal["member.suspended"] = Field(alias="detail-type")
    detail: MemberDetail


class MemberReinstated(_Event):
    """The suspension of a member has ended."""

    type: Literal["member.reinstated"] = Field(alias="detail-type")
    detail: MemberDetail


class MemberRemoved(_Event):
    """A user is no longer a member."""

    type: Literal["member.removed"] = Field(alias="detail-type")
    detail: MemberDetail


OrganizationEvent = (
    OrganizationCreated
    | OrganizationUpdated
    | OrganizationDeletionRequested
    | OrganizationDeletionCanceled
    | MemberAdded
    | MemberRoleChanged
    | MemberUpdated
    | MemberSuspended
    | MemberReinstated
    | MemberRemoved
)

_MODELS: dict[object, type[OrganizationEvent]] = {
    get_args(model.model_fields["type"].annotation)[0]: model for model in get_args(OrganizationEvent)
}


def parse_event(body: str) -> OrganizationEvent:
    """Parse an event as EventBridge writes it.

    Raises:
        UnusableEventError: it is none of these events, or one of its fields is missing or invalid.
    """
    try:
        content = parse_object(body.encode("utf-8", "surrogatepass"))
    except ServiceError as error:
        # Not its message, which names a duplicate field.
        raise UnusableEventError(f"the event cannot be read: {error.reason}") from None
    kind = content.get("detail-type")
    model = _MODELS.get(kind) if isinstance(kind, str) else None
    if model is None:
        raise UnusableEventError(f"detail-type must be one of {', '.join(sorted(map(str, _MODELS)))}")
    try:
        return validate(model, content)
    except ServiceError as error:
        raise UnusableEventError(error.message) from None


class _Untitled(GenerateJsonSchema):
    """A generator without the titles that pydantic makes of fields' names."""

    def field_title_should_be_set(self, schema: CoreSchema) -> bool:
        """Return False for every field."""
        del schema
        return False


def json_schema() -> dict[str, object]:
    """Return the JSON Schema of all events."""
    events: TypeAdapter[OrganizationEvent] = TypeAdapter(Annotated[OrganizationEvent, Field(discriminator="type")])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "OrganizationEvent",
        "description": "An event on Keywright's event bus for organizations.",
        **events.json_schema(schema_generator=_Untitled),
    }
