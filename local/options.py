"""The options of the local service, from environment variables."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

from local.server import HOST

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[1]

_LAST_PORT = 65535
_EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - only if the user asks for it
_SWITCH = {"": False, "0": False, "1": True}


class OptionError(Exception):
    """An environment variable is invalid; the message names it and the valid values."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the local service.

    Attributes:
        port: port of the service; the identity provider uses the next one, and the AWS endpoint for containers the
            one after. 0 uses any free ports.
        demo_ttl_seconds: lifetime of the demo tokens.
        bind: IPv4 address to listen on as well as the loopback interface.
        empty: whether to start without demo data.
        events: whether to show the events that the service publishes.
        fresh: whether to delete the data of the last start.
        reload: whether to start again when code or template change.
        parameters: values of template parameters.
        template: the template to serve.
        stack_file: file for the URLs and tokens of the service; the log is written next to it.
    """

    port: int = 8787
    demo_ttl_seconds: int = 28800
    bind: str = HOST
    empty: bool = False
    events: bool = False
    fresh: bool = False
    reload: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)
    template: Path = ROOT / "template.yaml"
    stack_file: Path = ROOT / ".local" / "stack.json"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Options:
        """Read the options from environment variables.

        Raises:
            OptionError: a value is invalid.
        """
        port = _whole_number(environment, "PORT", cls().port, 0, _LAST_PORT - 2)  # two more ports are needed
        ttl = _whole_number(environment, "DEMO_TTL", cls().demo_ttl_seconds, 1, 10 * 365 * 86400)
        return cls(
            port=port,
            bind=_address(environment.get("BIND") or HOST),
            demo_ttl_seconds=ttl,
            empty=_switch(environment, "EMPTY"),
            events=_switch(environment, "EVENTS"),
            fresh=_switch(environment, "FRESH"),
            reload=_switch(environment, "RELOAD"),
            parameters=_parameters(environment.get("PARAMETERS") or "{}"),
            template=Path(environment.get("TEMPLATE") or cls().template),
            stack_file=Path(environment.get("STACK_FILE") or cls().stack_file),
        )

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses to listen on."""
        return tuple(dict.fromkeys([self.bind] if self.bind == _EVERY_ADDRESS else [HOST, self.bind]))

    @property
    def environment_file(self) -> Path:
        """The file for `sam local --env-vars`."""
        return self.stack_file.with_name("sam-local.json")

    @property
    def data_file(self) -> Path:
        """The file of the data that is kept between starts."""
        return self.stack_file.with_name("data.db")

    @property
    def log_file(self) -> Path:
        """The log file of the functions."""
        return self.stack_file.with_name("service.log")


def _whole_number(environment: Mapping[str, str], name: str, default: int, lowest: int, highest: int) -> int:
    value = environment.get(name) or str(default)
    if not (
        value.isascii() and value.isdigit() and len(value) <= len(str(highest)) and lowest <= int(value) <= highest
    ):
        raise OptionError(f"{name} must be a whole number from {lowest} to {highest}; it is {value!r}")
    return int(value)


def _switch(environment: Mapping[str, str], name: str) -> bool:
    value = environment.get(name, "")
    if value not in _SWITCH:
        raise OptionError(f"{name} must be 1 or 0; it is {value!r}")
    return _SWITCH[value]


def _address(value: str) -> str:
    try:
        address = IPv4Address(value)
    except AddressValueError:
        raise OptionError(
            "BIND must be an IPv4 address of this machine, such as 172.17.0.1 (of Docker's bridge on Linux), "
            f"or 0.0.0.0 for every network; it is {value!r}"
        ) from None
    return HOST if address.is_loopback else str(address)


def _parameters(value: str) -> dict[str, str]:
    rule = 'PARAMETERS must be a JSON object of names and values, such as {"KeyPrefix": "dev_"}'
    try:
        parameters = json.loads(value)
    except ValueError:
        raise OptionError(rule) from None
    if not isinstance(parameters, dict) or not all(isinstance(item, str | int) for item in parameters.values()):
        raise OptionError(rule)
    return {name: str(item) for name, item in parameters.items()}
