"""Print a session token for the running local service.

usage: make token [USER=... [ORG=...]]

USER is a demo user (owner, admin, member, suspended, outsider, expired, wrong_audience or frozen_admin; default admin),
or any user id with the organization that the token is to name. STACK_FILE names the stack file of another service than
that in .local/stack.json.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

from local.demo import PERSONAS
from local.options import Options
from local.welcome import shown

_DEFAULT = "admin"
_ANSWER_SECONDS = 10


class ServiceError(Exception):
    """No service can be asked; the message says what to do."""


def read_stack_file() -> dict[str, Any]:
    """Return the content of the running service's stack file.

    Raises:
        ServiceError: there is none.
    """
    path = Path(os.environ.get("STACK_FILE") or Options().stack_file)
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ServiceError(f"no service is running: there is no {shown(path)}; start one with make run") from None
    except ValueError:
        raise ServiceError(f"{shown(path)} is not the stack file of a local service") from None
    return content


def token(user: str, organization: str | None) -> str:
    """Return a session token of the running service.

    Raises:
        ServiceError: no service is running, or the user is unknown and no organization is named.
    """
    stack = read_stack_file()
    personas = {persona.name: persona for persona in PERSONAS} if stack["tokens"] else {}
    persona = personas.get(user)
    if persona is not None and organization is None:
        if persona.ttl_seconds is not None or persona.audience is not None:
            return str(stack["tokens"][user])
        user, organization = persona.user_id, persona.organization_id
    if organization is None:
        demo = f"the demo users are {', '.join(personas)}; " if personas else ""
        raise ServiceError(f"{demo}for any other user name the organization: make token USER={user} ORG=acme")
    query = urlencode({"user": user, "organization": organization})
    try:
        opener = build_opener(ProxyHandler({}))  # a proxy could not reach this machine
        with opener.open(f"{stack['issuer']}/token?{query}", timeout=_ANSWER_SECONDS) as answer:
            return str(answer.read().decode())
    except URLError:
        raise ServiceError(f"no service answers at {stack['issuer']}; start one with make run") from None


def main(arguments: list[str]) -> int:
    """Print a token; return 0, or 1 if there is none, or 2 for wrong usage."""
    match [argument for argument in arguments if argument]:
        case ["-h" | "--help"]:
            print(__doc__)
            return 0
        case []:
            user, organization = _DEFAULT, None
        case [user]:
            organization = None
        case [user, organization]:
            pass
        case _:
            print(__doc__)
            return 2
    try:
        print(token(user, organization))
    except ServiceError as error:
        print(f"keywright: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
