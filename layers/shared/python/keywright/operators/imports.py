"""Importing keys that were issued elsewhere, for operators.

A key is written in one transaction, and one after the other: all of them require the same organization, and
transactions on one item at the same time refuse each other (Amazon DynamoDB Developer Guide, "Transaction conflict
handling in DynamoDB").
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from keywright import clock
from keywright.domain import imported_text, key_hash, key_text
from keywright.domain.audit_event import AuditEvent
from keywright.domain.imported_text import Algorithm
from keywright.domain.key_hash import HmacSha256
from keywright.domain.key_text import NotIssuedHere
from keywright.ids import uuid7
from keywright.keys.imported import candidates_of
from keywright.operators.refusals import RefusedError, require_organization, unknown_organization
from keywright.settings import secret_settings
from keywright.store import api_keys, audit, expiries, imported_texts, limits, organizations, pepper, table, usage
from keywright.store.imported_texts import ImportedError, NamedKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from uuid import UUID

    from keywright.domain.principals import Actor
    from keywright.keys.imported import Candidate


@dataclass(frozen=True, slots=True)
class Source:
    """A key to import.

    Attributes:
        line: where it begins in the file.
        text: None if only a hash is known.
        hashes: of the text, by algorithm; at least one.
        fields: of ApiKeyRecord, as they are stored: name, permissions, and so on.
    """

    line: int
    text: str | None = field(repr=False)
    hashes: Mapping[Algorithm, bytes] = field(repr=False)
    fields: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The name of the key."""
        return str(self.fields["name"])


class Result(StrEnum):
    """What was done with a line."""

    CREATED = "created"
    ALREADY_THERE = "already there"
    REFUSED = "refused"
    NOT_TRIED = "not tried"
    """The key can be imported, and was not because other lines are refused."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the report.

    Attributes:
        key_id: of the key; None if there is none.
        reason: why it was refused. It contains no part of a text.
    """

    line: int
    result: Result
    name: str | None = None
    key_id: UUID | None = None
    reason: str | None = None


def source_of_text(line: int, text: str, fields: Mapping[str, Any]) -> Source:
    """Return the source of a key whose text is known.

    Raises:
        RefusedError: no such text would be looked up.
    """
    if not imported_text.may_be_imported(text):
        raise RefusedError(
            f"the key must have {imported_text.SHORTEST} to {imported_text.LONGEST} printable ASCII characters"
        )
    decoded = key_text.decode(text, secret_settings().key_prefix, pepper.peppers().tag_key)
    if decoded is not NotIssuedHere.MALFORMED:
        raise RefusedError("the key has the form of a key of this deployment")
    return Source(line, text, {each: imported_text.hash_of(text, each) for each in Algorithm}, fields)


def check(organization_id: UUID, sources: Sequence[Source]) -> Iterator[Line | None]:
    """Check which keys can be imported, reading 100 digests at once; yield None for each that can.

    Raises:
        NotFoundError: there is no such organization.
        RefusedError: it is scheduled for deletion.
        ConfigurationError: the pepper, the prefix or the parameters of the hash are not set.
        ServiceError: SERVICE_UNAVAILABLE.
    """
    item = require_organization(organization_id)
    if "pending_deletion_at" in item:
        raise _frozen(organization_id)
    keyring = pepper.keyring()
    candidates = {source.line: list(candidates_of(source.hashes, keyring)) for source in sources}
    named = imported_texts.read(candidate.digest for each in candidates.values() for candidate in each)
    first_lines: dict[str, int] = {}
    for source in sources:
        digests = [candidate.digest for candidate in candidates[source.line]]
        there = next((named[digest] for digest in digests if digest in named), None)
        first = min((first_lines.setdefault(digest, source.line) for digest in digests), default=source.line)
        if first < source.line:
            yield _refused(source, f"the same key is on line {first}")
        elif there is not None:
            yield _there(source, organization_id, there)
        else:
            yield None


def import_key(actor: Actor, organization_id: UUID, source: Source) -> Line:
    """Import a key, unless its text is imported already. Without Argon2id: the first use hashes it.

    Raises:
        NotFoundError: there is no such organization.
        RefusedError: it is scheduled for deletion.
        ServiceError: SERVICE_UNAVAILABLE; the key may have been imported, and importing it again is safe.
    """
    keyring = pepper.keyring()
    algorithm = next(iter(source.hashes))
    candidate = next(candidates_of(source.hashes, keyring))
    record = _record(actor, organization_id, source, candidate)
    change = audit.Change(
        AuditEvent.API_KEY_IMPORTED, "api_key", str(record.key_id), before=None, after=record.audited()
    )
    named = NamedKey(organization_id, record.key_id, algorithm, candidate.pepper_version)
    try:
        table.commit(
            [
                organizations.active(organization_id),
                imported_texts.put_new(candidate.digest, named),
                api_keys.put(record),
                usage.put(organization_id, record.key_id),
                *limits.steps(record.key_id, had_limits=False, has_limits=record.has_limits),
                *expiries.steps(None, record),
            ],
            audit.put(organization_id, actor, None, change, record.created_at),
        )
    except organizations.UnknownOrganizationError:
        raise unknown_organization(organization_id) from None
    except organizations.FrozenError:
        raise _frozen(organization_id) from None
    except ImportedError as error:
        return _there(source, organization_id, error.named)
    return Line(source.line, Result.CREATED, source.name, record.key_id)


def _record(actor: Actor, organization_id: UUID, source: Source, candidate: Candidate) -> api_keys.ApiKeyRecord:
    key_id, now = uuid7(), clock.now()
    parts = imported_text.parts(candidate.pepper_version, organization_id, key_id, candidate.hash)
    keys = pepper.keyring().versions[candidate.pepper_version]
    digest = key_hash.keyed_digest(parts.payload, keys.hash_key)
    return api_keys.ApiKeyRecord(
        organization_id=organization_id,
        key_id=key_id,
        hash=key_hash.hash_digest(digest, HmacSha256.of(keys)),
        generation=parts.generation,
        hint=imported_text.hint(source.text, candidate.digest),
        created_at=now,
        updated_at=now,
        imported_as=candidate.digest,
        **{"created_by": actor.id, **source.fields},
    )


def _there(source: Source, organization_id: UUID, named: NamedKey) -> Line:
    if named.organization_id != organization_id:
        return _refused(source, f"the key belongs to organization {named.organization_id}")
    return Line(source.line, Result.ALREADY_THERE, source.name, named.key_id)


def _refused(source: Source, reason: str) -> Line:
    return Line(source.line, Result.REFUSED, source.name, reason=reason)


def _frozen(organization_id: UUID) -> RefusedError:
    return RefusedError(f"organization {organization_id} is scheduled for deletion", organization_id)
