"""Reports that keys are public: what each changes, once, and what is left to the queue."""

from __future__ import annotations

import json
import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from keywright import clock, deadline
from keywright.api.schemas import ReportLeak
from keywright.aws import retries
from keywright.aws.transport import NoAnswerError
from keywright.domain import key_text
from keywright.domain.leak import Finding, IssuedText, LeakReport, LeakSource
from keywright.domain.principals import Origin
from keywright.errors import SERVICE_UNAVAILABLE, ServiceError
from keywright.keys import changes, leaks
from keywright.keys.outcome import Code
from keywright.keys.verification import verify
from keywright.store import leak_queue, pepper
from tests.support.costs import counted
from tests.support.depth import size
from tests.support.event_queue import message
from tests.support.imported_keys import KINDS, imported, new_text
from tests.support.sample_keys import PREFIX, SampleKey, key_parts
from tests.support.world import KEY_ID, OTHER_ORGANIZATION_ID, nth_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_sqs import SQSClient

    from tests.support.world import Table, World

ORIGIN = Origin("203.0.113.7", "request-1")
URL = "https://github.com/octocat/Hello-World/blob/main/.env"
SOON = "2099-01-01T00:00:00.000Z"
LONG_AGO = "2026-01-03T00:00:00.000Z"
CURRENT, PREVIOUS, OLDEST = SampleKey(generation=2), SampleKey(generation=1), SampleKey(generation=0)
FINDINGS = size("FINDINGS", 5_000, full=20_000)
MADE_UP = size("LEAK_TEXTS", 20_000, full=100_000)


@pytest.fixture
def queue(world: World, setting: Callable[[str, str], None]) -> Queue:
    """The queue, empty."""
    del world
    client = boto3.client("sqs")
    url = client.create_queue(QueueName=f"leak-reports-{random.randrange(10**12)}")["QueueUrl"]  # noqa: S311
    setting("LEAK_REPORTS_QUEUE_URL", url)
    return Queue(client, url)


class Queue:
    """The queue of reports of leaks."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self.client, self.url = client, url

    def take(self) -> list[str]:
        """Return and delete all messages."""
        bodies = []
        while messages := self.client.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            for each in messages:
                bodies.append(each["Body"])
                self.client.delete_message(QueueUrl=self.url, ReceiptHandle=each["ReceiptHandle"])
        return bodies


@pytest.fixture
def table(world: World, queue: Queue) -> Table:
    """A table with an organization."""
    del queue
    world.table.put_organization()
    return world.table


def report(*texts: str, url: str | None = URL) -> list[str]:
    """Report texts; return their outcomes."""
    body = ReportLeak.model_validate({"keys": list(texts), "url": url})
    return [result.outcome for result in leaks.report(body, ORIGIN).results]


def leak_of(table: Table, key_id: str = KEY_ID) -> dict[str, Any] | None:
    """Return the report that is kept with a key."""
    item = table.item(f"KEY#{key_id}")
    return json.loads(item["leak"]) if "leak" in item else None


def put_rotated(table: Table, previous_expires_at: str = SOON, **attributes: object) -> str:
    """Write a key that was rotated twice; return its current text."""
    grace = {"previous_hash": PREVIOUS.hash(), "previous_expires_at": previous_expires_at}
    return CURRENT.put(table, **grace | attributes)


def made_up_texts(count: int) -> list[str]:
    """Return texts with the right checksum and a wrong tag."""
    chance = random.Random(20)  # noqa: S311 - any bytes
    payload = CURRENT.payload
    return [key_text.encode(PREFIX, payload[:36] + chance.randbytes(22), chance.randbytes(32)) for _ in range(count)]


def test_a_reported_key_is_disabled(table: Table) -> None:
    """GIVEN a key WHEN its text is reported THEN it is disabled, keeps the report, and has a record of both."""
    text = CURRENT.put(table)
    assert Code.VALID == verify(text).code

    assert ["reported"] == report(text)

    leak = leak_of(table)
    assert leak
    assert {"generation": 2, "reportedAt": leak["reportedAt"], "source": "report", "url": URL} == leak
    assert Code.DISABLED == verify(text).code
    (record,) = table.under("AUDIT#")
    shown = {name: value for name, value in leak.items() if name != "generation"}
    assert "api_key.leak_reported" == record["event"]
    assert "compromised" == record["reason"]
    assert "system leak_reports" == f"{record['actor_type']} {record['actor_id']}"
    assert ORIGIN == Origin(record["source_ip"], record["request_id"])
    assert {"before": {"leak": None, "enabled": True}, "after": {"leak": shown, "enabled": False}} == json.loads(
        record["changes"]
    )


def test_a_reported_key_may_stay_enabled(table: Table, setting: Callable[[str, str], None]) -> None:
    """GIVEN LeakResponse notify WHEN a key is reported THEN it keeps the report, and works."""
    setting("LEAK_RESPONSE", "notify")
    text = CURRENT.put(table)

    assert ["reported"] == report(text)

    assert Code.VALID == verify(text).code
    assert leak_of(table) is not None
    assert ["api_key.leak_reported"] == [record["event"] for record in table.under("AUDIT#")]


def test_a_report_disables_what_was_only_marked(table: Table, setting: Callable[[str, str], None]) -> None:
    """GIVEN a key reported under notify WHEN it is reported under disable THEN it is disabled, and keeps the report."""
    setting("LEAK_RESPONSE", "notify")
    text = CURRENT.put(table)
    report(text)
    leak = leak_of(table)
    setting("LEAK_RESPONSE", "disable")

    assert ["reported", "already_reported"] == [*report(text, url=None), *report(text)]

    assert Code.DISABLED == verify(text).code
    assert leak == leak_of(table)
    assert {"before": {"enabled": True}, "after": {"enabled": False}} == json.loads(
        table.under("AUDIT#")[-1]["changes"]
    )


@pytest.mark.parametrize("response", ["disable", "notify"])
@pytest.mark.parametrize("generation", [CURRENT, PREVIOUS])
def test_a_second_report_changes_nothing(
    table: Table, setting: Callable[[str, str], None], response: str, generation: SampleKey
) -> None:
    """GIVEN a reported text WHEN it is reported again, twice in one report THEN nothing is written."""
    setting("LEAK_RESPONSE", response)
    put_rotated(table)
    report(generation.text())
    before = table.items()

    with counted() as costs:
        outcomes = report(generation.text(), generation.text(), url=None)
        assert (["BatchGetItem"], 0, 0) == costs.spent()

    assert set(outcomes) <= {"already_reported", "inactive"}
    assert before == table.items()


@pytest.mark.parametrize("kind", KINDS)
def test_an_imported_key_is_disabled(table: Table, setting: Callable[[str, str], None], kind: str) -> None:
    """GIVEN a key of another issuer WHEN its text is reported THEN it is disabled, where imported keys are taken."""
    text = new_text()
    key_id = imported(text, kind).key_id
    setting("IMPORTED_KEYS", "off")
    assert ["unknown"] == report(text)
    setting("IMPORTED_KEYS", "on")

    assert ["unknown", "reported"] == report(new_text(), text)

    assert key_id is not None
    assert Code.DISABLED == verify(text).code
    assert leak_of(table, str(key_id)) is not None


def test_the_text_of_an_imported_key_is_not_kept(table: Table, setting: Callable[[str, str], None]) -> None:
    """GIVEN a URL that has the reported text WHEN it is reported THEN the text is nowhere in the table."""
    setting("IMPORTED_KEYS", "on")
    text = new_text()
    imported(text, KINDS[0])

    assert ["reported"] == report(text, url=f"https://example.com/?api_key={text}")

    assert text not in json.dumps(table.items(), default=str)


def test_made_up_texts_of_our_form_are_not_looked_up(setting: Callable[[str, str], None], table: Table) -> None:
    """Where imported keys are taken, a text with our form and a wrong tag or checksum still costs no read."""
    del table
    setting("IMPORTED_KEYS", "on")
    (made_up,) = made_up_texts(1)
    with counted() as costs:
        assert ["unknown", "unknown"] == report(made_up, made_up[:-1] + "!")
        assert ([], 0) == costs.spent()[:2]


def test_a_report_ends_a_grace_period(table: Table) -> None:
    """GIVEN a text in its grace period WHEN it is reported THEN the grace period is over, and the key works."""
    text = put_rotated(table)
    assert Code.VALID == verify(PREVIOUS.text()).code

    assert ["reported"] == report(PREVIOUS.text())

    assert Code.NOT_FOUND == verify(PREVIOUS.text()).code
    assert Code.VALID == verify(text).code
    assert leak_of(table) is None
    (record,) = table.under("AUDIT#")
    assert {"before": {"previousKeyExpiresAt": SOON}, "after": {"previousKeyExpiresAt": None}} == json.loads(
        record["changes"]
    )


def test_a_text_in_its_grace_period_may_stay_valid(table: Table, setting: Callable[[str, str], None]) -> None:
    """GIVEN LeakResponse notify WHEN a text in its grace period is reported THEN the key keeps the report of it.

    A later report of the current text replaces it, and never the other way around.
    """
    setting("LEAK_RESPONSE", "notify")
    text = put_rotated(table)

    assert ["reported"] == report(PREVIOUS.text())
    assert {1} == {(leak_of(table) or {})["generation"]}
    assert Code.VALID == verify(PREVIOUS.text()).code

    assert ["reported", "already_reported"] == report(text, PREVIOUS.text())
    assert {2} == {(leak_of(table) or {})["generation"]}


@pytest.mark.parametrize("response", ["disable", "notify"])
def test_what_no_verification_accepts_changes_nothing(
    table: Table, setting: Callable[[str, str], None], response: str
) -> None:
    """Reports of texts that were rotated out, whose grace period is over or whose key is gone change nothing."""
    setting("LEAK_RESPONSE", response)
    put_rotated(table, previous_expires_at=LONG_AGO)
    gone = SampleKey(key_id=nth_id(7)).text()
    elsewhere = replace(CURRENT, organization_id=OTHER_ORGANIZATION_ID).text()
    later = replace(CURRENT, generation=3).text()
    before = table.items()

    assert ["inactive"] * 5 == report(PREVIOUS.text(), OLDEST.text(), gone, elsewhere, later)

    assert before == table.items()


def test_frozen_organizations_take_reports(table: Table) -> None:
    """A key of an organization that is scheduled for deletion is disabled, in case the deletion is canceled."""
    text = CURRENT.put(table)
    table.freeze()

    assert ["reported"] == report(text)

    assert table.item(f"KEY#{KEY_ID}")["enabled"] is False


def test_outcomes_are_in_the_order_of_the_texts(table: Table) -> None:
    """One report may hold texts of many organizations, the same one twice, and others."""
    text, other = CURRENT.put(table), SampleKey(OTHER_ORGANIZATION_ID, nth_id(9))
    other_text = other.put(table)

    outcomes = report("", text, "kk_nothing", other_text, text, made_up_texts(1)[0], "\ud800")

    assert ["unknown", "reported", "unknown", "reported", "reported", "unknown", "unknown"] == outcomes


@pytest.mark.usefixtures("table")
def test_made_up_texts_cost_nothing() -> None:
    """Texts with a right checksum and a wrong tag need no request and no hash, however many they are."""
    pepper.keyring()
    texts = made_up_texts(MADE_UP)

    with counted() as costs:
        assert [None] * MADE_UP == leaks.identify(texts).issued
        assert {"unknown"} == set(report(*texts[:100]))
        assert ([], 0) == costs.spent()[:2]


def test_a_report_of_real_keys_costs_no_hash(table: Table) -> None:
    """A hundred keys are read in one request; each takes one transaction."""
    texts = [SampleKey(key_id=nth_id(number)).put(table) for number in range(100)]
    pepper.keyring()

    with counted() as costs:
        assert ["reported"] * 100 == report(*texts)
        requests, hashes, _ = costs.spent()
        assert ["BatchGetItem"] + ["TransactWriteItems"] * 100 == requests
        assert 0 == hashes


def test_a_key_that_changes_meanwhile_is_disabled(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN another change between the read and the write THEN the key is read again, and both changes are kept."""
    text = CURRENT.put(table)
    overtaking: list[str] = ["renamed"]

    def late(*arguments: Any, **options: Any) -> object:
        while overtaking:
            CURRENT.put(table, name=overtaking.pop(), version=2)
        return changes.commit_change(*arguments, **options)

    monkeypatch.setattr(leaks, "commit_change", late)

    assert ["reported"] == report(text)
    item = table.item(f"KEY#{KEY_ID}")
    assert "renamed" == item["name"]
    assert item["enabled"] is False


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/?q=" + "kk_" + "A" * 92,
        "https://example.com/?q=%6Bk_" + "A" * 92,
        "https://example.com/?q=%256Bk_" + "A" * 92,
        "https://example.com/?q=%" + "25" * 9 + "41",
        "https://example.com/?q=an%2Bimported%252Bkey",
        "https://user:password@example.com/",
        "ftp://example.com/",
        "https://example.com/" + "a" * 2048,
        "https://exämple.com/",
        "https://example.com/\n",
        "https://[::1/",
        "https://",
        "",
    ],
)
def test_urls_that_are_not_kept(table: Table, url: str) -> None:
    """A URL that shows a key or credentials, or is none, is not kept."""
    del table

    assert leaks.url_to_keep(url, ["an+imported+key"]) is None
    assert URL == leaks.url_to_keep(URL, ["an+imported+key"])


# ---- The queue -----------------------------------------------------------------------------------------------


def findings(count: int, url: str | None = URL) -> tuple[Finding, ...]:
    """Return findings of keys that do not exist."""
    parts = key_parts(CURRENT.text())
    key_ids = (nth_id(number) for number in range(count))
    return tuple(Finding(IssuedText(parts.organization_id, type(parts.key_id)(key_id), 0), url) for key_id in key_ids)


def leak_report(found: tuple[Finding, ...]) -> LeakReport:
    """Return a report of findings."""
    return LeakReport(found, LeakSource.GITHUB, clock.stored("2026-03-01T12:00:00.000Z"), ORIGIN)


def process(*bodies: str, milliseconds: int = 600_000, world: World) -> list[str]:
    """Deliver messages; return the ids of those that come again."""
    context: Any = replace(world.context, remaining_milliseconds=milliseconds)
    records: Any = [message(body, str(number)) for number, body in enumerate(bodies)]
    answer = leaks.process({"Records": records}, context)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_what_there_is_no_time_for_is_left_to_the_queue(
    table: Table, queue: Queue, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIVEN time for two of five keys THEN the others are accepted, and disabled once by the queue's worker."""
    texts = [SampleKey(key_id=nth_id(number)).put(table) for number in range(5)]
    done = 0

    def slow(*arguments: Any, **options: Any) -> object:
        nonlocal done
        done += 1
        if done == 3:
            patch.setattr(time, "monotonic", lambda: now + 18.5)  # time is up, but for the queue
        return changes.commit_change(*arguments, **options)

    now = time.monotonic()
    with monkeypatch.context() as patch, deadline.within(25_000):
        patch.setattr(leaks, "commit_change", slow)
        assert ["reported", "reported", "accepted", "accepted", "accepted"] == report(*texts)
    bodies = queue.take()
    assert [] == [part for text in texts for part in (text, text[-20:]) if part in "".join(bodies)]
    assert [] == process(*bodies, world=world)
    after = table.items()
    assert [] == process(*bodies, world=world)

    assert after == table.items()
    assert {Code.DISABLED} == {verify(text).code for text in texts}
    records = table.under("AUDIT#")
    assert [nth_id(number) for number in range(5)] == sorted(record["target_id"] for record in records)
    assert {(ORIGIN.source_ip, ORIGIN.request_id)} == {(each["source_ip"], each["request_id"]) for each in records}
    assert {URL} == {(leak_of(table, nth_id(number)) or {})["url"] for number in range(5)}


@pytest.mark.usefixtures("no_waiting")
def test_a_report_that_the_queue_does_not_take_is_refused(
    table: Table,
    setting: Callable[[str, str], None],
) -> None:
    """GIVEN no table and no queue THEN the report is a 503, so that it is sent again."""
    text = CURRENT.put(table)
    pepper.keyring()
    for service in ("DYNAMODB", "SQS"):
        setting(f"AWS_ENDPOINT_URL_{service}", "http://127.0.0.1:1")
    retries.queues.cache_clear()
    retries.dynamodb.cache_clear()

    with deadline.within(12_000), pytest.raises(ServiceError, match="SERVICE_UNAVAILABLE"):
        report(text)


def test_an_unexpected_error_loses_nothing(table: Table, queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN a defect in settling THEN the report is in the queue."""
    text = CURRENT.put(table)
    monkeypatch.setattr(leaks, "_response", lambda *_: 1 / 0)

    assert ["accepted"] == report(text)
    assert 1 == len(queue.take())


def test_what_one_key_causes_does_not_hold_up_the_rest(
    table: Table, queue: Queue, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIVEN a key that cannot be settled THEN those after it are all the same, and it comes again."""
    texts = [SampleKey(key_id=nth_id(number)).put(table) for number in range(3)]
    response, settled = leaks._response, []

    def failing(key: Any, *arguments: Any) -> Any:
        settled.append(str(key.key_id))
        return 1 / 0 if str(key.key_id) == nth_id(1) else response(key, *arguments)

    monkeypatch.setattr(leaks, "_response", failing)

    assert ["reported", "accepted", "reported"] == report(*texts)
    (body,) = queue.take()
    assert [nth_id(1)] == [str(finding.issued.key_id) for finding in LeakReport.parse(body).findings]

    all_three = leak_report(tuple(Finding(IssuedText(*_ids(SampleKey(key_id=nth_id(n)))), URL) for n in (1, 0, 2)))
    assert ["0"] == process(all_three.message(), world=world)
    assert [nth_id(0), nth_id(1), nth_id(2), nth_id(1), nth_id(0), nth_id(2)] == settled


@pytest.mark.parametrize("broken", ["imported keys", "a pepper version"])
def test_what_is_not_known_of_one_text_does_not_hold_up_the_rest(
    table: Table, setting: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """GIVEN a text of which nothing can be found out THEN others are reported, and the report is refused: repeat it."""
    setting("IMPORTED_KEYS", "on")
    text, decode = CURRENT.put(table), leaks._decoded

    def unavailable(given: object) -> Any:
        if given == "other":
            raise ServiceError(SERVICE_UNAVAILABLE)
        return decode(str(given))

    if broken == "imported keys":
        monkeypatch.setattr("keywright.keys.imported.find", lambda _: unavailable("other"))
    else:
        monkeypatch.setattr(leaks, "_decoded", unavailable)

    with pytest.raises(ServiceError) as refused:
        report("other", text)

    assert SERVICE_UNAVAILABLE is refused.value.error
    assert Code.DISABLED == verify(text).code


@pytest.mark.parametrize(
    ("count", "url"), [(FINDINGS, URL), (FINDINGS, None), (2_500, "https://example.com/" + '"' * 2000)]
)
def test_messages_are_few_and_small(table: Table, monkeypatch: pytest.MonkeyPatch, count: int, url: str | None) -> None:
    """Of many findings, 500 and more fit into a message, none larger than SQS takes, and each is in one."""
    del table
    sent: list[str] = []

    class Queues:
        def call(self, _: str, parameters: dict[str, str]) -> object:
            sent.append(parameters["MessageBody"])
            return type("Answer", (), {"headers": {"x-amzn-requestid": "1"}, "content": {"MessageId": "1"}})

    monkeypatch.setattr(leak_queue, "queues", Queues)
    found = findings(count, url)

    leak_queue.put(leak_report(found))

    assert len(sent) <= (count // 500 if count == FINDINGS else 200)
    assert all(len(body) <= 256 * 1024 for body in sent)
    assert found == tuple(finding for body in sent for finding in LeakReport.parse(body).findings)


@pytest.mark.parametrize("is_lost_afterwards", [False, True], ids=["before", "after"])
@pytest.mark.usefixtures("no_waiting")
def test_lost_requests_to_the_queue(
    table: Table, queue: Queue, world: World, monkeypatch: pytest.MonkeyPatch, *, is_lost_afterwards: bool
) -> None:
    """GIVEN a queue whose answers get lost, or the requests THEN each key is reported once."""
    texts = [SampleKey(key_id=nth_id(number)).put(table) for number in range(3)]
    call, calls = retries.queues().call, 0

    def unreliable(operation: str, parameters: dict[str, Any]) -> object:
        nonlocal calls
        calls += 1
        if calls % 2 == 0 or is_lost_afterwards:
            answer = call(operation, parameters)
            if calls % 2 == 0:
                return answer
        raise NoAnswerError

    with monkeypatch.context() as patch:
        patch.setattr(leak_queue, "MESSAGE_FINDINGS", 1)
        patch.setattr(leaks, "_settle", lambda *_: 1 / 0)
        patch.setattr(retries.queues(), "call", unreliable)
        assert ["accepted"] * 3 == report(*texts)
    bodies = queue.take()

    assert (6 if is_lost_afterwards else 3) == len(bodies)
    assert [] == process(*bodies, world=world)
    assert [nth_id(number) for number in range(3)] == [each["target_id"] for each in table.under("AUDIT#")]
    assert {Code.DISABLED} == {verify(text).code for text in texts}


def test_a_report_without_time_comes_again(table: Table, world: World) -> None:
    """GIVEN a worker without time THEN the report comes again, and others of the batch that are unusable too."""
    CURRENT.put(table)
    body = leak_report((Finding(IssuedText(*_ids(CURRENT)), URL),)).message()
    before = table.items()

    assert ["0", "1"] == process(body, "{}", milliseconds=1500, world=world)

    assert before == table.items()
    assert ["1"] == process(body, "{}", world=world)


def _ids(key: SampleKey) -> tuple[Any, Any, int]:
    parts = key_parts(key.text())
    return parts.organization_id, parts.key_id, parts.generation


def test_reported_keys_are_counted(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    """The log has a line with the metric of reported keys, and no text of a key."""
    text, again = CURRENT.put(table), SampleKey(key_id=nth_id(9)).put(table)
    report(text)
    capsys.readouterr()

    report(text, again, made_up_texts(1)[0])

    written = capsys.readouterr().out
    (line,) = [json.loads(line) for line in written.splitlines() if '"leak report"' in line]
    assert 1 == line["LeakedKeys"]
    assert {"already_reported": 1, "reported": 1} == line["outcomes"]
    assert [{"Name": "LeakedKeys", "Unit": "Count"}] == line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    assert text not in written
    assert again not in written


def test_no_report_no_line(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    """Made-up texts write no line and no metric."""
    del table
    report(*made_up_texts(3))

    assert "leak report" not in capsys.readouterr().out
