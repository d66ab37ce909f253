"""The command `audit verify`, with the function's archive of what the command line did."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from boto3.dynamodb.types import TypeSerializer

from keywright_admin.failures import ExitCode
from local.demo import ACTIVE_ORGANIZATION_ID
from tests.support.table_stream import Archiver
from tests.support.world import nth_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.object_store import ObjectStore
    from tests.support.command_result import CommandResult
    from tests.support.world import Table, World

ORGANIZATION = ACTIVE_ORGANIZATION_ID
VERIFY = ("audit", "verify")
_write = TypeSerializer().serialize


def stream_of(table: Table) -> list[dict[str, Any]]:
    """Return the audit records of a table as an operator archives them."""
    return [
        {
            "dynamodb": {
                "SequenceNumber": str(number),
                "NewImage": {name: _write(value) for name, value in item.items()},
            }
        }
        for number, item in enumerate(table.items())
        if item["sk"].startswith("AUDIT#")
    ]


@pytest.fixture
def archiver(world: World, object_store: ObjectStore, load_handler: Callable[[str], Callable[..., object]]) -> Archiver:
    """Return the function that archives records."""
    return Archiver(load_handler("archive_records"), world, object_store)


@pytest.fixture
def archived(table: Table, archiver: Archiver, run: Callable[..., CommandResult]) -> Table:
    """Return the table after three changes, which are archived in an object each."""
    known: set[str] = set()
    for command in ("suspend demo-admin", "reinstate demo-admin", "set-role demo-admin member"):
        name, *arguments = command.split()
        run("members", name, ORGANIZATION, *arguments).text()
        records = [each for each in stream_of(table) if each["dynamodb"]["NewImage"]["sk"]["S"] not in known]
        known |= {each["dynamodb"]["NewImage"]["sk"]["S"] for each in records}
        assert archiver(*records) is None
    return table


def suspension(table: Table) -> dict[str, Any]:
    """Return the record of the suspension."""
    (item,) = [item for item in table.items() if item.get("event") == "member.suspended"]
    return item


@pytest.mark.usefixtures("archived")
def test_an_untouched_log_agrees_with_its_archive(run: Callable[..., CommandResult], object_store: ObjectStore) -> None:
    """GIVEN an archive, listed in several pages THEN the command finds nothing, and prints the head to keep."""
    object_store.page = 2

    output = run(*VERIFY, "--json").json("verified-archive")

    assert [[], 3, object_store.bucket] == [output["findings"], output["same"], output["bucket"]]
    assert output["head"].startswith("3:")
    assert [] == run(*VERIFY, "--expect", output["head"], "--json").json("verified-archive")["findings"]
    assert f"head                    {output['head']}\n" in run(*VERIFY).text()


def test_a_changed_record_is_a_finding(archived: Table, run: Callable[..., CommandResult]) -> None:
    """GIVEN a record whose actor was changed in the table THEN it is named, and the exit code is 7."""
    record = suspension(archived)
    archived.put(**{**record, "actor_id": "arn:aws:iam::123456789012:user/other"})

    output = run(*VERIFY, "--json").json("verified-archive", ExitCode.FOUND)

    assert [
        {
            "what": "changed",
            "place": "table",
            "text": "the record is not as it was archived",
            "organizationId": ORGANIZATION,
            "recordId": record["sk"].removeprefix("AUDIT#"),
            "event": "member.suspended",
            "createdAt": record["created_at"],
        }
    ] == output["findings"]


@pytest.mark.usefixtures("archived")
def test_a_deleted_and_a_replaced_object_are_findings(
    run: Callable[..., CommandResult], object_store: ObjectStore
) -> None:
    """GIVEN an object behind a delete marker, and one with a second version THEN both are named."""
    object_store.put("audit/000000000001.jsonl", None)
    object_store.put("audit/000000000002.jsonl", object_store.bodies["audit/000000000002.jsonl"])

    findings = run(*VERIFY, "--json").json("verified-archive", ExitCode.FOUND)["findings"]

    assert {
        ("removed", "audit/000000000001.jsonl"),
        ("missing", "audit/000000000001.jsonl"),
        ("changed", "audit/000000000002.jsonl"),
    } <= {(finding["what"], finding["place"]) for finding in findings}


@pytest.mark.usefixtures("archived")
def test_an_object_that_s3_does_not_return_is_a_finding(
    run: Callable[..., CommandResult], object_store: ObjectStore
) -> None:
    """GIVEN an object in an archival storage class THEN it is named with S3's reason, and the others are verified."""
    key = "audit/000000000002.jsonl"
    object_store.before = lambda request: (403, "InvalidObjectState") if request.key == key else None

    output = run(*VERIFY, "--json").json("verified-archive", ExitCode.FOUND)

    (finding,) = [finding for finding in output["findings"] if finding["what"] == "unreadable"]
    assert [key, True, 2] == [finding["place"], "InvalidObjectState" in finding["text"], output["same"]]


def test_records_of_a_purged_organization_may_be_gone(
    archived: Table, archiver: Archiver, run: Callable[..., CommandResult]
) -> None:
    """GIVEN an archived request for a deletion that is due THEN records may be gone once the purge has begun."""
    due = "2026-03-01T12:00:00.000Z"
    request = {
        **suspension(archived),
        "sk": f"AUDIT#{nth_id(1)}",
        "event": "organization.deletion_requested",
        "target_type": "organization",
        "target_id": ORGANIZATION,
        "changes": json.dumps({"before": {"pendingDeletionAt": None}, "after": {"pendingDeletionAt": due}}),
    }
    archived.put(**request)
    (record,) = [each for each in stream_of(archived) if each["dynamodb"]["NewImage"]["sk"]["S"] == request["sk"]]
    assert archiver(record) is None
    gone = suspension(archived)
    archived.client.delete_item(TableName=archived.name, Key={name: {"S": gone[name]} for name in ("pk", "sk")})
    (finding,) = run(*VERIFY, "--json").json("verified-archive", ExitCode.FOUND)["findings"]
    assert ["removed", "table"] == [finding["what"], finding["place"]]

    archived.put(pk=f"PURGED#{ORGANIZATION}", sk="PURGED", created_at="2026-03-01T12:05:00.000Z")
    output = run(*VERIFY, "--json").json("verified-archive")

    assert [[], 1, [ORGANIZATION]] == [output["findings"], output["purged"], output["purgedOrganizations"]]


@pytest.mark.usefixtures("archived")
def test_objects_by_hand_are_listed(run: Callable[..., CommandResult]) -> None:
    """GIVEN records that an operator archived THEN the objects are listed with their times by S3."""
    objects = run(*VERIFY, "--json").json("verified-archive")["byHandObjects"]

    assert [(1, 1), (2, 1), (3, 1)] == [(each["number"], each["records"]) for each in objects]
    assert f"1 (1, {objects[0]['writtenAt']})" in run(*VERIFY).text()


@pytest.mark.usefixtures("archived")
def test_objects_may_have_expired_by_agreement(run: Callable[..., CommandResult], object_store: ObjectStore) -> None:
    """GIVEN an archive without its first object WHEN a head is passed that it begins with THEN nothing is found."""
    digest = hashlib.sha256(object_store.bodies["audit/000000000002.jsonl"]).hexdigest()
    object_store.replace("audit/000000000001.jsonl", None)
    begin = f"2:{digest}"

    assert ExitCode.FOUND == run(*VERIFY).code
    output = run(*VERIFY, "--from", begin, "--json").json("verified-archive")
    assert [[], 2, 1] == [output["findings"], output["same"], output["pending"]]
    assert "before that of --from" in run(*VERIFY, "--from", begin, "--expect", f"1:{digest}").failure(ExitCode.USAGE)


@pytest.mark.usefixtures("archived")
def test_another_bucket_is_of_an_earlier_archive(
    run: Callable[..., CommandResult], object_store: ObjectStore, environment: pytest.MonkeyPatch
) -> None:
    """GIVEN a stack with another bucket WHEN the earlier one is verified THEN later records are newer than it."""
    environment.setenv("AUDIT_ARCHIVE_BUCKET", "another-bucket")
    run("members", "suspend", ORGANIZATION, "demo-admin").text()

    output = run(*VERIFY, "--bucket", object_store.bucket, "--json").json("verified-archive")

    assert [[], 3, 1, 0] == [output["findings"], output["same"], output["newer"], output["pending"]]


def test_findings_fit_the_terminal(
    archived: Table, run: Callable[..., CommandResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIVEN findings with escape sequences WHEN the terminal has 80 columns THEN no line is wider, but for the head."""
    record = suspension(archived)
    archived.put(**{**record, "event": "member.\x1b[31msuspended"})
    monkeypatch.setenv("COLUMNS", "80")

    result = run(*VERIFY)

    assert ExitCode.FOUND == result.code
    lines = [line for line in result.output.splitlines() if not line.startswith("head ")]
    assert [] == [line for line in lines if len(line) > 80]
    assert "\x1b" not in result.output
    archived.put(**record)


def test_an_archive_is_needed(table: Table, run: Callable[..., CommandResult], environment: pytest.MonkeyPatch) -> None:
    """GIVEN a deployment without an archive THEN the command says how to get one."""
    del table
    environment.delenv("AUDIT_ARCHIVE_BUCKET")

    assert "no archive: deploy with AuditArchive=on" in run(*VERIFY).failure(ExitCode.USAGE)


@pytest.mark.usefixtures("table", "object_store")
def test_a_bucket_that_does_not_exist(run: Callable[..., CommandResult]) -> None:
    """GIVEN the name of another bucket THEN the command fails with what S3 answers."""
    assert "NoSuchBucket" in run(*VERIFY, "--bucket", "another-bucket").failure(ExitCode.UNAVAILABLE)


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("head", ["57", "57:abc", f"0:{'0' * 64}", f"57:{'G' * 64}"])
def test_a_head_has_its_form(run: Callable[..., CommandResult], head: str) -> None:
    """GIVEN a text that is no head THEN the command refuses it."""
    assert "a head is NUMBER:DIGEST" in run(*VERIFY, "--expect", head).failure(ExitCode.USAGE)
