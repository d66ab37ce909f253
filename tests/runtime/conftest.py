"""Functions in containers of their own, each with a table and a pepper; `make test-runtime` runs these tests."""

from __future__ import annotations

import json
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from local import backend
from local.identity_provider import IdentityProvider
from local.server import HOST, Server, port_of, reserve
from local.template import Resource
from tests.conftest import LOOPBACK
from tests.issuer import AUDIENCE
from tests.runtime.container import Container, running
from tests.test_events import CASES, DEVELOPMENT_ISSUER, NOBODY, Case, in_envelope, put_items, sign
from tests.world import Context, Table, World

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local.iam import Iam
    from local.template import Stack

HERE = Path(__file__).parent
STARTS = 3
PATIENCE_SECONDS = 60
PATIENCE = {"AWS_LAMBDA_FUNCTION_TIMEOUT": str(PATIENCE_SECONDS)}
"""The emulator counts the start of a runtime as part of the first invocation; Lambda gives it time of its own."""


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Leave them out where nobody has said which Python runs the functions."""
    return None if config.getoption("--runtime") else True


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Open sockets to this machine; a function's events are replayed by one worker, in few containers."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))
            case = getattr(item, "callspec", None) and item.callspec.params.get("case")  # type: ignore[attr-defined]
            if isinstance(case, Case):
                item.add_marker(pytest.mark.xdist_group(case.function))


@dataclass(frozen=True, slots=True)
class Deployed:
    """A function in its container, and what it works on.

    Attributes:
        queue_url: where messages are put aside.
    """

    container: Container
    world: World
    issuer: str
    queue_url: str

    def prepare(self, case: Case) -> None:
        """Make the table what a seed says, whatever it was before."""
        table = self.world.table
        for item in table.items():
            table.client.delete_item(TableName=table.name, Key={"pk": {"S": item["pk"]}, "sk": {"S": item["sk"]}})
        put_items(case.seed, self.world)

    def replay(self, case: Case) -> dict[str, Any]:
        """Invoke the function on the event of a case; its body as JSON."""
        outcome = self.container.invoke(self._event(case))
        if (outcome.get("answer") or {}).get("body"):
            outcome["answer"]["body"] = in_envelope(outcome["answer"]["body"])
        return outcome

    def put_aside(self, case: Case) -> list[dict[str, str]]:
        """Take what was put aside of a batch: ids of messages, and why."""
        sqs = boto3.client("sqs")
        names = {message["body"]: message["messageId"] for message in case.event.get("Records", [])}
        taken = []
        while letters := sqs.receive_message(
            QueueUrl=self.queue_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages"):
            for letter in letters:
                sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=letter["ReceiptHandle"])
                reason = letter["MessageAttributes"]["reason"]["StringValue"]
                taken.append({"messageId": names[letter["Body"]], "reason": reason})
        return taken

    def warm_up(self, function: str) -> None:
        """Have the function refuse something that it needs nothing for, until it has done so in time."""
        self.start(min((case for case in CASES if case.function == function), key=_cheapness))

    def start(self, case: Case) -> None:
        """Have the function see to an event until it has done so in time: the emulator counts its start as well."""
        for _ in range(STARTS):
            if "timed out" not in self.replay(case):
                return
        raise RuntimeError(f"{case.function} does not start within its time:\n{self.container.log.read_text()}")

    def _event(self, case: Case) -> dict[str, Any]:
        """Give the event, with a token of the identity provider that is here instead of the one of `make run`."""
        token = case.seed.get("token")
        if token is None or token["claims"].get("iss") != DEVELOPMENT_ISSUER:
            return case.event
        text = sign(token["header"], token["claims"] | {"iss": self.issuer}, token["key"])
        return case.event | {"authorizationToken": f"Bearer {text}"}


@dataclass(slots=True)
class Deployments:
    """Makes containers.

    Attributes:
        python: runs the functions.
        aws: where Secrets Manager is, and DynamoDB unless `dynamodb` names another.
    """

    python: Path
    stack: Stack
    iam: Iam
    aws: str
    issuer: str
    directory: Path
    dynamodb: str | None = None
    kept: dict[tuple[str, str], tuple[Deployed, ExitStack]] = field(default_factory=dict)

    @contextmanager
    def running(self, name: str, pepper: object = None, **changes: str) -> Iterator[Deployed]:
        """Run a function, by its folder's name, as long as the context is open.

        Args:
            name: of the folder.
            pepper: what the secret holds; a random pepper otherwise.
            changes: variables that differ from the template's.
        """
        (function,) = [function for function in self.stack.functions.values() if function.directory.name == name]
        unique = f"keywright-{uuid.uuid4()}"
        backend.create_table(Resource(unique, self.stack.tables[0].properties))
        backend.create_secret(Resource(unique, self.stack.secrets[0].properties))
        if pepper is not None:
            boto3.client("secretsmanager").put_secret_value(SecretId=unique, SecretString=json.dumps(pepper))
        queue_url = boto3.client("sqs").create_queue(QueueName=unique)["QueueUrl"]
        environment = {
            "AWS_ENDPOINT_URL": self.aws,
            "DEAD_LETTER_QUEUE_URL": queue_url,
            "TABLE_NAME": unique,
            "PEPPER_SECRET_ID": unique,
            "OIDC_ISSUER": self.issuer,
            **({} if self.dynamodb is None else {backend.DYNAMODB_ENDPOINT: self.dynamodb}),
            **changes,
        }
        key = self.iam.assume_role(function, {**function.environment, **environment})
        client = boto3.client("dynamodb")
        with running(self.python, function, key, environment, self.directory) as container:
            yield Deployed(container, World(Table(client, unique), Context()), environment["OIDC_ISSUER"], queue_url)
        client.delete_table(TableName=unique)

    def of(self, case: Case) -> Deployed:
        """Give the container for a case: the last one of its function, if that has the settings of its seed."""
        name = (
            case.function,
            json.dumps([case.seed.get(part) for part in ("environment", "table", "dynamodb", "pepper")]),
        )
        if name not in self.kept:
            self.stop()
            opened = ExitStack()
            changes = {**PATIENCE, **settings(case.seed)}
            deployed = opened.enter_context(self.running(case.function, case.seed.get("pepper"), **changes))
            self.kept[name] = deployed, opened
        return self.kept[name][0]

    @contextmanager
    def warm(self, case: Case, **changes: str) -> Iterator[Deployed]:
        """Run the function of a case, which has refused something already, so that its time is all its own."""
        with self.running(case.function, case.seed.get("pepper"), **settings(case.seed), **changes) as deployed:
            deployed.prepare(case)
            deployed.warm_up(case.function)
            yield deployed

    def stop(self) -> None:
        """End the containers that are kept."""
        for _, opened in self.kept.values():
            opened.close()
        self.kept.clear()


def patient(aws: str, seconds: int = PATIENCE_SECONDS) -> dict[str, str]:
    """Give the settings of a function that has so much time, and one way to AWS."""
    return {"AWS_ENDPOINT_URL": aws, backend.DYNAMODB_ENDPOINT: aws, "AWS_LAMBDA_FUNCTION_TIMEOUT": str(seconds)}


def _cheapness(case: Case) -> tuple[bool, int]:
    """Sort the refusals that need nothing but the event first."""
    return case.status not in {204, 400, 401}, case.status


def settings(seed: Mapping[str, Any]) -> dict[str, str]:
    """Give the settings that a seed changes."""
    changes: dict[str, str] = dict(seed.get("environment", {}))
    if seed.get("table") is False:
        changes["TABLE_NAME"] = "there-is-no-such-table"
    if seed.get("dynamodb") == "down":
        changes[backend.DYNAMODB_ENDPOINT] = NOBODY
    return changes


@pytest.fixture(scope="session")
def identity_provider() -> Iterator[str]:
    """The development identity provider on a port of its own; its address."""
    listener = reserve(0)
    issuer = f"http://{HOST}:{port_of(listener)}"
    server = Server(IdentityProvider(issuer, AUDIENCE, "org_id"), listener, threads=2)
    yield issuer
    server.stop()


@pytest.fixture(scope="session")
def _containers(
    request: pytest.FixtureRequest,
    stack: Stack,
    iam: Iam,
    identity_provider: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployments]:
    python = request.config.getoption("--runtime").absolute()
    aws = request.getfixturevalue("moto_url")
    deployments = Deployments(python, stack, iam, aws, identity_provider, tmp_path_factory.mktemp("runtime"))
    deployments.dynamodb = request.getfixturevalue("dynamodb_url")
    yield deployments
    deployments.stop()


@pytest.fixture
def deployments(_containers: Deployments, environment: pytest.MonkeyPatch) -> Deployments:
    """Makes containers; this process is set up to look at what they have done."""
    environment.setenv("AWS_ENDPOINT_URL", _containers.aws)
    if _containers.dynamodb is not None:
        environment.setenv(backend.DYNAMODB_ENDPOINT, _containers.dynamodb)
    return _containers
