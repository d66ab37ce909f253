"""The options of the local service, from environment variables."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[1]

_LAST_PORT = 65535
_SWITCH = {"": False, "0": False, "1": True}


class OptionError(Exception):
    """An environment variable is invalid; the message names it and the valid values."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the local service.

    Attributes:
        port: port of the service; the identity provider uses the next one. 0 uses any free ports.
        demo_ttl_seconds: lifetime of the demo tokens.
        empty: whether to start without demo data.
        parameters: values of template parameters.
        template: the template to serve.
        stack_file: file for the URLs and tokens of the service; the log is written next to it.
    """

    port: int = 8787
    demo_ttl_seconds: int = 28800
    empty: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)
    template: Path = ROOT / "template.yaml"
    stack_file: Path = ROOT / ".local" / "stack.json"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Options:
        """Read the options from environment variables.

        Raises:
            OptionError: a value is invalid.
        """
        # The identity provider needs the next port.
        port = _whole_number(environment, "PORT", cls().port, 0, _LAST_PORT - 1)
        ttl = _whole_number(environment, "DEMO_TTL", cls().demo_ttl_seconds, 1, 10 * 365 * 86400)
        empty = environment.get("EMPTY", "")
        if empty not in _SWITCH:
            raise OptionError(f"EMPTY must be 1 or 0; it is {empty!r}")
        return cls(
            port=port,
            demo_ttl_seconds=ttl,
            empty=_SWITCH[empty],
            parameters=_parameters(environment.get("PARAMETERS") or "{}"),
            template=Path(environment.get("TEMPLATE") or cls().template),
            stack_file=Path(environment.get("STACK_FILE") or cls().stack_file),
        )

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


def _parameters(value: str) -> dict[str, str]:
    rule = 'PARAMETERS must be a JSON object of names and values, such as {"KeyPrefix": "dev_"}'
    try:
        parameters = json.loads(value)
    except ValueError:
        raise OptionError(rule) from None
    if not isinstance(parameters, dict) or not all(isinstance(item, str | int) for item in parameters.values()):
        raise OptionError(rule)
    return {name: str(item) for name, item in parameters.items()}
