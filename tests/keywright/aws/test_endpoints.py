"""The read of a verification, and the upgrade of a hash."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from keywright.store import credentials
from tests.support import faults
from tests.support.client import meanwhile
from tests.support.sample_keys import SampleKey
from tests.support.world import KEY_ID, ORGANIZATION_ID, OTHER_ORGANIZATION_ID, PENDING_DELETION_AT

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

    from keywright.store.api_keys import ApiKeyRecord
    from tests.support.world import Table, World

ORGANIZATION, KEY = UUID(ORGANIZATION_ID), UUID(KEY_ID)
NEW_HASH = "$argon2id$v=19$m=16,t=2,p=1$bmV3c2FsdG5ld3NhbHQ$bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmV3bmU"


@pytest.fixture
def table(world: World) -> Table:
    """A table with an organization that has a key, and another organization."""
    world.table.put_organization()
    world.table.put_organization(OTHER_ORGANIZATION_ID)
    SampleKey().put(world.table)
    return world.table


def record() -> ApiKeyRecord:
    """Read the key."""
    credential = credentials.read(ORGANIZATION, KEY)
    assert credential
    return credential.key


def test_a_key_and_its_organization(table: Table) -> None:
    """The read returns the whole key and an active organization."""
    credential = credentials.read(ORGANIZATION, KEY)

    assert credential
    item = {name: value for name, value in table.item(f"KEY#{KEY_ID}").items() if name not in {"pk", "sk"}}
    assert ORGANIZATION == credential.key.organization_id
    assert KEY == credential.key.key_id
    assert item["hash"] == credential.key.hash
    assert tuple(item["permissions"]) == credential.key.permissions
    assert item["metadata"] == credential.key.metadata
    assert not credential.is_frozen


def test_a_frozen_organization(table: Table) -> None:
    """A scheduled deletion freezes the organization, even after its date."""
    for moment in (PENDING_DELETION_AT, "2020-01-01T00:00:00.000Z"):
        table.put_organization(pending_deletion_at=moment)
        credential = credentials.read(ORGANIZATION, KEY)

        assert credential
        assert credential.is_frozen


@pytest.mark.parametrize("name", [(ORGANIZATION, UUID(int=7)), (UUID(OTHER_ORGANIZATION_ID), KEY), (UUID(int=7), KEY)])
def test_no_key(table: Table, name: tuple[UUID, UUID]) -> None:
    """An unknown key, a key of another organization and an unknown organization are all None."""
    del table

    assert credentials.read(*name) is None


def test_one_strongly_consistent_request_for_two_items(table: Table) -> None:
    """The read is strongly consistent, so it returns every earlier write."""
    del table
    sent: list[dict[str, Any]] = []

    def note(request: AWSPreparedRequest) -> AWSResponse:
        sent.append(json.loads(request.body or b"{}"))  # type: ignore[arg-type]  # the stub names no bytes
        return meanwhile(lambda: None)(request)

    with faults.injected(note) as operations:
        credentials.read(ORGANIZATION, KEY)

    assert ["BatchGetItem"] == operations
    ((request,),) = (content["RequestItems"].values() for content in sent)
    assert request["ConsistentRead"] is True
    assert {f"KEY#{KEY_ID}", "ORG"} == {key["sk"]["S"] for key in request["Keys"]}
    assert {f"ORG#{ORGANIZATION_ID}"} == {key["pk"]["S"] for key in request["Keys"]}
    assert 2 == len(request["Keys"])


def test_what_was_not_processed_is_asked_for_again(table: Table) -> None:
    """Unprocessed items are requested again, so an existing key is never reported missing."""
    unprocessed = {
        table.name: {
            "Keys": [
                {"pk": {"S": f"ORG#{ORGANIZATION_ID}"}, "sk": {"S": sort_key}} for sort_key in (f"KEY#{KEY_ID}", "ORG")
            ],
            "ConsistentRead": True,
        }
    }

    def half(request: AWSPreparedRequest) -> AWSResponse:
        answer = meanwhile(lambda: None)(request)
        content = json.dumps({"Responses": {table.name: []}, "UnprocessedKeys": unprocessed}).encode()
        answer._content = content  # type: ignore[attr-defined]  # what it has read
        answer.headers.pop("x-amz-crc32", None)
        return answer

    with faults.injected(half) as operations:
        assert credentials.read(ORGANIZATION, KEY)

    assert ["BatchGetItem"] * 2 == operations


def test_a_hash_is_replaced(table: Table) -> None:
    """An upgrade replaces the hash and no other attribute."""
    before = table.item(f"KEY#{KEY_ID}")

    assert credentials.upgrade_hash(record(), NEW_HASH)
    assert before | {"hash": NEW_HASH} == table.item(f"KEY#{KEY_ID}")


def test_a_hash_that_was_replaced_already_stays(table: Table) -> None:
    """The second of two upgrades is refused."""
    seen = record()
    SampleKey().put(table, hash=NEW_HASH)

    assert not credentials.upgrade_hash(seen, "another")
    assert NEW_HASH == table.item(f"KEY#{KEY_ID}")["hash"]


def test_a_key_that_is_gone_does_not_come_back(table: Table) -> None:
    """The update is conditional, so it never creates an item."""
    seen = record()
    table.client.delete_item(
        TableName=table.name, Key={"pk": {"S": f"ORG#{ORGANIZATION_ID}"}, "sk": {"S": f"KEY#{KEY_ID}"}}
    )
    before = table.items()

    assert not credentials.upgrade_hash(seen, NEW_HASH)
    assert before == table.items()


def test_an_upgrade_does_not_fail_a_concurrent_change(table: Table) -> None:
    """A later change with the version from before the upgrade succeeds."""
    seen = record()
    credentials.upgrade_hash(seen, NEW_HASH)

    assert seen.version == table.item(f"KEY#{KEY_ID}")["version"]
