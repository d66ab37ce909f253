"""Clients that others generate from the description, and the console's script, which only a browser runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

from tests.clients.commands import newcomer, run, step

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from tests.clients.commands import Tools

PROGRAMS = Path(__file__).with_name("programs")


def check(tools: Tools, stack_file: Path, work: Path) -> None:
    """Validate the description of a running service, and use a client that is generated from it.

    Args:
        tools: the programs.
        stack_file: stack file of the service.
        work: an empty directory.

    Raises:
        StepFailed: the description is invalid, or the client does not do what it must.
    """
    environment, stack = newcomer(), json.loads(stack_file.read_text(encoding="utf-8"))
    with step("Console: Node.js parses its script"):
        script = _saved(f"{stack['base_url']}/console/keywright.js", work / "keywright.mjs")
        run([tools.node, "--check", script], work, environment)
    with step("Description: it is valid OpenAPI"):
        description = _saved(f"{stack['base_url']}/openapi.json", work / "openapi.json")
        run([tools.generators / "openapi-spec-validator", description], work, environment)
    with step("Generated Python client: it creates and changes a key, and reads a refusal"):
        _generated_python(tools, description, stack, work)


def _saved(url: str, file: Path) -> Path:
    with urlopen(url) as response:  # noqa: S310 - on this machine
        file.write_bytes(response.read())
    return file


def _generated_python(tools: Tools, description: Path, stack: Mapping[str, Any], work: Path) -> None:
    configuration = work / "configuration.yaml"
    configuration.write_text("post_hooks: []\n")
    run(
        [
            *(tools.generators / "openapi-python-client", "generate", "--path", description, "--meta", "none"),
            *("--config", configuration, "--output-path", work / "generated_client", "--fail-on-warning"),
        ],
        work,
        newcomer(),
    )
    environment = newcomer(
        PYTHONPATH=str(work),
        BASE_URL=json.loads(description.read_bytes())["servers"][0]["url"],
        ADMIN_TOKEN=stack["tokens"]["admin"],
        MEMBER_TOKEN=stack["tokens"]["member"],
    )
    run([tools.python, PROGRAMS / "create_key.py"], work, environment)
