"""The comparison with other products: keys that were made up, times, guarantees."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from benchmarks.comparison import Checked, Counted, Subject, Timed, guarantees_table
from benchmarks.issued_keys import forged
from benchmarks.peers.protocol import KINDS
from keywright.domain import key_text
from keywright.domain.key_text import NotIssuedHere
from keywright.settings import settings
from keywright.store import pepper

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

CHECKS = ("revoked_after_cached_verify", "verify_never_unrevokes", "limit_under_concurrency")


def answer(*microseconds: float) -> dict[str, Any]:
    """Return what a driver answers that verified keys for a second."""
    return {"calls": len(microseconds), "failures": 0, "seconds": 1.0, "microseconds": list(microseconds)}


def guarantees(outcomes: Sequence[str], valid: tuple[float, float, float] = (1, 0, 0)) -> dict[str, Any]:
    """Return the guarantees of a product with these outcomes of the checks, and this work for a valid key."""
    subject = Subject("P", "v", "Argon2id", "5 s", list)
    work = {(subject.name, kind): Counted((1, 0, 0), 1.0, is_right=True) for kind in KINDS}
    work[subject.name, "valid"] = Counted(valid, 1.0, is_right=True)
    results = [Checked(subject.name, check, outcome, "") for check, outcome in zip(CHECKS, outcomes, strict=True)]
    table = guarantees_table([subject], work, results)
    return dict(zip(table.columns, table.rows[0], strict=True))


@pytest.mark.usefixtures("world")
def test_every_unknown_key_is_refused_by_its_tag() -> None:
    """A key that was made up passes every check before the tag, and the tag refuses it."""
    prefix, tag_key = settings().key_prefix, pepper.peppers().tag_key

    refused = [key_text.decode(forged(uuid.uuid4(), uuid.uuid4()), prefix, tag_key) for _ in range(64)]

    assert {NotIssuedHere.FORGED} == set(refused)


@pytest.mark.usefixtures("world")
def test_a_wrong_secret_names_an_issued_key() -> None:
    """A key with a wrong secret has the public part of the key that it is made from."""
    organization_id, key_id = uuid.uuid4(), uuid.uuid4()

    claimed = key_text.claimed(forged(organization_id, key_id))

    assert key_text.ClaimedKey(organization_id, key_id, generation=0) == claimed


def test_calls_are_those_of_all_rounds_and_containers() -> None:
    """What percentiles are taken from is every call, in seconds, of each round and container."""
    timed = Timed()
    timed.add([answer(1000.0, 2000.0)])
    timed.add([answer(3000.0), answer(4000.0)])

    assert [0.001, 0.002, 0.003, 0.004] == timed.calls


def test_containers_add_up() -> None:
    """Verifications per second are those of all containers together."""
    timed = Timed()
    timed.add([answer(1000.0, 1000.0), answer(1000.0, 1000.0, 1000.0)])

    assert [5.0] == timed.per_second


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (("yes", "yes", "yes"), ("yes", "0 s", "yes")),
        (("partly", "yes", "yes"), ("no", "5 s", "yes")),
        (("no", "yes", "no"), ("no", "5 s", "no")),
        (("no", "no", "none"), ("no", "no limit: verifying enables it again", "none")),
    ],
)
def test_guarantees_are_those_that_were_measured(outcomes: tuple[str, ...], expected: tuple[str, ...]) -> None:
    """A product that fails a check shows what follows: the age that its cache allows, or a revocation that is lost."""
    row = guarantees(outcomes)

    columns = ("revocation seen at once", "a revoked key may be accepted for", "limits exact")
    assert expected == tuple(row[column] for column in columns)


@pytest.mark.parametrize(
    ("hashes", "expected"), [(0.0, "Argon2id, the first time"), (1.0, "Argon2id, every time")], ids=["none", "one"]
)
def test_hashes_are_counted(hashes: float, expected: str) -> None:
    """Whether a product hashes every time is counted."""
    assert expected == guarantees(("yes", "yes", "yes"), (1, 0, hashes))["hash"]
