"""What the terminal says when the service is ready."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from local.demo import PERSONAS

if TYPE_CHECKING:
    from local.options import Options
    from local.service import RunningService


def welcome(service: RunningService, options: Options) -> str:
    """Write the welcome; every command in it works when pasted into a shell."""
    parts = [f"Keywright listens on {service.description.base_url}"]
    parts += [_empty(service)] if options.empty else [_first_key(service), _refusal(service), _personas(options)]
    parts.append(
        f"Addresses, tokens and credentials: {_shown(options.stack_file)}\n"
        f"Logs of the functions: {_shown(options.log_file)}\n"
        "Ctrl-C stops the service, and forgets everything in it."
    )
    return "\n" + "\n\n".join(parts) + "\n"


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
        f"See it refused, without a token:\n\ncurl -sS -i -w '\\n' -X POST {service.description.base_url}/auth/api-keys"
    )


def _personas(options: Options) -> str:
    width = max(len(persona.name) for persona in PERSONAS)
    lines = [f"  {persona.name:<{width}}  {persona.expectation}" for persona in PERSONAS]
    return f"Tokens of others are in {_shown(options.stack_file)}; creating a key answers them:\n\n" + "\n".join(lines)


def _empty(service: RunningService) -> str:
    return (
        "There is no demo data. The table can be filled with the AWS command line:\n\n"
        "AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local aws dynamodb put-item --region us-east-1 \\\n"
        f"  --endpoint-url {service.description.aws_endpoint_url} --table-name {service.description.table_name} \\\n"
        '  --item \'{"pk": {"S": "ORG#..."}, "sk": {"S": "ORG"}}\''
    )


def _shown(path: Path) -> str:
    """Write a path as short as it can be from here."""
    relative = os.path.relpath(path)
    return str(path.resolve()) if relative.startswith("..") else str(Path(relative))
