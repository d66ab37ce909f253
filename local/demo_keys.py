"""API keys of the demo organization that stay the same from start to start: created over the API, once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.demo import ACTIVE_ORGANIZATION_ID
from local.events import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from local.refusals import HttpResponse
    from local.store import Store

NAMES = ("active", "disabled", "expired")

_STATE = "demo keys"
_EXPIRED_AT = "2026-01-01T00:00:00.000Z"
_OK = 200


@dataclass(frozen=True, slots=True)
class DemoKeys:
    """Creates the demo keys, and finds them again.

    Attributes:
        store: keeps their texts, which the service itself does not.
        answer: answers a request.
        base_path: path of the stage.
        token: session token of an owner of the demo organization.
        permissions: those that keys can have.
        client, table_name: the table.
    """

    store: Store
    answer: Callable[[Request], HttpResponse]
    base_path: str
    token: str
    permissions: tuple[str, ...]
    client: DynamoDBClient
    table_name: str

    def texts(self, prefix: str) -> Mapping[str, str]:
        """Return the text of each demo key, by name; none if the service does not create keys.

        A key that is gone, or has another prefix, is replaced.
        """
        saved: dict[str, dict[str, str]] = json.loads(self.store.get(_STATE) or "{}")
        for name in NAMES:
            kept = saved.get(name)
            if kept is not None and kept["key"].startswith(prefix) and self._exists(kept["id"]):
                continue
            created = self._create(name)
            if created is None:
                return {}
            saved[name] = created
        self.store.put(_STATE, json.dumps(saved))
        return {name: saved[name]["key"] for name in NAMES}

    def _exists(self, key_id: str) -> bool:
        return "Item" in self.client.get_item(TableName=self.table_name, Key=_item_key(key_id), ConsistentRead=True)

    def _create(self, name: str) -> dict[str, str] | None:
        data = self._request("POST", "", {"name": f"Demo key, {name}", "permissions": list(self.permissions)})
        if data is None:
            return None
        if name == "disabled":
            self._request("PATCH", f"/{data['id']}", {"enabled": False})
        elif name == "expired":  # the API accepts only times to come
            self.client.update_item(
                TableName=self.table_name,
                Key=_item_key(data["id"]),
                UpdateExpression="SET expires_at = :at",
                ExpressionAttributeValues={":at": {"S": _EXPIRED_AT}},
            )
        return {"id": data["id"], "key": data["key"]}

    def _request(self, method: str, path: str, body: Mapping[str, object]) -> dict[str, Any] | None:
        headers = (("authorization", f"Bearer {self.token}"), ("content-type", "application/json"))
        answer = self.answer(
            Request(
                method=method,
                path=f"{self.base_path}/auth/api-keys{path}",
                query="",
                headers=headers,
                body=json.dumps(body).encode(),
                source_ip="127.0.0.1",
                domain="127.0.0.1",
                port=0,
            )
        )
        if answer.status != _OK:
            return None
        data: dict[str, Any] = json.loads(answer.body)["data"]
        return data


def _item_key(key_id: str) -> dict[str, AttributeValueTypeDef]:
    return {"pk": {"S": f"ORG#{ACTIVE_ORGANIZATION_ID}"}, "sk": {"S": f"KEY#{key_id}"}}
