"""GET /v1/auth/orgs/current: its refusals. tests/functions has those of every endpoint."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.support.client import calling
from tests.support.endpoints import GET_ORGANIZATION
from tests.support.world import OTHER_ORGANIZATION_ID

if TYPE_CHECKING:
    import pytest

    from tests.support.client import Call

call = calling("get_current_organization", role="member")


def test_403_of_an_organization_that_does_not_exist(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    """A membership without its organization, as of one that was purged, shows nothing; the log has the reason."""
    call.table.put_member("user_1", "owner", OTHER_ORGANIZATION_ID)

    refusal = call.refused(authorizer={"organizationId": OTHER_ORGANIZATION_ID})

    assert GET_ORGANIZATION.forbidden == refusal
    (line,) = capsys.readouterr().out.splitlines()
    assert "there is no such organization" == json.loads(line)["reason"]
