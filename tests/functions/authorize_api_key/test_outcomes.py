"""authorize_api_key as Lambda runs it; events/ has the answer of every outcome."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from keywright.domain import keyring
from keywright.errors import Unauthorized
from tests.support.costs import counted
from tests.support.sample_keys import SampleKey, secret_parts
from tests.support.world import KEY_ID, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.world import Context, Table, World

KEY = SampleKey()
FOREIGN = keyring.derive(b"another pepper" * 4)
ROUTE = "arn:aws:execute-api:eu-central-1:123456789012:abcdef1234/v1/GET/auth/api-keys/current"


@pytest.fixture
def table(world: World) -> Table:
    """A table with one organization."""
    world.table.put_organization()
    return world.table


@pytest.fixture
def authorize(
    world: World, table: Table, load_handler: Callable[[str], Callable[..., Any]]
) -> Callable[..., dict[str, Any]]:
    """Call the authorizer as this API does."""
    del table
    handler = load_handler("authorize_api_key")

    def ask(text: str, context: Context = world.context) -> dict[str, Any]:
        answer: dict[str, Any] = handler(
            {"type": "REQUEST", "methodArn": ROUTE, "headers": {"x-api-key": text}}, context
        )
        return answer

    return ask


REFUSED: dict[str, Callable[[Table], str]] = {
    "malformed": lambda _: "kk_" + "0" * 85,
    "a session token": lambda _: "eyJhbGciOiJub25lIn0.e30.AAAA",
    "forged": lambda _: KEY.text(FOREIGN),
    "of an unknown pepper version": lambda _: SampleKey(pepper_version=9).text(FOREIGN),
    "unknown": lambda _: SampleKey(key_id=nth_id(9)).text(),
    "of a wrong secret": lambda _: SampleKey(secret="another-than-the-right").text(),
    "rotated out": lambda table: KEY.put(table, generation=2),
    "expired": lambda table: KEY.put(table, expires_at="2026-01-01T00:00:00.000Z"),
    "disabled": lambda table: KEY.put(table, enabled=False),
}


@pytest.mark.parametrize("present", REFUSED.values(), ids=REFUSED)
def test_unauthorized_is_one_answer_for_all(
    authorize: Callable[..., dict[str, Any]], table: Table, present: Callable[[Table], str]
) -> None:
    """Every unknown key raises the same exception, which API Gateway turns into 401, without a cause or context."""
    KEY.put(table)
    with pytest.raises(Unauthorized) as caught:
        authorize(present(table))

    assert ("Unauthorized",) == caught.value.args
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_the_costs_of_a_warm_authorization(authorize: Callable[..., dict[str, Any]], table: Table) -> None:
    """A warm authorization costs one request and no hash; a forged key costs nothing."""
    text, forged = KEY.put(table), KEY.text(FOREIGN)
    authorize(text)
    with counted() as costs:
        authorize(text)
        assert (["BatchGetItem"], 0, 0) == costs.spent()
        with pytest.raises(Unauthorized):
            authorize(forged)

        assert ([], 0, 0) == costs.spent()


def test_the_costs_of_a_limited_key(authorize: Callable[..., dict[str, Any]], table: Table) -> None:
    """A use of a limited key costs one request more, and a repeated refusal none."""
    table.put(pk=f"LIMIT#{KEY_ID}", sk="LIMIT")
    text = KEY.put(table, rate_limit='{"limit":2,"windowSeconds":3600,"burst":2}')
    authorize(text)
    with counted() as costs:
        authorize(text)
        assert (["BatchGetItem", "UpdateItem"], 0, 0) == costs.spent()
        authorize(text)

        assert (["BatchGetItem"], 0, 0) == costs.spent()


def test_a_use_is_counted(
    authorize: Callable[..., dict[str, Any]], table: Table, setting: Callable[[str, str], None]
) -> None:
    """A use is written once the usage interval is over."""
    setting("USAGE_FLUSH_SECONDS", "0")
    table.put_unused()
    authorize(KEY.put(table))

    assert [1] == [item["request_count"] for item in table.under("USAGE#")]


@pytest.mark.parametrize("present", [KEY.text, lambda: KEY.text(FOREIGN)], ids=["valid", "forged"])
def test_the_key_leaves_no_trace(
    authorize: Callable[..., dict[str, Any]],
    table: Table,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    present: Callable[[], str],
) -> None:
    """No part of the key is in the answer or in the log."""
    KEY.put(table)
    text, answer = present(), ""
    with caplog.at_level(logging.DEBUG, logger="keywright"):
        try:
            answer = str(authorize(text))
        except Unauthorized as error:
            answer = repr(error)

    written = capsys.readouterr().out + answer + "".join(str(record.__dict__) for record in caplog.records)
    windows = {text[at : at + 10] for at in range(53, 79)} | secret_parts(KEY.text())
    assert '"message":"verification"' in written
    assert not [part for part in windows if part in written]
