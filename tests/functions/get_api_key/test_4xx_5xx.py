"""GET /v1/auth/api-keys/{id}: every refusal."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tests.support.client import calling
from tests.support.world import HASH

if TYPE_CHECKING:
    import pytest

    from tests.support.client import Call

call = calling("get_api_key")


def test_500_of_a_damaged_item(call: Call, caplog: pytest.LogCaptureFixture) -> None:
    """A damaged item is an error of the service, and its hash is not logged."""
    call.table.put_key(metadata="{")
    with caplog.at_level(logging.DEBUG, logger="keywright"):
        refusal = call.refused()

    assert 500 == refusal.status
    assert HASH not in " ".join(str(record.__dict__) for record in caplog.records)
