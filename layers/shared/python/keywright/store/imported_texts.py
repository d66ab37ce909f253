"""Items that name the keys of imported texts. One exists from the import of its key until the key is deleted.

It stays when the key is rotated, although its text then works no longer. So a text that was rotated out is recognized,
and an import that is repeated finds it instead of making it work again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from keywright.domain.imported_text import Algorithm
from keywright.store import layout, table
from keywright.store.table import IS_NEW

if TYPE_CHECKING:
    from collections.abc import Iterable

    from keywright.store.layout import Item
    from keywright.store.table import Step


@dataclass(frozen=True, slots=True)
class NamedKey:
    """The key of an imported text.

    Attributes:
        pepper_version: which pepper the digest is keyed with.
    """

    organization_id: UUID
    key_id: UUID
    algorithm: Algorithm
    pepper_version: int


class ImportedError(Exception):
    """The text is imported already."""

    def __init__(self, named: NamedKey) -> None:
        super().__init__(f"it is that of {named.key_id}")
        self.named = named


def put_new(digest: str, named: NamedKey) -> Step:
    """Name the key of a text; refused with ImportedError if its key is named already."""
    item: Item = {
        **layout.imported_text_key(digest),
        "organization_id": {"S": str(named.organization_id)},
        "key_id": {"S": str(named.key_id)},
        "algorithm": {"S": named.algorithm},
        "pepper_version": {"N": str(named.pepper_version)},
    }
    return table.put(item, IS_NEW, lambda there: ImportedError(_parse(there or item)))


def delete(digest: str) -> Step:
    """Delete the item of a text whose key is deleted."""
    return table.delete(layout.imported_text_key(digest))


def read(digests: Iterable[str]) -> dict[str, NamedKey]:
    """Read the keys of texts, strongly consistent: a read unit for each digest, and a request for 100 of them.

    Returns:
        Those that there are, by digest.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if DynamoDB throttles or does not answer.
    """
    keys = [layout.imported_text_key(digest) for digest in dict.fromkeys(digests)]
    return {layout.sort_key_of(item): _parse(item) for item in table.read_all(keys)}


def _parse(item: Item) -> NamedKey:
    return NamedKey(
        UUID(item["organization_id"]["S"]),
        UUID(item["key_id"]["S"]),
        Algorithm(item["algorithm"]["S"]),
        int(item["pepper_version"]["N"]),
    )
