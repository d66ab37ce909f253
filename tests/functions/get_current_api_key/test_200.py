"""GET /v1/auth/api-keys/current: what the holder of a key sees of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tests import faults
from tests.keys import SampleKey, secret_parts
from tests.world import KEY_ID, ORGANIZATION_ID, OTHER_ORGANIZATION_ID

if TYPE_CHECKING:
    import pytest

    from tests.calling import Call

KEY = SampleKey()


def test_all_fields(call: Call) -> None:
    """What it is and may do; not who made it, how much it is used, or what else its organization knows of it."""
    KEY.put(call.table, expires_at="2099-01-31T12:00:00.000Z")

    assert {
        "id": KEY_ID,
        "organizationId": ORGANIZATION_ID,
        "name": "CI",
        "permissions": ["sessions:read"],
        "metadata": {"plan": "pro"},
        "hint": "kk_...wxyz",
        "createdAt": "2026-01-02T03:04:05.678Z",
        "expiresAt": "2099-01-31T12:00:00.000Z",
    } == call.data()


def test_what_is_optional_is_null(call: Call) -> None:
    """A field that is not there would look like an older version of this API."""
    KEY.put(call.table, metadata="{}")
    data = call.data()

    assert ({}, None) == (data["metadata"], data["expiresAt"])


def test_it_is_read_anew(call: Call) -> None:
    """The table counts, not what the authorizer has seen of the key."""
    KEY.put(call.table, name="Renamed", permissions=["webhooks:write"])
    data = call.data()

    assert ("Renamed", ["webhooks:write"]) == (data["name"], data["permissions"])


def test_another_organizations_key_with_the_same_id_is_another_key(call: Call) -> None:
    """The authorizer's context names both ids."""
    call.table.put_organization(OTHER_ORGANIZATION_ID)
    KEY.put(call.table)
    SampleKey(organization_id=OTHER_ORGANIZATION_ID).put(call.table, name="Theirs")

    assert "CI" == call.data()["name"]


def test_it_costs_one_request(call: Call) -> None:
    """And needs neither pepper nor hash."""
    KEY.put(call.table)
    with faults.injected() as operations:
        call.data()

    assert ["BatchGetItem"] == operations


def test_the_key_leaves_no_trace(
    call: Call, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is in the headers of the request, and nowhere else; the log names its id."""
    text = KEY.put(call.table)
    with caplog.at_level(logging.DEBUG, logger="keywright"):
        answer = call(headers={"x-api-key": text, "authorization": f"Bearer {text}"})

    written = capsys.readouterr().out + str(answer) + "".join(str(record.__dict__) for record in caplog.records)
    assert f'"api_key_id":"{KEY_ID}"' in written
    assert not [part for part in secret_parts(text) if part in written]
