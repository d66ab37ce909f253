"""Send events to the event bus of the running local service.

usage: make emit EVENT=FILE

FILE, or - for standard input, is JSON: an event as EventBridge delivers it ({"source", "detail-type", "detail"}), an
entry of `aws events put-events`, or a list of these. It can also be a case of sync_organizations or purge_organizations
in events/, such as events/sync_organizations/followed_member_added. The terminal of `make run` shows what becomes of
each event.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from local import backend
from local.case_files import CaseError
from local.cases import recorded
from local.intrinsics import REGION
from local.token import ServiceError, read_stack_file

_SOURCE = "local"
_BATCH = 10
"""The greatest number of entries of PutEvents."""


def entries(content: Any) -> list[dict[str, Any]]:
    """Return the entries for PutEvents, without the bus.

    Raises:
        ServiceError: the content is not one of events.
    """
    if isinstance(content, list):
        return [entry for each in content for entry in entries(each)]
    if isinstance(content, dict):
        if "Records" in content:
            return [entry for record in content["Records"] for entry in entries(_object(record["body"]))]
        if "Detail" in content:
            return [{"Source": _SOURCE, **content}]
        if "detail-type" in content:
            source, detail = content.get("source") or _SOURCE, json.dumps(content.get("detail", {}))
            return [{"Source": source, "DetailType": content["detail-type"], "Detail": detail}]
    raise ServiceError("an event has the fields source, detail-type and detail (docs/organization-events.md)")


def main(arguments: list[str]) -> int:
    """Send the events of a file; return 0, or 1 if one is not accepted, or 2 for wrong usage."""
    if len(arguments) != 1 or not arguments[0] or arguments[0] in {"-h", "--help"}:
        print(__doc__)
        return 0 if arguments in (["-h"], ["--help"]) else 2
    try:
        results = send(entries(_read(arguments[0])))
    except (ServiceError, CaseError) as error:
        print(f"keywright: {error}", file=sys.stderr)
        return 1
    for result in results:
        print(result.get("ErrorMessage") or f"sent {result['EventId']}")
    return 1 if any("ErrorCode" in result for result in results) else 0


def send(unsent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put entries on the bus of the running service; return the result of each.

    Raises:
        ServiceError: no service is running, or it has no bus.
    """
    stack = read_stack_file()
    if not stack.get("event_bus"):
        raise ServiceError("the template of the running service has no event bus")
    backend.isolate(os.environ)
    os.environ.pop(backend.DYNAMODB_ENDPOINT, None)

    import boto3  # noqa: PLC0415 - slow, and reads the environment
    from botocore.exceptions import ConnectionError, HTTPClientError  # noqa: A004, PLC0415 - botocore's names

    client = boto3.client(
        "events",
        endpoint_url=stack["aws_url"],
        region_name=REGION,
    )
    bus = stack["event_bus"]
    results: list[dict[str, Any]] = []
    try:
        for start in range(0, len(unsent), _BATCH):
            batch: Any = [{**entry, "EventBusName": bus} for entry in unsent[start : start + _BATCH]]
            results += client.put_events(Entries=batch)["Entries"]
    except (ConnectionError, HTTPClientError):
        raise ServiceError(f"no service answers at {stack['aws_url']}; start one with make run") from None
    finally:
        client.close()
    return results


def _read(name: str) -> Any:
    path = Path(name)
    case = recorded(path)
    if case is not None:
        return case.event
    if path.is_dir():
        path /= "event.json"
    try:
        return _object(sys.stdin.read() if name == "-" else path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ServiceError(f"{path}: {error.strerror}") from None


def _object(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ServiceError(f"the event is not JSON: {error}") from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
