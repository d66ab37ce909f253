"""The console of a local service in a browser, with a proxy between the two that can fail."""

from __future__ import annotations

import json
import re
import uuid
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from examples.embed.server import Application
from keywright import clock
from local.server import Server, port_of, reserve
from tests.browser import faults
from tests.browser.screen import Screen
from tests.support.environment import CHEAP_ARGON2
from tests.support.fault_proxy import FaultProxy
from tests.support.local_service import ALLOWED_ORIGINS, connected, local_service

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from socket import socket

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import WriteRequestTypeDef

    from tests.api.deployment import Deployment
    from tests.browser.webdriver import Browser
    from tests.support.fault_proxy import Exchange
    from tests.support.network_faults import Fault

PERMISSIONS = ("sessions:read", "sessions:write", "reports:read", "reports:write")
ROLES = ("owner", "admin", "member", "suspended")
"""The users of an organization; the suspended one is an admin."""

TIMES = pytest.StashKey[dict[str, float]]()
"""When each view was shown, in milliseconds after its page was requested; printed with `--pictures`."""

_FAILED = re.compile(r"^SEVERE (\S+) - Failed to load resource: ")


@dataclass(frozen=True, slots=True)
class Console:
    """A local service whose public address is that of a proxy.

    Attributes:
        service: the service itself, without the proxy.
        stack: the content of its stack file.
        dynamodb: client of the operator.
        log_file: what its functions log.
        application: address of another application, whose page embeds the keys (examples/embed).
        application_tokens: the session tokens that the application has for its users, by role.
    """

    service: Deployment
    proxy: FaultProxy
    stack: dict[str, Any]
    dynamodb: DynamoDBClient
    log_file: Path
    application: str
    application_tokens: dict[str, str] = field(default_factory=dict)

    @property
    def base_url(self) -> str:
        """The public address."""
        return f"{self.proxy.url}/v1"

    def organization(self, name: str | None = "Example organization") -> Deployment:
        """Make an organization with a user of each role; the ids of users are `ROLE-` and the beginning of its id.

        Without a name, its `organization.created` event has not arrived yet.
        """
        organization_id = str(uuid.uuid4())
        now = clock.rfc3339(clock.now())
        items: dict[str, dict[str, str]] = {"ORG": {} if name is None else {"name": name, "created_at": now}}
        for role in ROLES:
            suspended = {"role": "admin", "suspended_at": now} if role == "suspended" else {}
            items[f"MEMBER#{user_id(role, organization_id)}"] = {"role": role, "created_at": now, **suspended}
        self._write(organization_id, items)
        tokens = {role: self.token(role, organization_id) for role in (*ROLES, "outsider")}
        return replace(self.service, organization_id=organization_id, tokens=tokens)

    def token(self, role: str, organization_id: str) -> str:
        """Return a session token."""
        query = {"user": user_id(role, organization_id), "organization": organization_id}
        return self.service.client.get(f"{self.stack['issuer']}/token", params=query).raise_for_status().text

    def _write(self, organization_id: str, items: Mapping[str, Mapping[str, str]]) -> None:
        texts = [{"pk": f"ORG#{organization_id}", "sk": sort_key, **fields} for sort_key, fields in items.items()]
        requests: list[WriteRequestTypeDef] = [
            {"PutRequest": {"Item": {name: {"S": value} for name, value in item.items()}}} for item in texts
        ]
        self.dynamodb.batch_write_item(RequestItems={self.stack["table_name"]: requests})


def user_id(role: str, organization_id: str) -> str:
    """Return the id of an organization's user."""
    return f"{role}-{organization_id[:8]}"


@contextmanager
def running(directory: Path) -> Iterator[Console]:
    """Run a local service behind a proxy, and an application that embeds the keys."""
    with closing(FaultProxy("http://127.0.0.1:1")) as proxy, reserve(0) as listener:
        application = f"http://127.0.0.1:{port_of(listener)}"
        parameters = {
            **CHEAP_ARGON2,
            "AllowedOrigins": ",".join([*ALLOWED_ORIGINS, application]),
            "Permissions": ",".join(PERMISSIONS),
            "PublicUrl": f"{proxy.url}/v1",
        }
        with local_service(directory, PARAMETERS=json.dumps(parameters)) as stack_file:
            stack = json.loads(stack_file.read_text(encoding="utf-8"))
            proxy.forward_to(stack["base_url"])
            log_file = stack_file.with_name("service.log")
            for service in connected(stack_file):
                with closing(_operator_client(stack)) as dynamodb:
                    console = Console(service, proxy, stack, dynamodb, log_file, application)
                    with _serving_application(console, listener.dup()):
                        yield console


def _operator_client(stack: dict[str, Any]) -> DynamoDBClient:
    credentials = stack["operator"]
    return boto3.client(
        "dynamodb",
        region_name=stack["iam"]["region"],
        endpoint_url=stack["aws_endpoint_url"],
        aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
    )


@contextmanager
def _serving_application(console: Console, listener: socket) -> Iterator[None]:
    application = Application(console.base_url, lambda user: console.application_tokens[user.removeprefix("demo-")])
    server = Server(application, listener, threads=4)
    try:
        yield
    finally:
        server.stop()


@dataclass(frozen=True, slots=True)
class Visit(Screen):
    """A visit of the console.

    Attributes:
        console: the service.
        organization: the visitor's organization.
        refused: paths whose requests are refused or fail in the course of the test, which the browser writes to its
            console.
    """

    console: Console = field(kw_only=True)
    organization: Deployment = field(kw_only=True)
    refused: list[str] = field(default_factory=list, kw_only=True)
    _lines: list[str] = field(default_factory=list, kw_only=True)
    _addresses: list[str] = field(default_factory=list, kw_only=True)

    def open(self, place: str = "/keys", *, role: str = "admin") -> None:
        """Open a place of the console and sign in as a user, on the identity provider's page."""
        self.browser.open(self.address(place))
        self.click("button", "Sign in")
        self.choose_user(role)
        self.find("button", "Sign out")

    def choose_user(self, role: str) -> None:
        """Choose a user on the identity provider's page."""
        self.fill("User", user_id(role, self.organization.organization_id))
        self.fill("Organization", self.organization.organization_id)
        self.click("button", "Sign in")

    def address(self, place: str) -> str:
        """Return the address of a place."""
        return f"{self.console.base_url}/console#{place}"

    def place(self) -> str:
        """Return the place that the browser shows."""
        return self.browser.address().partition("#")[2]

    def wait_loaded(self) -> None:
        """Wait until the view has all of its parts."""
        self.wait_gone("status", "Loading…")

    def shown_text(self) -> str:
        """Return the text of a key that is shown once."""
        return self.part("dialog", "Your API key").part("code").text()

    def shown_id(self) -> str:
        """Return the id of the key whose view is shown."""
        return self.place().removeprefix("/keys/")

    def dismiss_text(self) -> None:
        """Confirm that the text of a key is stored."""
        self.click("button", "Done")
        self.click("button", "I have stored it")
        self.wait_gone("dialog")

    @contextmanager
    def failing(self, method: str, path: str, fault: Fault) -> Iterator[list[Exchange]]:
        """Apply a fault to requests of the console while the context is open; yield them."""
        self.refused.append(path)
        with faults.failing(self.console.proxy, method, path, fault) as requests:
            yield requests

    def complaints(self) -> list[str]:
        """Return the lines of the browser's console, without requests that were meant to fail."""
        meant = re.compile("|".join(rf"[^?]*{faults.path_pattern(path)}(\?|$)" for path in self.refused) or "(?!)")
        return [line for line in self.lines() if not _is_meant(line, meant)]

    def lines(self) -> list[str]:
        """Return the lines that the browser's console had in this visit."""
        self._lines.extend(self.browser.console())
        return self._lines

    def requested(self) -> list[str]:
        """Return the addresses of requests since the last call."""
        addresses = self.browser.requested()
        self._addresses.extend(addresses)
        return addresses

    def strangers(self) -> list[str]:
        """Return the addresses that were requested in this visit and belong to no service of the test."""
        console = self.console
        own = (console.base_url, console.stack["issuer"], f"{console.application}/", "data:", "about:", "blob:")
        self.requested()
        return [address for address in self._addresses if not address.startswith(own)]


@contextmanager
def visiting(browser: Browser, console: Console, organization: Deployment) -> Iterator[Visit]:
    """Begin a visit in a new tab. At its end, the browser's console is empty, and only own addresses were requested."""
    browser.begin_anew()
    browser.resize(1280, 900)
    browser.prefer("light")
    browser.console()
    browser.requested()
    visit = Visit(browser, console=console, organization=organization)
    yield visit
    browser.set_offline(False)
    assert [] == visit.complaints()
    assert [] == visit.strangers()


def _is_meant(line: str, meant: re.Pattern[str]) -> bool:
    failed = _FAILED.match(line)
    return failed is not None and meant.match(failed[1]) is not None
