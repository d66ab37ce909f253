"""Programs in the pages of the clients, run as they are pasted."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.clients.commands import StepFailed, newcomer, require_that, run, step
from tests.clients.typescript_package import add

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.api.deployment import Deployment
    from tests.clients.commands import Tools

PROGRAMS = Path(__file__).with_name("programs")

ADDRESS = "https://abc123.execute-api.us-east-1.amazonaws.com/v1"
"""The address of the deployment in the pages, which is replaced by that of the service; ARNs of functions are, too."""


@dataclass(frozen=True, slots=True)
class Language:
    """A language that pages have programs in.

    Attributes:
        names: how code blocks are marked.
        command: reads a program from standard input and runs it.
        ending: what ends a program that would serve requests.
        directory: the directory to run in.
        variables: more variables of the environment.
    """

    names: Sequence[str]
    command: Sequence[object]
    ending: str
    directory: Path
    variables: Mapping[str, str]

    def run_blocks(self, page: Path, deployment: Deployment, function_arn: str) -> None:
        """Run each code block of a page against a service, with a key that is made for it.

        Args:
            page: the page.
            deployment: the service.
            function_arn: the function that verifies keys, for direct invocation.

        Raises:
            StepFailed: the page has no program, or one fails.
        """
        marks = "|".join(self.names)
        blocks = re.findall(rf"(?ms)^```(?:{marks})\n(.*?)^```$", page.read_text(encoding="utf-8"))
        require_that(bool(blocks), f"{page.name} has no program in {self.names[0]}")
        for block in blocks:
            placed = re.sub(r"arn:aws:lambda:[\w:-]+", function_arn, block.replace(ADDRESS, deployment.base_url))
            program = placed + self.ending
            try:
                run(self.command, self.directory, newcomer(**_variables(deployment), **self.variables), program)
            except StepFailed as failure:
                raise StepFailed(f"{page}, in this program:\n{program}\n{failure}") from None


def in_python(python: Path, tools: Tools, directory: Path) -> Language:
    """Return Python, with the client that is installed for it and the pinned frameworks."""
    command = (python, PROGRAMS / "pasted.py")
    return Language(("python",), command, "", directory, {"PYTHONPATH": str(tools.frameworks)})


def in_javascript(tools: Tools, project: Path, frameworks: Path) -> Language:
    """Return JavaScript, with the client that is installed in a project.

    Args:
        tools: the programs.
        project: the project, which gets links to the frameworks.
        frameworks: a `node_modules` with the pinned frameworks.
    """
    with step("Pages: npm installs the AWS SDK's providers of credentials"):
        add(tools, "@aws-sdk/credential-providers", project)
    for name in ("express", "fastify", "hono"):
        (project / "node_modules" / name).symlink_to(frameworks / name)
    shutil.copy(PROGRAMS / "reader.mjs", project)
    command = (tools.node, "--import", "./reader.mjs", "--input-type=module", "-")
    return Language(("js", "ts"), command, "process.exit();", project, {})


def _variables(deployment: Deployment) -> dict[str, str]:
    """Return the environment of a reader who has deployed the service and made a key."""
    created = deployment.create_key(permissions=["analytics:read", "sessions:read"])
    return {
        "AWS_REGION": deployment.iam["region"],
        "AWS_ACCESS_KEY_ID": deployment.iam["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": deployment.iam["secret_access_key"],
        "AWS_ENDPOINT_URL_LAMBDA": deployment.base_url.removesuffix("/v1"),
        "KEYWRIGHT_URL": deployment.base_url,
        "TOKEN": deployment.tokens["admin"],
        "KEY": created["key"],
        "KEY_ID": created["id"],
    }
