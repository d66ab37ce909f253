"""A verification never undoes a write: in any order of their requests, only the writes decide about a key.

A verification writes twice itself: a hash of a new scheme or cost in place of the one that it read, and the use. Here
the requests of verifications and of writes are sent in random orders; INTERLEAVINGS=1000 draws 1,000 of them.
"""

from __future__ import annotations

import random
import uuid
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from keywright.keys import verification
from keywright.keys.outcome import Code
from keywright.keys.verification import verify
from tests.support.audit_log import audit_log, key_states, replayed
from tests.support.depth import size
from tests.support.hashes import is_hash_of
from tests.support.one_at_a_time import OneAtATime
from tests.support.sample_keys import key_parts
from tests.support.service import Caller

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.support.service import Answer, Service

INTERLEAVINGS = size("INTERLEAVINGS", 10, full=50)
OLD_HASH, NEW_HASH = "$argon2id$v=19$m=8,t=1,p=1$", "$argon2id$v=19$m=8,t=2,p=1$"
HMAC_HASH = "$hmac-sha256$"
SETTINGS = {
    OLD_HASH: {"KEY_HASH": "argon2id", "ARGON2_ITERATIONS": "1"},
    NEW_HASH: {"KEY_HASH": "argon2id", "ARGON2_ITERATIONS": "2"},
    HMAC_HASH: {"KEY_HASH": "hmac-sha256"},
}
"""The beginning of a hash -> the settings by which it is made."""
CHANGES = [(OLD_HASH, NEW_HASH), (OLD_HASH, HMAC_HASH), (HMAC_HASH, NEW_HASH)]
"""Of the settings, before the verifications."""

WRITES: dict[str, Callable[[Service, Caller, str], Answer]] = {
    "disable": lambda service, caller, key_id: service.update(caller, key_id, enabled=False),
    "rename": lambda service, caller, key_id: service.update(caller, key_id, name="renamed"),
    "rotate": lambda service, caller, key_id: service.rotate(caller, key_id),
    "rotate with grace": lambda service, caller, key_id: service.rotate(caller, key_id, 3600),
    "delete": lambda service, caller, key_id: service.delete(caller, key_id),
}


@pytest.mark.usefixtures("no_waiting")
def test_only_writes_change_a_key(service: Service, setting: Callable[[str, str], None]) -> None:
    """GIVEN one to three verifications that write WHEN one or two writes run beside them THEN only these count.

    The replayed audit log is the key's item, with a version for each change. Verifications add a new hash of the same
    text, and a use for each VALID, to a key that still exists, and count each use of its rotated-out text.
    """
    setting("USAGE_FLUSH_SECONDS", "0")
    seen: Counter[str] = Counter()
    for seed in range(INTERLEAVINGS):
        chance = random.Random(seed)  # noqa: S311 - a seed that can be repeated
        admin = Caller(str(uuid.UUID(int=seed)))
        service.open_organization(admin.organization_id, user_1="admin")
        before, after = CHANGES[seed % len(CHANGES)]
        configure(setting, before)
        created = service.create(admin).data
        configure(setting, after)
        verification.matches.cache_clear()
        verifications = [partial(verify, created["key"])] * chance.randint(1, 3)
        names = chance.sample(sorted(WRITES), chance.randint(1, 2))
        writes = [partial(WRITES[name], service, admin, created["id"]) for name in names]

        turns = OneAtATime(chance)
        results = turns.run([*verifications, *writes])

        codes = [outcome.code for outcome in results[: len(verifications)]]
        answers = results[len(verifications) :]
        try:
            assert {Code.VALID, Code.NOT_FOUND, Code.DISABLED} >= set(codes)
            assert {200, 404, 409} >= {answer.status for answer in answers}
            texts = [created["key"], *issued_texts(answers)]
            table = service.partition(admin.organization_id)
            uses, retired = codes.count(Code.VALID), codes.count(Code.NOT_FOUND)
            check_key(table, created["id"], texts, uses=uses, retired=retired)
        except AssertionError as error:
            error.add_note(f"seed {seed}: {names}, {turns.operations}")
            raise
        seen.update(str(code) for code in codes)
        seen[f"hash of {after}"] += any(item["hash"].startswith(after) for item in table.values() if "hash" in item)
    print(f"{INTERLEAVINGS} interleavings: {dict(seen)}")  # noqa: T201 - the size of the proof
    assert seen["VALID"] > 0
    assert all(seen[f"hash of {after}"] > 0 for _, after in CHANGES)


def configure(setting: Callable[[str, str], None], hash_: str) -> None:
    """Change the settings to those by which hashes of a kind are made."""
    for name, value in SETTINGS[hash_].items():
        setting(name, value)


def issued_texts(answers: Sequence[Answer]) -> list[str]:
    """Return the texts of the keys in the answers of rotations."""
    return [answer.data["key"] for answer in answers if answer.status == 200 and "key" in answer.data]


def check_key(
    table: Mapping[str, dict[str, Any]], key_id: str, texts: Sequence[str], *, uses: int, retired: int
) -> None:
    """Check a key, if it exists, against the audit log, the issued texts and the numbers of its uses."""
    log = audit_log(table)
    reports = [record for record in log if record["event"] == "api_key.retired_secret_used"]
    assert len(reports) <= 1
    assert replayed(log) == key_states(table)
    item = table.get(f"KEY#{key_id}")
    assert (item is None) == (f"USAGE#{key_id}" not in table)
    if item is not None:
        generation = int(item["generation"])
        by_generation = {key_parts(text).generation: text for text in texts}
        assert len(log) - len(reports) == item["version"]
        assert is_hash_of(item["hash"], by_generation[generation])
        assert "previous_hash" not in item or is_hash_of(item["previous_hash"], by_generation[generation - 1])
        usage = table[f"USAGE#{key_id}"]
        assert uses == usage["request_count"]
        assert retired == usage.get("retired", 0) + sum(record["changes"]["after"]["count"] for record in reports)
