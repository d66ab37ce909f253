"""The driver of keyshield (Python, asyncio), configured as in its README and tuned.

Defaults: ApiKeyService with its Argon2 hasher and delays; SQLite as the README opens it, a session for each request.
Tuned: CachedApiKeyService with its cache in memory, no added delay, Argon2 with OWASP's minimum as Keywright uses it,
and SQLite in WAL mode. A shared cache is one that all processes use: its documentation names Redis, and here it is one
in memory that serializes as Redis does, which is the fastest possible.

Only the keys that are verified are hashed for real; the others, which make the store as large as it has to be, carry
hashes of the right form.
"""

from __future__ import annotations

import asyncio
import secrets
import string
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiocache import SimpleMemoryCache
from aiocache.serializers import PickleSerializer
from argon2 import PasswordHasher
from keyshield import ApiKeyService
from keyshield.domain.entities import ApiKey
from keyshield.domain.errors import ApiKeyError
from keyshield.hasher.argon2 import Argon2ApiKeyHasher
from keyshield.repositories.in_memory import InMemoryApiKeyRepository
from keyshield.repositories.sql import Base, SqlAlchemyApiKeyRepository
from keyshield.services.cached import CachedApiKeyService
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

sys.path.insert(0, str(Path(__file__).parents[1]))
from protocol import AsyncDriver, CheckResult, Sizes, Texts, mistyped, serve

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import AsyncIterator

    from aiocache import BaseCache
    from aiocache.serializers import BaseSerializer
    from keyshield.repositories.base import AbstractApiKeyRepository

_ALPHABET = string.ascii_letters + string.digits
_CHECK_KEYS = 250


class CountingHasher(Argon2ApiKeyHasher):
    """The hasher of keyshield, with counts."""

    def __init__(self, counts: Counter[str], password_hasher: PasswordHasher | None) -> None:
        super().__init__(pepper=secrets.token_hex(32), password_hasher=password_hasher)
        self._counts = counts

    def hash(self, key_secret: str) -> str:
        self._counts["hashes"] += 1
        return super().hash(key_secret)

    def verify(self, key_hash: str, key_secret: str) -> bool:
        self._counts["hashes"] += 1
        return super().verify(key_hash, key_secret)


class CountingMemory(InMemoryApiKeyRepository):
    """The in-memory repository of keyshield, with counts."""

    def __init__(self, counts: Counter[str]) -> None:
        super().__init__()
        self._counts = counts

    async def get_by_key_id(self, key_id: str) -> ApiKey | None:
        self._counts["reads"] += 1
        return await super().get_by_key_id(key_id)

    async def update(self, entity: ApiKey) -> ApiKey | None:
        self._counts["writes"] += 1
        return await super().update(entity)

    def fill(self, entities: list[ApiKey]) -> None:
        """Add keys without comparing them with existing ones."""
        self._store.update((entity.id_, entity) for entity in entities)


@dataclass
class Container:
    """A process of an application: a separate cache over a shared store."""

    driver: KeyshieldDriver
    cache: BaseCache | None = field(default=None)

    @asynccontextmanager
    async def service(self) -> AsyncIterator[ApiKeyService]:
        """Return a service for one request."""
        driver = self.driver
        if driver.memory is not None:
            yield self._service(driver.memory)
            return
        assert driver.sessions is not None  # noqa: S101 - one of the two is set
        async with driver.sessions() as session, session.begin():
            yield self._service(SqlAlchemyApiKeyRepository(session))

    def _service(self, repository: AbstractApiKeyRepository) -> ApiKeyService:
        if not self.driver.is_tuned:
            return ApiKeyService(repo=repository, hasher=self.driver.hasher)
        return CachedApiKeyService(
            repo=repository, hasher=self.driver.hasher, cache=self.cache, min_delay=0, max_delay=0
        )

    async def verify(self, text: str) -> bool:
        """Verify a key, as the security dependency of its routers does."""
        try:
            async with self.service() as service:
                await service.verify_key(text)
        except ApiKeyError:
            return False
        return True

    async def disable(self, id_: str) -> None:
        """Revoke a key as its PATCH route does."""
        async with self.service() as service:
            entity = await service.get_by_id(id_)
            entity.disable()
            await service.update(entity)

    async def is_disabled(self, id_: str) -> bool:
        """Return whether the key is active in the store."""
        async with self.service() as service:
            return not (await service.get_by_id(id_)).is_active


class KeyshieldDriver(AsyncDriver):
    """The driver of keyshield."""

    is_tuned: bool
    shares_cache: bool
    hasher: CountingHasher
    memory: CountingMemory | None = None
    sessions: async_sessionmaker[AsyncSession] | None = None
    _container: Container
    _cache: BaseCache | None = None

    async def open(self, variant: str, sizes: Sizes) -> None:
        self.is_tuned = "tuned" in variant
        self.shares_cache = "shared cache" in variant
        tuned = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1) if self.is_tuned else None
        self.hasher = CountingHasher(self.counts, tuned)
        if "memory" in variant:
            self.memory = CountingMemory(self.counts)
        else:
            self.sessions = async_sessionmaker(await self._engine(), expire_on_commit=False)
        self._container = self._new_container()
        await self._fill(sizes)

    async def verify(self, text: str) -> bool:
        return await self._container.verify(text)

    def _new_container(self) -> Container:
        container = Container(self)
        if self.is_tuned:
            container.cache = self._shared_cache() if self.shares_cache else _new_cache()
        return container

    def _shared_cache(self) -> BaseCache:
        if self._cache is None:
            self._cache = _new_cache(PickleSerializer())
        return self._cache

    async def _engine(self) -> AsyncEngine:
        folder = tempfile.mkdtemp(prefix="keyshield-")
        engine = create_async_engine(f"sqlite+aiosqlite:///{folder}/db.sqlite3")

        @event.listens_for(engine.sync_engine, "connect")
        def tune(connection: Any, _: object) -> None:
            if self.is_tuned:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=NORMAL")

        @event.listens_for(engine.sync_engine, "before_cursor_execute")
        def count(_connection: Any, _cursor: Any, statement: str, *_: object) -> None:
            self.counts["reads" if statement.lstrip().upper().startswith("SELECT") else "writes"] += 1

        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        return engine

    async def _fill(self, sizes: Sizes) -> None:
        real: list[tuple[ApiKey, str]] = [await self._issue() for _ in range(sizes.pool + sizes.fresh + 8)]
        pool, fresh, revoked = real[: sizes.pool], real[sizes.pool : -8], real[-8:]
        for entity, _ in revoked:
            await self._container.disable(entity.id_)
        form = pool[0][0].key_hash[:-20]
        await self._add([_filler(form) for _ in range(max(0, sizes.keys - len(real)))])
        self.texts = Texts(
            {
                "first": [text for _, text in fresh],
                "valid": [text for _, text in pool],
                "unknown": [f"ak_v1-{secrets.token_hex(8)}-{_random(64)}" for _ in range(64)],
                "wrong_secret": [f"{text.rpartition('-')[0]}-{_random(64)}" for _, text in pool],
                "mistyped": [mistyped(text) for _, text in pool],
                "revoked": [text for _, text in revoked],
            }
        )

    async def _issue(self, **attributes: Any) -> tuple[ApiKey, str]:
        async with self._container.service() as service:
            return await service.create(name="benchmark", **attributes)

    async def _add(self, entities: list[ApiKey]) -> None:
        if self.memory is not None:
            self.memory.fill(entities)
            return
        assert self.sessions is not None  # noqa: S101 - see Container
        async with self.sessions() as session, session.begin():
            session.add_all(SqlAlchemyApiKeyRepository._to_model(entity) for entity in entities)  # noqa: SLF001

    async def check(self, name: str) -> CheckResult:
        check = {
            "limit_under_concurrency": self._no_limit,
            "revoked_after_cached_verify": self._revoked_after_cached_verify,
            "verify_never_unrevokes": self._verify_never_unrevokes,
            "lists_250_keys": self._lists,
            "expiry_independent_of_deletion": self._expiry,
            "forged_keys_cost_no_read": lambda: self.forged_keys_cost_no_read(self.verify),
        }[name]
        return await check()

    @property
    def _elsewhere(self) -> str:
        if self.memory is not None:
            return "another service object"
        return f"another process (with {'the same' if self.shares_cache else 'a separate'} cache)"

    async def _no_limit(self) -> CheckResult:
        return CheckResult("none", "it has neither quotas nor limits")

    async def _revoked_after_cached_verify(self) -> CheckResult:
        entity, text = await self._issue()
        here, elsewhere = self._new_container(), self._new_container()
        assert await here.verify(text)  # noqa: S101 - precondition of the check
        await elsewhere.disable(entity.id_)
        refused = not await here.verify(text)
        return CheckResult("yes" if refused else "no", f"revoked in {self._elsewhere}, verified in this one")

    async def _verify_never_unrevokes(self) -> CheckResult:
        """Verify in one process while another revokes, then ask the store."""
        undone = 0
        rounds = 5
        for _ in range(rounds):
            entity, text = await self._issue()
            here, elsewhere = self._new_container(), self._new_container()
            await here.verify(text)
            await asyncio.gather(here.verify(text), elsewhere.disable(entity.id_))
            await elsewhere.disable(entity.id_)
            await here.verify(text)
            undone += not await elsewhere.is_disabled(entity.id_)
        detail = f"{undone} of {rounds} keys were enabled again by verifying them"
        return CheckResult("no" if undone else "yes", detail)

    async def _lists(self) -> CheckResult:
        before = {entity.id_ for entity in await self._list()}
        form = self.hasher.hash("form")[:-20]
        await self._add([_filler(form) for _ in range(_CHECK_KEYS)])
        listed = [entity.id_ for entity in await self._list() if entity.id_ not in before]
        complete = len(listed) == len(set(listed)) == _CHECK_KEYS
        return CheckResult("yes" if complete else "no", f"{len(set(listed))} of {_CHECK_KEYS}, in pages of 100")

    async def _list(self) -> list[ApiKey]:
        listed: list[ApiKey] = []
        while True:
            async with self._container.service() as service:
                page = await service.list(limit=100, offset=len(listed))
            listed += page
            if len(page) < 100:  # noqa: PLR2004 - the limit above
                return listed

    async def _expiry(self) -> CheckResult:
        expires_at = datetime.now(UTC) + timedelta(seconds=1)
        entity, text = await self._issue(expires_at=expires_at)
        await self.verify(text)
        time.sleep(1.1)  # noqa: ASYNC251 - no other task runs
        refused = not await self.verify(text)
        async with self._container.service() as service:
            kept = (await service.get_by_id(entity.id_)).id_ == entity.id_
        return CheckResult("yes" if refused and kept else "no", "refused at its time, its record still there")


def _new_cache(serializer: BaseSerializer | None = None) -> BaseCache:
    """Return a cache: the service would create one for each request."""
    return SimpleMemoryCache(serializer=serializer)


def _filler(form: str) -> ApiKey:
    return ApiKey(
        key_id=secrets.token_hex(8),
        key_hash=form + _random(20),
        key_secret_first="aaaa",  # noqa: S106 - the visible part of a key
        key_secret_last="zzzz",  # noqa: S106 - the visible part of a key
        name="benchmark",
    )


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


if __name__ == "__main__":
    serve(KeyshieldDriver())
