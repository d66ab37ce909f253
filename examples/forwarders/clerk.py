"""A Lambda function that forwards Clerk's webhooks to Keywright's event bus. Trigger: a function URL.

Environment: EVENT_BUS_NAME (an output of Keywright's stack), SIGNING_SECRET_ID (a secret of Secrets Manager with the
endpoint's signing secret, whsec_...). Permissions: events:PutEvents on the bus, secretsmanager:GetSecretValue on the
secret. Webhook events to subscribe to: organization.* and organizationMembership.*.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import time
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3

ROLES = {"org:owner": "owner", "org:admin": "admin"}
"""Keywright's role for each role key in Clerk; other roles are members. org:owner is a custom role: add it in Clerk."""

TOLERANCE_SECONDS = 300
_ORGANIZATIONS = {
    "organization.created": "organization.created",
    "organization.updated": "organization.updated",
    "organization.deleted": "organization.deletion_requested",
}
_MEMBERS = {
    "organizationMembership.created": "member.added",
    "organizationMembership.updated": "member.role_changed",
    "organizationMembership.deleted": "member.removed",
}


def translate(message_id: str, payload: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Translate a webhook into events, each a detail-type and a detail; other webhooks into none.

    Args:
        message_id: the svix-id header, which stays the same when the webhook is sent again.
        payload: the body.
    """
    kind, data = payload["type"], payload["data"]
    time_sent = datetime.fromtimestamp(payload["timestamp"] / 1000, UTC)
    detail: dict[str, Any] = {"eventId": message_id, "time": time_sent.isoformat(timespec="milliseconds")}
    if kind in _ORGANIZATIONS:
        name = {} if kind == "organization.deleted" else {"name": data["name"]}
        return [(_ORGANIZATIONS[kind], {**detail, "organization": {"id": data["id"], **name}})]
    if kind in _MEMBERS:
        member = {"userId": data["public_user_data"]["user_id"]}
        if kind != "organizationMembership.deleted":
            member["role"] = ROLES.get(data["role"], "member")
        return [(_MEMBERS[kind], {**detail, "organization": {"id": data["organization"]["id"]}, "member": member})]
    return []


def is_genuine(secret: str, headers: dict[str, str], body: bytes, now: float) -> bool:
    """Return whether Clerk signed the request, and within the tolerance (Svix, "Verifying webhooks manually").

    Raises:
        RuntimeError: the secret is empty, so anyone could sign.
    """
    if not secret.strip().removeprefix("whsec_"):
        raise RuntimeError("the signing secret is empty: put the endpoint's whsec_... into SIGNING_SECRET_ID")
    try:
        message_id, timestamp = headers["svix-id"], headers["svix-timestamp"]
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
            return False
    except (KeyError, ValueError, binascii.Error):
        return False
    signed = f"{message_id}.{timestamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return bool(key) and any(
        hmac.compare_digest(expected, signature) for signature in headers.get("svix-signature", "").split(" ")
    )


@cache
def _secret() -> str:
    client = boto3.client("secretsmanager")
    return client.get_secret_value(SecretId=os.environ["SIGNING_SECRET_ID"])["SecretString"]


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Forward a webhook. Every failure raises, so that Clerk sends it again."""
    body = event.get("body") or ""
    raw = base64.b64decode(body) if event["isBase64Encoded"] else body.encode()
    if not is_genuine(_secret(), event["headers"], raw, time.time()):
        return {"statusCode": 401}
    publish(translate(event["headers"]["svix-id"], json.loads(raw)))
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
            "Source": "clerk.forwarder",
            "DetailType": kind,
            "Detail": json.dumps(detail),
        }
        for kind, detail in events
    ]
    answer = boto3.client("events").put_events(Entries=entries)
    if answer["FailedEntryCount"]:
        raise RuntimeError(f"{answer['FailedEntryCount']} events were not accepted")
