"""Create and change a key with a generated client, read a refusal, and print the key's id."""

from __future__ import annotations

import os
import sys
import uuid

from generated_client import AuthenticatedClient
from generated_client.api.api_keys import create_api_key, get_api_key, update_api_key
from generated_client.models import (
    CreateApiKey,
    CreateApiKeyMetadata,
    CreateApiKeyResponse200,
    Failure,
    GetApiKeyResponse200,
    Permission,
    UpdateApiKey,
    UpdateApiKeyResponse200,
)


def main() -> int:
    """Return 0 if every answer matches the description."""
    metadata = {"plan": "pro", "seats": 2, "trial": False}
    body = CreateApiKey(
        name="Python client",
        permissions=[Permission.SESSIONSREAD],
        metadata=CreateApiKeyMetadata.from_dict(metadata),
    )
    admin = AuthenticatedClient(base_url=os.environ["BASE_URL"], token=os.environ["ADMIN_TOKEN"])
    created = create_api_key.sync(client=admin, body=body, idempotency_key=str(uuid.uuid4()))
    assert isinstance(created, CreateApiKeyResponse200), created
    assert created.data.key.startswith("kk_")

    shown = get_api_key.sync(id=created.data.id, client=admin)
    assert isinstance(shown, GetApiKeyResponse200), shown
    assert metadata == shown.data.metadata.to_dict()

    changed = update_api_key.sync(id=created.data.id, client=admin, body=UpdateApiKey(enabled=False))
    assert isinstance(changed, UpdateApiKeyResponse200), changed
    assert changed.data.api_key.enabled is False

    member = AuthenticatedClient(base_url=os.environ["BASE_URL"], token=os.environ["MEMBER_TOKEN"])
    refused = create_api_key.sync(client=member, body=body)
    assert isinstance(refused, Failure), refused
    assert refused.error is not None
    assert "FORBIDDEN" == refused.error.code

    sys.stdout.write(f"{created.data.id}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
