"""Developing against the service: kept data, restarts after changes, a second service, events, reasons."""

from __future__ import annotations

import io
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local.bus import PUT_EVENTS, SEND_MESSAGE, Bus
from local.functions import FunctionError
from local.store import Store, StoreError
from local.watch import Watch
from tests.local.serving import ANSWER_SECONDS, write_project
from tests.support.depth import mostly_deep
from tests.support.environment import CHEAP_ARGON2, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from local.template import Stack

LOOPBACK = ["127.0.0.1", "127.0.0.2"]
pytestmark = pytest.mark.allow_hosts(LOOPBACK)

SECONDS = 60
KEYS = "/auth/api-keys"


class Service:
    """A service in a separate process, whose files are in a directory.

    Attributes:
        lines: its output.
    """

    def __init__(self, directory: Path, **options: str) -> None:
        self.stack_file = directory / "stack.json"
        environment = {
            **os.environ,
            "PORT": "0",
            "STACK_FILE": str(self.stack_file),
            "PARAMETERS": json.dumps(CHEAP_ARGON2),
            **options,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "local"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._arriving: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._arriving.put(line)
        self._arriving.put(None)

    def until(self, beginning: str) -> str:
        """Return the next line with a beginning."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            line = self._arriving.get(timeout=SECONDS)
            assert line is not None, "".join(self.lines)
            self.lines.append(line)
            if line.startswith(beginning):
                return line.rstrip("\n")
        raise AssertionError("".join(self.lines))

    def ready(self) -> Service:
        """Wait until it answers."""
        self.until("Ctrl-C ")
        return self

    @property
    def stack(self) -> dict[str, Any]:
        """The content of the stack file."""
        content: dict[str, Any] = json.loads(self.stack_file.read_text())
        return content

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request."""
        return httpx.request(
            method, f"{self.stack['base_url']}{path}", timeout=ANSWER_SECONDS, trust_env=False, **options
        )

    def create(self, persona: str = "admin", **headers: str) -> httpx.Response:
        """Create a key as a persona."""
        return self.request(
            "POST",
            KEYS,
            headers={"authorization": f"Bearer {self.stack['tokens'][persona]}", **headers},
            json={"name": "CI", "permissions": ["sessions:read"]},
        )

    def published(self, target: str) -> dict[str, Any]:
        """Return the next published event about a key, a member or an organization."""
        while True:
            _, kind, detail = self.until("published ").split(" ", 2)
            event: dict[str, Any] = json.loads(detail)
            assert kind == event["event"]
            if event["targetId"] == target:
                return event

    def current(self, key: str) -> int:
        """Return the status of a key's own route."""
        return self.request("GET", f"{KEYS}/current", headers={"x-api-key": key}).status_code

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal; return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """Wait for its end; return the exit code."""
        code = self.process.wait(SECONDS)
        self._reader.join(SECONDS)
        if self.process.stdout:
            self.process.stdout.close()
        return code


@contextmanager
def serving(directory: Path, **options: str) -> Iterator[Service]:
    """Run a service that answers."""
    service = Service(directory, **options)
    try:
        yield service.ready()
    finally:
        service.stop(signal.SIGTERM)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service for tests that add to its data only."""
    with serving(tmp_path_factory.mktemp("running"), EVENTS="1") as service:
        yield service


class TestKeptData:
    """Data that survives the end of a service."""

    @pytest.mark.deep
    def test_after_a_kill(self, tmp_path: Path) -> None:
        """GIVEN a key created with an Idempotency-Key WHEN the service is killed at once THEN nothing is lost."""
        with serving(tmp_path) as first:
            stack = first.stack
            answer = first.create(**{"idempotency-key": "once"})
            first.stop(signal.SIGKILL)
        with serving(tmp_path) as second:
            repeated = second.create(**{"idempotency-key": "once"})

            assert 200 == answer.status_code
            assert "true" == repeated.headers["idempotent-replayed"]
            assert answer.json() == repeated.json()
            assert 200 == second.current(answer.json()["data"]["key"])
            assert stack["keys"] == second.stack["keys"]
            assert stack["iam"] == second.stack["iam"]

    def test_the_demo_keys(self, running: Service) -> None:
        """The demo keys are what their names say."""
        statuses = {name: running.current(key) for name, key in running.stack["keys"].items()}

        assert {"active": 200, "disabled": 401, "expired": 401} == statuses

    @pytest.mark.deep
    def test_fresh(self, tmp_path: Path) -> None:
        """GIVEN data of an earlier start WHEN FRESH=1 is set THEN no key works anymore."""
        with serving(tmp_path) as first:
            key = first.stack["keys"]["active"]
        with serving(tmp_path, FRESH="1") as second:
            assert 401 == second.current(key)

    @pytest.mark.deep
    def test_empty_over_demo_data(self, tmp_path: Path) -> None:
        """GIVEN demo data WHEN EMPTY=1 is set THEN nothing is deleted, and the message says what to do."""
        with serving(tmp_path):
            pass
        refused = Service(tmp_path, EMPTY="1")

        assert "FRESH=1 EMPTY=1 make run" in refused.until("keywright: ")
        assert 1 == refused.ended()

    @pytest.mark.deep
    def test_a_deleted_demo_key_is_replaced(self, tmp_path: Path) -> None:
        """GIVEN a demo key that the user has deleted WHEN the service starts again THEN there is another one."""
        with serving(tmp_path) as first:
            before = first.stack["keys"]
            headers = {"authorization": f"Bearer {first.stack['tokens']['admin']}"}
            key_id = first.request("GET", f"{KEYS}/current", headers={"x-api-key": before["active"]}).json()["data"][
                "id"
            ]
            assert 200 == first.request("DELETE", f"{KEYS}/{key_id}", headers=headers).status_code
        with serving(tmp_path) as second:
            after = second.stack["keys"]

            assert 200 == second.current(after["active"])
            assert before["expired"] == after["expired"]

    def test_a_damaged_file(self, tmp_path: Path) -> None:
        """GIVEN a file that is not a database WHEN it is opened THEN the message says how to begin anew."""
        (tmp_path / "data.db").write_text("something else, long enough to be no database" * 100)

        with pytest.raises(StoreError, match="FRESH=1 make run"):
            Store.open(tmp_path / "data.db", fresh=False)
        Store.open(tmp_path / "data.db", fresh=True).close()


class TestSecondService:
    """Two services with the same stack file."""

    @pytest.mark.deep
    def test_leaves_the_files_of_the_first_alone(self, tmp_path: Path) -> None:
        """GIVEN a running service WHEN a second starts and stops THEN the first one's files are as before."""
        with serving(tmp_path) as first:
            names = ("stack.json", "sam-local.json", "lock")
            log = (tmp_path / "service.log").read_bytes()
            before = {name: (tmp_path / name).read_bytes() for name in names}
            second = Service(tmp_path, FRESH="1")
            second.until("Another service runs from ")
            notice = second.until("This one keeps its files ")
            second.ready()
            (own,) = [path for path in tmp_path.iterdir() if path.is_dir()]
            described = json.loads((own / "stack.json").read_text())

            assert str(own) in notice
            assert f":{own.name}/v1" in described["base_url"]
            assert 0 == second.stop()
            assert before == {name: (tmp_path / name).read_bytes() for name in names}
            assert (tmp_path / "service.log").read_bytes().startswith(log)  # the first may still log
            assert 200 == first.current(first.stack["keys"]["active"])


class TestStartingAgain:
    """Changes of code and template."""

    @pytest.mark.deep
    def test_a_change(self, tmp_path: Path) -> None:
        """GIVEN RELOAD=1 WHEN a handler is broken and repaired THEN the service says so, on the same port."""
        write_project(tmp_path)
        handler = tmp_path / "functions" / "echo" / "handler.py"
        code = handler.read_text()
        options = {"RELOAD": "1", "TEMPLATE": str(tmp_path / "template.yaml"), "PARAMETERS": "{}"}
        with serving(tmp_path / ".local", **options) as service:
            stack = service.stack
            handler.write_text("def handler(:")

            assert f"{handler} has changed; starting again ..." == service.until(str(handler))
            service.until("Waiting for a change")
            assert any("SyntaxError" in line for line in service.lines)

            handler.write_text(code.replace('"function":', '"changed": True, "function":'))
            service.until("Started again.")
            answer = service.request("GET", "/open").json()

            assert answer["changed"]
            assert stack["base_url"] == service.stack["base_url"]
            assert stack["iam"] == service.stack["iam"]
            assert 0 == service.stop()
            assert not service.stack_file.exists()

    def test_what_is_watched(self, tmp_path: Path) -> None:
        """Changed, added and removed files count, compiled and hidden ones do not."""
        write_project(tmp_path)
        folder = tmp_path / "functions" / "echo"
        changes: list[Callable[[], object]] = [
            lambda: (folder / "more.py").write_text("x = 1"),
            lambda: (folder / ".handler.py.swp").write_text("x"),
            (folder / "__pycache__").mkdir,
            lambda: (folder / "__pycache__" / "more.pyc").write_text("x"),
            (folder / "more.py").unlink,
        ]
        left = list(changes)

        def sleep(_: float) -> None:
            if left:
                left.pop(0)()

        watch = Watch(tmp_path / "template.yaml", sleep)

        assert str(folder / "more.py") == watch.wait()
        assert str(folder / "more.py") == watch.wait()
        assert [] == left


class TestTerminal:
    """The lines about requests."""

    @pytest.mark.parametrize(
        ("persona", "line"),
        [
            ("member", "403: role too low"),
            ("suspended", "403: suspended"),
            ("outsider", "403: not a member"),
            ("expired", "401: the session token has expired"),
            ("wrong_audience", "401: the session token is for another audience"),
            ("frozen_admin", "410: ORGANIZATION_FROZEN"),
        ],
    )
    def test_reason(self, running: Service, persona: str, line: str) -> None:
        """The terminal says why a request was refused; the answer does not."""
        status, reason = line.split(": ")
        answer = running.create(persona)

        shown = running.until("POST ")
        assert int(status) == answer.status_code
        assert shown.endswith(f" ms: {reason}")
        assert reason == "ORGANIZATION_FROZEN" or reason not in answer.text

    def test_no_reason_for_success(self, running: Service) -> None:
        """A request that succeeds has none."""
        running.create()

        assert running.until("POST ").endswith(" ms")

    def test_reason_without_a_function(self, running: Service) -> None:
        """Requests that reach no function have a reason as well."""
        running.request("POST", KEYS)
        running.request("GET", "/nothing")

        assert running.until("POST ").endswith("the request has no Authorization")
        assert running.until("GET ").endswith("there is no such route")

    @pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/docs"])
    def test_shortcut_to_the_reference(self, running: Service, path: str) -> None:
        """The addresses that people type first lead to the reference page."""
        root = running.stack["base_url"].removesuffix("/v1")
        answer = httpx.get(f"{root}{path}", timeout=ANSWER_SECONDS, trust_env=False)

        assert 302 == answer.status_code
        assert "/v1/docs" == answer.headers["location"]


class TestPublishedEvents:
    """EVENTS=1: one line for each event that the service publishes."""

    def test_a_request(self, running: Service) -> None:
        """GIVEN EVENTS=1 WHEN a key is created THEN its audit record is published, with the organization."""
        key_id = running.create().json()["data"]["id"]
        event = running.published(key_id)
        logs = running.request(
            "GET", "/auth/orgs/audit-logs", headers={"authorization": f"Bearer {running.stack['tokens']['owner']}"}
        ).json()["data"]
        (record,) = [record for record in logs if record["targetId"] == key_id]

        assert "api_key.created" == event["event"]
        assert {**record, "organizationId": running.stack["organization_id"]} == event

    def test_an_event_of_the_identity_provider(self, running: Service) -> None:
        """A change that arrived through the bus is published as well."""
        detail = {
            "eventId": "2",
            "time": "2026-03-01T12:00:00Z",
            "organization": {"id": "5f0c2c0e-9a3d-4b6e-8f57-0d6f2b8a1c02"},
            "member": {"userId": "published_member", "role": "admin"},
        }
        command(
            "emit",
            running.stack_file,
            "-",
            stdin=json.dumps({"source": "test", "detail-type": "member.added", "detail": detail}),
        )

        assert "member.added" == running.published("published_member")["event"]

    def test_the_command_line(self, running: Service) -> None:
        """A change of `keywright-admin --local`, which is another process, is published as well."""
        organization = "5f0c2c0e-9a3d-4b6e-8f57-0d6f2b8a1c03"
        arguments = ("organizations", "create", organization, "--name", "Acme", "--owner", "ada")
        finished = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "keywright_admin", "--local", *arguments],
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": "admin:layers/shared/python",
                "STACK_FILE": str(running.stack_file),
            },
            capture_output=True,
            text=True,
            check=False,
        )

        assert 0 == finished.returncode, finished.stderr
        assert "organization.created" == running.published(organization)["event"]

    @pytest.mark.deep
    def test_a_restart(self, tmp_path: Path) -> None:
        """GIVEN a service that stops at once after an answer THEN the event is published then, and not again."""
        with serving(tmp_path, EVENTS="1") as first:
            key_id = first.create().json()["data"]["id"]
            assert 0 == first.stop()
            assert "api_key.created" == first.published(key_id)["event"]
        with serving(tmp_path, EVENTS="1") as second:
            other_id = second.create().json()["data"]["id"]
            assert "api_key.created" == second.published(other_id)["event"]
            assert 0 == second.stop()

        assert 1 == sum(line.startswith("published ") for line in second.lines)

    @pytest.mark.deep
    def test_not_asked_for(self, tmp_path: Path) -> None:
        """Without EVENTS=1 the terminal shows none."""
        with serving(tmp_path) as service:
            service.create()
            assert 0 == service.stop()
            service.until("Stopped.")

        assert not any(line.startswith("published ") for line in service.lines)


class TestBind:
    """Other addresses than the loopback interface."""

    def test_only_loopback_by_default(self, running: Service) -> None:
        """Without BIND, other addresses of this machine are closed."""
        port = httpx.URL(running.stack["base_url"]).port
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://127.0.0.2:{port}/v1/docs", trust_env=False)

    @pytest.mark.deep
    def test_every_address(self, tmp_path: Path) -> None:
        """GIVEN BIND=0.0.0.0 WHEN another address is used THEN API, identity provider and AWS endpoint answer there."""
        with serving(tmp_path, BIND="0.0.0.0") as service:  # noqa: S104 - what is tested
            stack = service.stack
            variables = json.loads((tmp_path / "sam-local.json").read_text())
            endpoint = httpx.URL(variables["CreateApiKey"]["AWS_ENDPOINT_URL"])
            ports = [httpx.URL(stack["base_url"]).port, httpx.URL(stack["issuer"]).port, endpoint.port]
            answers = [httpx.get(f"http://127.0.0.2:{port}/", trust_env=False).status_code for port in ports]

            assert [302, 404, 404] == answers
            assert [1] == [sum(line.startswith("Warning: whoever reaches 0.0.0.0") for line in service.lines)]

    def test_an_address_of_another_machine(self, tmp_path: Path) -> None:
        """An address that this machine does not have is reported in one line."""
        refused = Service(tmp_path, BIND="192.0.2.77")

        assert "192.0.2.77 is not an address of this machine" in refused.until("keywright: ")
        assert 1 == refused.ended()


def command(module: str, stack_file: Path, *arguments: str, stdin: str | None = None) -> tuple[int, str, str]:
    """Run a command on a service; return exit code, output and errors."""
    finished = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", f"local.{module}", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "layers/shared/python", "STACK_FILE": str(stack_file)},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    return finished.returncode, finished.stdout.strip(), finished.stderr.strip()


class TestToken:
    """`make token`."""

    def test_a_demo_user(self, running: Service) -> None:
        """The token of a demo user works."""
        code, token, _ = command("token", running.stack_file, "owner")
        answer = running.request("GET", KEYS, headers={"authorization": f"Bearer {token}"})

        assert 0 == code
        assert 200 == answer.status_code

    def test_an_expired_one(self, running: Service) -> None:
        """The expired persona's token is the one of the stack file."""
        code, token, errors = command("token", running.stack_file, "expired")

        assert 0 == code, errors
        assert running.stack["tokens"]["expired"] == token

    def test_another_user(self, running: Service) -> None:
        """Any other user needs an organization; the message says how to name it."""
        code, _, errors = command("token", running.stack_file, "ada")

        assert 1 == code
        assert "make token USER=ada ORG=acme" in errors
        assert 0 == command("token", running.stack_file, "ada", "acme")[0]

    def test_no_service(self, tmp_path: Path) -> None:
        """Without a service, the message says how to start one."""
        code, _, errors = command("token", tmp_path / "stack.json", "admin")

        assert 1 == code
        assert errors.endswith("start one with make run")


class TestEmit:
    """`make emit`, the bus and the schedule."""

    def test_an_event(self, running: Service) -> None:
        """GIVEN an event of a new owner WHEN it is sent THEN the owner can create keys at once."""
        organization, user = "5f0c2c0e-9a3d-4b6e-8f57-0d6f2b8a1c01", "user_of_the_bus"
        detail = {
            "eventId": "1",
            "time": "2026-03-01T12:00:00Z",
            "organization": {"id": organization},
            "member": {"userId": user, "role": "owner"},
        }
        event = json.dumps({"source": "test", "detail-type": "member.added", "detail": detail})
        code, output, _ = command("emit", running.stack_file, "-", stdin=event)

        assert 0 == code
        assert output.startswith("sent ")
        assert "event member.added changed" == running.until("event ")
        _, token, _ = command("token", running.stack_file, user, organization)
        assert 200 == running.request("GET", KEYS, headers={"authorization": f"Bearer {token}"}).status_code

    def test_a_case_of_events(self, running: Service) -> None:
        """GIVEN the name of a recorded case WHEN it is sent THEN its messages reach the function."""
        code, output, errors = command("emit", running.stack_file, "events/sync_organizations/followed_member_added")

        assert 0 == code, errors
        assert output.startswith("sent ")
        assert running.until("event ").startswith("event member.added ")

    def test_an_unknown_event(self, running: Service) -> None:
        """An event that the function puts aside is shown with the reason."""
        event = json.dumps({"source": "test", "detail-type": "member.promoted", "detail": {}})
        command("emit", running.stack_file, "-", stdin=event)

        assert running.until("event ").startswith("event member.promoted put aside: detail-type must be one of")

    def test_a_scheduled_event(self, running: Service) -> None:
        """A scheduled event starts every function with a schedule."""
        event = json.dumps({"source": "aws.events", "detail-type": "Scheduled Event"})
        command("emit", running.stack_file, "-", stdin=event)

        lines = sorted(running.until("schedule ") for _ in range(2))
        assert lines[0].startswith('schedule AnnounceExpirations {"expiring": ')
        assert lines[1].startswith('schedule PurgeOrganizations {"purged": 0')

    @pytest.mark.parametrize("text", mostly_deep(["", "[1]", '{"a": 1}'], lambda text: text == "[1]"))
    def test_not_an_event(self, running: Service, text: str) -> None:
        """Anything else is refused in one line."""
        code, output, errors = command("emit", running.stack_file, "-", stdin=text)

        assert 1 == code
        assert not output
        assert 1 == len(errors.splitlines())

    def test_a_message_reaches_the_consumer_of_its_queue(self, stack: Stack) -> None:
        """GIVEN a queue with a function WHEN a message is sent to it THEN that function gets it, and no other does."""
        lines: queue.Queue[str] = queue.Queue()
        delivered: list[tuple[str, str]] = []

        def invoke(function: str, event: dict[str, Any]) -> Any:
            delivered.append((function, event["Records"][0]["body"]))
            return {"batchItemFailures": []}

        bus = Bus(stack, lines.put)
        bus.start(invoke)
        url = "http://127.0.0.1:5000/123456789012/keywright-local-LeakReportsQueue"
        answer = sent(bus, SEND_MESSAGE, {"QueueUrl": url, "MessageBody": "{}"})
        shown = lines.get(timeout=SECONDS)
        bus.stop()

        assert {"MessageId", "MD5OfMessageBody"} == json.loads(answer).keys()
        assert [("ProcessLeakReports", "{}")] == delivered
        assert shown.startswith("message ProcessLeakReports ")

    def test_a_message_to_another_queue_is_passed_on(self, stack: Stack) -> None:
        """Dead letters, which no function consumes, are kept by the emulated SQS."""
        url = "http://127.0.0.1:5000/123456789012/keywright-local-LeakReportsDeadLetters"

        assert b"passed on" == sent(Bus(stack, print), SEND_MESSAGE, {"QueueUrl": url, "MessageBody": "{}"})

    def test_a_failed_message_comes_again(self, stack: Stack) -> None:
        """GIVEN a consumer that fails once WHEN an event is sent THEN it comes again, with another attempt."""
        lines: queue.Queue[str] = queue.Queue()
        attempts: list[Any] = []

        def invoke(_: str, event: dict[str, Any]) -> Any:
            attempts.append(event["Records"][0])
            if len(attempts) == 1:
                raise FunctionError("not now")
            return {"batchItemFailures": []}

        bus = Bus(stack, lines.put, retry_seconds=0.05)
        bus.start(invoke)
        entry = {"Source": "a", "DetailType": "b", "Detail": "{}", "EventBusName": stack.buses[0]}
        assert {"FailedEntryCount": 0} == {k: v for k, v in put(bus, entry).items() if k != "Entries"}
        shown = [lines.get(timeout=SECONDS), lines.get(timeout=SECONDS)]
        bus.stop()

        assert ["1", "2"] == [record["attributes"]["ApproximateReceiveCount"] for record in attempts]
        assert 1 == len({record["messageId"] for record in attempts})
        assert [True, False] == ["comes again" in line for line in shown]

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"Detail": "{"}, "MalformedDetail"),
            ({"Source": ""}, "InvalidArgument"),
            ({"EventBusName": "another"}, "NotFound"),
        ],
    )
    def test_an_entry_that_is_not_accepted(self, stack: Stack, change: dict[str, str], code: str) -> None:
        """As on AWS, an invalid entry fails alone."""
        entry = {"Source": "a", "DetailType": "b", "Detail": "{}", "EventBusName": stack.buses[0], **change}
        answer = put(Bus(stack, print), entry)

        assert 1 == answer["FailedEntryCount"]
        assert code == answer["Entries"][0]["ErrorCode"]


def put(bus: Bus, entry: dict[str, str]) -> dict[str, Any]:
    """Send an entry to a bus; return the answer."""
    answer: dict[str, Any] = json.loads(sent(bus, PUT_EVENTS, {"Entries": [entry]}))
    return answer


def sent(bus: Bus, target: str, request: dict[str, Any]) -> bytes:
    """Send a request to the application in front of a bus; return the answer."""
    body = json.dumps(request).encode()
    environ = {"HTTP_X_AMZ_TARGET": target, "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
    return b"".join(bus.in_front_of(lambda *_: [b"passed on"])(environ, lambda *_: lambda _: None))
