"""Hooks of schemathesis: facts about this API that its description cannot express.

Schemathesis loads this file (SCHEMATHESIS_HOOKS) with the Python of its environment.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
import schemathesis
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

TO_BE_SIGNED = os.environ["TO_BE_SIGNED"]
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_FIELDS = {"name", "permissions", "metadata", "expiresAt", "rateLimit", "quota", "allowedIps"}
_DAYS = {"from", "to"}
FUTURE = "2099-01-01T00:00:00Z"
ADDRESS = "192.0.2.1"

_IAM = json.loads(Path(os.environ["STACK_FILE"]).read_text(encoding="utf-8"))["iam"]


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Sign requests, use each Idempotency-Key once, and avoid values that no schema can exclude.

    A schema cannot exclude a time in the past, a name of white space or with control characters, an additional field
    that is spelled like another one, a text that is no address, a burst above the limit, a reason of a change that
    disables nothing, or a day long ago.
    """
    del context, kwargs
    if isinstance(case.body, dict):
        case.body = {name: value for name, value in case.body.items() if not _is_misspelled(name)}
    if isinstance(case.body, dict):
        case.body = _with_addresses_and_bursts(case.body)
        case.body = _disabling(case.body) if case.method.upper() == "PATCH" else case.body
    if isinstance(case.body, dict) and _has_passed(case.body.get("expiresAt")):
        case.body = {**case.body, "expiresAt": FUTURE}
    if isinstance(case.body, dict) and isinstance(name := case.body.get("name"), str) and name:
        case.body = {**case.body, "name": _CONTROL_CHARACTERS.sub("x", name if name.strip() else f"{name[1:]}x")}
    if isinstance(case.query, dict):
        case.query = {name: _recent(value) if name in _DAYS else value for name, value in case.query.items()}
    headers = case.headers
    if headers is None:
        return
    if "Idempotency-Key" in headers and str(headers["Idempotency-Key"]).isprintable():
        headers["Idempotency-Key"] = str(uuid.uuid4())
    if headers.get("Authorization") == TO_BE_SIGNED:
        prepared = requests.Request(**case.as_transport_kwargs()).prepare()
        content_type = {"content-type": prepared.headers["content-type"]} if "content-type" in prepared.headers else {}
        request = AWSRequest(prepared.method, prepared.url, content_type, prepared.body or b"")
        credentials = Credentials(_IAM["access_key_id"], _IAM["secret_access_key"])
        SigV4Auth(credentials, "execute-api", _IAM["region"]).add_auth(request)
        for name in ("Authorization", "X-Amz-Date"):
            headers[name] = request.headers[name]


def _with_addresses_and_bursts(body: dict[str, Any]) -> dict[str, Any]:
    changed = dict(body)
    if isinstance(body.get("clientIp"), str):
        changed["clientIp"] = ADDRESS
    if isinstance(body.get("allowedIps"), list):
        changed["allowedIps"] = [ADDRESS if isinstance(text, str) else text for text in body["allowedIps"]]
    rate = body.get("rateLimit")
    if isinstance(rate, dict) and all(type(rate.get(name)) in {int, float} for name in ("limit", "burst")):
        changed["rateLimit"] = {**rate, "burst": min(rate["limit"], rate["burst"])}
    return changed


def _disabling(body: dict[str, Any]) -> dict[str, Any]:
    """Return a change that disables the key if it has a reason."""
    has_reason = isinstance(body.get("reason"), str) and isinstance(body.get("enabled", False), bool)
    return {**body, "enabled": False} if has_reason else body


def _recent(value: Any) -> Any:
    """Return today in place of another day."""
    try:
        datetime.strptime(value, "%Y-%m-%d").astimezone(UTC)
    except (TypeError, ValueError):
        return value
    return datetime.now(UTC).date().isoformat()


def _is_misspelled(field: str) -> bool:
    return field not in _FIELDS and re.sub("[_-]", "", field).lower() in {name.lower() for name in _FIELDS}


def _has_passed(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value) <= datetime.now(UTC)
    except (TypeError, ValueError):  # not a time, or one without an offset
        return False
