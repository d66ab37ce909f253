"""The driver of djangorestframework-api-key (Python, threads), with its permission class and SQLite in WAL mode.

Connections stay open, as Django's documentation advises for production. Keys are hashed with SHA-512, which counts as
a hash here but costs next to nothing: its keys are random, so that no slow hash is needed.
"""

from __future__ import annotations

import secrets
import string
import sys
import tempfile
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
from django.conf import settings

sys.path.insert(0, str(Path(__file__).parents[1]))
from protocol import Call, CheckResult, Sizes, Texts, ThreadedDriver, mistyped, serve

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

_FOLDER = tempfile.mkdtemp(prefix="drf-api-key-")
_CHECK_KEYS = 250

settings.configure(
    DEBUG=False,
    USE_TZ=True,
    SECRET_KEY=secrets.token_hex(),
    INSTALLED_APPS=[
        "django.contrib.contenttypes",
        "django.contrib.auth",
        "rest_framework",
        "rest_framework_api_key",
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": f"{_FOLDER}/db.sqlite3",
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
                "transaction_mode": "IMMEDIATE",
            },
        }
    },
)
django.setup()

from django.contrib.auth.hashers import make_password  # noqa: E402 - after django.setup()
from django.core.management import call_command  # noqa: E402
from django.db import DatabaseError  # noqa: E402
from django.db.backends.signals import connection_created  # noqa: E402
from django.http import HttpRequest  # noqa: E402
from django.utils import timezone  # noqa: E402
from rest_framework_api_key import crypto  # noqa: E402
from rest_framework_api_key.models import APIKey  # noqa: E402
from rest_framework_api_key.permissions import HasAPIKey  # noqa: E402


class DrfDriver(ThreadedDriver):
    """The driver of djangorestframework-api-key."""

    async def open(self, variant: str, sizes: Sizes) -> None:  # noqa: ARG002 - the only variant
        worker = threading.Thread(target=self._open, args=(sizes,))  # Django refuses queries under a running loop
        worker.start()
        worker.join()

    async def check(self, name: str) -> CheckResult:
        results: list[CheckResult] = []
        worker = threading.Thread(target=lambda: results.append(self._check(name)))
        worker.start()
        worker.join()
        return results[0]

    async def measure(self, texts: list[str], at_once: int, deadline: float) -> list[Call]:
        done: list[Call] = []
        if at_once > 1:
            return await super().measure(texts, at_once, deadline)

        def work() -> None:
            for text in texts:
                started = time.perf_counter()
                if started > deadline:
                    return
                accepted: bool | None
                try:
                    accepted = self.verify(text)
                except DatabaseError:
                    accepted = None
                done.append((time.perf_counter() - started, accepted))

        self.threads.submit(work).result()
        return done

    def verify(self, text: str) -> bool:
        request = HttpRequest()
        request.META["HTTP_AUTHORIZATION"] = f"Api-Key {text}"
        return bool(HasAPIKey().has_permission(request, None))

    def _open(self, sizes: Sizes) -> None:
        connection_created.connect(self._count_statements, weak=False)
        _count_hashes(self.counts)
        call_command("migrate", verbosity=0)
        issued = [APIKey.objects.create_key(name="benchmark") for _ in range(sizes.pool + sizes.fresh + 8)]
        revoked = issued[-8:]
        for key, _ in revoked:
            key.revoked = True
            key.save()
        fillers = []
        for _ in range(max(0, sizes.keys - len(issued))):
            key = APIKey(name="benchmark")
            APIKey.objects.assign_key(key)
            fillers.append(key)
        APIKey.objects.bulk_create(fillers, batch_size=100)
        pool = [text for _, text in issued[: sizes.pool]]
        self.texts = Texts(
            {
                "first": [text for _, text in issued[sizes.pool : -8]],
                "valid": pool,
                "unknown": [f"{_random(8)}.{_random(32)}" for _ in range(64)],
                "wrong_secret": [f"{text.partition('.')[0]}.{_random(32)}" for text in pool],
                "mistyped": [mistyped(text) for text in pool],
                "revoked": [text for _, text in revoked],
            }
        )

    def _count_statements(self, connection: Any, **_: object) -> None:
        def count(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
            self.counts["reads" if sql.startswith("SELECT") else "writes"] += 1
            return execute(sql, *rest)

        connection.execute_wrappers.append(count)

    def _check(self, name: str) -> CheckResult:
        checks: dict[str, Callable[[], CheckResult]] = {
            "limit_under_concurrency": lambda: CheckResult("none", "it has neither quotas nor limits"),
            "revoked_after_cached_verify": self._revoked,
            "verify_never_unrevokes": self._never_unrevokes,
            "lists_250_keys": _lists,
            "expiry_independent_of_deletion": self._expiry,
            "forged_keys_cost_no_read": self._forged,
        }
        return checks[name]()

    def _revoked(self) -> CheckResult:
        key, text = APIKey.objects.create_key(name="benchmark")
        assert self.verify(text)  # noqa: S101 - precondition of the check
        self._elsewhere(lambda: _revoke(key.pk))
        refused = not self.verify(text)
        return CheckResult("yes" if refused else "no", "revoked over another connection; nothing is cached")

    def _never_unrevokes(self) -> CheckResult:
        """Revoke keys while they are verified, with current hashes and with hashes of versions before 3.0."""
        undone = {"today": 0, "older": 0}
        for age in undone:
            for _ in range(5):
                key, text = APIKey.objects.create_key(name="benchmark")
                if age == "older":
                    APIKey.objects.filter(pk=key.pk).update(hashed_key=make_password(text, hasher="pbkdf2_sha256"))
                verifying = self.threads.submit(self.verify, text)
                time.sleep(0.05)
                _revoke(key.pk)
                verifying.result()
                undone[age] += not APIKey.objects.get(pk=key.pk).revoked
        if undone["today"]:
            return CheckResult("no", f"{undone['today']} of 5 keys were valid again")
        if undone["older"]:
            return CheckResult(
                "partly", f"keys from before 3.0 are saved whole when they are re-hashed: {undone['older']} of 5 undone"
            )
        return CheckResult("yes", "verifying writes nothing that undoes a revocation")

    def _expiry(self) -> CheckResult:
        key, text = APIKey.objects.create_key(name="benchmark", expiry_date=timezone.now() + timedelta(seconds=0.5))
        self.verify(text)
        time.sleep(0.6)
        refused, kept = not self.verify(text), APIKey.objects.filter(pk=key.pk).exists()
        return CheckResult("yes" if refused and kept else "no", "refused at its time, its record still there")

    def _forged(self) -> CheckResult:
        before = self.counts.copy()
        for _ in range(10):
            self.verify(self.texts.next("unknown"))
        reads, hashes = (self.counts[name] - before[name] for name in ("reads", "hashes"))
        return CheckResult("yes" if reads == 0 else "no", f"{reads / 10:g} reads and {hashes / 10:g} hashes each")

    def _elsewhere(self, work: Callable[[], None]) -> None:
        self.threads.submit(work).result()


def _revoke(pk: str) -> None:
    key = APIKey.objects.get(pk=pk)
    key.revoked = True
    key.save()


def _lists() -> CheckResult:
    before = set(APIKey.objects.values_list("pk", flat=True))
    for _ in range(_CHECK_KEYS):
        APIKey.objects.create_key(name="listed")
    listed = [key.pk for key in APIKey.objects.all() if key.pk not in before]
    complete = len(listed) == len(set(listed)) == _CHECK_KEYS
    return CheckResult("yes" if complete else "no", f"{len(set(listed))} of {_CHECK_KEYS}, by its model's manager")


def _count_hashes(counts: Counter[str]) -> None:
    encode = crypto.Sha512ApiKeyHasher.encode

    def counted(self: crypto.Sha512ApiKeyHasher, password: str, salt: str) -> str:
        counts["hashes"] += 1
        return str(encode(self, password, salt))

    crypto.Sha512ApiKeyHasher.encode = counted


def _random(length: int) -> str:
    alphabet = string.ascii_letters + string.digits
    return "".join(secrets.choice(alphabet) for _ in range(length))


if __name__ == "__main__":
    serve(DrfDriver())
