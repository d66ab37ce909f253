"""GET /v1/auth/api-keys/current: the fields that the holder of a key may see."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tests.support import faults
from tests.support.client import calling
from tests.support.sample_keys import SampleKey, secret_parts
from tests.support.world import KEY_ID, OTHER_ORGANIZATION_ID

if TYPE_CHECKING:
    import pytest

    from tests.support.client import Call

call = calling("get_current_api_key")

KEY = SampleKey()


def test_it_is_read_from_the_table(call: Call) -> None:
    """The answer comes from the table, not from the authorizer's context."""
    KEY.put(call.table, name="Renamed", permissions=["webhooks:write"])
    data = call.data()

    assert "Renamed" == data["name"]
    assert ["webhooks:write"] == data["permissions"]


def test_another_organizations_key_with_the_same_id_is_another_key(call: Call) -> None:
    """The organization's id of the authorizer's context is part of the lookup."""
    call.table.put_organization(OTHER_ORGANIZATION_ID)
    KEY.put(call.table)
    SampleKey(organization_id=OTHER_ORGANIZATION_ID).put(call.table, name="Theirs")

    assert "CI" == call.data()["name"]


def test_it_costs_one_request(call: Call) -> None:
    """One request, without pepper and hash."""
    KEY.put(call.table)
    with faults.injected() as operations:
        call.data()

    assert ["BatchGetItem"] == operations


def test_the_key_leaves_no_trace(
    call: Call, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """The key is not in the answer or in the log; the log holds its id."""
    text = KEY.put(call.table)
    with caplog.at_level(logging.DEBUG, logger="keywright"):
        answer = call(headers={"x-api-key": text, "authorization": f"Bearer {text}"})

    written = capsys.readouterr().out + str(answer) + "".join(str(record.__dict__) for record in caplog.records)
    assert f'"api_key_id":"{KEY_ID}"' in written
    assert not [part for part in secret_parts(text) if part in written]
