"""Keys of other issuers: their texts, and what the issuers stored of them."""

from __future__ import annotations

import secrets
import string
from typing import TYPE_CHECKING, Any
from uuid import UUID

from keywright.domain import imported_text
from keywright.domain.imported_text import Algorithm
from keywright.domain.principals import Actor, ActorType
from keywright.operators import imports
from keywright.operators.imports import Line, Source
from tests.support.world import ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Sequence

OPERATOR = Actor(ActorType.OPERATOR, "arn:aws:sts::123456789012:assumed-role/Ops/ada")
ORGANIZATION = UUID(ORGANIZATION_ID)
FIELDS = {"name": "CI", "permissions": ("sessions:read",), "metadata": '{"plan":"pro"}', "enabled": True}
KINDS = ("text", *Algorithm)
"""Ways in which an issuer stores a key."""

_LETTERS = string.ascii_letters + string.digits


def new_text(prefix: str = "acme_") -> str:
    """Return a text as another issuer would draw it."""
    return prefix + "".join(secrets.choice(_LETTERS) for _ in range(32))


def source(text: str, kind: str = "text", line: int = 2, **fields: Any) -> Source:
    """Return the source of a key that its issuer stored in one of KINDS."""
    if kind == "text":
        return imports.source_of_text(line, text, FIELDS | fields)
    algorithm = Algorithm(kind)
    return Source(line, None, {algorithm: imported_text.hash_of(text, algorithm)}, FIELDS | fields)


def imported(text: str, kind: str = "text", **fields: Any) -> Line:
    """Import a key."""
    return imports.import_key(OPERATOR, ORGANIZATION, source(text, kind, **fields))


def run_import(sources: Sequence[Source], organization_id: UUID = ORGANIZATION) -> list[Line]:
    """Check and import keys, as the command does."""
    checked = list(imports.check(organization_id, sources))
    return [
        line or imports.import_key(OPERATOR, organization_id, each) for each, line in zip(sources, checked, strict=True)
    ]
