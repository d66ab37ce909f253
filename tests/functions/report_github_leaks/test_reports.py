"""POST /v1/leaks/github: signed reports, raw bodies, labels, and reports of a hundred thousand matches."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from keywright.domain import key_text
from keywright.domain.leak import LeakReport
from keywright.errors import SERVICE_UNAVAILABLE, ServiceError
from keywright.keys import github_reports, leaks
from keywright.keys.outcome import Code
from keywright.keys.verification import verify
from keywright.store import pepper
from tests.support.costs import counted
from tests.support.depth import size
from tests.support.github import URL, Signer, publishing, report
from tests.support.sample_keys import PREFIX, SampleKey
from tests.support.world import KEY_ID, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.client import Call

SIGNER = Signer.new()
KEY = SampleKey()
MATCHES = size("MATCHES", 5_000, full=20_000)


@dataclass(frozen=True, slots=True)
class GitHub:
    """GitHub, which sends reports."""

    call: Call
    queue_url: str

    def __call__(self, body: bytes, headers: dict[str, str] | None = None, *, in_base64: bool = False) -> Any:
        """Send a report; return the answer."""
        text = base64.b64encode(body).decode() if in_base64 else body.decode()
        return self.call(text, headers=SIGNER.headers(body) if headers is None else headers, isBase64Encoded=in_base64)

    def labels(self, *tokens: str) -> list[dict[str, str]]:
        """Report tokens; return the labels."""
        answer = self(report(*tokens))
        assert 200 == answer["statusCode"], answer["body"]
        labels: list[dict[str, str]] = json.loads(answer["body"])
        return labels

    def queued(self) -> list[LeakReport]:
        """Return and delete the reports in the queue."""
        client, reports = boto3.client("sqs"), []
        while messages := client.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                reports.append(LeakReport.parse(message["Body"]))
                client.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return reports


@pytest.fixture
def github(functions: Callable[[str], Call], setting: Callable[[str, str], None]) -> Iterator[GitHub]:
    """GitHub with its published keys, and the function with an empty queue."""
    call = functions("report_github_leaks")
    url = boto3.client("sqs").create_queue(QueueName=f"leak-reports-{random.randrange(10**12)}")["QueueUrl"]  # noqa: S311
    setting("LEAK_REPORTS_QUEUE_URL", url)
    with publishing(SIGNER) as server:
        setting("GITHUB_KEYS_URL", server.url)
        yield GitHub(call, url)


def made_up(count: int) -> list[str]:
    """Return texts with a right checksum and a wrong tag."""
    chance = random.Random(17)  # noqa: S311 - any bytes
    ids, tag_key = KEY.payload[:36], bytes(32)
    return [key_text.encode(PREFIX, ids + chance.randbytes(22), tag_key) for _ in range(count)]


def label(token: str, kind: str) -> dict[str, str]:
    """Return the label of a token."""
    digest = hashlib.sha256(token.encode()).hexdigest()
    return {"token_hash": digest, "token_type": "keywright_api_key", "label": kind}


@pytest.mark.parametrize("in_base64", [False, True])
def test_a_reported_key_is_disabled(github: GitHub, in_base64: bool) -> None:  # noqa: FBT001 - a parameter
    """GIVEN a signed report WHEN it arrives, in base64 or not THEN the key is disabled, and says who reported it."""
    text = KEY.put(github.call.table)

    answer = github(report(text), in_base64=in_base64)

    assert 200 == answer["statusCode"], answer["body"]
    assert [label(text, "true_positive")] == json.loads(answer["body"])
    assert "no-store" == answer["headers"]["cache-control"]
    assert "application/json" == answer["headers"]["content-type"]
    assert Code.DISABLED == verify(text).code
    leak = json.loads(github.call.table.item(f"KEY#{KEY_ID}")["leak"])
    assert "github" == leak["source"]
    assert URL == leak["url"]


def test_a_replayed_report_changes_nothing(github: GitHub) -> None:
    """GIVEN a report WHEN the same bytes and signature arrive again THEN nothing changes."""
    text = KEY.put(github.call.table)
    body = report(text)
    headers = SIGNER.headers(body)
    first = github(body, headers)
    before = github.call.table.items()

    second = github(body, headers)

    assert first["body"] == second["body"]
    assert before == github.call.table.items()


def test_true_positives_come_first_and_are_keys_that_were_issued(github: GitHub) -> None:
    """A key that is gone was a key; a made-up text is a false positive. The answer holds no text."""
    text, gone, false = KEY.put(github.call.table), SampleKey(key_id=nth_id(9)).text(), made_up(1)[0]

    labels = github.labels(false, text, gone, "a token with ü")

    assert labels == [
        label(text, "true_positive"),
        label(gone, "true_positive"),
        label(false, "false_positive"),
        label("a token with ü", "false_positive"),
    ]


@pytest.mark.parametrize("wrong", ["signature", "body", "identifier", "nothing"])
def test_unsigned_reports_do_nothing(github: GitHub, wrong: str) -> None:
    """A report without a right signature is a 401, before anything is read."""
    text = KEY.put(github.call.table)
    body = report(text)
    headers = SIGNER.headers(body)
    match wrong:
        case "signature":
            headers["Github-Public-Key-Signature"] = Signer.new().signature(body)
        case "body":
            body = body.replace(b"content", b"contenT")
        case "identifier":
            headers["Github-Public-Key-Identifier"] = "0" * 64
        case _:
            headers = {"Content-Type": "application/json"}
    before = github.call.table.items()

    with counted() as costs:
        answer = github(body, headers)
        assert ([], 0, 0) == costs.spent()

    assert 401 == answer["statusCode"]
    assert "UNAUTHORIZED" == json.loads(answer["body"])["error"]["code"]
    assert before == github.call.table.items()


@pytest.mark.parametrize("body", [b"", b"{}", b"[", b"null", b"\xc3\xbc", b"[" * 100_000])
def test_a_signed_body_that_is_no_report(github: GitHub, body: bytes) -> None:
    """A signed body that is not a list is a 400."""
    assert 400 == github(body)["statusCode"]


def test_entries_that_are_no_matches_are_skipped(github: GitHub) -> None:
    """What GitHub may add or leave out stops no report."""
    text = KEY.put(github.call.table)
    body = json.dumps([None, 1, {}, {"token": 1}, {"token": text, "type": None, "url": None, "more": {}}]).encode()

    answer = github(body)

    assert ["true_positive"] == [each["label"] for each in json.loads(answer["body"])]
    assert Code.DISABLED == verify(text).code


def test_a_report_of_many_made_up_matches(github: GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report of many matches, all made up but for one, costs one read and one change; its answer is cut to fit."""
    room = min(github_reports.ANSWER_BYTES, MATCHES * 50)
    monkeypatch.setattr(github_reports, "ANSWER_BYTES", room)
    text = KEY.put(github.call.table)
    body = report(*made_up(MATCHES), text)
    pepper.keyring()

    with counted() as costs:
        answer = github(body)
        assert (["BatchGetItem", "TransactWriteItems"], 0, 0) == costs.spent()

    labels = json.loads(answer["body"])
    assert label(text, "true_positive") == labels[0]
    assert len(json.dumps(answer)) < 6 * 1024 * 1024
    assert room * 0.99 < len(json.dumps(answer["body"])) < room * 1.01
    assert [] == github.queued()


def test_a_report_of_many_keys(github: GitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN a report of many keys (100,000 at full depth), and time for few THEN every other one is in the queue, once.

    The requests are bounded: for those that are settled, and a message for 500 of the others.
    """
    texts = [SampleKey(key_id=nth_id(number)).text() for number in range(MATCHES)]
    settle, settled, number = leaks._settled, 300, 0

    def limited(*arguments: Any) -> Any:
        nonlocal number
        number += 1
        if number > settled:
            raise ServiceError(SERVICE_UNAVAILABLE, reason="time is up")
        return settle(*arguments)

    monkeypatch.setattr(leaks, "_settled", limited)

    with counted() as costs:
        answer = github(report(*texts))
        requests, hashes, _ = costs.spent()

    assert 200 == answer["statusCode"]
    assert {"BatchGetItem": settled // 100 + 1} == {name: requests.count(name) for name in requests}
    assert 0 == hashes
    reports = github.queued()
    key_ids = [str(finding.issued.key_id) for each in reports for finding in each.findings]
    assert len(reports) <= MATCHES // 500
    assert {nth_id(number) for number in range(settled, MATCHES)} == set(key_ids)
    assert MATCHES - settled == len(key_ids)
