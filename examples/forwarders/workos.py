"""A Lambda function that forwards WorkOS's webhooks to Keywright's event bus. Trigger: a function URL.

Environment: EVENT_BUS_NAME (an output of Keywright's stack), SIGNING_SECRET_ID (a secret of Secrets Manager with the
endpoint's signing secret). Permissions: events:PutEvents on the bus, secretsmanager:GetSecretValue on the secret.
Webhook events to subscribe to: organization.* and organization_membership.*.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import time
from functools import cache
from typing import Any

import boto3

ROLES = {"owner": "owner", "admin": "admin"}
"""Keywright's role for each role slug in WorkOS; other roles are members. owner is a custom role: add it in WorkOS."""

TOLERANCE_SECONDS = 180
_SIGNATURE = re.compile(r"t=(\d{1,15}), ?v1=([0-9a-f]{64})")
_ORGANIZATIONS = {
    "organization.created": "organization.created",
    "organization.updated": "organization.updated",
    "organization.deleted": "organization.deletion_requested",
}


def translate(payload: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Translate a webhook into events, each a detail-type and a detail; other webhooks into none."""
    kind, data = payload["event"], payload["data"]
    detail = {"eventId": payload["id"], "time": payload["created_at"]}
    if kind in _ORGANIZATIONS:
        name = {} if kind == "organization.deleted" else {"name": data["name"]}
        return [(_ORGANIZATIONS[kind], {**detail, "organization": {"id": data["id"], **name}})]
    if not kind.startswith("organization_membership."):
        return []
    detail["organization"] = {"id": data["organization_id"]}
    member = {"userId": data["user_id"]}
    if kind == "organization_membership.deleted":
        return [("member.removed", {**detail, "member": member})]
    # A pending invitation or an inactive membership gives no access.
    role = ROLES.get(data["role"]["slug"], "member")
    state = {**member, "role": role, "suspended": data["status"] != "active"}
    updated = ("member.updated", {**detail, "eventId": f"{payload['id']}/state", "member": state})
    if kind == "organization_membership.created":
        return [("member.added", {**detail, "member": {**member, "role": role}}), updated]
    return [updated]


def is_genuine(secret: str, header: str, body: bytes, now: float) -> bool:
    """Return whether WorkOS signed the request, and within the tolerance. The header's time is in milliseconds.

    Raises:
        RuntimeError: the secret is empty, so anyone could sign.
    """
    if not secret.strip():
        raise RuntimeError("the signing secret is empty: put that of the webhook endpoint into SIGNING_SECRET_ID")
    match = _SIGNATURE.fullmatch(header)
    if not match or abs(now - int(match[1]) / 1000) > TOLERANCE_SECONDS:
        return False
    expected = hmac.new(secret.encode(), f"{match[1]}.".encode() + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, match[2])


@cache
def _secret() -> str:
    client = boto3.client("secretsmanager")
    return client.get_secret_value(SecretId=os.environ["SIGNING_SECRET_ID"])["SecretString"]


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Forward a webhook. Every failure raises, so that WorkOS sends it again."""
    body = event.get("body") or ""
    raw = base64.b64decode(body) if event["isBase64Encoded"] else body.encode()
    if not is_genuine(_secret(), event["headers"].get("workos-signature", ""), raw, time.time()):
        return {"statusCode": 401}
    publish(translate(json.loads(raw)))
    return {"statusCode": 204}


def publish(events: list[tuple[str, dict[str, Any]]]) -> None:
    """Put events on the bus.

    Raises:
        RuntimeError: the bus did not accept all of them. Sending all again is safe: Keywright ignores duplicates.
    """
    if not events:
        return
    entries = [
        {
            "EventBusName": os.environ["EVENT_BUS_NAME"],
            "Source": "workos.forwarder",
            "DetailType": kind,
            "Detail": json.dumps(detail),
        }
        for kind, detail in events
    ]
    answer = boto3.client("events").put_events(Entries=entries)
    if answer["FailedEntryCount"]:
        raise RuntimeError(f"{answer['FailedEntryCount']} events were not accepted")
