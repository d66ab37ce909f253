"""Names of actors: what an audit record itself says of them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from keywright.domain.principals import ActorType
from keywright.organizations.audit_log import shown
from keywright.store.audit import AuditRecord
from tests.support.environment import ROOT

KEY = "019b7892-1c00-7e49-b4ac-66a7be17471b"
OTHER_KEY = "019b7d8f-bc44-7fb4-b20f-bb11be1024f7"
DELETED = {"before": {"name": "Nightly import", "enabled": True}, "after": None}

ROLE = "arn:aws:sts::123456789012:assumed-role"
CASES: list[tuple[ActorType, str, dict[str, Any], str | None]] = [
    (ActorType.API_KEY, KEY, DELETED, "Nightly import"),
    (ActorType.API_KEY, KEY, {"before": {"enabled": True}, "after": {"enabled": False}}, None),
    (ActorType.API_KEY, KEY, {"before": None, "after": {"name": "Copy"}}, None),
    (ActorType.API_KEY, KEY, {"after": {"name": "Copy"}}, None),
    (ActorType.API_KEY, OTHER_KEY, DELETED, None),
    (ActorType.USER, "user_1", DELETED, None),
    (ActorType.USER, "auth0|google-oauth2/1", DELETED, None),
    (ActorType.USER, KEY, DELETED, None),
    (ActorType.OPERATOR, f"{ROLE}/AWSReservedSSO_Admin_0123456789abcdef/ada@example.com", DELETED, "ada@example.com"),
    (
        ActorType.OPERATOR,
        "arn:aws-cn:sts::123456789012:assumed-role/deploy/i-0123456789abcdef0",
        DELETED,
        "i-0123456789abcdef0",
    ),
    (ActorType.OPERATOR, "arn:aws:sts::123456789012:federated-user/ada", DELETED, "ada"),
    (ActorType.OPERATOR, "arn:aws:iam::123456789012:user/ada", DELETED, "ada"),
    (ActorType.OPERATOR, "arn:aws:iam::123456789012:user/engineering/europe/ada", DELETED, "ada"),
    (ActorType.OPERATOR, "arn:aws:iam::123456789012:root", DELETED, None),
    (ActorType.OPERATOR, "operator:ada", DELETED, None),
    (ActorType.OPERATOR, "operator:corp/ada", DELETED, None),
    (ActorType.IDENTITY_PROVIDER, "com.example/auth", DELETED, None),
    (ActorType.SYSTEM, "leak_reports", DELETED, "leak reports"),
    (ActorType.SYSTEM, "verification", DELETED, "verification"),
]
"""Type and id of the actor, the record's changes to KEY, and the name."""


@pytest.mark.parametrize(("actor_type", "actor_id", "changes", "name"), CASES)
def test_a_name(actor_type: ActorType, actor_id: str, changes: dict[str, Any], name: str | None) -> None:
    """The name is in the record: of a key that deletes itself, an operator's session or user, a job; otherwise null."""
    time = "2026-03-01T12:00:00.000Z"
    record = AuditRecord(
        record_id="019b7892-1c00-79bb-932d-bbfc24e41963",
        event="api_key.deleted",
        actor_type=actor_type,
        actor_id=actor_id,
        target_type="api_key",
        target_id=KEY,
        changes=changes,
        source_ip=None,
        request_id=None,
        created_at=time,
        received_at=time,
    )

    assert {"type": actor_type, "id": actor_id, "name": name} == shown(record).actor.model_dump()


def test_every_type_of_actor_has_a_case() -> None:
    """A new type of actors needs a decision about names."""
    assert set(ActorType) == {actor_type for actor_type, *_ in CASES}


def test_every_job_of_the_system_is_documented() -> None:
    """The customers' page has the id of each job that writes audit records."""
    page = (ROOT / "docs" / "using.md").read_text(encoding="utf-8")
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "layers").rglob("*.py")]
    jobs = {job for source in sources for job in re.findall(r'Actor\(ActorType\.SYSTEM, "(\w+)"\)', source)}
    (row,) = re.findall(r"\| `system` \| (.*?) \|", page)

    assert jobs == set(re.findall(r"`(\w+)`", row))
    assert jobs
