"""The client for asyncio."""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from keywright_client import flow, transport
from keywright_client.answers import Lost, Reply
from keywright_client.connections import AsyncConnections
from keywright_client.engine import Engine, checked_timeout
from keywright_client.requests import UNSET, Unchanged
from keywright_client.uses import Use

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
    from datetime import datetime
    from types import TracebackType

    from typing_extensions import Self

    from keywright_client.engine import Pages
    from keywright_client.flow import Flow, Send
    from keywright_client.results import (
        ApiKeyDetails,
        ApiKeySummary,
        AuditLog,
        BatchResult,
        CreatedApiKey,
        MetadataValue,
        Quota,
        RateLimit,
        Reason,
        RotatedApiKey,
        Verification,
    )
    from keywright_client.signing import AwsCredentials, Loaded, Signer

Result = TypeVar("Result")
Item = TypeVar("Item")


class AsyncKeywright:
    """Verifies and manages API keys, for asyncio. One client serves all tasks.

    Args:
        url: address of the API, the stack's output ApiUrl. Pass either `url` or `function`.
        function: ARN of the stack's VerifyApiKey function, to verify keys without API Gateway. The client then only
            verifies.
        token: session token of an owner or admin, to manage keys, or a function that returns one or an awaitable of
            one. The function is called before every attempt.
        region: AWS region to sign for. By default it is in `url`, else in AWS_REGION, AWS_DEFAULT_REGION or the AWS
            profile. Omit it with `function`, whose ARN has it.
        credentials: AWS credentials, such as `boto3.Session().get_credentials()`. By default they are looked for where
            all AWS SDKs do.
        timeout_seconds: how long an attempt waits for the connection, for TLS and for the next part of the answer,
            0.001 to 900. A body that arrives in parts ends at this time, too.
        retries: how many further attempts follow a connection error, a time-out, a 429 or a 5xx, up to 10.
        reuse_seconds: how long a valid answer is used again for the same question, up to 3,600. A revoked key can work
            for that long. 0 asks every time. Answers with a rate limit or a quota are never used again.
        reuse_entries: how many answers are kept for that, 1 to 10,000,000.
        http: httpx client to send with, for proxies and tests. It is not closed with this client, and cannot be used in
            processes forked from this one. Without it, a forked process opens connections for itself.

    Raises:
        ConfigurationError: an argument cannot work. The message names it and the remedy.
        TypeError: an argument is not a number.
        ValueError: a number is out of its range.
    """

    def __init__(  # noqa: PLR0913 - options, by keyword
        self,
        url: str | None = None,
        *,
        function: str | None = None,
        token: str | Callable[[], str | Awaitable[str]] | None = None,
        region: str | None = None,
        credentials: AwsCredentials | None = None,
        timeout_seconds: float = 5.0,
        retries: int = 2,
        reuse_seconds: float = 0.0,
        reuse_entries: int = 10_000,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._timeout_seconds = checked_timeout(timeout_seconds)
        self._engine = Engine(
            url,
            function=function,
            token=token,
            region=region,
            credentials=credentials,
            retries=retries,
            reuse_seconds=reuse_seconds,
            reuse_entries=reuse_entries,
        )
        self._connections = AsyncConnections(http, is_local=self._engine.is_local)
        self._loading: dict[asyncio.AbstractEventLoop, asyncio.Task[Loaded | Lost]] = {}

    async def verify(
        self, text: str, *, permissions: Iterable[str] = (), client_ip: str | None = None, cost: int = 1
    ) -> Verification:
        """Verify a key.

        A refused key is a result, not an exception. A repeated attempt can count twice for the limits of the key.

        Args:
            text: text of the key, as your caller presented it. One of more than 4,096 characters is not found, without
                a request: no key is as long.
            permissions: permissions that the key must have.
            client_ip: address of your caller, as your server sees it, never from a header that callers can set. Without
                one, a key with allowed addresses is refused.
            cost: how much of the key's limits this use takes, 0 to 1,000,000. 0 takes nothing and shows what is left.

        Raises:
            ApiError: Keywright answered with an error.
            ApiConnectionError: no answer arrived.
            ConfigurationError: there is no region, or there are no AWS credentials.
            TypeError: an argument has the wrong type.
            ValueError: `cost` is out of its range.
        """
        use = Use(text, permissions=permissions, client_ip=client_ip, cost=cost)
        return await self._run(self._engine.verify(use))

    async def verify_batch(self, uses: Iterable[Use | str]) -> tuple[BatchResult, ...]:
        """Verify up to 100 keys with one request to the API, or with several if it would be larger than 64 KiB.

        Each key gets the result that `verify` returns, or `Undecided`: neither an admission nor a refusal. A repeated
        attempt can count twice for the limits of all keys. Answers are neither reused nor kept for reuse.

        Args:
            uses: the keys, each with what it is used for, or its text alone if it needs no permission. The same key
                twice is used twice. A text that is not printable ASCII of at most 512 characters is not found, and not
                sent: no key has such a text. No uses have no results, without a request.

        Returns:
            The results in the order of the uses.

        Raises:
            ApiError: Keywright answered with an error, or not with one result for each key. Keys may have been used.
            ApiConnectionError: no answer arrived. Keys may have been used.
            ConfigurationError: the client has no `url`; or there is no region, or there are no AWS credentials.
            TypeError: `uses` or one of them has the wrong type.
            ValueError: there are more than 100 uses.
        """
        return await self._run(self._engine.verify_batch(uses))

    async def create(  # noqa: PLR0913 - the fields of a key, by keyword
        self,
        *,
        name: str,
        permissions: Iterable[str],
        metadata: Mapping[str, MetadataValue] | None = None,
        expires_at: datetime | None = None,
        rate_limit: RateLimit | None = None,
        quota: Quota | None = None,
        allowed_ips: Iterable[str] | None = None,
        idempotency_key: str | None = None,
    ) -> CreatedApiKey:
        """Create a key. Its text is in the result and is never shown again.

        Args:
            name: name that people recognize the key by, 1 to 120 characters.
            permissions: one or more permissions of the deployment. `X:write` includes `X:read`.
            metadata: your own data about the key, up to 16 KiB.
            expires_at: when the key expires, a time in the future with a time zone. By default it never does.
            rate_limit: how fast the key can be used. By default it has no rate limit.
            quota: how often the key can be used. By default it has no quota.
            allowed_ips: addresses and ranges that the key can be used from, up to 50. By default it can be used from
                anywhere, as with an empty list.
            idempotency_key: for 24 hours, the same one and the same fields get the same key. By default each call has
                a new one, which its attempts share.

        Raises:
            ApiError: Keywright answered with an error.
            ApiConnectionError: no answer arrived. The key may have been created.
            ConfigurationError: the client has no `url` or no `token`.
            TypeError: an argument has the wrong type.
            ValueError: a time has no time zone, or the idempotency key is not printable ASCII.
        """
        return await self._run(
            self._engine.create(
                idempotency_key,
                name=name,
                permissions=permissions,
                metadata=metadata,
                expires_at=expires_at,
                rate_limit=rate_limit,
                quota=quota,
                allowed_ips=allowed_ips,
            )
        )

    def list(
        self,
        *,
        enabled: bool | None = None,
        permission: str | None = None,
        expires_before: datetime | None = None,
        page_size: int = 100,
    ) -> AsyncIterator[ApiKeySummary]:
        """Return the keys of the organization, newest first. Pages are read as they are needed.

        Args:
            enabled: only keys that are enabled, or disabled.
            permission: only keys that were granted this permission directly. `X:read` does not find keys with
                `X:write`.
            expires_before: only keys that expire before this time, or have expired.
            page_size: number of keys in a request, 1 to 100.

        Raises:
            ApiError: Keywright answered with an error, at any page.
            ApiConnectionError: no answer arrived, at any page.
            ConfigurationError: the client has no `url` or no `token`.
            TypeError: `page_size` is not a whole number.
            ValueError: `page_size` is out of its range, or `expires_before` has no time zone.
        """
        return self._items(
            self._engine.list(page_size, enabled=enabled, permission=permission, expires_before=expires_before)
        )

    async def get(self, id: str) -> ApiKeyDetails:  # noqa: A002 - the name of the field
        """Return a key.

        Raises:
            ApiError: Keywright answered with an error: `API_KEY_NOT_FOUND` if there is no such key.
            ApiConnectionError: no answer arrived.
            ConfigurationError: the client has no `url` or no `token`.
            ValueError: `id` cannot be the id of a key.
        """
        return await self._run(self._engine.get(id))

    async def update(  # noqa: PLR0913 - the fields of a key, by keyword
        self,
        id: str,  # noqa: A002 - the name of the field
        *,
        name: str | Unchanged = UNSET,
        enabled: bool | Unchanged = UNSET,
        permissions: Iterable[str] | Unchanged = UNSET,
        metadata: Mapping[str, MetadataValue] | Unchanged = UNSET,
        expires_at: datetime | Unchanged | None = UNSET,
        rate_limit: RateLimit | Unchanged | None = UNSET,
        quota: Quota | Unchanged | None = UNSET,
        allowed_ips: Iterable[str] | Unchanged | None = UNSET,
        leak: Unchanged | None = UNSET,
        reason: Reason | Unchanged = UNSET,
    ) -> ApiKeyDetails:
        """Change a key, and return it as it now is. Omitted fields stay as they are.

        Args:
            id: id of the key.
            name: new name, 1 to 120 characters.
            enabled: whether the key is enabled. A disabled key is refused.
            permissions: new list of permissions, one or more. It replaces the current one.
            metadata: new metadata, up to 16 KiB. It replaces the current metadata.
            expires_at: when the key expires, a time in the future with a time zone. None removes the expiry.
            rate_limit: new rate limit, from the next use on. None removes it.
            quota: new quota, from the next use on. What was used of the period stays used. None removes the quota.
            allowed_ips: new list of addresses and ranges, up to 50. None and an empty list allow all.
            leak: None clears the report that the text of the key is public. A disabled key with such a report can only
                be enabled together with it.
            reason: why the key is disabled, for the audit log. Only together with `enabled=False`.

        Raises:
            ApiError: Keywright answered with an error: `API_KEY_NOT_FOUND` if there is no such key.
            ApiConnectionError: no answer arrived. The key may have been changed.
            ConfigurationError: the client has no `url` or no `token`.
            TypeError: an argument has the wrong type.
            ValueError: `id` cannot be the id of a key, or a time has no time zone.
        """
        return await self._run(
            self._engine.update(
                id,
                name=name,
                enabled=enabled,
                permissions=permissions,
                metadata=metadata,
                expires_at=expires_at,
                rate_limit=rate_limit,
                quota=quota,
                allowed_ips=allowed_ips,
                leak=leak,
                reason=reason,
            )
        )

    async def rotate(
        self,
        id: str,  # noqa: A002 - the name of the field
        *,
        grace_period_seconds: int = 0,
        reason: Reason | None = None,
        idempotency_key: str | None = None,
    ) -> RotatedApiKey:
        """Issue a new text for a key. It is in the result and is never shown again.

        Args:
            id: id of the key.
            grace_period_seconds: how long the previous text keeps working, up to 604,800, which is 7 days. By default
                it stops working at once.
            reason: why the key is rotated, for the audit log.
            idempotency_key: for 24 hours, the same one and the same arguments get the same text. By default each call
                has a new one, which its attempts share.

        Raises:
            ApiError: Keywright answered with an error: `API_KEY_NOT_FOUND` if there is no such key.
            ApiConnectionError: no answer arrived. The key may have been rotated.
            ConfigurationError: the client has no `url` or no `token`.
            ValueError: `id` cannot be the id of a key, or the idempotency key is not printable ASCII.
        """
        return await self._run(self._engine.rotate(id, grace_period_seconds, reason, idempotency_key))

    async def delete(self, id: str, *, reason: Reason | None = None) -> None:  # noqa: A002 - the name of the field
        """Delete a key, immediately and permanently.

        A key that is gone after an attempt that was sent, without an answer, was deleted by that attempt: a success.

        Args:
            id: id of the key.
            reason: why the key is deleted, for the audit log.

        Raises:
            ApiError: Keywright answered with an error: `API_KEY_NOT_FOUND` if there is no such key.
            ApiConnectionError: no answer arrived. The key may have been deleted.
            ConfigurationError: the client has no `url` or no `token`.
            ValueError: `id` cannot be the id of a key.
        """
        await self._run(self._engine.delete(id, reason))

    def audit_logs(  # noqa: PLR0913 - the filters of the log, by keyword
        self,
        *,
        event: Iterable[str] = (),
        actor_type: Iterable[str] = (),
        actor_user_id: str | None = None,
        actor_api_key_id: str | None = None,
        target_id: str | None = None,
        created_from: datetime | None = None,
        created_to: datetime | None = None,
        page_size: int = 100,
    ) -> AsyncIterator[AuditLog]:
        """Return the audit log of the organization, newest first. Pages are read as they are needed.

        Args:
            event: only these kinds of records, such as `api_key.created`. All by default.
            actor_type: only changes by actors of these types. All by default.
            actor_user_id: only changes by this user.
            actor_api_key_id: only changes by the holder of this key.
            target_id: only changes to this key, member or organization.
            created_from: only records created at or after this time.
            created_to: only records created at or before this time.
            page_size: number of records in a request, 1 to 100.

        Raises:
            ApiError: Keywright answered with an error, at any page.
            ApiConnectionError: no answer arrived, at any page.
            ConfigurationError: the client has no `url` or no `token`.
            TypeError: `event` or `actor_type` is not a list of strings, or `page_size` is not a whole number.
            ValueError: `page_size` is out of its range, or a time has no time zone.
        """
        return self._items(
            self._engine.audit_logs(
                page_size,
                event=event,
                actor_type=actor_type,
                actor_user_id=actor_user_id,
                actor_api_key_id=actor_api_key_id,
                target_id=target_id,
                created_from=created_from,
                created_to=created_to,
            )
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connections.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    # ---- Steps -----------------------------------------------------------------------------------------------

    async def _items(self, pages: Pages[Item]) -> AsyncIterator[Item]:
        while pages.has_more:
            for item in await self._run(pages.next()):
                yield item

    async def _run(self, steps: Flow[Result]) -> Result:
        outcome: Any = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                result: Result = end.value
                return result
            outcome = await self._done(step)

    async def _done(self, step: flow.Step) -> Any:
        match step:
            case flow.Send():
                return await self._sent(step)
            case flow.Pause():
                return await asyncio.sleep(step.seconds)
            case flow.Load():
                return await self._loaded(step.signer)
        token = self._engine.token() if callable(self._engine.token) else None
        return await token if inspect.isawaitable(token) else token

    async def _loaded(self, signer: Signer) -> Loaded | Lost:
        """Load credentials in a thread: in one, however many tasks wait for them."""
        loop = asyncio.get_running_loop()
        loading = self._loading.get(loop)
        if loading is None:
            loading = self._loading[loop] = loop.create_task(asyncio.to_thread(signer.load))
            loading.add_done_callback(self._end_loading)
        return await asyncio.shield(loading)

    def _end_loading(self, loading: asyncio.Task[Loaded | Lost]) -> None:
        del self._loading[loading.get_loop()]
        if not loading.cancelled():
            loading.exception()  # mark it as retrieved: all tasks that waited may have been canceled

    async def _sent(self, send: Send) -> Reply | Lost:
        deadline = time.monotonic() + self._timeout_seconds
        request = transport.request(send, self._timeout_seconds)
        try:
            response = await self._connections.get().send(request, stream=True, auth=None, follow_redirects=False)
            try:
                content = bytearray()
                async for part in response.aiter_bytes():
                    content += part
                    if time.monotonic() >= deadline:
                        return transport.TIMED_OUT
            finally:
                await response.aclose()
            return Reply(response.status_code, response.headers, bytes(content))
        except httpx.RequestError as error:
            return transport.failed(error)
