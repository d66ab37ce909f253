"""Generate clients from the description of a local service, and create a key with each; parse the console's script.

`make test-clients` runs it with the Python that has the generators; Node.js and npm must be installed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import urlopen

from tests.support.local_service import local_service

HERE = Path(__file__).parent
MINIMUM_NODE = 20


def main(generators: Path) -> int:
    """Check both clients; return 0 if each created a key.

    Args:
        generators: the `bin` directory of the environment with openapi-python-client and openapi-spec-validator.
    """
    npm, npx, node = (_tool(name) for name in ("npm", "npx", "node"))
    with TemporaryDirectory() as directory, local_service(Path(directory)) as stack_file:
        work = Path(directory)
        stack = json.loads(stack_file.read_text(encoding="utf-8"))
        description = work / "openapi.json"
        with urlopen(f"{stack['base_url']}/openapi.json") as response:  # noqa: S310 - on this machine
            description.write_bytes(response.read())
        environment = {
            **os.environ,
            "BASE_URL": json.loads(description.read_bytes())["servers"][0]["url"],
            "ADMIN_TOKEN": stack["tokens"]["admin"],
            "MEMBER_TOKEN": stack["tokens"]["member"],
        }
        _run([generators / "openapi-spec-validator", description], work, environment)
        _parse_script(node, stack["base_url"], work, environment)
        _say("Python", _python_client(generators, description, work, environment))
        _say("TypeScript", _typescript_client((npm, npx, node), description, work, environment))
    return 0


def _parse_script(node: Path, base_url: str, work: Path, environment: dict[str, str]) -> None:
    """Let Node.js parse the console's script, as a module."""
    script = work / "keywright.mjs"
    with urlopen(f"{base_url}/console/keywright.js") as response:  # noqa: S310 - on this machine
        script.write_bytes(response.read())
    _run([node, "--check", script], work, environment)


def _python_client(generators: Path, description: Path, work: Path, environment: dict[str, str]) -> str:
    configuration = work / "configuration.yaml"
    configuration.write_text("post_hooks: []\n")
    generate = [generators / "openapi-python-client", "generate", "--path", description, "--config", configuration]
    _run(
        [*generate, "--meta", "none", "--output-path", work / "generated_client", "--fail-on-warning"],
        work,
        environment,
    )
    return _run([generators / "python", HERE / "create_key.py"], work, {**environment, "PYTHONPATH": str(work)})


def _typescript_client(
    tools: tuple[Path, Path, Path], description: Path, work: Path, environment: dict[str, str]
) -> str:
    npm, npx, node = tools
    project = work / "typescript"
    shutil.copytree(HERE / "typescript", project)
    _run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], project, environment)
    _run([npx, "--no-install", "openapi-typescript", description, "--output", "api.d.ts"], project, environment)
    _run([npx, "--no-install", "tsc"], project, environment)
    return _run([node, "built/create_key.js"], project, environment)


def _tool(name: str) -> Path:
    path = shutil.which(name)
    if path is None:
        sys.exit(f"{name} is missing: the TypeScript client needs Node.js {MINIMUM_NODE} or later, and npm")
    return Path(path)


def _run(command: list[object], directory: Path, environment: dict[str, str]) -> str:
    """Run a command and return its output; exit with that output if it fails."""
    finished = subprocess.run(  # noqa: S603 - fixed commands
        [str(part) for part in command], cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    if finished.returncode != 0:
        sys.exit(f"{command[0]} ended with {finished.returncode}:\n{finished.stdout}{finished.stderr}")
    return finished.stdout.strip()


def _say(client: str, key_id: str) -> None:
    sys.stdout.write(f"{client} client: created key {key_id.splitlines()[-1]}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
