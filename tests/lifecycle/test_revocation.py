"""Six ways to revoke a key: once the write is answered, the next verification in another container refuses it.

RACES sets the number of repetitions: 200 for the full proof.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.lifecycle.containers import Container
from tests.lifecycle.service import VALID_BODY
from tests.support.depth import size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local.iam import AccessKey
    from tests.lifecycle.containers import Verified, Written
    from tests.support.world import World

pytestmark = pytest.mark.xdist_group("containers")

THREADS = 3
ROUNDS = size("RACES", 10)
REUSE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Race:
    """A way to revoke a key, and the code of every verification afterwards."""

    function: str
    code: str
    body: dict[str, Any] | None = None

    def run(self, writer: Container, key_id: str) -> Written:
        """Revoke the key."""
        user_id = "owner" if self.code == "ORGANIZATION_FROZEN" else "user_1"
        return writer.write(self.function, user_id, key_id=key_id, body=self.body)


@dataclass(frozen=True, slots=True)
class Expiry(Race):
    """An expiry: set in the future, and reached when `run` returns."""

    def run(self, writer: Container, key_id: str) -> Written:
        """Set the expiry and wait for it."""
        milliseconds = 50
        while True:
            milliseconds *= 2
            ends_at = datetime.now(UTC) + timedelta(milliseconds=milliseconds)
            body = {"expiresAt": ends_at.isoformat(timespec="milliseconds")}
            written = writer.write(self.function, "user_1", key_id=key_id, body=body)
            if written.status != 400:  # unless the request took longer than the expiry allows
                break
        while datetime.now(UTC) <= ends_at:
            time.sleep(0.005)
        return replace(written, answered=time.monotonic())


RACES = {
    "disable": Race("update_api_key", "DISABLED", {"enabled": False}),
    "revoke a permission": Race("update_api_key", "INSUFFICIENT_PERMISSIONS", {"permissions": ["webhooks:write"]}),
    "rotate": Race("rotate_api_key", "NOT_FOUND"),
    "expire": Expiry("update_api_key", "EXPIRED"),
    "freeze": Race("request_organization_deletion", "ORGANIZATION_FROZEN"),
    "delete": Race("delete_api_key", "NOT_FOUND"),
}
each_race = pytest.mark.parametrize("race", RACES.values(), ids=RACES)


@dataclass(frozen=True, slots=True)
class Containers:
    """A container that writes and one that verifies."""

    writer: Container
    verifier: Container

    def new_key(self) -> tuple[str, str]:
        """Create a key in the first container, verify it in the second; return its id and text."""
        created = json.loads(self.writer.write("create_api_key", "user_1", body=VALID_BODY).body)["data"]
        assert "VALID" == self.verifier.verify(created["key"]).code
        return created["id"], created["key"]


@pytest.fixture
def reuse_seconds() -> int:
    """The number of seconds for which the verifying container may reuse records."""
    return 0


@pytest.fixture(scope="module")
def processes() -> Iterator[tuple[Container, Container]]:
    """The two processes of all tests."""
    both = Container(), Container()
    yield both
    for container in both:
        container.end()


@pytest.fixture
def containers(
    world: World, processes: tuple[Container, Container], reuse_seconds: int, access_keys: Mapping[str, AccessKey]
) -> Containers:
    """Two containers, over a table with one organization that has an admin and an owner."""
    world.table.put_organization()
    world.table.put_member("user_1", "admin")
    world.table.put_member("owner", "owner")
    writer, verifier = processes
    writer.begin(os.environ, access_keys)
    verifier.begin({**os.environ, "RECORD_REUSE_SECONDS": str(reuse_seconds), "USAGE_FLUSH_SECONDS": "1"}, access_keys)
    return Containers(writer, verifier)


@each_race
def test_the_next_verification_refuses(containers: Containers, race: Race) -> None:
    """GIVEN threads that verify a key WHEN a write is answered THEN no verification that begins later is valid.

    One that ended before the write was sent is valid; one in between may be either.
    """
    verifications = 0
    for _ in range(ROUNDS):
        key_id, text = containers.new_key()
        containers.verifier.keep_verifying(text, THREADS)
        written = race.run(containers.writer, key_id)
        next_one = containers.verifier.verify(text)
        others = containers.verifier.stop()
        after = containers.verifier.verify(text)
        thaw(containers, race)

        assert 200 == written.status, written.body
        assert written.answered < next_one.started
        assert [race.code] * 2 == [next_one.code, after.code]
        assert_in_order(others, written, race.code)
        verifications += len(others)
    print(f"{ROUNDS} rounds, {verifications} verifications beside them")  # noqa: T201 - the size of the proof


def assert_in_order(results: list[Verified], written: Written, code: str) -> None:
    """Check each verification against the times of the write."""
    assert {"VALID", code} >= {verified.code for verified in results}
    assert {"VALID"} >= {verified.code for verified in results if verified.ended < written.sent}
    assert {code} >= {verified.code for verified in results if verified.started > written.answered}


def thaw(containers: Containers, race: Race) -> None:
    """Cancel the scheduled deletion, for the next round."""
    if race.code == "ORGANIZATION_FROZEN":
        assert 200 == containers.writer.write("cancel_organization_deletion", "owner").status


@each_race
@pytest.mark.parametrize("reuse_seconds", [REUSE_SECONDS])
def test_a_reused_record_expires(containers: Containers, race: Race) -> None:
    """GIVEN records reused for N seconds WHEN a key is revoked THEN it is valid for less than N seconds."""
    for _ in range(max(1, ROUNDS // 10)):
        key_id, text = containers.new_key()
        written = race.run(containers.writer, key_id)
        within = containers.verifier.verify(text)
        containers.verifier.pass_time(REUSE_SECONDS)
        after = containers.verifier.verify(text)
        thaw(containers, race)

        assert 200 == written.status, written.body
        assert "VALID" == within.code
        assert race.code == after.code
