"""The table of the benchmarks on DynamoDB Local, with any number of organizations and keys."""

from __future__ import annotations

import secrets
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import islice, repeat
from typing import TYPE_CHECKING, Any

from benchmarks import deployment, hot_path, stub
from local import backend
from local.template import Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import ExitStack

    from mypy_boto3_dynamodb import DynamoDBClient

    from keywright.domain.limits import Quota, RateLimit

BENCHMARK_TABLE = "keywright-benchmark"
_ITEMS_PER_REQUEST = 25
_WRITERS = 8


def enter_benchmark_table(url: str, stack: ExitStack) -> DynamoDBClient:
    """Set the environment of a function, with a new table of one organization; discard what it writes to its log.

    Args:
        url: of DynamoDB.
        stack: ends it.
    """
    secrets_manager = stack.enter_context(stub.run_stub(hot_path.answers([])))
    deployment.enter(AWS_ENDPOINT_URL=secrets_manager.url, AWS_ENDPOINT_URL_DYNAMODB=url, TABLE_NAME=BENCHMARK_TABLE)
    stack.enter_context(hot_path.discarded_output())
    client = create_benchmark_table()
    put_organizations(client, [deployment.ORGANIZATION_ID])
    return client


def create_benchmark_table() -> DynamoDBClient:
    """Create the table of the template in the DynamoDB at AWS_ENDPOINT_URL_DYNAMODB; return a client."""
    import boto3  # noqa: PLC0415 - reads the environment

    backend.create_table(Resource(BENCHMARK_TABLE, deployment.stack().tables[0].properties))
    client: DynamoDBClient = boto3.client("dynamodb")
    return client


def put_organizations(client: DynamoDBClient, organization_ids: Iterable[uuid.UUID]) -> None:
    """Write organizations, each with one admin."""
    items = []
    for organization_id in organization_ids:
        partition = {"S": f"ORG#{organization_id}"}
        items += [
            {"pk": partition, "sk": {"S": "ORG"}, "name": {"S": "Acme"}, "created_at": {"S": _now()}},
            {"pk": partition, "sk": {"S": f"MEMBER#{deployment.USER_ID}"}, "role": {"S": "admin"}},
        ]
    _write(client, items)


def fill(client: DynamoDBClient, organization_id: uuid.UUID, number: int) -> None:
    """Write keys that are never verified, with the size of real ones and a well-formed hash."""
    _write(client, (_filler(organization_id) for _ in repeat(None, number)))


def issue(organization_id: uuid.UUID, **attributes: Any) -> tuple[uuid.UUID, str]:
    """Issue a key as the service does; return its id and its text."""
    from keywright.api.schemas import CreateApiKey  # noqa: PLC0415 - the same
    from keywright.api.validation import validate  # noqa: PLC0415 - the same
    from keywright.keys import create as key_create  # noqa: PLC0415 - after the environment

    body = validate(CreateApiKey, {"name": "CI", "permissions": ["sessions:read"], **attributes})
    created: Any = key_create.create(admin_of(organization_id), origin(), body, None)
    return uuid.UUID(created.id), created.key


def give_limits(
    client: DynamoDBClient, organization_id: uuid.UUID, holder_id: uuid.UUID, limits: Mapping[str, RateLimit | Quota]
) -> None:
    """Give limits to a key, or to the organization if the holder is the organization.

    Args:
        client: of the table.
        organization_id: of the key.
        holder_id: of the key or the organization.
        limits: by attribute: rate_limit, quota.
    """
    from keywright.store import layout  # noqa: PLC0415 - after the environment

    sort_key = "ORG" if holder_id == organization_id else f"KEY#{holder_id}"
    client.update_item(
        TableName=BENCHMARK_TABLE,
        Key={"pk": {"S": f"ORG#{organization_id}"}, "sk": {"S": sort_key}},
        UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in limits),
        ExpressionAttributeNames={f"#{name}": name for name in limits},
        ExpressionAttributeValues={f":{name}": {"S": limit.stored()} for name, limit in limits.items()},
    )
    client.put_item(TableName=BENCHMARK_TABLE, Item=layout.limit_key(holder_id))


def admin_of(organization_id: uuid.UUID) -> Any:
    """Return the admin of an organization."""
    from keywright.domain.principals import Member  # noqa: PLC0415

    return Member(organization_id=organization_id, user_id=deployment.USER_ID)


def origin() -> Any:
    """Return the origin of a change."""
    from keywright.domain.principals import Origin  # noqa: PLC0415

    return Origin(source_ip="203.0.113.7", request_id="benchmark")


def _filler(organization_id: uuid.UUID) -> dict[str, Any]:
    from keywright.ids import uuid7  # noqa: PLC0415

    now = _now()
    return {
        "pk": {"S": f"ORG#{organization_id}"},
        "sk": {"S": f"KEY#{uuid7()}"},
        "name": {"S": "CI"},
        "permissions": {"L": [{"S": "sessions:read"}]},
        "metadata": {"S": "{}"},
        "enabled": {"BOOL": True},
        "hash": {"S": f"$argon2id$v=19$m=19456,t=2,p=1${secrets.token_urlsafe(16)}${secrets.token_urlsafe(32)}"},
        "generation": {"N": "0"},
        "hint": {"S": "kk_...wxyz"},
        "created_by": {"S": deployment.USER_ID},
        "created_at": {"S": now},
        "updated_at": {"S": now},
        "version": {"N": "1"},
    }


def _write(client: DynamoDBClient, items: Iterable[dict[str, Any]]) -> None:
    def write(batch: list[dict[str, Any]]) -> None:
        client.batch_write_item(RequestItems={BENCHMARK_TABLE: [{"PutRequest": {"Item": item}} for item in batch]})

    waiting = iter(items)
    with ThreadPoolExecutor(_WRITERS) as writers:
        for _ in writers.map(write, iter(lambda: list(islice(waiting, _ITEMS_PER_REQUEST)), [])):
            pass


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
