"""Deploy the template to an AWS emulator, run the HTTP suite against it, update it, and remove everything.

Then follow the deploy guide there, from its first command to its last.

usage: python -m tests.e2e [PYTEST ARGUMENTS]

`make e2e` installs what it needs. Everything listens on the loopback interface, on free ports.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import boto3

from local import backend, demo
from local.identity_provider import IdentityProvider
from local.intrinsics import REGION, load_template
from local.options import ROOT
from local.server import HOST, Server, port_of, reserve
from local.sign_in.requests import CLIENT_ID, Client
from local.sign_in.server import AuthorizationServer
from local.sigv4 import SigningCredential
from local.stack import StackDescription, StackFile
from tests.e2e import emulator, front
from tests.e2e.differences import API, deployable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType

STACK = "keywright-e2e"
STAGE = "v1"
AUDIENCE = "keywright"
TOKEN_SECONDS = 8 * 3600
BUILT = ROOT / ".aws-sam" / "e2e"
DEPLOYED = BUILT / "emulated.json"
SAM = ROOT / ".venv-sam" / "bin" / "sam"

OWNERS = {demo.ACTIVE_ORGANIZATION_ID: "demo-owner", demo.FROZEN_ORGANIZATION_ID: "demo-frozen-owner"}

PYTHON_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
ARCHITECTURE = "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"

LAST_CHARACTERS = 5000
"""The length of the part of a log that is shown."""

CHANGED = {"KeyPrefix": "changed_", "DeletionGraceDays": "7"}
"""The parameters changed by the update, which the second run tests."""


class FailedError(Exception):
    """A build, deployment or update failed; the message says why."""


@dataclass(frozen=True, slots=True)
class Account:
    """The emulated AWS account."""

    port: int
    parameters: Mapping[str, str]

    def deploy(self, **changed: str) -> str:
        """Create or update the stack, as an operator does. Return the id of its API."""
        parameters = {**self.parameters, **changed}
        sam(
            "deploy",
            *("--template-file", str(DEPLOYED)),
            *("--config-file", str(ROOT / "samconfig.toml")),
            *("--stack-name", STACK),
            "--no-confirm-changeset",
            *("--parameter-overrides", *(f"{name}={value}" for name, value in parameters.items())),
        )
        # A stage answers with the gateway responses that existed when its deployment was created.
        boto3.client("apigateway").create_deployment(restApiId=api_id(STACK), stageName=STAGE)
        return api_id(STACK)

    def outputs(self) -> dict[str, str]:
        """Return the outputs of the stack."""
        (stack,) = boto3.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def api_id(stack: str) -> str:
    """Return the id of a stack's API, which the emulator changes in some updates."""
    client = boto3.client("cloudformation")
    detail = client.describe_stack_resource(StackName=stack, LogicalResourceId=API)["StackResourceDetail"]
    identifier: str = detail["PhysicalResourceId"]
    return identifier


def main(arguments: list[str]) -> int:
    """Run everything; return 0 if every test passed."""
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _interrupt)
    with ExitStack() as opened:
        directory = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="keywright-e2e-")))
        try:
            return run(arguments, directory, opened)
        except (FailedError, emulator.NotStartedError) as error:
            say(str(error))
            say(emulator.log(directory)[-LAST_CHARACTERS:])
            return 1
        except KeyboardInterrupt:
            say("Interrupted; taking everything down.")
            return 130


def run(arguments: list[str], directory: Path, opened: ExitStack) -> int:
    """Build, deploy, test, update, test; the caller closes `opened`."""
    say(f"Building for Python {PYTHON_VERSION} on {ARCHITECTURE} ...")
    platform_parameters = {"PythonRuntime": f"python{PYTHON_VERSION}", "Architecture": ARCHITECTURE}
    sam(
        "build",
        *("--build-dir", str(BUILT)),
        *("--parameter-overrides", *(f"{name}={value}" for name, value in platform_parameters.items())),
        PYTHON_VERSION=PYTHON_VERSION,
        ARCHITECTURE=ARCHITECTURE,
    )

    DEPLOYED.write_text(json.dumps(deployable(load_template(BUILT / "template.yaml"))), encoding="utf-8")

    port = opened.enter_context(emulator.running(directory))
    backend.isolate(os.environ)
    os.environ.update(AWS_ENDPOINT_URL=f"http://{HOST}:{port}", AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
    address = opened.enter_context(front.standing_before(port, STAGE))
    provider = serve_identity_provider(f"{address.url}/console", opened)
    account = Account(
        port,
        {
            "OidcIssuer": provider.issuer,
            "OidcAudience": AUDIENCE,
            "ConsoleClientId": CLIENT_ID,
            "AuditArchive": "on",
            "PublicUrl": address.url,
            "Argon2MemoryKib": "7168",
            "Argon2Iterations": "1",
            **platform_parameters,
        },
    )

    say(f"Deploying to ministack on port {port} ...")
    address.api_id = account.deploy()
    outputs = account.outputs()
    create_demo_organizations()
    stack_file = StackFile.describing(description(address.url, provider, outputs), directory / "stack.json")
    stack_file.write()
    stack_option = ("--stack", str(stack_file.path))
    failures = pytest("tests/e2e/test_differences.py", *stack_option)
    failures |= pytest("tests/api", "-p", "tests.e2e.expecting", *stack_option, *arguments)
    failures |= pytest("tests/e2e/test_command_line.py", *stack_option)
    failures |= pytest("tests/e2e/test_clients.py", *stack_option)
    failures |= pytest("tests/e2e/test_bench_aws.py", *stack_option)
    # The emulator takes any signature.
    signatures = "not wrong_credentials and not clock_that_is_wrong"
    failures |= pytest("tests/clients/python/test_service.py", *stack_option, "-k", signatures)
    failures |= pytest("tests/e2e/test_events.py", *stack_option)
    failures |= pytest("tests/e2e/test_archive.py", *stack_option)
    failures |= pytest("tests/test_guides.py", *stack_option)

    say(f"Updating the stack with {json.dumps(CHANGED)} ...")
    address.api_id = account.deploy(**CHANGED)
    failures |= pytest("tests/e2e/test_update.py", *stack_option)

    say("Deleting the table and restoring it by docs/runbooks/restore.md ...")
    failures |= pytest("tests/e2e/test_restore.py", *stack_option)

    say("Deleting the stack ...")
    boto3.client("cloudformation").delete_stack(StackName=STACK)

    say("Following docs/deploy.md, with another stack ...")
    failures |= pytest("tests/e2e/test_deploy_guide.py", *stack_option)

    say("Deploying the recipes, to another emulator ...")
    failures |= pytest("tests/e2e/test_recipes.py", *stack_option)

    say("Deploying with the deployer's policies, on an emulator that enforces them ...")
    failures |= pytest("tests/e2e/test_deployer.py", *stack_option)
    return failures


def serve_identity_provider(console: str, opened: ExitStack) -> IdentityProvider:
    """Run the development identity provider on a free port, where the console is registered."""
    listener = reserve(0)
    provider = IdentityProvider(
        issuer=f"http://{HOST}:{port_of(listener)}", audience=AUDIENCE, organization_claim="org_id"
    )
    opened.callback(Server(AuthorizationServer(provider, Client(console)), listener, threads=2).stop)
    return provider


def create_demo_organizations() -> None:
    """Create the organizations that tests/api expect, as an operator does."""
    for organization_id, owner in OWNERS.items():
        administer("organizations", "create", organization_id, "--name", "Demo organization", "--owner", owner)
    others = (persona for persona in demo.PERSONAS if persona.role and persona.user_id not in OWNERS.values())
    for persona in {persona.user_id: persona for persona in others}.values():
        administer("members", "add", persona.organization_id, persona.user_id, "--role", str(persona.role))
        if persona.is_suspended:
            administer("members", "suspend", persona.organization_id, persona.user_id)
    administer("organizations", "request-deletion", demo.FROZEN_ORGANIZATION_ID, "--yes")


def administer(*arguments: str) -> None:
    """Run the operator's command line on the stack."""
    path = os.pathsep.join([str(ROOT / "admin"), str(ROOT / "layers" / "shared" / "python")])
    command([sys.executable, "-m", "keywright_admin", "--stack", STACK, *arguments], PYTHONPATH=path)


def description(url: str, provider: IdentityProvider, outputs: Mapping[str, str]) -> StackDescription:
    """Return the description of the deployment, in the form of the local service's."""
    return StackDescription(
        base_url=url,
        organization_id=demo.ACTIVE_ORGANIZATION_ID,
        issuer=provider.issuer,
        tokens=demo.tokens(provider, TOKEN_SECONDS),
        users=demo.users(),
        iam=SigningCredential(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], REGION),
        aws_endpoint_url=os.environ["AWS_ENDPOINT_URL"],
        table_name=outputs["TableName"],
        function_arn=outputs["VerifyApiKeyFunctionArn"],
        lambda_url=os.environ["AWS_ENDPOINT_URL"],
    )


def sam(*arguments: str, **environment: str) -> None:
    """Run AWS's SAM command line."""
    path = f"{SAM.parent}{os.pathsep}{os.environ['PATH']}"  # the layer's Makefile looks for a python3 with pip
    command([str(SAM), *arguments], PATH=path, SAM_CLI_TELEMETRY="0", AWS_DEFAULT_REGION=REGION, **environment)


def command(arguments: Sequence[str], **environment: str) -> None:
    """Run a command; show its output only if it fails."""
    finished = subprocess.run(  # noqa: S603 - fixed commands
        arguments,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if finished.returncode:
        raise FailedError(f"{' '.join(arguments[:5])} ... failed:\n{finished.stdout[-LAST_CHARACTERS:]}")


def pytest(*arguments: str) -> int:
    """Run tests against the deployment."""
    run = [sys.executable, "-m", "pytest", "-q", "--emulator", *arguments]
    return subprocess.run(run, cwd=ROOT, check=False).returncode  # noqa: S603 - a fixed command


def say(line: str) -> None:
    """Print the progress."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
