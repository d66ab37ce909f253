"""Starts and stops the local service."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local import backend, demo
from local.functions import Functions
from local.gateway import Gateway, channel_for
from local.iam import Iam
from local.identity_provider import IdentityProvider
from local.intrinsics import TemplateError, text
from local.server import HOST, PortError, Server, port_of, reserve
from local.sigv4 import SigningCredential
from local.stack import StackDescription, StackFile
from local.template import read_stack

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

    from local.options import Options
    from local.template import Stack

_REQUEST_THREADS = 32
_STAGE = "v1"
"""The stage of the template, for the PublicUrl parameter that is needed to read the template."""


@dataclass(frozen=True, slots=True)
class RunningService:
    """A running service."""

    description: StackDescription
    permissions: tuple[str, ...]


@contextmanager
def running(options: Options, announce: Callable[[str], None]) -> Iterator[RunningService]:
    """Run the service while the context is open.

    This changes the process permanently: its environment becomes that of the functions, its standard streams become the
    log file.

    Args:
        options: the options of the user.
        announce: called with one line for each request.

    Raises:
        PortError: a port is in use.
        TemplateError: the template cannot be served.
    """
    with ExitStack() as opened:
        ports = _reserve_ports(options.port)
        for listener in ports:
            opened.callback(listener.close)
        stack = _read_template(options, *ports)
        _log_to(options)
        provider = _start_identity_provider(stack, options, ports[1], opened)
        iam = Iam()
        endpoint = _start_backend(stack, iam, opened)
        description = _describe(stack, options, provider, port_of(ports[0]), endpoint)
        backend.drop_operator_credentials(os.environ)
        functions = Functions.load(stack, iam)
        gateway = Gateway(
            api=stack.api,
            invoke=functions.invoke,
            credential=description.iam,
            domain=f"{HOST}:{port_of(ports[0])}",
            port=port_of(ports[0]),
            announce=announce,
        )
        server = Server(gateway, ports[0], threads=_REQUEST_THREADS, channel=channel_for(gateway))
        opened.callback(server.stop)
        stack_file = StackFile.describing(description, options.stack_file)
        opened.callback(stack_file.remove)  # registered first: a signal may arrive as soon as the file exists
        stack_file.write()
        permissions = text(stack.parameters.get("Permissions", ""), "Permissions").split(",")
        yield RunningService(description, tuple(permissions))


def _reserve_ports(port: int) -> tuple[socket.socket, socket.socket]:
    """Reserve a port for the service and the next one for the identity provider."""
    service = reserve(port)
    try:
        return service, reserve(port and port + 1)
    except PortError as error:
        service.close()
        raise PortError(f"{error}, which the development identity provider needs") from error


def _read_template(options: Options, service: socket.socket, provider: socket.socket) -> Stack:
    development = {
        "OidcAudience": "keywright",
        "OidcIssuer": f"http://{HOST}:{port_of(provider)}",
        "PublicUrl": f"http://{HOST}:{port_of(service)}/{_STAGE}",
        "UsageFlushSeconds": "0",  # show the use of a key at once
    }
    stack = read_stack(options.template, options.parameters, development)
    backend.isolate(os.environ)
    os.environ.update(stack.environment())
    return stack


def _log_to(options: Options) -> None:
    """Redirect the output of the functions to the log file: the terminal is for the user."""
    options.log_file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(options.log_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    # Never closed: a request may still log after the service has stopped.
    log = os.fdopen(descriptor, "w", buffering=1, encoding="utf-8")
    sys.stdout = sys.stderr = log
    logging.basicConfig(stream=log, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")


def _start_identity_provider(
    stack: Stack, options: Options, listener: socket.socket, opened: ExitStack
) -> IdentityProvider:
    provider = IdentityProvider(
        issuer=f"http://{HOST}:{port_of(listener)}",
        audience=_parameter(stack, "OidcAudience"),
        organization_claim=_parameter(stack, "OrganizationClaim"),
        ttl_seconds=options.demo_ttl_seconds,
    )
    opened.callback(Server(provider, listener, threads=2).stop)
    return provider


def _start_backend(stack: Stack, iam: Iam, opened: ExitStack) -> str:
    """Create tables and secrets; return the endpoint of DynamoDB."""
    moto = backend.start_moto(iam)
    opened.callback(moto.stop)
    os.environ["AWS_ENDPOINT_URL"] = moto.url
    for table in stack.tables:
        backend.create_table(table)
    for secret in stack.secrets:
        backend.create_secret(secret)
    own_dynamodb = os.environ.get(backend.DYNAMODB_ENDPOINT)
    if own_dynamodb:
        guard = backend.start_guard(own_dynamodb, iam, _REQUEST_THREADS)
        opened.callback(guard.stop)
        os.environ[backend.DYNAMODB_ENDPOINT] = guard.url
    return own_dynamodb or moto.url


def _describe(stack: Stack, options: Options, provider: IdentityProvider, port: int, endpoint: str) -> StackDescription:
    table_name = stack.tables[0].name if stack.tables else ""
    if not options.empty:
        _write_demo_data(table_name)
    return StackDescription(
        base_url=f"http://{HOST}:{port}/{stack.api.stage}",
        organization_id=None if options.empty else demo.ACTIVE_ORGANIZATION_ID,
        issuer=provider.issuer,
        tokens={} if options.empty else demo.tokens(provider, options.demo_ttl_seconds),
        users={} if options.empty else demo.users(),
        iam=SigningCredential.generate(),
        aws_endpoint_url=endpoint,
        table_name=table_name,
        operator=backend.operator_environment(os.environ, endpoint),
    )


def _write_demo_data(table_name: str) -> None:
    import boto3  # noqa: PLC0415 - reads the environment

    client: DynamoDBClient = boto3.client("dynamodb")
    demo.write_demo_data(client, table_name)


def _parameter(stack: Stack, name: str) -> str:
    if name not in stack.parameters:
        raise TemplateError(f"the template has no parameter {name}, which the development identity provider needs")
    return text(stack.parameters[name], name)
