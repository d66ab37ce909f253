"""The item of a key's expiry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast
from uuid import UUID

import pytest

from keywright.store import expiries
from keywright.store.api_keys import ApiKeyRecord
from tests.support.world import KEY_ID, ORGANIZATION_ID

if TYPE_CHECKING:
    from keywright.store.layout import Item

NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize("late", [timedelta(0), timedelta(milliseconds=1), timedelta(days=1)])
def test_a_key_that_expires_while_it_is_written_is_announced(late: timedelta) -> None:
    """GIVEN a key whose expiry has come when it is written THEN its last notice is still to be given."""
    record = ApiKeyRecord(
        organization_id=UUID(ORGANIZATION_ID),
        key_id=UUID(KEY_ID),
        name="CI",
        permissions=(),
        metadata="{}",
        hash="",
        generation=0,
        hint="",
        created_by="user_1",
        created_at=NOW,
        updated_at=NOW,
        expires_at=NOW - late,
    )

    (step,) = expiries.steps(None, record)

    item = cast("Item", step.request["Item"])
    assert {"N": "1"} == item["noticed"]
