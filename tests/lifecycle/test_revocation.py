"""Ways to revoke a key: once the write is answered, the next verification in another container refuses the key.

The containers are processes. One verifies the key in several threads while the other one revokes it; RACES=200 repeats
each race 200 times.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import function_process
from tests.support.client import VALID_BODY
from tests.support.depth import size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local.iam import AccessKey
    from tests.support.function_process import FunctionProcess, Verified, Written
    from tests.support.world import World

pytestmark = pytest.mark.xdist_group("containers")

THREADS = 3
ROUNDS = size("RACES", 1, full=10)
REUSE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Revocation:
    """A way to revoke a key.

    Attributes:
        function: name of the function.
        code: the code of every verification afterwards.
        body: body of the request.
    """

    function: str
    code: str
    body: dict[str, Any] | None = None

    def run(self, writer: FunctionProcess, key_id: str, text: str) -> Written:
        """Revoke the key."""
        del text
        user_id = "owner" if self.code == "ORGANIZATION_FROZEN" else "user_1"
        return writer.write(self.function, user_id, key_id=key_id, body=self.body)


@dataclass(frozen=True, slots=True)
class Expiry(Revocation):
    """An expiry: set in the future, and reached when `run` returns."""

    def run(self, writer: FunctionProcess, key_id: str, text: str) -> Written:
        """Set the expiry and wait for it."""
        del text
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


@dataclass(frozen=True, slots=True)
class Report(Revocation):
    """A report that the text is public."""

    def run(self, writer: FunctionProcess, key_id: str, text: str) -> Written:
        """Report the text."""
        del key_id
        return writer.write(self.function, "user_1", body={"keys": [text]})


REVOCATIONS = {
    "disable": Revocation("update_api_key", "DISABLED", {"enabled": False}),
    "revoke a permission": Revocation(
        "update_api_key", "INSUFFICIENT_PERMISSIONS", {"permissions": ["webhooks:write"]}
    ),
    "rotate": Revocation("rotate_api_key", "NOT_FOUND"),
    "expire": Expiry("update_api_key", "EXPIRED"),
    "freeze": Revocation("request_organization_deletion", "ORGANIZATION_FROZEN"),
    "delete": Revocation("delete_api_key", "NOT_FOUND"),
    "report": Report("report_leak", "DISABLED"),
    "delete as its holder": Revocation("revoke_current_api_key", "NOT_FOUND"),
}
EVERY_REVOCATION = pytest.mark.parametrize("revocation", REVOCATIONS.values(), ids=REVOCATIONS)


@dataclass(frozen=True, slots=True)
class Containers:
    """A container that writes and one that verifies."""

    writer: FunctionProcess
    verifier: FunctionProcess

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
def processes() -> Iterator[Containers]:
    """The two processes of all tests."""
    with function_process.running() as writer, function_process.running() as verifier:
        yield Containers(writer, verifier)


@pytest.fixture
def containers(
    world: World, processes: Containers, reuse_seconds: int, access_keys: Mapping[str, AccessKey]
) -> Containers:
    """Two new containers, over a table with one organization that has an admin and an owner."""
    world.table.put_organization()
    world.table.put_member("user_1", "admin")
    world.table.put_member("owner", "owner")
    reuse = {"RECORD_REUSE_SECONDS": str(reuse_seconds), "USAGE_FLUSH_SECONDS": "1"}
    processes.writer.begin(dict(os.environ), access_keys)
    processes.verifier.begin({**os.environ, **reuse}, access_keys)
    return processes


@EVERY_REVOCATION
def test_the_next_verification_refuses_the_key(containers: Containers, revocation: Revocation) -> None:
    """GIVEN threads that verify a key WHEN its revocation is answered THEN no verification that begins later is valid.

    A verification that ended before the write was sent is valid; one in between may be either.
    """
    verifications = 0
    for _ in range(ROUNDS):
        key_id, text = containers.new_key()
        containers.verifier.keep_verifying(text, THREADS)
        written = revocation.run(containers.writer, key_id, text)
        next_one = containers.verifier.verify(text)
        others = containers.verifier.stop()
        after = containers.verifier.verify(text)
        thaw(containers, revocation)

        assert 200 == written.status, written.body
        assert written.answered < next_one.started
        assert [revocation.code] * 2 == [next_one.code, after.code]
        check_order(others, written, revocation.code)
        verifications += len(others)
    print(f"{ROUNDS} rounds, {verifications} verifications beside them")  # noqa: T201 - the size of the proof


def check_order(results: list[Verified], written: Written, code: str) -> None:
    """Check each verification against the times of the write."""
    assert {"VALID", code} >= {verified.code for verified in results}
    assert {"VALID"} >= {verified.code for verified in results if verified.ended < written.sent}
    assert {code} >= {verified.code for verified in results if verified.started > written.answered}


def thaw(containers: Containers, revocation: Revocation) -> None:
    """Cancel the scheduled deletion, for the next round."""
    if revocation.code == "ORGANIZATION_FROZEN":
        assert 200 == containers.writer.write("cancel_organization_deletion", "owner").status


@EVERY_REVOCATION
@pytest.mark.parametrize("reuse_seconds", [REUSE_SECONDS])
def test_a_reused_record_expires(containers: Containers, revocation: Revocation) -> None:
    """GIVEN records that are reused for 30 seconds WHEN a key is revoked THEN it is refused after 30 seconds."""
    for _ in range(max(1, ROUNDS // 10)):
        key_id, text = containers.new_key()
        written = revocation.run(containers.writer, key_id, text)
        within = containers.verifier.verify(text)
        containers.verifier.pass_time(REUSE_SECONDS)
        after = containers.verifier.verify(text)
        thaw(containers, revocation)

        assert 200 == written.status, written.body
        assert "VALID" == within.code
        assert revocation.code == after.code
