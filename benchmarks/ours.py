"""The driver of Keywright (Python) for the comparison, on DynamoDB Local.

DynamoDB Local is a server with HTTP, as in production; its CPU time is not included. A container of Lambda serves one
request at a time, so load is put on several processes, each with one request at a time. Only the check of limits uses
threads: it needs many uses at once, wherever they come from.
"""

from __future__ import annotations

import os
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from benchmarks import deployment, hot_path, issued_keys, stub, table
from benchmarks.peers.protocol import CheckResult, Sizes, Texts, ThreadedDriver, mistyped, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from keywright.domain.keyring import PepperKeys
    from keywright.domain.limits import Quota, RateLimit

HMAC = "HMAC-SHA-256"
"""The part of a variant that hashes so, and not with Argon2id."""
REUSE_SECONDS = 5
"""RecordReuseSeconds of the variants that reuse records."""
ANOTHER_CONTAINER = "another container"
"""The beginning of a variant that verifies keys of the table of a driver that runs already."""

_CHECK_KEYS = 250
_CHECK_LIMIT = 40
_AT_ONCE = 50
_CHECK_ROUNDS = 4
_CHECK_ATTEMPTS = 3


class KeywrightDriver(ThreadedDriver):
    """Keywright's verification.

    Args:
        stack: closes the resources of the driver.
    """

    def __init__(self, stack: ExitStack) -> None:
        super().__init__()
        self._stack = stack
        self._client: DynamoDBClient
        self._organization_id = uuid.uuid4()
        self._reuse_seconds = 0

    async def open(self, variant: str, sizes: Sizes) -> None:
        """Create the table and its keys."""
        self._reuse_seconds = REUSE_SECONDS if "reuse" in variant else 0
        dynamodb = os.environ["AWS_ENDPOINT_URL_DYNAMODB"]
        secrets_manager = self._stack.enter_context(stub.run_stub(hot_path.answers([])))
        deployment.enter(
            AWS_ENDPOINT_URL=secrets_manager.url,
            AWS_ENDPOINT_URL_DYNAMODB=dynamodb,
            TABLE_NAME=table.BENCHMARK_TABLE,
            RECORD_REUSE_SECONDS=str(self._reuse_seconds),
            KEY_HASH="hmac-sha256" if HMAC in variant else "argon2id",
        )
        if variant.startswith(ANOTHER_CONTAINER):
            return
        from keywright.ids import uuid7  # noqa: PLC0415 - after the environment

        self._client = table.create_benchmark_table()
        table.put_organizations(self._client, [self._organization_id])
        self._count()
        issued = [table.issue(self._organization_id) for _ in range(sizes.pool + sizes.fresh + 8)]
        table.fill(self._client, self._organization_id, max(0, sizes.keys - len(issued)))
        pool, fresh, revoked = issued[: sizes.pool], issued[sizes.pool : -8], issued[-8:]
        for key_id, _ in revoked:
            self._disable(key_id)
        self.texts = Texts(
            {
                "first": [text for _, text in fresh],
                "valid": [text for _, text in pool],
                "unknown": [issued_keys.forged(uuid.uuid4(), uuid7()) for _ in range(64)],
                "wrong_secret": [issued_keys.forged(self._organization_id, key_id) for key_id, _ in pool],
                "mistyped": [mistyped(text) for _, text in pool],
                "revoked": [text for _, text in revoked],
            }
        )

    def verify(self, text: str) -> bool:
        """Verify a key."""
        from keywright.keys import verification  # noqa: PLC0415 - after the environment

        return verification.verify(text).code == "VALID"

    async def limited(self, limit: int, window_seconds: int) -> str:
        """Issue a key with a rate limit."""
        from keywright.domain.limits import RateLimit  # noqa: PLC0415

        return self._limited(rate_limit=RateLimit(limit, window_seconds, limit))

    async def check(self, name: str) -> CheckResult:
        """Run a correctness check."""
        checks: dict[str, Callable[[], CheckResult]] = {
            "limit_under_concurrency": self._limit_under_concurrency,
            "revoked_after_cached_verify": self._revoked_after_cached_verify,
            "verify_never_unrevokes": self._verify_never_unrevokes,
            "lists_250_keys": self._lists,
            "expiry_independent_of_deletion": self._expiry,
        }
        if name in checks:
            return checks[name]()
        return await self.forged_keys_cost_no_read(self.verify)

    def _limited(self, **limits: RateLimit | Quota) -> str:
        key_id, text = table.issue(self._organization_id)
        table.give_limits(self._client, self._organization_id, key_id, limits)
        return text

    def _limit_under_concurrency(self) -> CheckResult:
        """Verify a key 200 times, 50 at once, that may be used 40 times: with a quota, and with a rate limit.

        Without an answer in time, a rate limit lets keys in and a quota may have counted a use. That says nothing about
        concurrency, so the check begins again if DynamoDB Local is too slow, as on a busy machine.
        """
        for _ in range(_CHECK_ATTEMPTS):
            before = self.counts["unanswered"]
            accepted = self._accepted_of_limited()
            if self.counts["unanswered"] == before:
                break
        else:
            raise RuntimeError("DynamoDB Local did not answer in time")
        detail = "; ".join(f"{name}: {number} accepted of {_CHECK_LIMIT} allowed" for name, number in accepted.items())
        return CheckResult("yes" if set(accepted.values()) == {_CHECK_LIMIT} else "no", detail)

    def _accepted_of_limited(self) -> dict[str, int]:
        from keywright.domain.limits import Period, Quota, RateLimit  # noqa: PLC0415
        from keywright.errors import ServiceError  # noqa: PLC0415

        texts = {
            "quota": self._limited(quota=Quota(_CHECK_LIMIT, Period.TOTAL)),
            "rate limit": self._limited(rate_limit=RateLimit(_CHECK_LIMIT, 3600, _CHECK_LIMIT)),
        }
        accepted = dict.fromkeys(texts, 0)
        with ThreadPoolExecutor(_AT_ONCE) as threads, suppress(ServiceError):
            for name, text in texts.items():
                for _ in range(_CHECK_ROUNDS):
                    accepted[name] += sum(threads.map(self.verify, [text] * _AT_ONCE))
        return accepted

    def _revoked_after_cached_verify(self) -> CheckResult:
        key_id, text = table.issue(self._organization_id)
        assert self.verify(text), "a valid key was refused"  # noqa: S101
        self._disable(key_id)
        if not self.verify(text):
            return CheckResult("yes", "on the very next verification")
        revoked_at = accepted_at = time.monotonic()
        while self.verify(text):
            accepted_at = time.monotonic()
            time.sleep(0.05)
        taken = accepted_at - revoked_at
        within = taken <= self._reuse_seconds
        return CheckResult(
            "partly" if within else "no", f"accepted for {taken:.1f} s; the setting allows {self._reuse_seconds} s"
        )

    def _verify_never_unrevokes(self) -> CheckResult:
        """Revoke keys during eight verifications each, then read what is stored."""
        undone = 0
        rounds = 20
        for _ in range(rounds):
            key_id, text = table.issue(self._organization_id)
            self.verify(text)
            verifying = [self.threads.submit(self.verify, text) for _ in range(8)]
            self._disable(key_id)
            for one in verifying:
                one.result()
            self.verify(text)
            self._flush()
            undone += bool(self._item(key_id)["enabled"]["BOOL"])
        return CheckResult("no" if undone else "yes", f"{undone} of {rounds} revoked keys were enabled afterwards")

    def _lists(self) -> CheckResult:
        from keywright.api.schemas import ListApiKeysQuery  # noqa: PLC0415
        from keywright.api.validation import validate  # noqa: PLC0415
        from keywright.keys import manage  # noqa: PLC0415

        organization_id = uuid.uuid4()
        table.put_organizations(self._client, [organization_id])
        table.fill(self._client, organization_id, _CHECK_KEYS)
        listed: list[str] = []
        cursor: str | None = None
        while True:
            query = {"limit": "100"} | ({"starting_after": cursor} if cursor else {})
            page = manage.list_keys(table.admin_of(organization_id), validate(ListApiKeysQuery, query))
            listed += [item.model_dump()["id"] for item in page.items]
            cursor = page.pagination.next_cursor
            if cursor is None:
                break
        complete = len(listed) == len(set(listed)) == _CHECK_KEYS
        return CheckResult("yes" if complete else "no", f"{len(set(listed))} of {_CHECK_KEYS}, in pages of 100")

    def _expiry(self) -> CheckResult:
        moment = (datetime.now(UTC) + timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
        key_id, text = table.issue(self._organization_id, expiresAt=moment)
        self.verify(text)
        time.sleep(2.1)
        refused = not self.verify(text)
        kept = bool(self._item(key_id))
        return CheckResult("yes" if refused and kept else "no", "refused at its time, its record still there")

    def _disable(self, key_id: uuid.UUID) -> None:
        from keywright.api.schemas import UpdateApiKey  # noqa: PLC0415
        from keywright.api.validation import validate  # noqa: PLC0415
        from keywright.keys import manage  # noqa: PLC0415

        body = validate(UpdateApiKey, {"enabled": False})
        manage.update(table.admin_of(self._organization_id), table.origin(), key_id, body)

    def _item(self, key_id: uuid.UUID) -> Mapping[str, Any]:
        key = {"pk": {"S": f"ORG#{self._organization_id}"}, "sk": {"S": f"KEY#{key_id}"}}
        item: Mapping[str, Any] = self._client.get_item(TableName=table.BENCHMARK_TABLE, Key=key, ConsistentRead=True)[
            "Item"
        ]
        return item

    def _flush(self) -> None:
        """Write the uses counted in memory, as a container does once a minute and at its end."""
        from keywright.keys.usage import meter  # noqa: PLC0415

        meter().flush_all(seconds=30)

    def _count(self) -> None:
        """Count requests to DynamoDB, and hashes of verifications."""
        from keywright.aws import retries  # noqa: PLC0415
        from keywright.aws.transport import NoAnswerError  # noqa: PLC0415
        from keywright.domain import key_hash  # noqa: PLC0415

        client, matches = retries.dynamodb(), key_hash.matches
        call, counts = client.call, self.counts

        def counted(operation: str, parameters: Mapping[str, Any]) -> Any:
            counts["reads" if operation in {"BatchGetItem", "Query"} else "writes"] += 1
            try:
                return call(operation, parameters)
            except NoAnswerError:
                counts["unanswered"] += 1
                raise

        def counted_matches(stored: str, digest: bytes, keys: PepperKeys) -> bool:
            counts["hashes"] += 1
            return matches(stored, digest, keys)

        client.call = counted  # type: ignore[method-assign]
        key_hash.matches = counted_matches


class _Quiet:
    """Discards log lines: standard output is for the protocol."""

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass


def _main() -> None:
    protocol, sys.stdout = sys.stdout, _Quiet()
    with ExitStack() as stack:
        serve(KeywrightDriver(stack), protocol)


if __name__ == "__main__":
    _main()
