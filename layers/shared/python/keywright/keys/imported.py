"""Finding the keys of imported texts. Only loaded where the setting IMPORTED_KEYS is on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.domain import imported_text
from keywright.domain.imported_text import Algorithm
from keywright.immutable import field, immutable
from keywright.store import imported_texts, pepper

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from keywright.domain.key_text import KeyParts
    from keywright.domain.keyring import Keyring


@immutable
class Candidate:
    """A digest under which the key of a text may be named."""

    digest: str
    pepper_version: int
    hash: bytes = field(repr=False)


def find(texts: Sequence[str]) -> list[KeyParts | None]:
    """Find the keys of texts that have not the form of keys of this service. Whether a key is valid is for others.

    Args:
        texts: any number. One that cannot be an imported key's is not looked up.

    Returns:
        For each text, the parts that verify its secret, or None if it was not imported.

    Raises:
        ServiceError: SERVICE_UNAVAILABLE if DynamoDB throttles or does not answer, or without the pepper.
    """
    keyring = pepper.keyring()
    candidates = [_candidates(text, keyring) for text in texts]
    named = imported_texts.read(candidate.digest for each in candidates for candidate in each)
    return [
        next((_parts(candidate, named) for candidate in each if candidate.digest in named), None) for each in candidates
    ]


def _candidates(text: str, keyring: Keyring) -> list[Candidate]:
    if not imported_text.may_be_imported(text):
        return []
    return list(candidates_of({each: imported_text.hash_of(text, each) for each in Algorithm}, keyring))


def candidates_of(hashes: Mapping[Algorithm, bytes], keyring: Keyring) -> Iterator[Candidate]:
    """Yield the digests of the known hashes of a text, those under the current pepper first."""
    versions = sorted(keyring.versions, key=lambda version: (version == keyring.current_version, version), reverse=True)
    for version in versions:
        for hash_ in hashes.values():
            digest = imported_text.digest_of(hash_, keyring.versions[version].import_key)
            yield Candidate(digest, version, hash_)


def _parts(candidate: Candidate, named: Mapping[str, imported_texts.NamedKey]) -> KeyParts:
    key = named[candidate.digest]
    return imported_text.parts(candidate.pepper_version, key.organization_id, key.key_id, candidate.hash)
