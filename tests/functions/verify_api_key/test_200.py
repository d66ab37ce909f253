"""POST /v1/auth/api-keys/verify: what a verification costs, writes and logs; events/ has the answer of each outcome."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tests.support.client import calling
from tests.support.costs import counted
from tests.support.sample_keys import SampleKey, secret_parts
from tests.support.world import BACKEND

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import Call

call = calling("verify_api_key")

KEY = SampleKey()
WRONG = SampleKey(secret="another-than-the-right")


def test_the_costs_of_a_warm_verification(call: Call) -> None:
    """A warm verification takes one request and no hash, and writes nothing within the usage interval."""
    text = KEY.put(call.table)
    call({"key": text})
    before = call.table.items()
    with counted() as costs:
        for _ in range(10):
            call({"key": text})

        assert (["BatchGetItem"] * 10, 0, 0) == costs.spent()
    assert before == call.table.items()


def test_a_use_is_counted(call: Call, setting: Callable[[str, str], None]) -> None:
    """A use is written once the usage interval is over; tests/keywright/keys cover what lists show of it."""
    setting("USAGE_FLUSH_SECONDS", "0")
    call.table.put_unused()
    call({"key": KEY.put(call.table)})

    assert [1] == [item["request_count"] for item in call.table.under("USAGE#")]


@pytest.mark.parametrize("present", [KEY.text, WRONG.text], ids=["valid", "wrong secret"])
def test_the_key_leaves_no_trace(
    call: Call, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], present: Callable[[], str]
) -> None:
    """The key is neither in the answer nor in the function's log."""
    KEY.put(call.table)
    text = present()
    with caplog.at_level(logging.DEBUG, logger="keywright"):
        answer = call({"key": text})

    written = capsys.readouterr().out + str(answer) + "".join(str(record.__dict__) for record in caplog.records)
    assert '"operation":"verify_api_key"' in written
    assert BACKEND in written
    assert not [part for part in secret_parts(text) if part in written]
