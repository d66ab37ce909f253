"""Invoke a function on an event, as Lambda does, without Docker and without an AWS account.

usage: make invoke EVENT=... [FUNCTION=...]

EVENT is a recorded case, such as events/create_api_key/200_minimal, with its event and the state before. It can also be
a folder with an event.json and a seed.json, as `make event` writes them, or any JSON file; then FUNCTION is the name of
a folder of functions/, and the table has the demo organizations.

PARAMETERS has values of template parameters, as for `make run`.

The function runs in a separate process, under Lambda's runtime client and emulator, with its role. The answer and the
changes of the table are printed to standard output, the function's log to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from local import backend, demo
from local.bus import Bus
from local.case_files import CaseError
from local.cases import recorded
from local.changes import Item, Key, from_json, to_json, written
from local.container import LAYER, ContainerError, running
from local.iam import Iam
from local.identity_provider import IdentityProvider, issuer_at
from local.intrinsics import Json, TemplateError
from local.object_store import ObjectStore
from local.options import ROOT, OptionError, Options
from local.server import HOST, PortError, Server, reserve
from local.sign_in.requests import Client
from local.sign_in.server import AuthorizationServer
from local.template import Resource, Stack, read_stack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from local.template import Function

PYTHON = ROOT / ".venv-runtime" / "bin" / "python"

_AUDIENCE = "keywright"
_DEVELOPMENT = {"OidcAudience": _AUDIENCE, "AuditArchive": "on"}
_EXAMPLE = "events/create_api_key/200_minimal"
_NO_SERVER = "http://127.0.0.1:1"
_NO_TABLE = "there-is-no-such-table"
_PATIENCE_SECONDS = 60
"""The emulator counts the start of the runtime as part of the invocation; Lambda does not."""


class InvocationError(Exception):
    """The event cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """A function, its event, and the state before.

    Attributes:
        seed: content of a seed.json; None for the demo organizations.
    """

    function: str
    event: Any
    seed: Mapping[str, Any] | None

    @classmethod
    def read(cls, path: Path, function: str | None) -> Invocation:
        """Read a case of events/, a folder with an event.json, or a file.

        Raises:
            CaseError: the case cannot be expanded.
            InvocationError: there is no such file, or it is not JSON, or the function is not named.
        """
        case = recorded(path)
        if case is not None:
            return cls(function or case.function, case.event, case.seed)
        folder = path.parent if path.name == "event.json" else path
        if (folder / "event.json").is_file():
            seed = folder / "seed.json"
            name = function or folder.parent.name
            return cls(name, _read(folder / "event.json"), _read(seed) if seed.is_file() else None)
        if not path.is_file():
            raise InvocationError(f"there is no {path}; name a case of events/, such as {_EXAMPLE}")
        if function is None:
            raise InvocationError("name the function as well: FUNCTION=create_api_key")
        return cls(function, _read(path), None)


def main(arguments: list[str]) -> int:
    """Invoke and print; return 0 after an answer, 1 after a failure, 2 for wrong usage."""
    match [argument for argument in arguments if argument]:
        case ["-h" | "--help"]:
            print(__doc__)
            return 0
        case [path]:
            function = None
        case [path, function]:
            pass
        case _:
            print(__doc__)
            return 2
    try:
        outcome = run(Invocation.read(Path(path), function))
    except (InvocationError, CaseError, ContainerError, OptionError, TemplateError) as error:
        print(f"keywright: {error}", file=sys.stderr)
        return 1
    print(json.dumps(outcome, indent=2))
    return 0 if "answer" in outcome else 1


def run(invocation: Invocation) -> dict[str, Any]:
    """Invoke a function; return its answer or error, and what it has changed.

    Raises:
        InvocationError: the template has no such function.
        ContainerError: the function cannot be started.
    """
    seed = invocation.seed or {}
    issuer = issuer_at(Options().port + 1)
    parameters = Options.from_environment(os.environ).parameters
    stack = read_stack(ROOT / "template.yaml", parameters, _DEVELOPMENT | {"OidcIssuer": issuer})
    function = _function(stack, invocation.function)
    with ExitStack() as opened:
        backend.isolate(os.environ)
        os.environ.pop(backend.DYNAMODB_ENDPOINT, None)
        iam = Iam()
        published: list[dict[str, Json]] = []
        bus = Bus(stack, announce=lambda _: None, listen=published.append)
        bucket = ObjectStore(next(iter(stack.buckets), ""))
        bucket.seed(seed.get("archive", []))
        moto = backend.start_moto(iam, lambda moto: bucket.in_front_of(bus.in_front_of(moto)))
        opened.callback(moto.stop)
        _start_identity_provider(issuer, opened)
        os.environ["AWS_ENDPOINT_URL"] = moto.url
        client, table_name, dead_letters, leak_reports = _prepare(stack, invocation)
        settings = {
            "AWS_ENDPOINT_URL": moto.url,
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(_PATIENCE_SECONDS),
            "OIDC_ISSUER": issuer,
            "DEAD_LETTER_QUEUE_URL": dead_letters,
            "EVENTS_DEAD_LETTER_QUEUE_URL": dead_letters,
            "LEAK_REPORTS_QUEUE_URL": leak_reports,
            **seed.get("environment", {}),
            **({"TABLE_NAME": _NO_TABLE} if seed.get("table") is False else {}),
            **({backend.DYNAMODB_ENDPOINT: _NO_SERVER} if seed.get("dynamodb") == "down" else {}),
            **({"AWS_ENDPOINT_URL_EVENTBRIDGE": _NO_SERVER} if seed.get("eventbridge") == "down" else {}),
            **({"AWS_ENDPOINT_URL_S3": _NO_SERVER} if seed.get("s3") == "down" else {}),
        }
        key = iam.assume_role(function, {**function.environment, **settings})
        directory = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        before = _items(client, table_name)
        with running(PYTHON, function, key, settings, directory) as container:
            outcome = container.invoke(invocation.event)
            print(_log_of(container.log), end="", file=sys.stderr)
        changes = {name: items for name, items in written(before, _items(client, table_name)).items() if items}
        sent = {
            "put_aside": _dead_letters(dead_letters),
            "published": [{name: event[name] for name in ("source", "detail-type", "detail")} for event in published],
            "archived": bucket.lines[len(seed.get("archive", [])) :],
        }
        return {**_readable(outcome), **changes, **{name: content for name, content in sent.items() if content}}


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvocationError(f"{path} is not JSON: {error}") from error


def _function(stack: Stack, name: str) -> Function:
    functions = {function.directory.name: function for function in stack.functions.values()}
    if name not in functions:
        raise InvocationError(f"there is no function {name}; there are {', '.join(functions)}")
    if not LAYER.is_dir():
        raise InvocationError("the layer is not built: use make invoke, or run make test-layer first")
    return functions[name]


def _start_identity_provider(issuer: str, opened: ExitStack) -> None:
    """Serve the development identity provider at its usual port, unless `make run` does so."""
    port = Options().port + 1
    try:
        listener = reserve(port)
    except PortError:
        return
    provider = IdentityProvider(issuer, _AUDIENCE, "org_id")
    server = AuthorizationServer(provider, Client(f"http://{HOST}:{port - 1}/v1/console"))
    opened.callback(Server(server, listener, threads=2).stop)


def _prepare(stack: Stack, invocation: Invocation) -> tuple[DynamoDBClient, str, str, str]:
    """Create table, pepper and queues, and write the seed; return a client, the table's name and the queues' URLs."""
    import boto3  # noqa: PLC0415 - reads the environment

    table, secret = stack.tables[0], stack.secrets[0]
    backend.create_table(Resource(table.name, table.properties))
    pepper = (invocation.seed or {}).get("pepper")
    backend.create_secret(secret, None if pepper is None else json.dumps(pepper))
    client = boto3.client("dynamodb")
    if invocation.seed is None:
        demo.write_demo_data(client, table.name)
    else:
        resource = boto3.resource("dynamodb").Table(table.name)
        for item in invocation.seed.get("items", []):
            resource.put_item(Item={name: cast("Any", from_json(value)) for name, value in item.items()})
    dead_letters, leak_reports = (
        boto3.client("sqs").create_queue(QueueName=name)["QueueUrl"] for name in ("dead-letters", "leak-reports")
    )
    return client, table.name, dead_letters, leak_reports


def _items(client: DynamoDBClient, table_name: str) -> dict[Key, Item]:
    from boto3.dynamodb.types import TypeDeserializer  # noqa: PLC0415 - as boto3

    read = TypeDeserializer().deserialize
    items: dict[Key, Item] = {}
    for page in client.get_paginator("scan").paginate(TableName=table_name):
        for item in page["Items"]:
            names = ["pk", "sk", *sorted(item.keys() - {"pk", "sk"})]
            plain = {name: _number(to_json(read(item[name]))) for name in names}
            items[str(plain["pk"]), str(plain["sk"])] = plain
    return items


def _number(value: object) -> object:
    match value:
        case Decimal():
            return int(value)
        case list():
            return [_number(element) for element in value]
        case dict():
            return {name: _number(element) for name, element in value.items()}
        case _:
            return value


def _dead_letters(queue_url: str) -> list[dict[str, str]]:
    import boto3  # noqa: PLC0415 - reads the environment

    messages = boto3.client("sqs").receive_message(
        QueueUrl=queue_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    )
    return [
        {"body": message["Body"], "reason": message["MessageAttributes"]["reason"]["StringValue"]}
        for message in messages.get("Messages", [])
    ]


def _readable(outcome: dict[str, Any]) -> dict[str, Any]:
    """Return an outcome with the envelope in its body as JSON. A document stays a text."""
    answer = outcome.get("answer")
    if not isinstance(answer, dict) or not str(answer.get("body", "")).startswith('{"data"'):
        return outcome
    return {**outcome, "answer": {**answer, "body": json.loads(answer["body"])}}


def _log_of(log: Path) -> str:
    """Return the lines of the function, without those of the emulator."""
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if " [INFO] (rapid) " not in line)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
