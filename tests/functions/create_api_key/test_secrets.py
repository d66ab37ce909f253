"""POST /v1/auth/api-keys: the key is in the answer and nowhere else."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import boto3
import pytest

from keywright.domain import key_text
from keywright.settings import settings
from keywright.store import table
from tests.support import faults
from tests.support.client import VALID_BODY
from tests.support.depth import size
from tests.support.sample_keys import PASTED_KEY, WINDOW, pasted_key_parts, secret_parts

if TYPE_CHECKING:
    from tests.support.client import CreateApiKey

CREATES = size("CREATES", 50, full=1_000)


def everything_written(
    create: CreateApiKey, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> str:
    """Return the table, its audit records, all fields of the logs, and both standard streams as one text."""
    output = capsys.readouterr()
    records = [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    return "\n".join([repr(create.world.table.items()), *records, output.out, output.err])


def record_keys(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that collects the text of every key made, returned to a caller or not."""
    made: list[str] = []
    encode = key_text.encode

    def recorded(prefix: str, payload: bytes, tag_key: bytes) -> str:
        made.append(encode(prefix, payload, tag_key))
        return made[-1]

    monkeypatch.setattr(key_text, "encode", recorded)
    return made


def test_keys_leave_no_trace(
    create: CreateApiKey, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Table, audit records and logs hold no text, no secret part and no pepper of the created keys."""
    secret = boto3.client("secretsmanager").get_secret_value(SecretId=settings().pepper_secret_id)["SecretString"]
    with caplog.at_level(logging.DEBUG, logger="keywright"):
        keys = [json.loads(create()["body"])["data"]["key"] for _ in range(CREATES)]

    written = everything_written(create, caplog, capsys)
    assert CREATES == written.count("'KEY#") == len(set(keys))
    windows = {written[at : at + WINDOW] for at in range(len(written))}
    for key in keys:
        for part in secret_parts(key):
            assert part[:WINDOW] not in windows or part not in written
    assert json.loads(secret)["1"] not in written


@pytest.mark.parametrize(
    "fault",
    [
        faults.canceled("None", "None", "None", "ValidationError"),
        faults.error("AccessDeniedException"),
        faults.error("ValidationException"),
        faults.error("InternalServerError", 500),
        faults.timeout,
    ],
)
def test_failures_leave_no_trace(
    create: CreateApiKey,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    fault: faults.Fault,
) -> None:
    """When the write fails, the log explains it without the key."""
    made = record_keys(monkeypatch)
    with caplog.at_level(logging.DEBUG, logger="keywright"), faults.injected(*[fault] * 100):
        answer = create()

    written = everything_written(create, caplog, capsys) + answer["body"]
    assert answer["statusCode"] in {500, 503}
    assert not [part for part in secret_parts(made[0]) if part in written]


def test_a_key_in_an_exception_is_redacted(
    create: CreateApiKey,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A key inside an exception's message is redacted in the log."""
    made = record_keys(monkeypatch)

    def careless(*_: object) -> None:
        raise ValueError(f"could not store {made[0]!r}") from RuntimeError(made[0])

    monkeypatch.setattr(table, "commit", careless)
    with caplog.at_level(logging.DEBUG, logger="keywright"):
        create(VALID_BODY)

    written = everything_written(create, caplog, capsys)
    assert "could not store" in written
    assert "[redacted]" in written
    assert not [part for part in secret_parts(made[0]) if part in written]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"name": PASTED_KEY * 2, "permissions": ["sessions:read"]}, id="name"),
        pytest.param({"name": [PASTED_KEY], "permissions": ["sessions:read"]}, id="name in an array"),
        pytest.param({**VALID_BODY, "permissions": [PASTED_KEY]}, id="permission"),
        pytest.param({**VALID_BODY, "permissions": {PASTED_KEY: 1}}, id="permissions as an object"),
        pytest.param({**VALID_BODY, "metadata": PASTED_KEY}, id="metadata"),
        pytest.param({**VALID_BODY, "metadata": {PASTED_KEY: None}}, id="metadata name"),
        pytest.param({**VALID_BODY, "metadata": {f"a {PASTED_KEY}": None}}, id="quoted metadata name"),
        pytest.param({**VALID_BODY, "metadata": {PASTED_KEY[:20]: None}}, id="a part as metadata name"),
        pytest.param({**VALID_BODY, "metadata": {f"{PASTED_KEY}\ud800": 1}}, id="metadata name that is no text"),
        pytest.param({**VALID_BODY, "metadata": {"x": PASTED_KEY * 6}}, id="metadata value"),
        pytest.param({**VALID_BODY, "metadata": {"x": [PASTED_KEY]}}, id="metadata value in an array"),
        pytest.param({**VALID_BODY, "expiresAt": PASTED_KEY}, id="expiresAt"),
        pytest.param({PASTED_KEY: PASTED_KEY}, id="unknown field"),
        pytest.param(f'{{"{PASTED_KEY}": 1, "{PASTED_KEY}": 2}}', id="name twice"),
        pytest.param(f'{{"name": {PASTED_KEY}}}', id="not JSON"),
        pytest.param(f'["{PASTED_KEY}"]', id="array"),
        pytest.param(PASTED_KEY, id="text"),
    ],
)
def test_a_refused_body_leaves_no_trace(
    create: CreateApiKey, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], body: object
) -> None:
    """A key pasted into any field of a refused body is not logged; the reason is."""
    with caplog.at_level(logging.DEBUG, logger="keywright"):
        answer = create(body)

    written = everything_written(create, caplog, capsys)
    assert 400 == answer["statusCode"]
    assert [] == pasted_key_parts(written)
    assert '"reason":"' in written


def test_idempotency_keys_leave_no_trace(
    create: CreateApiKey, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """An Idempotency-Key, valid or not, is not logged: together with the table's items it would decrypt an answer."""
    good, bad = "Ab3dEfGh1jKlMn0pQrStUvWxYz", "Ab3dEfGh1jKlMn0pQrStUvWxYz\u00e9"
    with caplog.at_level(logging.DEBUG, logger="keywright"):
        answers = [create(headers={"idempotency-key": key}) for key in (good, bad)]

    assert [200, 400] == [answer["statusCode"] for answer in answers]
    assert good[:WINDOW] not in everything_written(create, caplog, capsys)
