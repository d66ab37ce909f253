"""The part of both clients that sends nothing: checked arguments, transports, lists, reused answers."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, Union, cast

from keywright_client import addresses, answers, flow, parsing, requests, uses
from keywright_client.answers import Lost
from keywright_client.errors import ConfigurationError
from keywright_client.results import NotFound, Valid
from keywright_client.reuse import MAXIMUM_SECONDS, ReusableAnswers
from keywright_client.signing import Signer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from keywright_client.answers import Answer, Reply
    from keywright_client.errors import ApiError
    from keywright_client.flow import Flow, Send
    from keywright_client.requests import Call
    from keywright_client.results import (
        ApiKeyDetails,
        ApiKeySummary,
        AuditLog,
        BatchResult,
        CreatedApiKey,
        RotatedApiKey,
        Verification,
    )
    from keywright_client.signing import AwsCredentials, Loaded
    from keywright_client.uses import Use

Result = TypeVar("Result")
Item = TypeVar("Item")

VERSION = "0.1.0"
Token: TypeAlias = Union[str, "Callable[[], Any]", None]
_MOST_RETRIES = 10
_MOST_ENTRIES = 10_000_000
_SHORTEST_TIMEOUT_SECONDS = 0.001
_LONGEST_TIMEOUT_SECONDS = 900
_LONGEST_TEXT_CHARACTERS = 4096
"""No key is longer, by far: Keywright would not read a longer text."""
_VISIBLE = re.compile(r"[!-~]+")
_HEADERS = {
    "user-agent": f"keywright-client/{VERSION} python/{sys.version_info[0]}.{sys.version_info[1]}",
    "accept": "application/json",
    "connection": "keep-alive",
}
_JSON = {"content-type": "application/json"}


class Pages(Generic[Item]):
    """A list, of which one page after the other is read.

    Args:
        engine: engine to read with.
        path: path of the list.
        query: parameters.
        parse: parses an item.
    """

    def __init__(self, engine: Engine, path: str, query: Mapping[str, object], parse: Callable[[object], Item]) -> None:
        self._engine = engine
        self._list = path, query, parse
        self._cursor: str | None = None
        self.has_more = True

    def next(self) -> Flow[tuple[Item, ...]]:
        """Return the items of the next page."""
        path, query, parse = self._list
        page = yield from self._engine.managed(requests.page(path, query, self._cursor, parse))
        self._cursor = page.next_cursor
        self.has_more = page.next_cursor is not None
        return page.items


class Engine:
    """The client without its connections.

    Args are those of the clients.

    Attributes:
        is_local: whether all requests go to this machine, without TLS.

    Raises:
        ConfigurationError: an argument cannot work.
        TypeError: an argument is not a number.
        ValueError: a number is out of its range.
    """

    def __init__(  # noqa: PLR0913 - the options of the client, by keyword
        self,
        url: str | None,
        *,
        function: str | None,
        token: Token,
        region: str | None,
        credentials: AwsCredentials | None,
        retries: int,
        reuse_seconds: float,
        reuse_entries: int,
    ) -> None:
        if (url is None) is (function is None):
            state = "missing" if url is None else "given"
            raise ConfigurationError(f"url, function: pass exactly one of them; both are {state}")
        requests.number("retries", retries, 0, _MOST_RETRIES)
        requests.seconds("reuse_seconds", reuse_seconds, 0, MAXIMUM_SECONDS)
        requests.number("reuse_entries", reuse_entries, 1, _MOST_ENTRIES)
        self.token = token
        self.retries = flow.Retries(retries)
        self.reusable = ReusableAnswers(reuse_seconds, reuse_entries) if reuse_seconds else None
        self._verifying_batches: flow.Transport | None = None
        self._managing: flow.Transport | None = None
        if url is not None:
            api = addresses.parse(url, "url")
            self._verifying = self._over_http(api, region, credentials)
            self.is_local = api.is_local
        else:
            arn = cast("str", function)
            own_region = addresses.region_of_function(arn)
            if region and region != own_region:
                raise ConfigurationError("region: the ARN of the function has another region; omit it")
            invocation = addresses.invocation(arn, own_region)
            self._verifying = _signing(Signer("lambda", own_region, credentials), invocation, answers.over_lambda)
            self.is_local = invocation.is_local

    def _over_http(
        self, api: addresses.Address, region: str | None, credentials: AwsCredentials | None
    ) -> flow.Transport:
        signer = Signer("execute-api", region or addresses.region_of_host(api), credentials)

        def authorized(call: Call[Any]) -> Flow[Send | Lost]:
            token: object = self.token if isinstance(self.token, str) else (yield flow.AskToken())
            headers = {**_HEADERS, "authorization": f"Bearer {_checked(token)}"}
            if call.body is not None:
                headers.update(_JSON)
            if call.idempotency_key is not None:
                headers["idempotency-key"] = call.idempotency_key
            return flow.Send(call.method, api.at(call.path), headers, call.body)

        self._managing = flow.Transport(authorized, answers.with_token)
        self._verifying_batches = _signing(signer, api.at(requests.VERIFY_BATCH), answers.to_batch)
        return _signing(signer, api.at(requests.VERIFY), answers.over_http)

    def managed(self, call: Call[Result]) -> Flow[Result]:
        """Make a call with the session token.

        Raises:
            ConfigurationError: the client has no address, or no token.
        """
        if self._managing is None:
            raise ConfigurationError("url: keys are managed over the API; create the client with url and token")
        if self.token is None:
            raise ConfigurationError(
                "token: pass the session token of an owner or admin, or a function that returns it"
            )
        return flow.perform(call, self._managing, self.retries)

    # ---- Operations ------------------------------------------------------------------------------------------

    def verify(self, use: Use) -> Flow[Verification]:
        """Verify a key, unless its text is too long or its answer can be used again."""
        if len(use.text) > _LONGEST_TEXT_CHARACTERS:
            return NotFound()
        if self.reusable is None:
            return (yield from self._asked(use))
        digest = self.reusable.digest(use.text, use.permissions, use.client_ip, use.cost)
        if answer := self.reusable.get(digest):
            return answer
        sent = self.reusable.now()  # before any attempt: an answer is never used for longer than promised
        result = yield from self._asked(use)
        if isinstance(result, Valid):
            self.reusable.put(digest, result, sent)
        return result

    def _asked(self, use: Use) -> Flow[Verification]:
        return flow.perform(requests.verify(use), self._verifying, self.retries)

    def verify_batch(self, batch: Iterable[Use | str]) -> Flow[tuple[BatchResult, ...]]:
        """Verify several keys with one request, or with several if it would be too large.

        Raises:
            ConfigurationError: the client has no address.
        """
        if self._verifying_batches is None:
            raise ConfigurationError("url: batches are verified over the API; create the client with url, not function")
        items = uses.batch(batch)
        if not items:
            return ()
        call = requests.verify_batch(items)
        if len(call.body or b"") <= requests.LARGEST_BODY_BYTES or len(items) == 1:
            return (yield from flow.perform(call, self._verifying_batches, self.retries))
        middle = len(items) // 2
        first = yield from self.verify_batch(items[:middle])
        return first + (yield from self.verify_batch(items[middle:]))

    def create(self, idempotency_key: str | None, **fields: object) -> Flow[CreatedApiKey]:
        """Create a key."""
        return self.managed(requests.create(fields, idempotency_key))

    def list(self, page_size: int, **query: object) -> Pages[ApiKeySummary]:
        """List keys."""
        limited = {**query, "limit": requests.page_size(page_size)}
        return Pages(self, requests.KEYS, limited, parsing.api_key_summary)

    def get(self, key_id: str) -> Flow[ApiKeyDetails]:
        """Get a key."""
        return self.managed(requests.get(key_id))

    def update(self, key_id: str, **fields: object) -> Flow[ApiKeyDetails]:
        """Change a key."""
        return self.managed(requests.update(key_id, fields))

    def rotate(
        self, key_id: str, grace_period_seconds: int, reason: str | None, idempotency_key: str | None
    ) -> Flow[RotatedApiKey]:
        """Rotate a key."""
        return self.managed(requests.rotate(key_id, grace_period_seconds, reason, idempotency_key))

    def delete(self, key_id: str, reason: str | None) -> Flow[None]:
        """Delete a key."""
        return self.managed(requests.delete(key_id, reason))

    def audit_logs(
        self, page_size: int, *, event: Iterable[str], actor_type: Iterable[str], **query: object
    ) -> Pages[AuditLog]:
        """List the audit log."""
        kinds = {"event": requests.texts("event", event), "actor_type": requests.texts("actor_type", actor_type)}
        limited = {**query, **kinds, "limit": requests.page_size(page_size)}
        return Pages(self, requests.AUDIT_LOGS, limited, parsing.audit_log)


def checked_timeout(timeout_seconds: object) -> float:
    """Return a time-out in seconds, 0.001 to 900.

    Raises:
        TypeError: it is not a number.
        ValueError: it is out of its range.
    """
    return requests.seconds("timeout_seconds", timeout_seconds, _SHORTEST_TIMEOUT_SECONDS, _LONGEST_TIMEOUT_SECONDS)


def _signing(
    signer: Signer, address: addresses.Address, answer: Callable[[Reply], Answer | ApiError]
) -> flow.Transport:
    def signed(call: Call[Any]) -> Flow[Send | Lost]:
        loaded = yield from flow.loaded(signer)
        return loaded if isinstance(loaded, Lost) else _signed(call, signer, address, loaded)

    return flow.Transport(signed, answer, signer)


def _signed(call: Call[Any], signer: Signer, address: addresses.Address, loaded: Loaded) -> Send:
    body = call.body or b""
    moment = signer.now()
    headers = signer.sign(address, _JSON, body, loaded, moment)
    return flow.Send(call.method, address, {**_HEADERS, **headers}, body, moment)


def _checked(token: object) -> str:
    if not isinstance(token, str) or not _VISIBLE.fullmatch(token):
        raise ConfigurationError("token: must be a string of visible ASCII characters, without spaces and line breaks")
    return token
