"""The JSON that `--json` prints. Its JSON Schemas are in docs/schemas/admin."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Literal

from pydantic import ConfigDict
from pydantic.json_schema import GenerateJsonSchema

from keywright.api import fields
from keywright.api.schemas import Answer, ApiKeyDetails, AuditLog, RotatedApiKey
from keywright.operators import imports as operator_imports
from keywright.operators import keys as operator_keys

if TYPE_CHECKING:
    from pydantic import BaseModel

    from keywright.operators import members as operator_members
    from keywright.operators import organizations as operator_organizations
    from keywright.operators.archive_check import Report


class RateLimitOutput(Answer):
    """A rate: `limit` uses in each window on average, and at most `burst` at once."""

    model_config = ConfigDict(extra="forbid")

    limit: int
    window_seconds: int
    burst: int


class QuotaOutput(Answer):
    """A number of uses in each day, week or month, or in total."""

    model_config = ConfigDict(extra="forbid")

    limit: int
    period: fields.QuotaPeriod


class OrganizationOutput(Answer):
    """An organization. Times are RFC 3339; null means unknown or not applicable.

    Limits are those of all its keys together. Of the usage plan key only the last four characters are shown.
    """

    model_config = ConfigDict(extra="forbid")

    id: str
    name: str | None
    created_at: fields.WrittenMoment | None
    pending_deletion_at: fields.WrittenMoment | None
    rate_limit: RateLimitOutput | None
    quota: QuotaOutput | None
    usage_plan_key: str | None

    @classmethod
    def of(cls, organization: operator_organizations.ShownOrganization) -> OrganizationOutput:
        """Return the JSON form of an organization."""
        return cls(
            id=str(organization.id),
            name=organization.name,
            created_at=organization.created_at,
            pending_deletion_at=organization.pending_deletion_at,
            rate_limit=organization.rate_limit and RateLimitOutput.model_validate(organization.rate_limit.as_json()),
            quota=organization.quota and QuotaOutput.model_validate(organization.quota.as_json()),
            usage_plan_key=organization.usage_plan_key,
        )


class MemberOutput(Answer):
    """A member of an organization."""

    model_config = ConfigDict(extra="forbid")

    user_id: str
    role: str
    added_at: fields.WrittenMoment | None
    suspended_at: fields.WrittenMoment | None

    @classmethod
    def of(cls, member: operator_members.ShownMember) -> MemberOutput:
        """Return the JSON form of a member."""
        return cls(user_id=member.user_id, role=member.role, added_at=member.added_at, suspended_at=member.suspended_at)


class KeyOutput(ApiKeyDetails):
    """An API key, as the API shows it."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def of(cls, key: ApiKeyDetails) -> KeyOutput:
        """Return the JSON form of a key."""
        return cls.model_validate(key.model_dump())


class OrganizationList(Answer):
    """Output of `organizations list`: every organization, by creation time."""

    model_config = ConfigDict(extra="forbid")

    organizations: list[OrganizationOutput]


class MemberList(Answer):
    """Output of `members list`: every member of an organization, by user id."""

    model_config = ConfigDict(extra="forbid")

    members: list[MemberOutput]


class KeyList(Answer):
    """Output of `keys list`, newest first."""

    model_config = ConfigDict(extra="forbid")

    keys: list[KeyOutput]


class ChangedOrganization(Answer):
    """Result of changing an organization. `changed` is false if there was nothing to do."""

    model_config = ConfigDict(extra="forbid")

    changed: bool
    organization: OrganizationOutput


class ChangedMember(Answer):
    """Result of changing a member. `changed` is false if there was nothing to do; a removed `member` is null."""

    model_config = ConfigDict(extra="forbid")

    changed: bool
    organization_id: str
    user_id: str
    member: MemberOutput | None


class ChangedKey(Answer):
    """Result of enabling or disabling a key. `changed` is false if there was nothing to do."""

    model_config = ConfigDict(extra="forbid")

    changed: bool
    organization_id: str
    key: KeyOutput


class RotatedKey(RotatedApiKey):
    """Output of `keys rotate`, as the API answers. `key` is the new text, which is never shown again."""

    model_config = ConfigDict(extra="forbid")


class IdentifiedKey(Answer):
    """Output of `keys identify`: the key that a text names. Only `keys verify` proves that the text is the key's.

    `organization` and `key` are null if there are none (any more).
    """

    model_config = ConfigDict(extra="forbid")

    organization_id: str
    key_id: str
    state: operator_keys.KeyState
    organization: OrganizationOutput | None
    key: KeyOutput | None


class VerifiedKey(Answer):
    """Output of `keys verify`, as the API answers. Only `valid` and `code` are there if `code` is `NOT_FOUND`."""

    model_config = ConfigDict(extra="allow")

    valid: bool
    code: str


class AuditRecordOutput(AuditLog):
    """A record of the audit log, as the API shows it: a line of `audit --follow`."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def of(cls, record: AuditLog) -> AuditRecordOutput:
        """Return the JSON form of a record."""
        return cls.model_validate(record.model_dump())


class AuditRecordList(Answer):
    """Output of `audit`: the latest records, oldest first. `hasMore` tells whether there are older ones."""

    model_config = ConfigDict(extra="forbid")

    records: list[AuditRecordOutput]
    has_more: bool


class ArchiveFinding(Answer):
    """A difference between the audit log and its archive. Fields of the record are null if it is about an object."""

    model_config = ConfigDict(extra="forbid")

    what: Literal["changed", "removed", "added", "missing", "unreadable", "foreign", "head"]
    place: str
    text: str
    organization_id: str | None
    record_id: str | None
    event: str | None
    created_at: str | None


class ObjectByHand(Answer):
    """An object of the archive whose records an operator archived. `writtenAt` is by the clock of S3."""

    model_config = ConfigDict(extra="forbid")

    number: int
    records: int
    written_at: str


class VerifiedArchive(Answer):
    """Result of `audit verify`. Numbers are of records, `objects` and `behind` of objects.

    `place` of a finding is `table` or the key of an object. `head` is null if the archive is empty, `began` also if its
    first object is missing or was changed.
    """

    model_config = ConfigDict(extra="forbid")

    bucket: str
    head: str | None
    began: str | None
    findings: list[ArchiveFinding]
    objects: int
    archived: int
    same: int
    expired: int
    purged: int
    purged_organizations: list[str]
    by_hand: int
    by_hand_objects: list[ObjectByHand]
    pending: int
    older: int
    newer: int
    behind: int

    @classmethod
    def of(cls, bucket: str, report: Report) -> VerifiedArchive:
        """Return the JSON form of a report."""
        head = report.head
        return cls(
            bucket=bucket,
            head=None if head.digest is None else f"{head.number}:{head.digest}",
            began=report.began,
            findings=[ArchiveFinding(**asdict(finding)) for finding in report.findings],
            objects=report.objects,
            archived=report.archived,
            same=report.same,
            expired=report.expired,
            purged=sum(report.purged.values()),
            purged_organizations=sorted(report.purged),
            by_hand=report.by_hand,
            by_hand_objects=[ObjectByHand(**asdict(each)) for each in report.by_hand_objects],
            pending=report.pending,
            older=report.older,
            newer=report.newer,
            behind=report.behind,
        )


class RevokedKeys(Answer):
    """Output of `keys revoke`: the ids of the deleted keys."""

    model_config = ConfigDict(extra="forbid")

    organization_id: str
    revoked: list[str]


class ImportedLine(Answer):
    """A line of the file with a key to import. `id` and `name` are null if they are not known."""

    model_config = ConfigDict(extra="forbid")

    line: int
    result: operator_imports.Result
    id: str | None
    name: str | None
    reason: str | None

    @classmethod
    def of(cls, line: operator_imports.Line) -> ImportedLine:
        """Return the JSON form of a line."""
        key_id = None if line.key_id is None else str(line.key_id)
        return cls(line=line.line, result=line.result, id=key_id, name=line.name, reason=line.reason)


class ImportedKeys(Answer):
    """Output of `keys import`: how many keys were imported, and the result of each line.

    `dryRun` is true if nothing was written; `created` then counts the keys that would be.
    """

    model_config = ConfigDict(extra="forbid")

    organization_id: str
    dry_run: bool
    created: int
    already_there: int
    refused: int
    not_tried: int
    lines: list[ImportedLine]


class GitHubPattern(Answer):
    """What GitHub's secret scanning partner program asks for. `endpoint` is null without a deployment."""

    model_config = ConfigDict(extra="forbid")

    name: str
    pattern: str
    endpoint: str | None


class ScanningRules(Answer):
    """Output of `scanning rules`. `pattern` is a regular expression; a key is its group 1."""

    model_config = ConfigDict(extra="forbid")

    prefix: str
    characters: int
    pattern: str
    gitleaks: str
    trufflehog: str
    github: GitHubPattern


class FoundKey(Answer):
    """A text with the checksum of a key, and where it was found: `FILE:LINE`, or the line of the input."""

    model_config = ConfigDict(extra="forbid")

    place: str
    hint: str


class CheckedTexts(Answer):
    """Output of `scanning check`. `others` is the number of texts with the form of a key and a wrong checksum."""

    model_config = ConfigDict(extra="forbid")

    keys: list[FoundKey]
    others: int


SCHEMAS: dict[str, type[BaseModel]] = {
    "audit-record": AuditRecordOutput,
    "audit-records": AuditRecordList,
    "changed-key": ChangedKey,
    "changed-member": ChangedMember,
    "changed-organization": ChangedOrganization,
    "checked-texts": CheckedTexts,
    "identified-key": IdentifiedKey,
    "imported-keys": ImportedKeys,
    "key": KeyOutput,
    "keys": KeyList,
    "members": MemberList,
    "organization": OrganizationOutput,
    "organizations": OrganizationList,
    "revoked-keys": RevokedKeys,
    "rotated-key": RotatedKey,
    "scanning-rules": ScanningRules,
    "verified-archive": VerifiedArchive,
    "verified-key": VerifiedKey,
}
"""The published schemas, by file name without extension."""


def json_schema_of(name: str) -> dict[str, object]:
    """Return a published JSON Schema."""
    schema = SCHEMAS[name].model_json_schema(by_alias=True, mode="serialization", schema_generator=_Untitled)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


class _Untitled(GenerateJsonSchema):
    """Omits the titles that pydantic derives from field names."""

    def field_title_should_be_set(self, schema: object) -> bool:
        del schema
        return False
