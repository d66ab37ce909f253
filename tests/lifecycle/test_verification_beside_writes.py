"""A verification never undoes a write: with any interleaving the table is the result of the writes.

A verification writes twice: a hash with new parameters in place of the one it read, and usage. Here requests of
verifications and of writes are sent one by one in a random order; INTERLEAVINGS=1000 draws 1,000 orders.
"""

from __future__ import annotations

import itertools
import random
import threading
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from botocore.httpsession import URLLib3Session

from keywright.domain import key_hash
from keywright.keys import verification
from keywright.keys.outcome import Code
from keywright.keys.verification import verify
from keywright.settings import Argon2Parameters
from keywright.store import pepper
from tests.lifecycle.service import Caller, audit_record, audited, replayed
from tests.support import faults
from tests.support.depth import size
from tests.support.sample_keys import key_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from tests.lifecycle.service import Answer, Service

INTERLEAVINGS = size("INTERLEAVINGS", 50)
DEARER = Argon2Parameters(memory_kib=8, iterations=2, parallelism=1)
TURN_SECONDS = 120


class Turns:
    """Lets threads send requests one at a time: all wait before they send, and one is drawn."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._session = URLLib3Session()
        self._changed = threading.Condition()
        self._number = threading.local()
        self._waiting: list[int] = []
        self._running = 0
        self.order: list[str] = []

    def take(self, acts: Sequence[Callable[[], Any]]) -> list[Any]:
        """Run each act in a thread and return their results."""
        results: list[Any] = [None] * len(acts)

        def run(number: int, act: Callable[[], Any]) -> None:
            self._number.mine = number
            try:
                results[number] = act()
            finally:
                self._leave()

        threads = [threading.Thread(target=run, args=both) for both in enumerate(acts)]
        with self._changed:
            self._running = len(threads)
        with faults.injected(*itertools.repeat(self._before_sending, 100 * len(acts))) as operations:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(TURN_SECONDS)
                assert not thread.is_alive()
            self.order = list(operations)
        return results

    def _before_sending(self, request: AWSPreparedRequest) -> AWSResponse:
        """Wait until no thread runs and this one is drawn."""
        me: int = self._number.mine
        with self._changed:
            self._waiting.append(me)
            self._running -= 1
            self._let_one_run()
            assert self._changed.wait_for(lambda: me not in self._waiting, TURN_SECONDS)
        return self._session.send(request)

    def _leave(self) -> None:
        with self._changed:
            self._running -= 1
            self._let_one_run()

    def _let_one_run(self) -> None:
        if self._running == 0 and self._waiting:
            self._waiting.sort()  # the same order for the same seed
            self._waiting.pop(self._draw.randrange(len(self._waiting)))
            self._running = 1
            self._changed.notify_all()


WRITES: dict[str, Callable[[Service, Caller, str], Answer]] = {
    "disable": lambda service, caller, key_id: service.update(caller, key_id, enabled=False),
    "rename": lambda service, caller, key_id: service.update(caller, key_id, name="renamed"),
    "rotate": lambda service, caller, key_id: service.rotate(caller, key_id),
    "rotate with grace": lambda service, caller, key_id: service.rotate(caller, key_id, 3600),
    "delete": lambda service, caller, key_id: service.delete(caller, key_id),
}


@pytest.fixture(autouse=True)
def every_verification_writes(service: Service, setting: Callable[[str, str], None]) -> None:
    """Raise the cost of hashes after the key was created, and write usage at once."""
    del service
    setting("USAGE_FLUSH_SECONDS", "0")


def test_the_table_is_the_result_of_the_writes(service: Service, setting: Callable[[str, str], None]) -> None:
    """GIVEN verifications that write too WHEN one or two writes run beside them THEN only the writes change the key.

    The replayed audit log is the key's item, with one version for each write. Verifications add a hash of the same
    secret, and one use for each valid verification, to existing keys only.
    """
    outcomes: Counter[str] = Counter()
    for seed in range(INTERLEAVINGS):
        draw = random.Random(seed)  # noqa: S311 - a seed that can be repeated
        admin = Caller(str(uuid.UUID(int=seed)))
        service.open_organization(admin.organization_id, user_1="admin")
        setting("ARGON2_ITERATIONS", "1")
        created = service.create(admin).data
        setting("ARGON2_ITERATIONS", str(DEARER.iterations))
        verification.matches.cache_clear()
        writes = draw.sample(sorted(WRITES), draw.randint(1, 2))
        verifications = draw.randint(1, 3)

        def verified(text: str = created["key"]) -> Code:
            return verify(text).code

        def written(name: str, caller: Caller = admin, key_id: str = created["id"]) -> Answer:
            return WRITES[name](service, caller, key_id)

        turns = Turns(draw)
        results = turns.take([
            *[verified] * verifications,
            *[lambda name=name: written(name) for name in writes],
        ])  # fmt: skip

        codes, answers = results[:verifications], results[verifications:]
        message = f"seed {seed}: {writes}, {turns.order}"
        assert {200, 404, 409} >= {answer.status for answer in answers}, message
        assert {Code.VALID, Code.NOT_FOUND, Code.DISABLED} >= set(codes), message
        texts = [created["key"], *[answer.data["key"] for answer in answers if _gave_a_text(answer)]]
        item = check(service.partition(admin.organization_id), created["id"], texts, codes.count(Code.VALID), message)
        outcomes.update(str(code) for code in codes)
        outcomes["upgraded hashes in the end"] += item is not None and key_hash.is_current(item["hash"], DEARER)
    # Without all these outcomes, writes and verifications did not overlap.
    assert {"VALID", "upgraded hashes in the end"} <= {name for name, count in outcomes.items() if count}
    print(f"{INTERLEAVINGS} interleavings: {dict(outcomes)}")  # noqa: T201 - the size of the proof


def check(
    table: Mapping[str, dict[str, Any]], key_id: str, texts: list[str], let_in: int, message: str
) -> dict[str, Any] | None:
    """Compare the table with its audit log, the returned texts, and the uses; return the key's item."""
    log = [audit_record(item) for sort_key, item in table.items() if sort_key.startswith("AUDIT#")]
    item, expected = table.get(f"KEY#{key_id}"), replayed(log).get(key_id)
    if item is None:
        assert expected is None, message
        assert f"USAGE#{key_id}" not in table, message
        return None
    assert expected == audited(item), message
    assert len(log) == item["version"], message
    by_generation = {key_parts(text).generation: text for text in texts}
    assert matches(item["hash"], by_generation[int(item["generation"])]), message
    if "previous_hash" in item:
        assert matches(item["previous_hash"], by_generation[int(item["generation"]) - 1]), message
    assert let_in == table[f"USAGE#{key_id}"]["request_count"], message
    return item


def matches(phc: str, text: str) -> bool:
    """Return whether a hash is that of a text."""
    return key_hash.matches(phc, key_hash.keyed_digest(key_parts(text).payload, pepper.keyring().current.hash_key))


def _gave_a_text(answer: Answer) -> bool:
    return answer.status == 200 and "key" in answer.data
