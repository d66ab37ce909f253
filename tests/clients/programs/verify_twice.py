"""Verify keys over HTTP and by direct invocation; read the cases from standard input, print both results of each."""

from __future__ import annotations

import json
import sys
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

from keywright_client import Keywright


def main() -> int:
    """Return 0 once every case was verified both ways."""
    task = json.load(sys.stdin)
    with Keywright(task["url"], region=task["region"]) as over_http, Keywright(function=task["function"]) as directly:
        results = [
            [
                client.verify(
                    case["key"],
                    permissions=case.get("permissions", ()),
                    client_ip=case.get("clientIp"),
                    cost=case.get("cost", 1),
                )
                for client in (over_http, directly)
            ]
            for case in task["cases"]
        ]
    json.dump(_json(results), sys.stdout)
    return 0


def _json(value: Any) -> Any:
    """Return a result as the API writes it."""
    if is_dataclass(value):
        return {_camel_case(field.name): _json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, (list, tuple)):
        return [_json(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


if __name__ == "__main__":
    sys.exit(main())
