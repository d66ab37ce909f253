"""Hot path: requests to a warm container, compared with a single boto3 call to the same stub."""

from __future__ import annotations

import json
import os
import secrets
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from benchmarks import deployment, issued_keys, stub
from benchmarks.budgets import Budget, Limit
from benchmarks.measuring import in_turns
from benchmarks.peers.protocol import mistyped
from benchmarks.report import Bars, Section, Table, percentile_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from uuid import UUID

    from benchmarks.measuring import Effort, Sample
    from keywright.domain.limits import RateLimit

_TABLE = "keywright"
_BARE = "bare boto3 batch_get_item"
_WARM = "authorize_api_key, warm"
_LIMITED = "authorize_api_key, warm, key with limits"
_FORGED = "forged key, refused by its tag"
_FORGED_LOGGED = "forged key, with its line in the log"
_HASH = "one Argon2id hash"
_FIRST = "authorize_api_key, first verify of a key"
_FIRST_HMAC = "authorize_api_key, first verify of a key, KeyHash=hmac-sha256"
_CREATE = "create_api_key"
_FLUSHING = "authorize_api_key, warm, writes the uses of a minute"
_BARE_ENCRYPTED = "bare boto3 batch_get_item, over TLS"
_WARM_ENCRYPTED = "authorize_api_key, warm, over TLS"
_DRAWN = (_BARE, _WARM, _LIMITED, _FLUSHING, "verify_api_key, warm", "get_api_key", _FORGED)
_MICROSECONDS = 1e6
_READ_SECONDS = 0.004
"""Time of a read of DynamoDB, as the costs assume it."""


def run(effort: Effort) -> Section:
    """Measure the hot path."""
    deployment.enter(TABLE_NAME=_TABLE)
    key_id, key, items = issued()
    limited_id, limited, limited_items = issued(is_limited=True)
    hmac_id, hmac, hmac_items = deployment.with_hmac(issued)()
    others = {
        f"DynamoDB_20120810.BatchGetItem {hmac_id}": _read(hmac_items),
        f"DynamoDB_20120810.BatchGetItem {limited_id}": _read(limited_items),
        "DynamoDB_20120810.UpdateItem": {"Attributes": _used()},
    }
    content = answers(items) | others
    with stub.run_stub(content) as plain, stub.run_stub(content, stub.ENCRYPTED) as encrypted, discarded_output():
        os.environ |= encrypted.environment | plain.environment
        functions = _functions(key, key_id, limited, hmac) | _variants(key, key_id, encrypted) | _hashing(key)
        requests = {name: _requests((plain, encrypted), function) for name, function in functions.items()}
        samples = in_turns(functions, effort)
    return _section(samples, requests)


def _functions(key: str, key_id: UUID, limited: str, hmac: str) -> dict[str, Callable[[], object]]:
    import boto3  # noqa: PLC0415 - after the environment

    from keywright.domain import key_text  # noqa: PLC0415 - the same
    from keywright.keys import verification  # noqa: PLC0415 - the same
    from keywright.settings import settings  # noqa: PLC0415
    from keywright.store import pepper  # noqa: PLC0415

    client = boto3.client("dynamodb")
    authorize, verify = deployment.load_handler("authorize_api_key"), deployment.load_handler("verify_api_key")
    get = deployment.load_handler("get_api_key")
    authorizer_event = deployment.authorizer_event(key)
    verify_event = deployment.backend_event({"key": key})
    limited_event = deployment.authorizer_event(limited)
    limited_verify_event = deployment.backend_event({"key": limited})
    hmac_event = deployment.authorizer_event(hmac)
    get_event = deployment.member_event("GET", "/auth/api-keys/{id}", id=str(key_id))
    prefix = settings().key_prefix
    # One that passes everything but its tag, and one that fails its checksum.
    forged, wrong = issued_keys.forged(deployment.ORGANIZATION_ID, key_id), mistyped(key)
    tag_key = pepper.peppers().tag_key
    return {
        _BARE: _read_with(client, key_id),
        "parse a key and check its tag": lambda: key_text.decode(key, prefix, tag_key),
        _FORGED: lambda: key_text.decode(forged, prefix, tag_key),
        _FORGED_LOGGED: lambda: verification.verify(forged),
        "mistyped key, with its line in the log": lambda: verification.verify(wrong),
        "verification, warm": lambda: verification.verify(key),
        _WARM: lambda: authorize(authorizer_event),
        _FIRST_HMAC: deployment.with_hmac(_first(lambda: authorize(hmac_event))),
        _LIMITED: lambda: authorize(limited_event),
        "verify_api_key, warm": lambda: verify(verify_event),
        "verify_api_key, warm, key with limits": lambda: verify(limited_verify_event),
        "get_api_key": lambda: get(get_event),
    }


def _hashing(key: str) -> dict[str, Callable[[], object]]:
    """Return what computes an Argon2id hash."""
    from keywright.domain import key_hash  # noqa: PLC0415 - after the environment
    from keywright.settings import settings  # noqa: PLC0415 - the same

    authorize, create = deployment.load_handler("authorize_api_key"), deployment.load_handler("create_api_key")
    event = deployment.authorizer_event(key)
    body = {"name": "CI", "permissions": ["sessions:read"], "metadata": {"plan": "pro"}}
    create_event = deployment.member_event("POST", "/auth/api-keys", body)
    digest = secrets.token_bytes(32)
    return {
        _HASH: lambda: key_hash.hash_digest(digest, settings().argon2),
        _FIRST: _first(lambda: authorize(event)),
        _CREATE: lambda: create(create_event),
    }


def _first(function: Callable[[], object]) -> Callable[[], object]:
    """Return a function that runs in a container without secrets that have matched before."""
    from keywright.cache import Recent  # noqa: PLC0415 - after the environment
    from keywright.keys.verification import REMEMBERED_MATCHES, matches  # noqa: PLC0415 - the same

    def call() -> object:
        memory: Recent[bytes, str] = Recent(REMEMBERED_MATCHES)
        return deployment.replacing(matches, memory, function)()

    return call


def _variants(key: str, key_id: UUID, encrypted: stub.Stub) -> dict[str, Callable[[], object]]:
    """Return what replaces a part of the container while it runs: its client, or its meter of uses."""
    import boto3  # noqa: PLC0415 - after the environment

    from keywright.aws import retries  # noqa: PLC0415 - the same
    from keywright.aws.client import HttpClient  # noqa: PLC0415 - the same
    from keywright.aws.endpoints import DYNAMODB  # noqa: PLC0415
    from keywright.keys.usage import UsageMeter, meter  # noqa: PLC0415
    from keywright.store import usage  # noqa: PLC0415

    authorize, event = deployment.load_handler("authorize_api_key"), deployment.authorizer_event(key)
    client = HttpClient(
        DYNAMODB,
        os.environ | encrypted.environment,
        connect_timeout_seconds=retries.CONNECT_TIMEOUT_SECONDS,
        read_timeout_seconds=retries.READ_TIMEOUT_SECONDS,
    )
    boto3_client = boto3.client("dynamodb", endpoint_url=encrypted.url, verify=str(encrypted.authorities))
    return {
        _FLUSHING: deployment.replacing(meter, UsageMeter(usage.add, 0), lambda: authorize(event)),
        _BARE_ENCRYPTED: _read_with(boto3_client, key_id),
        _WARM_ENCRYPTED: deployment.replacing(retries.dynamodb, client, lambda: authorize(event)),
    }


def _read_with(client: Any, key_id: UUID) -> Callable[[], object]:
    """Return a function that reads what a verification reads, with boto3 alone."""
    parameters = read_parameters(key_id)
    return lambda: client.batch_get_item(**parameters)


def read_parameters(key_id: UUID) -> dict[str, Any]:
    """Return the parameters of the BatchGetItem of a verification."""
    partition = {"S": f"ORG#{deployment.ORGANIZATION_ID}"}
    keys = [{"pk": partition, "sk": {"S": f"KEY#{key_id}"}}, {"pk": partition, "sk": {"S": "ORG"}}]
    return {"RequestItems": {_TABLE: {"Keys": keys, "ConsistentRead": True}}}


def answers(items: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the answers of the stub, which returns these items for every read."""
    return {
        "DynamoDB_20120810.BatchGetItem": _read(items),
        "DynamoDB_20120810.Query": {"Items": items[:1], "Count": 1, "ScannedCount": 1},
        "DynamoDB_20120810.TransactWriteItems": {},
        "DynamoDB_20120810.UpdateItem": {},
        "secretsmanager.GetSecretValue": {"ARN": "a", "Name": "pepper", "SecretString": _pepper()},
    }


def _read(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"Responses": {_TABLE: items}, "UnprocessedKeys": {}}


def _used() -> dict[str, Any]:
    """Return the item of limits of which little was used."""
    from keywright import clock  # noqa: PLC0415 - after the environment
    from keywright.domain.limits import Period  # noqa: PLC0415 - the same

    now = clock.now_ns()
    return {
        "pk": {"S": "LIMIT"},
        "sk": {"S": "LIMIT"},
        "tat": {"N": str(now)},
        "rate_interval": {"N": str(_rate().interval)},
        "quota_period": {"S": Period.MONTH.containing(now).name},
        "quota_used": {"N": "1"},
    }


def _rate() -> RateLimit:
    from keywright.domain.limits import RateLimit  # noqa: PLC0415 - after the environment

    return RateLimit(limit=60, window_seconds=60, burst=60)


def issued(*, is_limited: bool = False) -> tuple[UUID, str, list[dict[str, Any]]]:
    """Return the id and the text of a new key, and the items that its requests read."""
    from datetime import UTC, datetime  # noqa: PLC0415

    from keywright.domain import key_hash, key_text  # noqa: PLC0415 - after the environment
    from keywright.domain.limits import Period, Quota  # noqa: PLC0415 - the same
    from keywright.ids import uuid7  # noqa: PLC0415
    from keywright.settings import settings  # noqa: PLC0415
    from keywright.store import api_keys, pepper  # noqa: PLC0415

    keyring = pepper.read(_pepper())
    key_id = uuid7()
    payload = key_text.payload(
        pepper_version=1,
        organization_id=deployment.ORGANIZATION_ID,
        key_id=key_id,
        generation=0,
        secret=secrets.token_bytes(key_text.SECRET_BYTES),
    )
    digest = key_hash.keyed_digest(payload, keyring.current.hash_key)
    text = key_text.encode(settings().key_prefix, payload, keyring.current.tag_key)
    now = datetime.now(UTC)
    record = api_keys.ApiKeyRecord(
        organization_id=deployment.ORGANIZATION_ID,
        key_id=key_id,
        name="CI",
        permissions=("sessions:read",),
        metadata='{"plan":"pro"}',
        hash=key_hash.hash_digest(digest, key_hash.configured(settings(), keyring.current)),
        generation=0,
        hint=key_text.hint(text, settings().key_prefix),
        created_by=deployment.USER_ID,
        created_at=now,
        updated_at=now,
        rate_limit=_rate() if is_limited else None,
        quota=Quota(10**9, Period.MONTH) if is_limited else None,
    )
    organization = {
        "pk": {"S": f"ORG#{deployment.ORGANIZATION_ID}"},
        "sk": {"S": "ORG"},
        "name": {"S": "Acme"},
        "created_at": {"S": "2026-01-01T00:00:00.000Z"},
    }
    member = {
        "pk": organization["pk"],
        "sk": {"S": f"MEMBER#{deployment.USER_ID}"},
        "role": {"S": "admin"},
    }
    item: Any = api_keys.put(record).request["Item"]
    return key_id, text, [dict(item), organization, member]


def _pepper() -> str:
    return json.dumps(deployment.PEPPER)


def _requests(servers: Sequence[stub.Stub], function: Callable[[], object]) -> int:
    """Count the requests of a warm call."""
    function()
    before = sum(server.requests() for server in servers)
    function()
    return sum(server.requests() for server in servers) - before


@contextmanager
def discarded_output() -> Iterator[None]:
    """Discard standard output, so that log lines are formatted and written as on Lambda."""
    original = sys.stdout
    with open(os.devnull, "w") as null:  # noqa: PTH123
        sys.stdout = null
        try:
            yield
        finally:
            sys.stdout = original


def _section(samples: dict[str, Sample], requests: dict[str, int]) -> Section:
    bare, hash_seconds = samples[_BARE], samples[_HASH].median
    rows: list[tuple[Any, ...]] = []
    for name, sample in samples.items():
        low, high = (value * _MICROSECONDS for value in sample.spread)
        without = sample.median - hash_seconds if name in {_FIRST, _CREATE} else None
        rows.append(
            (
                name,
                requests[name],
                sample.median * _MICROSECONDS,
                f"{low:,.0f} .. {high:,.0f}",
                sample.ratio(bare),
                None if without is None else without * _MICROSECONDS,
            )
        )
    section = Section("hot_path", "Hot path: one warm container, AWS answered by a stub at the HTTP level")
    columns = ("what", "requests", "median us", "quartiles", "x bare call", "us without the hash")
    section.tables.append(Table("Medians of rounds in turns", columns, rows))
    calls = {name: sample.calls for name, sample in samples.items()}
    section.tables.append(percentile_table("Single calls", calls, "us", _MICROSECONDS))
    section.notes = _notes(samples)
    section.budgets = [
        Budget(limit, samples[name].ratio(bare))
        for name, limit in ((_WARM, Limit.WARM), (_LIMITED, Limit.LIMITED), (_FORGED, Limit.FORGED))
    ]
    section.budgets.append(Budget(Limit.FIRST_HMAC, samples[_FIRST_HMAC].ratio(samples[_WARM])))
    section.pictures["hot-path"] = Bars(
        "One warm request; AWS answered by a stub",
        "microseconds",
        [(name, samples[name].median * _MICROSECONDS, name != _BARE) for name in _DRAWN],
    )
    section.samples = {name: sample.rounds for name, sample in samples.items()}
    return section


def _notes(samples: dict[str, Sample]) -> list[str]:
    from keywright.settings import settings  # noqa: PLC0415 - after the environment

    bare, warm, forged = samples[_BARE].median, samples[_WARM].median, samples[_FORGED].median
    answer = _READ_SECONDS + warm
    saved = (bare - warm) / (_READ_SECONDS + bare)
    extra = samples[_FLUSHING].median - warm
    encrypted = samples[_WARM_ENCRYPTED].ratio(samples[_BARE_ENCRYPTED])
    seconds = settings().usage_flush_seconds
    read = f"a read of {_READ_SECONDS * 1000:g} ms"
    behind = f"Nothing was measured on AWS. Ratios are of the client alone: behind {read}, an answer takes"
    behind += f" {answer * 1000:.2f} ms, {saved:.0%} less than that read with boto3."
    writing = f"Once in {seconds:g} seconds (UsageFlushSeconds) and container, a verification of a key writes its uses"
    writing += f" in its caller's time: {extra * _MICROSECONDS:,.0f} us here, and the write of DynamoDB. Of a key that"
    writing += f" a container verifies once a second, that is one verification of {seconds:g}."
    return [
        behind,
        writing,
        f"Over TLS, on kept connections, a warm verification takes {encrypted:.3g} x the bare call over TLS.",
        f"A forged key takes {forged * _MICROSECONDS:.3g} us, of the 20 that the design allows.",
    ]
