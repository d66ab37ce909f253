"""POST /v1/auth/api-keys/verify: every outcome is a 200."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from keywright.domain import keyring
from tests.support.client import REQUEST_ID, calling
from tests.support.costs import counted
from tests.support.sample_keys import SampleKey, secret_parts
from tests.support.world import BACKEND, KEY_ID, ORGANIZATION_ID, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client import Call

call = calling("verify_api_key")

KEY = SampleKey()
WRONG = SampleKey(secret="another-than-the-right")
ABOUT_THE_KEY: dict[str, Any] = {
    "id": KEY_ID,
    "organizationId": ORGANIZATION_ID,
    "name": "CI",
    "permissions": ["sessions:read"],
    "missingPermissions": [],
    "metadata": {"plan": "pro"},
    "expiresAt": None,
}


def test_valid(call: Call) -> None:
    """A valid key shows the fields that a backend needs, and none that only its organization may see."""
    assert {"valid": True, "code": "VALID", **ABOUT_THE_KEY} == call.data({"key": KEY.put(call.table)})


def test_headers(call: Call) -> None:
    """The answer is not cached."""
    answer = call({"key": KEY.put(call.table)})

    assert {
        "content-type": "application/json",
        "cache-control": "no-store",
        "x-request-id": REQUEST_ID,
    } == answer["headers"]


@pytest.mark.parametrize("permissions", [[], ["sessions:read"], ["sessions:read"] * 3], ids=len)
def test_permissions_of_the_key(call: Call, permissions: list[str]) -> None:
    """No permissions, or repeated ones, are valid; the key has them."""
    assert call.data({"key": KEY.put(call.table), "permissions": permissions})["valid"]


def test_writing_implies_reading(call: Call) -> None:
    """A write permission implies reading; the answer shows the permissions as they were granted."""
    text = KEY.put(call.table, permissions=["webhooks:write"])
    data = call.data({"key": text, "permissions": ["webhooks:read", "webhooks:write"]})

    assert data["valid"] is True
    assert ["webhooks:write"] == data["permissions"]
    assert [] == data["missingPermissions"]


REFUSALS: list[tuple[str, Callable[[Call], str], dict[str, Any]]] = [
    (
        "EXPIRED",
        lambda call: KEY.put(call.table, expires_at="2026-01-01T00:00:00.000Z"),
        {"expiresAt": "2026-01-01T00:00:00.000Z"},
    ),
    ("DISABLED", lambda call: KEY.put(call.table, enabled=False), {}),
    ("INSUFFICIENT_PERMISSIONS", lambda call: KEY.put(call.table), {"missingPermissions": ["webhooks:write"]}),
]


@pytest.mark.parametrize(("code", "arrange", "shown"), REFUSALS, ids=[refusal[0] for refusal in REFUSALS])
def test_a_refusal_names_the_key(call: Call, code: str, arrange: Callable[[Call], str], shown: dict[str, Any]) -> None:
    """A holder of the secret learns why a key is refused; missing permissions are shown only if they are the reason."""
    data = call.data({"key": arrange(call), "permissions": ["webhooks:write", "sessions:read"]})

    assert {"valid": False, "code": code, **ABOUT_THE_KEY, **shown} == data


def test_a_frozen_organization(call: Call) -> None:
    """A key of a frozen organization is refused, with its fields."""
    call.table.freeze()

    assert {"valid": False, "code": "ORGANIZATION_FROZEN", **ABOUT_THE_KEY} == call.data({"key": KEY.put(call.table)})


# ---- NOT_FOUND -------------------------------------------------------------------------------------------------

FOREIGN = keyring.derive(b"another pepper" * 4)
UNKNOWN: dict[str, Callable[[Call], str]] = {
    "empty": lambda _: "",
    "malformed": lambda _: "kk_" + "0" * 85,
    "no text": lambda _: "\ud800" * 89,
    "of another prefix": lambda call: KEY.put(call.table).replace("kk_", "sk_"),
    "forged": lambda _: KEY.text(FOREIGN),
    "of an unknown pepper version": lambda _: SampleKey(pepper_version=9).text(FOREIGN),
    "of an unknown id": lambda _: SampleKey(key_id=nth_id(9)).text(),
    "of an unknown organization": lambda _: SampleKey(organization_id=nth_id(9)).text(),
    "of a wrong secret": lambda _: WRONG.text(),
    "rotated out": lambda call: KEY.put(call.table, generation=2),
    "of a wrong secret, and disabled": lambda call: (KEY.put(call.table, enabled=False), WRONG.text())[1],
}


@pytest.mark.parametrize("present", UNKNOWN.values(), ids=UNKNOWN)
def test_not_found_is_one_answer_for_all(call: Call, present: Callable[[Call], str]) -> None:
    """Malformed, forged, deleted and rotated-out keys get the same answer, byte for byte."""
    KEY.put(call.table)
    answer = call({"key": present(call), "permissions": ["webhooks:write"]})

    assert {
        "statusCode": 200,
        "headers": {"content-type": "application/json", "cache-control": "no-store", "x-request-id": REQUEST_ID},
        "body": '{"data":{"valid":false,"code":"NOT_FOUND"},"error":null}',
    } == answer


# ---- What it costs, what it writes, what it logs ---------------------------------------------------------------


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
