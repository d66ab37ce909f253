"""The text on the terminal when the service is ready."""

from __future__ import annotations

import json
import os
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from local.demo import PERSONAS
from local.options import Options

if TYPE_CHECKING:
    from local.service import RunningService


def welcome(service: RunningService, options: Options) -> str:
    """Return the welcome text. Its commands can be pasted into a shell."""
    parts = [f"Keywright is running at {service.description.base_url}"]
    parts += (
        [_empty(service, options)] if options.empty else [_first_key(service), _refusal(service), _personas(options)]
    )
    user = "ada ORG=acme" if options.empty else "admin"
    parts.append(
        f"Console, to manage keys in a browser: {service.description.base_url}/console\n"
        f"API reference, with a form to send requests: {service.description.base_url}/docs\n"
        f"A session token: {_prefix(options)}make token USER={user}\n"
        f"URLs, tokens, API keys and credentials: {shown(options.stack_file)}\n"
        f"Logs of the functions: {shown(options.log_file)}\n"
        "Throttling, the firewall and some more are not emulated: docs/local.md\n"
        f"Data, kept between starts: {shown(options.data_file)}; FRESH=1 make run begins anew\n"
        "Ctrl-C stops the service."
    )
    return "\n" + "\n\n".join(parts) + "\n"


def second_service(options: Options, directory: Path) -> str:
    """Return the notice that another service has the directory of the stack file, so that this one uses another."""
    return (
        f"Another service runs from {shown(options.stack_file.parent)}.\n"
        f"This one keeps its files and its data in {shown(directory)}.\n"
        f"For commands on this one: STACK_FILE={quote(shown(directory / options.stack_file.name))} make token"
    )


def _first_key(service: RunningService) -> str:
    body = json.dumps({"name": "My first key", "permissions": list(service.permissions[:1])})
    return (
        "Create an API key, as the admin of the demo organization:\n\n"
        f"curl -sS -w '\\n' {service.description.base_url}/auth/api-keys \\\n"
        f'  -H "Authorization: Bearer {service.description.tokens["admin"]}" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f"  -d '{body}'"
    )


def _refusal(service: RunningService) -> str:
    return (
        "Send a request without a token, which is refused:\n\n"
        f"curl -sS -i -w '\\n' -X POST {service.description.base_url}/auth/api-keys"
    )


def _personas(options: Options) -> str:
    width = max(len(persona.name) for persona in PERSONAS)
    lines = [f"  {persona.name:<{width}}  {persona.expectation}" for persona in PERSONAS]
    return f"{shown(options.stack_file)} has tokens of other users. Creating a key answers:\n\n" + "\n".join(lines)


def _empty(service: RunningService, options: Options) -> str:
    issuer, base_url = service.description.issuer, service.description.base_url
    body = json.dumps({"name": "My first key", "permissions": list(service.permissions[:1])})
    return (
        "There is no demo data. Create an organization and its first owner:\n\n"
        f"{_prefix(options)}make admin ARGS='--local organizations create acme --name Acme --owner ada'\n\n"
        "Then create an API key with a session token of the owner:\n\n"
        f"TOKEN=$(curl -sS '{issuer}/token?user=ada&organization=acme')\n"
        f"curl -sS -w '\\n' {base_url}/auth/api-keys \\\n"
        '  -H "Authorization: Bearer $TOKEN" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f"  -d '{body}'"
    )


def _prefix(options: Options) -> str:
    """Return what commands need for a stack file that is not in the default place."""
    return "" if options.stack_file == Options().stack_file else f"STACK_FILE={quote(shown(options.stack_file))} "


def shown(path: Path) -> str:
    """Return a path relative to the working directory, unless it is outside."""
    relative = os.path.relpath(path)
    return str(path.resolve()) if relative.startswith("..") else str(Path(relative))
