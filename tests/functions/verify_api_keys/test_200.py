"""POST /v1/auth/api-keys/verify-batch: what it costs and logs; events/ has the answers."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tests.support.client import calling
from tests.support.costs import counted
from tests.support.sample_keys import SampleKey, secret_parts
from tests.support.world import BACKEND, nth_id

if TYPE_CHECKING:
    import pytest

    from tests.support.client import Call

call = calling("verify_api_keys")

KEYS = [SampleKey(key_id=nth_id(number)) for number in range(3)]


def test_the_costs_of_a_warm_batch(call: Call) -> None:
    """One request and no hash, and nothing is written within the usage interval."""
    body = {"verifications": [{"key": key.put(call.table)} for key in KEYS]}
    call(body)
    before = call.table.items()
    with counted() as costs:
        call(body)

        assert (["BatchGetItem"], 0, 0) == costs.spent()
    assert before == call.table.items()


def test_the_keys_leave_no_trace(
    call: Call, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """No key is in the answer or in the function's log, which has a line for the request and its caller."""
    texts = [KEYS[0].put(call.table), KEYS[1].text()]
    with caplog.at_level(logging.DEBUG, logger="keywright"):
        answer = call({"verifications": [{"key": text} for text in texts]})

    written = capsys.readouterr().out + str(answer) + "".join(str(record.__dict__) for record in caplog.records)
    assert 1 == written.count('"operation":"verify_api_keys"')
    assert 2 == written.count('"message":"verification"')
    assert BACKEND in written
    assert not [part for text in texts for part in secret_parts(text) if part in written]
