"""The function of examples/webhook, run for real: a queue, a signing secret, its role, and a receiver with TLS."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import socket
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from local.iam import OPERATOR
from local.intrinsics import REGION
from local.permissions import SECRETS_MANAGER, SQS, Statement, resource_arn
from local.template import Function
from tests.support.depth import mostly_deep
from tests.support.environment import ROOT
from tests.support.recipes import EVENTS, load, recipe
from tests.support.webhook_receiver import CLOSED, DRIPPING, SILENT, Delivery, Receiver, receiving, write_certificate

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

    from local.iam import Decision, Iam

HOUR = 3600
RECIPE = recipe("webhook")
ATTEMPTS = RECIPE.properties("Queue")["RedrivePolicy"]["maxReceiveCount"]
LONGEST_VISIBILITY = 12 * HOUR
"""Amazon SQS API Reference, "ChangeMessageVisibility": since the message was received."""
(EVENT, *_) = EVENTS["api_key.leak_reported"]


@dataclass
class Deployed:
    """The recipe, deployed to moto.

    Attributes:
        module: the function's code, as one container has imported it.
        sqs: the operator's client, and Lambda's.
    """

    module: ModuleType
    sqs: Any
    secrets_manager: Any
    queue: str
    dead_letters: str
    secret: str
    receiver: Receiver

    def send(self, event: dict[str, Any] = EVENT) -> None:
        """Put an event into the queue, as the rule does."""
        self.sqs.send_message(QueueUrl=self.queue, MessageBody=RECIPE.sent(event))

    def poll(self) -> bool:
        """Invoke the function on one message, and delete what is done, as Lambda does; return whether there was one."""
        answer = self.sqs.receive_message(
            QueueUrl=self.queue, MaxNumberOfMessages=1, AttributeNames=["All"], VisibilityTimeout=360
        )
        for message in answer.get("Messages", []):
            record = {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "messageAttributes": {},
                "eventSource": "aws:sqs",
            }
            failures = self.module.handler({"Records": [record]}, None)["batchItemFailures"]
            if failures:
                assert [{"itemIdentifier": message["MessageId"]}] == failures
            else:
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return "Messages" in answer

    def waiting(self) -> list[int]:
        """Return the numbers of messages of the queue that are there, hidden until a further attempt, and given up."""
        return [
            int(self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])
            for url, name in (
                (self.queue, "ApproximateNumberOfMessages"),
                (self.queue, "ApproximateNumberOfMessagesNotVisible"),
                (self.dead_letters, "ApproximateNumberOfMessages"),
            )
        ]

    def secret_text(self, stage: str = "AWSCURRENT") -> str:
        """Return the signing secret as receivers write it."""
        answer = self.secrets_manager.get_secret_value(SecretId=self.secret, VersionStage=stage)
        return f"whsec_{answer['SecretString']}"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of receivers."""
    return write_certificate(tmp_path_factory.mktemp("webhook"))


@pytest.fixture(scope="module")
def module_patch(moto_url: str, certificate: Path) -> Iterator[pytest.MonkeyPatch]:
    """The environment of the function and of the operator."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", moto_url)
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setenv("AWS_ACCESS_KEY_ID", OPERATOR)
        patch.setenv("AWS_SECRET_ACCESS_KEY", "local")
        patch.setenv("SSL_CERT_FILE", str(certificate))
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        yield patch


@pytest.fixture(scope="module")
def container(module_patch: pytest.MonkeyPatch, iam: Iam) -> ModuleType:
    """The function's code in one container, with the template's role for the resources that its environment names."""
    del module_patch
    arns = {
        "Queue.Arn": resource_arn(SQS, "Queue"),
        "DeadLetters.Arn": resource_arn(SQS, "DeadLetters"),
        "SigningSecret": resource_arn(SECRETS_MANAGER, "SigningSecret"),
        "Logs.Arn": "arn:aws:logs:::log-group:Logs",
    }
    role = tuple(
        Statement(str(each["Effect"]), (*_list(each["Action"]),), (arns[str(each["Resource"])],))
        for each in RECIPE.statements("Role")
    )
    variables = RECIPE.properties("Function")["Environment"]["Variables"]
    named = {name: value for name, value in variables.items() if name != "URL"}
    key = iam.assume_role(Function("Webhook", "webhook", ROOT, "webhook", "handler", 60, 256, named, role), os.environ)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", key.access_key)
        patch.setenv("AWS_SECRET_ACCESS_KEY", key.secret_key)
        patch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps credentials
        return load("webhook", "webhook")


@pytest.fixture(scope="module")
def clients(module_patch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """The operator's clients of SQS and Secrets Manager."""
    del module_patch
    return boto3.client("sqs"), boto3.client("secretsmanager")


@pytest.fixture
def deployed(
    container: ModuleType, clients: tuple[Any, Any], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployed]:
    """The recipe with new queues and a new secret, and a receiver that answers 200."""
    sqs, secrets_manager = clients
    name = str(uuid.uuid4())
    dead_letters = sqs.create_queue(QueueName=f"dead-{name}")["QueueUrl"]
    redrive = {"deadLetterTargetArn": resource_arn(SQS, dead_letters), "maxReceiveCount": ATTEMPTS}
    attributes = {"RedrivePolicy": json.dumps(redrive)}
    queue = sqs.create_queue(QueueName=f"queue-{name}", Attributes=attributes)["QueueUrl"]
    generated = RECIPE.properties("SigningSecret")["GenerateSecretString"]
    password = secrets_manager.get_random_password(**generated)["RandomPassword"]
    secret = secrets_manager.create_secret(Name=f"secret-{name}", SecretString=password)["ARN"]
    monkeypatch.setenv("QUEUE_URL", queue)
    monkeypatch.setenv("DEAD_LETTERS_URL", dead_letters)
    monkeypatch.setenv("SECRET_ARN", secret)
    monkeypatch.setattr(container, "_secrets", (0.0, []))
    with receiving(certificate) as receiver:
        monkeypatch.setenv("URL", f"{receiver.url}/hooks/keywright?a=b")
        yield Deployed(container, sqs, secrets_manager, queue, dead_letters, secret, receiver)


@pytest.fixture
def attempts_at_once(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Make each further attempt due at once; return the delays."""
    delays: list[int] = []
    real = deployed.module.hide
    receipts: list[str] = []

    def show(message: dict[str, Any], seconds: int) -> None:
        if receipts[-1:] == [message["receiptHandle"]]:
            delays.pop()  # set before the attempt
        receipts.append(message["receiptHandle"])
        delays.append(seconds)
        real(message, 0)

    monkeypatch.setattr(deployed.module, "hide", show)
    return delays


def _list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def verified(secret: str, delivery: Delivery) -> Any:
    """Return the content of a delivery, verified as receivers do."""
    return Webhook(secret).verify(delivery.body, dict(delivery.headers))


# ---- A delivery ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", mostly_deep(EVENTS, lambda kind: kind == "api_key.created"))
def test_a_receiver_verifies_an_event(deployed: Deployed, kind: str) -> None:
    """GIVEN an event of the bus WHEN it is sent THEN the library of Standard Webhooks verifies it."""
    event = EVENTS[kind][0]
    deployed.send(event)

    assert deployed.poll()

    (delivery,) = deployed.receiver.deliveries
    content = verified(deployed.secret_text(), delivery)
    detail = event["detail"]
    assert {"type": kind, "timestamp": detail["createdAt"], "data": detail} == content
    assert detail["id"] == delivery.headers["webhook-id"]
    assert "application/json" == delivery.headers["content-type"]
    assert "POST /hooks/keywright?a=b" == f"{delivery.method} {delivery.path}"
    assert [0, 0, 0] == deployed.waiting()


@pytest.mark.parametrize(
    "changed",
    [{"body": b"{}"}, {"webhook-id": "another"}, {"webhook-timestamp": "1"}, {"webhook-signature": "v1,AAAA"}],
    ids=lambda changed: next(iter(changed)),
)
def test_a_changed_delivery_is_refused(deployed: Deployed, changed: dict[str, Any]) -> None:
    """GIVEN a delivery of which one part was changed THEN the library refuses it."""
    deployed.send()
    deployed.poll()
    (delivery,) = deployed.receiver.deliveries

    body = changed.pop("body", delivery.body)

    with pytest.raises(WebhookVerificationError):
        Webhook(deployed.secret_text()).verify(body, {**delivery.headers, **changed})


def test_the_receiver_of_the_documentation(deployed: Deployed) -> None:
    """The receiver's code in docs/recipes.md verifies a delivery, and refuses it with another secret."""
    page = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    deployed.send()
    deployed.poll()
    (delivery,) = deployed.receiver.deliveries
    given = {"body": delivery.body, "headers": dict(delivery.headers), "SECRET": deployed.secret_text()}

    exec(code, given)  # noqa: S102 - from this repository

    assert json.loads(delivery.body) == given["event"]
    with pytest.raises(WebhookVerificationError):
        exec(code, {**given, "SECRET": "whsec_" + "A" * 64})  # noqa: S102 - from this repository


# ---- Retries -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", mostly_deep([200, 201, 202, 204, 299], lambda status: status == 204))
def test_2xx_is_success(deployed: Deployed, status: int) -> None:
    """GIVEN a receiver that answers with any 2xx THEN the event is done."""
    deployed.receiver.answers = [status]
    deployed.send()

    deployed.poll()

    assert [0, 0, 0] == deployed.waiting()


FAILING = mostly_deep(
    [301, 307, 400, 401, 404, 429, 500, 503, CLOSED, SILENT], lambda status: status in {307, 404, 500, CLOSED}
)


@pytest.mark.parametrize("status", FAILING)
def test_everything_else_is_tried_again(
    deployed: Deployed, status: int, monkeypatch: pytest.MonkeyPatch, attempts_at_once: list[int]
) -> None:
    """GIVEN a receiver that fails once THEN the event stays, and comes again with its id and a new signature."""
    deployed.receiver.answers = [status, 200]
    deployed.receiver.headers = {"location": f"{deployed.receiver.url}/elsewhere"}
    deployed.send()

    with monkeypatch.context() as patch:
        if status == SILENT:
            patch.setattr(deployed.module, "TIMEOUT_SECONDS", 2)
        assert deployed.poll()
    assert [1, 0, 0] == deployed.waiting()
    assert deployed.poll()

    first, second = deployed.receiver.deliveries
    assert first.path == second.path
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert verified(deployed.secret_text(), second)
    assert [0, 0, 0] == deployed.waiting()
    assert 1 == len(attempts_at_once)


@pytest.fixture
def silent_address() -> Iterator[tuple[str, int]]:
    """An address on which a connection is neither accepted nor refused: its queue is full."""
    with socket.socket() as server, socket.socket() as first, socket.socket() as second:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for waiting in (first, second):
            waiting.settimeout(0)
            waiting.connect_ex(server.getsockname())
        yield server.getsockname()


@pytest.mark.filterwarnings("ignore:.*<socket:pytest.PytestUnraisableExceptionWarning")  # closed with its frame
def test_many_silent_addresses_are_one_attempt(
    deployed: Deployed, silent_address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIVEN a receiver with four addresses that stay silent THEN the attempt ends after its time, and has failed."""
    assert deployed.module.secrets()  # before names resolve to the address
    addresses = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", silent_address)] * 4
    monkeypatch.setattr(deployed.module, "ATTEMPT_SECONDS", 0.1)
    monkeypatch.setattr(deployed.module, "TIMEOUT_SECONDS", 1)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: addresses)
    monkeypatch.setenv("URL", "https://silent.example/")
    start = time.monotonic()

    assert (0, 0) == deployed.module.post("id", b"{}")

    assert time.monotonic() - start < 1


def test_an_answer_that_drips_ends_with_the_attempt(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN a receiver whose answer comes slowly THEN the attempt ends after its time, and the event waits."""
    deployed.receiver.answers = [DRIPPING]
    monkeypatch.setattr(deployed.module, "ATTEMPT_SECONDS", 0.3)
    deployed.send()

    assert deployed.poll()

    assert 1 == len(deployed.receiver.deliveries)
    assert [0, 1, 0] == deployed.waiting()


def test_no_timer_is_left_after_an_attempt(deployed: Deployed) -> None:
    """GIVEN an attempt that has ended in time THEN nothing interrupts the container later."""
    deployed.module.post("id", b"{}")

    assert (0, 0) == signal.getitimer(signal.ITIMER_REAL)


class KilledError(BaseException):
    """Lambda has ended the invocation."""


@pytest.mark.parametrize("attempt", mostly_deep(range(1, ATTEMPTS + 1), lambda attempt: attempt in {1, 3, ATTEMPTS}))
def test_an_attempt_that_is_killed_keeps_its_delay(
    deployed: Deployed, attempt: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIVEN an invocation that ends during the attempt THEN the event comes again after the attempt's delay.

    Delays below the queue's own visibility timeout are that one.
    """
    hidden = [RECIPE.properties("Queue")["VisibilityTimeout"]]

    def killed(*_: object) -> None:
        raise KilledError

    monkeypatch.setattr(deployed.module, "post", killed)
    monkeypatch.setattr(deployed.module, "hide", lambda _, seconds: hidden.append(seconds))
    message = {
        "messageId": "1",
        "receiptHandle": "1",
        "body": RECIPE.sent(EVENT),
        "attributes": {"ApproximateReceiveCount": str(attempt)},
    }

    with pytest.raises(KilledError):
        deployed.module.handler({"Records": [message]}, None)

    delay = [*deployed.module.DELAYS_SECONDS, 0][attempt - 1]
    assert max(hidden[0], delay) <= hidden[-1] <= max(hidden[0], delay * 1.1 + 1)


@pytest.mark.parametrize("interim", mostly_deep([[100, 102], [103, 103], [101]], lambda each: 102 in each), ids=str)
def test_an_interim_response_is_no_answer(deployed: Deployed, interim: list[int]) -> None:
    """GIVEN a receiver that sends interim responses before its answer THEN only the answer counts."""
    deployed.receiver.interim = interim
    deployed.send()

    deployed.poll()

    assert [0, 0, 0] == deployed.waiting()


@pytest.mark.parametrize("url", ["https://a..b/", "https://a.example:99999/", f"https://{'a' * 64}.example/"])
def test_an_address_that_cannot_be_is_no_answer(
    deployed: Deployed, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """GIVEN a host name or a port that no receiver can have THEN the log has a line with status 0."""
    monkeypatch.setenv("URL", url)
    deployed.send()

    deployed.poll()

    assert 0 == json.loads(capsys.readouterr().out)["status"]
    assert [0, 1, 0] == deployed.waiting()


def test_a_failed_event_waits(deployed: Deployed) -> None:
    """GIVEN a receiver that has failed THEN the event is not sent again before its time."""
    deployed.receiver.answers = [500]
    deployed.send()

    assert deployed.poll()

    assert [0, 1, 0] == deployed.waiting()
    assert not deployed.poll()


def test_a_receiver_that_is_not_trusted_gets_nothing(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """GIVEN a receiver whose certificate no known authority has signed THEN it gets no event, which waits."""
    (tmp_path / "none.pem").write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    deployed.send()

    deployed.poll()

    assert [] == deployed.receiver.deliveries
    assert [0, 1, 0] == deployed.waiting()


def test_410_ends_the_attempts(deployed: Deployed) -> None:
    """GIVEN a receiver that answers 410 Gone THEN the event is given up at once, whole."""
    deployed.receiver.answers = [410]
    deployed.send()

    deployed.poll()

    assert [0, 0, 1] == deployed.waiting()
    (message,) = deployed.sqs.receive_message(QueueUrl=deployed.dead_letters)["Messages"]
    assert EVENT == json.loads(message["Body"])


def test_an_event_is_given_up_after_the_last_attempt(deployed: Deployed, attempts_at_once: list[int]) -> None:
    """GIVEN a receiver that always fails THEN the event is sent twelve times in three days, and given up."""
    deployed.receiver.answers = [500]
    deployed.send()

    polls = [deployed.poll() for _ in range(ATTEMPTS + 1)]

    assert [True] * ATTEMPTS + [False] == polls
    assert ATTEMPTS == len(deployed.receiver.deliveries)
    assert 0 == attempts_at_once[-1]
    assert 2.5 * 24 * HOUR < sum(attempts_at_once) < 4 * 24 * HOUR
    assert [0, 0, 1] == deployed.waiting()


def test_delays_grow_and_fit_into_the_queue(deployed: Deployed) -> None:
    """Each delay is at least that of the attempt before, and fits SQS; together they end before the queue forgets."""
    module = deployed.module
    plain = [*module.DELAYS_SECONDS]
    delays = [module.delay_seconds(attempt) for attempt in range(1, ATTEMPTS + 1)]
    function = RECIPE.properties("Function")

    assert sorted(plain) == plain
    assert len(plain) + 1 == ATTEMPTS
    assert all(wanted <= delay <= wanted * 1.1 + 1 for wanted, delay in zip(plain, delays, strict=False))
    assert 0 == delays[-1]
    assert module.LONGEST_DELAY_SECONDS + function["Timeout"] < LONGEST_VISIBILITY
    assert 6 * function["Timeout"] == RECIPE.properties("Queue")["VisibilityTimeout"]
    assert module.VISIBILITY_SECONDS == RECIPE.properties("Queue")["VisibilityTimeout"]
    assert module.TIMEOUT_SECONDS < module.ATTEMPT_SECONDS
    assert module.ATTEMPT_SECONDS <= function["Timeout"] / 2


def test_retention(deployed: Deployed) -> None:
    """The queue keeps events for the longest attempts, and DeadLetters keeps them for at least a week more.

    Both count from when an event was sent first (docs/recipes.md).
    """
    queue, dead_letters = (RECIPE.properties(name)["MessageRetentionPeriod"] for name in ("Queue", "DeadLetters"))

    assert (ATTEMPTS - 1) * deployed.module.LONGEST_DELAY_SECONDS < queue
    assert queue + 7 * 24 * HOUR <= dead_letters


def test_an_alarm_comes_within_an_hour(deployed: Deployed) -> None:
    """An alarm counts what waits in the queue: after the fourth attempt has failed, and within an hour."""
    alarm = RECIPE.properties("WaitingAlarm")
    total, *parts = alarm["Metrics"]
    statistics = [part["MetricStat"] for part in parts]
    fourth = sum(deployed.module.DELAYS_SECONDS[:3]) * 1.1 + 4 * deployed.module.ATTEMPT_SECONDS

    assert "SUM([FILL(visible, 0), FILL(hidden, 0)])" == total["Expression"]
    assert ["visible", "hidden"] == [part["Id"] for part in parts]
    assert ["ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible"] == [
        each["Metric"]["MetricName"] for each in statistics
    ]
    for each in statistics:
        assert [{"Name": "QueueName", "Value": "Queue.QueueName"}] == each["Metric"]["Dimensions"]
        assert "Minimum" == each["Stat"]
        assert 60 == each["Period"]
    assert fourth < alarm["EvaluationPeriods"] * 60 < HOUR
    assert 1 == alarm["Threshold"]
    assert not [part for part in parts if part["ReturnData"]]


RETRY_AFTER = [
    ("120", 120, 120),
    ("1", 5, 6),
    ("9" * 20, 11 * HOUR, 11 * HOUR),
    ("9" * 5000, 11 * HOUR, 11 * HOUR),
    ("Wed, 21 Oct 2026 07:28:00 GMT", 5, 6),
    ("-1", 5, 6),
    ("²", 5, 6),
    ("", 5, 6),
]
"""Values of the header, and the least and the longest delay."""


@pytest.mark.parametrize(
    "case", mostly_deep(RETRY_AFTER, lambda case: case[0] in {"120", "1", "9" * 5000}), ids=lambda case: case[0][:30]
)
def test_retry_after(deployed: Deployed, case: tuple[str, int, int], attempts_at_once: list[int]) -> None:
    """A receiver can ask for a later attempt, not for an earlier one, nor for one that is too late for the queue."""
    header, least, most = case
    deployed.receiver.answers = [503]
    deployed.receiver.headers = {"retry-after": header.encode().decode("latin-1")}
    deployed.send()

    deployed.poll()

    (delay,) = attempts_at_once
    assert least <= delay <= most


def test_a_message_that_is_no_event_is_not_sent(deployed: Deployed) -> None:
    """GIVEN a message that is no event THEN the invocation fails, so that the queue gives it up after its attempts."""
    deployed.sqs.send_message(QueueUrl=deployed.queue, MessageBody="{}")

    with pytest.raises(KeyError):
        deployed.poll()

    assert [] == deployed.receiver.deliveries


# ---- The secret ----------------------------------------------------------------------------------------------


def rotate(deployed: Deployed) -> None:
    """Store a new signing secret, as the documentation says."""
    text = base64.b64encode(uuid.uuid4().bytes * 3).decode()
    deployed.secrets_manager.put_secret_value(SecretId=deployed.secret, SecretString=text)


def test_two_secrets_after_a_rotation(deployed: Deployed) -> None:
    """GIVEN a new secret THEN receivers with the new one and with the previous one verify events, others do not."""
    rotate(deployed)
    deployed.send()

    deployed.poll()

    (delivery,) = deployed.receiver.deliveries
    current, previous = (deployed.secret_text(stage) for stage in ("AWSCURRENT", "AWSPREVIOUS"))
    assert current != previous
    assert verified(current, delivery)
    assert verified(previous, delivery)
    assert 2 == len(delivery.headers["webhook-signature"].split(" "))
    with pytest.raises(WebhookVerificationError):
        verified("whsec_" + "A" * 64, delivery)


def test_a_secret_before_the_previous_one_does_not_sign(deployed: Deployed) -> None:
    """GIVEN two rotations THEN a receiver with the first secret refuses events."""
    old = deployed.secret_text()
    rotate(deployed)
    rotate(deployed)
    deployed.send()

    deployed.poll()

    with pytest.raises(WebhookVerificationError):
        verified(old, deployed.receiver.deliveries[0])


def test_a_rotation_takes_effect_in_five_minutes(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN a container that has signed WHEN the secret is rotated THEN it signs with it after five minutes."""
    now = 1000.0
    monkeypatch.setattr(deployed.module.time, "monotonic", lambda: now)
    assert deployed.module.secrets()
    rotate(deployed)
    new = deployed.secret_text()
    key = base64.b64decode(new.removeprefix("whsec_"))

    now += 299
    assert key not in deployed.module.secrets()
    now += 1
    assert key == deployed.module.secrets()[0]


def test_a_secret_may_have_its_prefix(deployed: Deployed) -> None:
    """GIVEN a secret that was stored with whsec_ and a line break THEN it signs as one without."""
    text = base64.b64encode(b"k" * 32).decode()
    deployed.secrets_manager.put_secret_value(SecretId=deployed.secret, SecretString=f"whsec_{text}\n")
    deployed.send()

    deployed.poll()

    assert verified(f"whsec_{text}", deployed.receiver.deliveries[0])


def test_without_a_usable_secret_nothing_is_sent(deployed: Deployed) -> None:
    """GIVEN a secret that is not base64 THEN the invocation fails, and no receiver gets an event without signature."""
    deployed.secrets_manager.put_secret_value(SecretId=deployed.secret, SecretString="not base64!")
    deployed.send()

    with pytest.raises(ValueError, match="base64"):
        deployed.poll()
    assert [] == deployed.receiver.deliveries


# ---- What it may do, and what it says ------------------------------------------------------------------------


def test_the_role_allows_every_call(deployed: Deployed, decisions: deque[Decision]) -> None:
    """The function's calls, in success and in each kind of failure, are the ones that its role allows, and all of them.

    Lambda receives and deletes messages, and the runtime writes the log.
    """
    deployed.receiver.answers = [200, 500, 410]
    for _ in range(3):
        deployed.send()
        deployed.poll()

    called = {decision.permission.action for decision in decisions if decision.function == "Webhook"}
    allowed = {action for each in RECIPE.statements("Role") for action in _list(each["Action"])}

    of_lambda = {f"sqs:{action}" for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")}
    assert allowed - of_lambda - {"logs:CreateLogStream", "logs:PutLogEvents"} == called
    assert all(decision.is_allowed for decision in decisions)


def test_the_log_has_a_line_for_each_attempt(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    """The log has id, kind, attempt and status, and nothing else of the event, the secret or the address."""
    deployed.receiver.answers = [500]
    deployed.send()

    deployed.poll()

    line = {"id": EVENT["detail"]["id"], "type": "api_key.leak_reported", "attempt": 1, "status": 500}
    assert line == json.loads(capsys.readouterr().out)


def test_the_template_sets_every_variable() -> None:
    """The function has each variable that its code reads, and no other; one message is one invocation."""
    code = (ROOT / "examples" / "webhook" / "webhook.py").read_text(encoding="utf-8")
    function = RECIPE.properties("Function")
    source = function["Events"]["Queue"]["Properties"]

    assert set(re.findall(r'os\.environ\["(\w+)"\]', code)) == function["Environment"]["Variables"].keys()
    assert 1 == source["BatchSize"]
    assert ["ReportBatchItemFailures"] == source["FunctionResponseTypes"]
