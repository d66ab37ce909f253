"""Functions in containers, each with a table and a pepper."""

from __future__ import annotations

import json
import time
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3

from keywright.domain.limits import SECOND
from keywright.keys.limiter import TRUSTED_NS
from local import backend, github
from local.container import Container, running
from local.template import Resource
from tests.support.cases import CASES, DEVELOPMENT_GITHUB, event_for
from tests.support.replay import NO_SERVER, in_envelope, put_aside, put_items
from tests.support.world import Context, Table, World

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from local.cases import Case
    from local.iam import Iam
    from local.template import Stack

STARTS = 3
PATIENCE_SECONDS = 60
PATIENCE = {"AWS_LAMBDA_FUNCTION_TIMEOUT": str(PATIENCE_SECONDS)}
"""The emulator counts the start of the runtime as part of the first invocation; Lambda does not."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """A function in its container, with its table.

    Attributes:
        queue_url: its dead-letter queue.
    """

    container: Container
    world: World
    issuer: str
    queue_url: str

    def prepare(self, case: Case) -> None:
        """Replace the table's items by those of a seed."""
        if any(item["sk"] == "LIMIT" for item in case.seed["items"]):
            time.sleep(TRUSTED_NS / SECOND)  # for so long, the container repeats the refusal of another case
        table = self.world.table
        for item in table.items():
            table.client.delete_item(TableName=table.name, Key={"pk": {"S": item["pk"]}, "sk": {"S": item["sk"]}})
        put_items(case.seed, self.world)

    def replay(self, case: Case) -> dict[str, Any]:
        """Invoke the function on the event of a case; return the outcome with a parsed body."""
        outcome = self.container.invoke(event_for(case, self.issuer))
        if (outcome.get("answer") or {}).get("body"):
            outcome["answer"]["body"] = in_envelope(outcome["answer"]["body"])
        return outcome

    def put_aside(self, case: Case) -> list[dict[str, str]]:
        """Return the ids and reasons of the messages set aside, and remove them."""
        return put_aside(self.queue_url, case)

    def warm_up(self, function: str) -> None:
        """Invoke the function on an event that it refuses without AWS, until it answers in time."""
        self.start(min((case for case in CASES if case.function == function), key=_cheapness))

    def start(self, case: Case) -> None:
        """Invoke the function on an event until it answers in time: the emulator counts its start as well."""
        for _ in range(STARTS):
            if "timed out" not in self.replay(case):
                return
        raise RuntimeError(f"{case.function} does not start within its time:\n{self.container.log.read_text()}")


@dataclass(slots=True)
class Deployments:
    """Starts containers.

    Attributes:
        python: the interpreter of the functions.
        aws: address of Secrets Manager, and of DynamoDB unless `dynamodb` names another.
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
        """Run a function, by its folder's name, while the context is open.

        Args:
            name: name of the folder.
            pepper: content of the secret; random by default.
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
            "EVENTS_DEAD_LETTER_QUEUE_URL": queue_url,
            "LEAK_REPORTS_QUEUE_URL": boto3.client("sqs").create_queue(QueueName=f"{unique}-leaks")["QueueUrl"],
            "TABLE_NAME": unique,
            "PEPPER_SECRET_ID": unique,
            "OIDC_ISSUER": self.issuer,
            **({} if self.dynamodb is None else {backend.DYNAMODB_ENDPOINT: self.dynamodb}),
            **changes,
        }
        if environment.get("GITHUB_KEYS_URL") == DEVELOPMENT_GITHUB:
            environment["GITHUB_KEYS_URL"] = self.issuer + github.KEYS_PATH
        key = self.iam.assume_role(function, {**function.environment, **environment})
        client = boto3.client("dynamodb")
        with running(self.python, function, key, environment, self.directory) as container:
            yield Deployed(container, World(Table(client, unique), Context()), environment["OIDC_ISSUER"], queue_url)
        client.delete_table(TableName=unique)

    def of(self, case: Case) -> Deployed:
        """Return the container for a case: the function's last one, if it has the settings of the seed."""
        name = (
            case.function,
            json.dumps(
                [case.seed.get(part) for part in ("environment", "table", "dynamodb", "eventbridge", "s3", "pepper")]
            ),
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
        """Run the function of a case after a first invocation, so that the next one has its whole time."""
        with self.running(case.function, case.seed.get("pepper"), **{**settings(case.seed), **changes}) as deployed:
            deployed.prepare(case)
            deployed.warm_up(case.function)
            yield deployed

    def stop(self) -> None:
        """Stop the reused containers."""
        for _, opened in self.kept.values():
            opened.close()
        self.kept.clear()


def patient(aws: str, seconds: int = PATIENCE_SECONDS) -> dict[str, str]:
    """Return settings with that time limit and one address for all of AWS."""
    return {"AWS_ENDPOINT_URL": aws, backend.DYNAMODB_ENDPOINT: aws, "AWS_LAMBDA_FUNCTION_TIMEOUT": str(seconds)}


def _cheapness(case: Case) -> tuple[bool, int]:
    """Return the sort key of a case: refusals that need only the event come first."""
    return case.status not in {204, 400, 401}, case.status


def settings(seed: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings that a seed changes."""
    changes: dict[str, str] = dict(seed.get("environment", {}))
    if seed.get("table") is False:
        changes["TABLE_NAME"] = "there-is-no-such-table"
    if seed.get("dynamodb") == "down":
        changes[backend.DYNAMODB_ENDPOINT] = NO_SERVER
    if seed.get("s3") == "down":
        changes["AWS_ENDPOINT_URL_S3"] = NO_SERVER
    if seed.get("eventbridge") == "down":
        changes["AWS_ENDPOINT_URL_EVENTBRIDGE"] = NO_SERVER
    return changes
