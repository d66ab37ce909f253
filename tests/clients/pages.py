"""Programs in the pages of the clients, run as they are pasted."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.clients.commands import StepFailed, newcomer, require_that, run, step
from tests.clients.typescript_package import TYPES, add

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

    def run_blocks(self, page: Path, deployment: Deployment, function_arn: str, last: int | None = None) -> None:
        """Run each code block of a page against a service, with a key that is made for it.

        Args:
            page: the page.
            deployment: the service.
            function_arn: the function that verifies keys, for direct invocation.
            last: how many of the blocks; None for all.

        Raises:
            StepFailed: the page has no program, or one fails.
        """
        for block in self.blocks(page)[:last]:
            placed = re.sub(r"arn:aws:lambda:[\w:-]+", function_arn, block.replace(ADDRESS, deployment.base_url))
            program = placed + self.ending
            try:
                run(self.command, self.directory, newcomer(**_variables(deployment), **self.variables), program)
            except StepFailed as failure:
                raise StepFailed(f"{page}, in this program:\n{program}\n{failure}") from None

    def blocks(self, page: Path) -> list[str]:
        """Return the code blocks of a page.

        Raises:
            StepFailed: the page has none.
        """
        marks = "|".join(self.names)
        blocks = re.findall(rf"(?ms)^```(?:{marks})\n(.*?)^```$", page.read_text(encoding="utf-8"))
        require_that(bool(blocks), f"{page.name} has no program in {self.names[0]}")
        return blocks


def check_types(tools: Tools, language: Language, pages: Sequence[Path], compiler: Path) -> None:
    """Let the compiler check the programs of pages with strict settings.

    Args:
        tools: the programs.
        language: JavaScript, in its project.
        pages: the pages.
        compiler: the folder of TypeScript.

    Raises:
        StepFailed: the compiler finds an error.
    """
    project = language.directory
    programs = [block for page in pages for block in language.blocks(page)]
    names = [f"page_{number}.ts" for number in range(len(programs))]
    for name, program in zip(names, programs, strict=True):
        (project / name).write_text(f"{program}\nexport {{}};\n")
    shutil.copy(PROGRAMS / "reader.d.ts", project)
    options = {**TYPES["compilerOptions"], "skipLibCheck": True}  # those of frameworks are not ours
    (project / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "files": ["reader.d.ts", *names]}))
    run([tools.node, compiler / "bin" / "tsc", "-p", project], project, newcomer())


def in_python(python: Path, directory: Path) -> Language:
    """Return Python, with the client and the frameworks that are installed for it."""
    variables = {"DJANGO_SETTINGS_MODULE": "reader_settings"}
    return Language(("python",), (python, PROGRAMS / "pasted.py"), "", directory, variables)


def in_javascript(tools: Tools, project: Path, frameworks: Path) -> Language:
    """Return JavaScript, with the client that is installed in a project.

    Args:
        tools: the programs.
        project: the project, which gets links to the frameworks.
        frameworks: a `node_modules` with the pinned frameworks.
    """
    with step("Pages: npm installs the AWS SDK's providers of credentials"):
        add(tools, "@aws-sdk/credential-providers", project)
    for name in ("express", "fastify", "hono", "@types/express"):
        link = project / "node_modules" / name
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(frameworks / name)
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
