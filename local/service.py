"""Starts and stops the local service."""

from __future__ import annotations

import json
import logging
import os
import secrets
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local import backend, demo, github, recording, sam
from local.bus import Bus
from local.demo_keys import DemoKeys
from local.functions import Functions
from local.gateway import Gateway, channel_for
from local.iam import Iam
from local.identity_provider import IdentityProvider, issuer_at
from local.intrinsics import TemplateError, text
from local.lambda_api import LambdaApi, invocable
from local.logs import Log
from local.server import HOST, Server, port_of
from local.sign_in.requests import Client
from local.sign_in.server import AuthorizationServer
from local.sigv4 import SigningCredential
from local.stack import StackDescription, StackFile
from local.store import Store, StoreError
from local.table_stream import TableStream
from local.template import read_stack
from local.watch import ChangedError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from types import TracebackType
    from wsgiref.types import WSGIApplication

    from mypy_boto3_dynamodb import DynamoDBClient
    from waitress.channel import HTTPChannel

    from local.claim import Claim
    from local.intrinsics import Json
    from local.options import Options
    from local.template import Stack

_REQUEST_THREADS = 32
_PROVIDER_THREADS = 2
_CONTAINER_THREADS = 8
_STAGE = "v1"
"""The stage of the template, for the PublicUrl parameter that is needed to read the template."""
_SECRET_BYTES = 24
_IS_DEMO = "demo"


@dataclass(frozen=True, slots=True)
class RunningService:
    """A running service."""

    description: StackDescription
    permissions: tuple[str, ...]


@contextmanager
def running(options: Options, claim: Claim, announce: Callable[[str], None]) -> Iterator[RunningService]:
    """Run the service while the context is open.

    This changes the process permanently: its environment becomes that of the functions, its standard streams become the
    log file.

    Args:
        options: the options of the user.
        claim: directory and ports, which stay open.
        announce: called with one line for each request.

    Raises:
        TemplateError: the template cannot be served.
        StoreError: the data of the last start cannot be used.
    """
    with ExitStack() as opened:
        stack = _read_template(options, claim)
        _log_to(options, append=claim.is_taken_over)
        store = _open_store(options, claim, opened)
        provider = _start_identity_provider(stack, options, claim, opened)
        show_event = _event_printer(announce) if options.events else _ignore
        iam, bus = Iam(), Bus(stack, announce, listen=show_event)
        aws = _start_aws(stack, iam, bus, store, opened)
        table = _Table(_operator_client(), stack.tables[0].name if stack.tables else "")
        streams = _streams_client(aws.dynamodb_url)
        opened.callback(streams.close)
        opened.callback(table.client.close)
        if not options.empty:
            store.put(_IS_DEMO, "1")
            demo.write_demo_data(table.client, table.name)
        operator = backend.operator_environment(os.environ, aws.dynamodb_url)
        backend.drop_operator_credentials(os.environ)
        functions = Functions.load(stack, iam)
        for reader in stack.stream_readers:
            arn = backend.stream_arn(table.client, reader.table)
            opened.callback(TableStream(reader, arn, streams, functions.invoke).start().stop)
        bus.start(functions.invoke)
        opened.callback(bus.stop)  # before the streams: consumers and schedules write as well
        secret = _kept(store, "secret of the containers")
        containers = sam.endpoint(iam, functions.keys, secret, aws.for_containers())
        _serve(containers, claim.containers, _CONTAINER_THREADS, opened)

        port = port_of(claim.service[0])
        gateway = Gateway(
            api=stack.api,
            invoke=functions.invoke,
            credential=SigningCredential.with_secret(_kept(store, "secret access key")),
            domain=f"{HOST}:{port}",
            port=port,
            announce=announce,
        )
        permissions = tuple(text(stack.parameters.get("Permissions", ""), "Permissions").split(","))
        tokens = {} if options.empty else demo.tokens(provider, options.demo_ttl_seconds)
        keys = {} if options.empty else _demo_keys(stack, store, gateway, tokens["owner"], permissions, table)
        invocations = LambdaApi(stack, functions.invoke, gateway.credential, port, announce)
        application = invocations.in_front_of(gateway)
        _serve(application, claim.service, _REQUEST_THREADS, opened, channel_for(gateway))
        description = StackDescription(
            base_url=f"http://{HOST}:{port}/{stack.api.stage}",
            organization_id=None if options.empty else demo.ACTIVE_ORGANIZATION_ID,
            issuer=provider.issuer,
            tokens=tokens,
            users={} if options.empty else demo.users(),
            iam=gateway.credential,
            lambda_url=f"http://{HOST}:{port}",
            function_arn=next((function.arn for function in invocable(stack)), None),
            aws_endpoint_url=aws.dynamodb_url,
            table_name=table.name,
            keys=keys,
            aws_url=aws.moto_url,
            event_bus=next(iter(stack.event_queues), None),
            operator=operator,
        )
        variables = sam.variables(stack.environment(), functions.keys, port_of(claim.containers[0]), secret)
        _write(StackFile(options.environment_file, variables), opened)
        _write(StackFile.describing(description, options.stack_file), opened)  # last: tests wait for it
        yield RunningService(description, permissions)


@dataclass(frozen=True, slots=True)
class _Table:
    """The table, for the operator."""

    client: DynamoDBClient
    name: str


@dataclass(frozen=True, slots=True)
class _Aws:
    """The emulated services.

    Attributes:
        moto_url: endpoint of moto.
        dynamodb_url: endpoint of DynamoDB: moto's, or that of the user.
    """

    moto_url: str
    dynamodb_url: str

    def for_containers(self) -> WSGIApplication:
        """Return an application that forwards requests to both."""
        return backend.forwarding(self.moto_url, self.dynamodb_url)


def _read_template(options: Options, claim: Claim) -> Stack:
    development = {
        "ConsoleClientId": "keywright-console",
        "OidcAudience": "keywright",
        "OidcIssuer": issuer_at(port_of(claim.provider[0])),
        "GitHubKeysUrl": issuer_at(port_of(claim.provider[0])) + github.KEYS_PATH,
        "PublicUrl": f"http://{HOST}:{port_of(claim.service[0])}/{_STAGE}",
        "UsageFlushSeconds": "0",  # show the use of a key at once
    }
    stack = read_stack(options.template, options.parameters, development)
    if stack.buckets:
        raise TemplateError(
            "the local service has no archive: leave AuditArchive off; "
            "make invoke EVENT=events/archive_records/archived_one shows what the function writes"
        )
    backend.isolate(os.environ)
    os.environ.update(stack.environment())
    return stack


def _log_to(options: Options, *, append: bool) -> None:
    """Redirect the output of the functions to the log file: the terminal is for the user."""
    options.log_file.parent.mkdir(parents=True, exist_ok=True)
    how = os.O_APPEND if append else os.O_TRUNC
    descriptor = os.open(options.log_file, os.O_WRONLY | os.O_CREAT | how, 0o600)
    # Never closed: a request may still log after the service has stopped.
    log = Log(os.fdopen(descriptor, "w", buffering=1, encoding="utf-8"))
    sys.stdout = sys.stderr = log
    logging.basicConfig(stream=log, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")


def _open_store(options: Options, claim: Claim, opened: ExitStack) -> Store:
    store = Store.open(options.data_file, fresh=options.fresh and not claim.is_taken_over)
    opened.callback(store.close)
    if options.empty and store.get(_IS_DEMO):
        raise StoreError(
            f"{options.data_file} has demo data; begin anew with FRESH=1 EMPTY=1 make run, or leave out EMPTY"
        )
    return store


def _kept(store: Store, name: str) -> str:
    """Return a random secret that is the same at every start."""
    kept = store.get(name)
    if kept is None:
        kept = secrets.token_urlsafe(_SECRET_BYTES)
        store.put(name, kept)
    return kept


def _start_identity_provider(stack: Stack, options: Options, claim: Claim, opened: ExitStack) -> IdentityProvider:
    provider = IdentityProvider(
        issuer=issuer_at(port_of(claim.provider[0])),
        audience=_parameter(stack, "OidcAudience"),
        organization_claim=_parameter(stack, "OrganizationClaim"),
        ttl_seconds=options.demo_ttl_seconds,
    )
    console = Client(f"{_parameter(stack, 'PublicUrl')}/console")
    server = AuthorizationServer(provider, console, () if options.empty else demo.PERSONAS)
    _serve(server, claim.provider, _PROVIDER_THREADS, opened)
    return provider


def _start_aws(stack: Stack, iam: Iam, bus: Bus, store: Store, opened: ExitStack) -> _Aws:
    """Start the emulated services with the template's tables, secrets and queues, and the data of the last start."""
    moto = backend.start_moto(iam, lambda application: bus.in_front_of(recording.recording(application, store)))
    opened.callback(moto.stop)
    os.environ["AWS_ENDPOINT_URL"] = moto.url
    for table in stack.tables:
        backend.create_table(table)
        if backend.DYNAMODB_ENDPOINT not in os.environ:
            recording.restore_items(store, table.name)
    for secret in stack.secrets:
        value = backend.create_secret(secret, recording.saved_secret(store, secret.name))
        recording.save_secret(store, secret.name, value)
    for queue in stack.queues:
        backend.create_queue(queue)
    own_dynamodb = os.environ.get(backend.DYNAMODB_ENDPOINT)
    if own_dynamodb:
        guard = backend.start_guard(own_dynamodb, iam, _REQUEST_THREADS)
        opened.callback(guard.stop)
        os.environ[backend.DYNAMODB_ENDPOINT] = guard.url
    return _Aws(moto.url, own_dynamodb or moto.url)


def _event_printer(announce: Callable[[str], None]) -> Callable[[dict[str, Json]], None]:
    """Return a function that prints an event: its kind, and its detail as JSON."""
    return lambda event: announce(f"published {event['detail-type']} {json.dumps(event['detail'])}")


def _ignore(_event: dict[str, Json]) -> None:
    """Show nothing."""


def _operator_client() -> DynamoDBClient:
    """Return a client that keeps the operator's credentials."""
    import boto3  # noqa: PLC0415 - reads the environment

    return boto3.client("dynamodb")


def _streams_client(url: str) -> Any:
    """Return a client of DynamoDB's streams that keeps the operator's credentials."""
    import boto3  # noqa: PLC0415 - reads the environment

    return boto3.client("dynamodbstreams", endpoint_url=url)


def _demo_keys(  # noqa: PLR0913, PLR0917 - all parts of the service
    stack: Stack, store: Store, gateway: Gateway, token: str, permissions: tuple[str, ...], table: _Table
) -> Mapping[str, str]:
    base_path = f"/{stack.api.stage}"
    demo_keys = DemoKeys(store, gateway.answer, base_path, token, permissions[:1], table.client, table.name)
    return demo_keys.texts(text(stack.parameters.get("KeyPrefix", ""), "KeyPrefix"))


def _serve(
    application: WSGIApplication,
    listeners: Iterable[socket.socket],
    threads: int,
    opened: ExitStack,
    channel: type[HTTPChannel] | None = None,
) -> None:
    """Serve an application on each of its addresses. The sockets stay open when the servers stop."""
    for listener in listeners:
        opened.callback(Server(application, listener.dup(), threads=threads, channel=channel).stop)


def _write(file: StackFile, opened: ExitStack) -> None:
    """Write a file, to be removed unless another process takes over."""

    def remove(kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        if kind is not ChangedError:
            file.remove()

    opened.push(remove)  # registered first: a signal may arrive as soon as the file exists
    file.write()


def _parameter(stack: Stack, name: str) -> str:
    if name not in stack.parameters:
        raise TemplateError(f"the template has no parameter {name}, which the development identity provider needs")
    return text(stack.parameters[name], name)
