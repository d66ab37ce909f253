"""The TypeScript client as its users get it: tested, packed, installed into an empty project, used as its page says."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.clients.commands import install_locked, newcomer, require, run, step
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from tests.clients.commands import Tools

SOURCE = ROOT / "clients" / "typescript"
DESCRIPTION = ROOT / "docs" / "openapi.json"
PROGRAMS = Path(__file__).with_name("programs")
TYPES: dict[str, Any] = {
    "compilerOptions": {
        "target": "ES2022",
        "module": "nodenext",
        "lib": ["ES2022", "DOM"],
        "types": [],
        "strict": True,
        "exactOptionalPropertyTypes": True,
        "noUncheckedIndexedAccess": True,
        "skipLibCheck": False,
        "noEmit": True,
    },
    "files": ["typed_use.ts"],
}
"""The strictest settings that a user may have; the types of the package are checked, too."""


def build(tools: Tools, stack_file: Path, work: Path) -> Path:
    """Test a copy of the package, pack it, check what is in the archive, and return that.

    Args:
        tools: the programs.
        stack_file: stack file of a running service.
        work: an empty directory.

    Raises:
        StepFailed: a test fails, or a file is missing or needless.
    """
    source = copied(work)
    with step("TypeScript: npm ci installs what the lock has"):
        install_locked(tools, source)
    with step("TypeScript: npm test passes"):
        run([tools.npm, "test"], source, newcomer())
    with step("TypeScript: the tests against a service pass"):
        tests = sorted((source / "build" / "test" / "service").glob("*.test.js"))
        run([tools.node, "--test", *tests], source, newcomer(KEYWRIGHT_STACK=str(stack_file)))
    with step("TypeScript: npm pack has the modules, their types and the license"):
        packed = json.loads(run([tools.npm, "pack", "--json", "--silent", "--ignore-scripts"], source, newcomer()))
        archive = source / str(packed[0]["filename"])
        modules = {path.stem for path in (source / "src").glob("*.ts")}
        about = {"package.json", "README.md", "CHANGELOG.md", "LICENSE"}
        expected = about | {f"dist/{module}{suffix}" for module in modules for suffix in (".js", ".d.ts")}
        with tarfile.open(archive) as opened:
            require(expected, {name.removeprefix("package/") for name in opened.getnames()}, "files of the package")
    return archive


def copied(work: Path) -> Path:
    """Copy the package, and the description that its types are compared with, into a directory; return the copy."""
    source = work / "clients" / "typescript"
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("node_modules", "dist", "build", "*.tgz"))
    (work / "docs").mkdir()
    shutil.copy(DESCRIPTION, work / "docs")
    return source


def install(tools: Tools, archive: Path, project: Path) -> None:
    """Install the packed client into an empty project of ES modules.

    Args:
        tools: the programs.
        archive: what `npm pack` made.
        project: the folder of the project, which is made.

    Raises:
        StepFailed: it cannot be installed, or brings packages that the page does not name.
    """
    with step("TypeScript: npm installs the package into an empty project"):
        project.mkdir()
        (project / "package.json").write_text('{"private": true, "type": "module"}\n')
        add(tools, archive, project)
        installed = {path.name for path in (project / "node_modules").iterdir() if not path.name.startswith(".")}
        require({"@keywright", "aws4fetch"}, installed, "installed packages")


def add(tools: Tools, package: Path | str, project: Path) -> None:
    """Add a package to a project as a user does, from the configured registry."""
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    run([tools.npm, "install", *quiet, package], project, newcomer())


def check_runtimes(tools: Tools, stack_file: Path, source: Path) -> None:
    """Run the packed client in Node.js, Deno, Bun and workerd, the runtime of Cloudflare Workers.

    Args:
        tools: the programs.
        stack_file: stack file of a running service.
        source: the copy of the package.

    Raises:
        StepFailed: the client does not work in one of them.
    """
    with step("TypeScript: npm ci installs Deno, Bun and workerd"):
        install_locked(tools, source / "test" / "runtimes")
    with step("TypeScript: the package works in Node.js, Deno, Bun and workerd"):
        # Without scripts: what is packed anew was built before.
        variables = {"KEYWRIGHT_STACK": str(stack_file), "npm_config_ignore_scripts": "true"}
        run([tools.npm, "run", "test:runtimes"], source, newcomer(**variables))


def check_types(tools: Tools, compiler: Path, project: Path) -> None:
    """Let the compiler check a user's program against the installed package.

    Args:
        tools: the programs.
        compiler: the folder of TypeScript.
        project: the project with the package.

    Raises:
        StepFailed: the compiler finds an error.
    """
    with step("TypeScript: a strict compiler accepts a user's program and the package's types"):
        shutil.copy(PROGRAMS / "typed_use.ts", project)
        (project / "tsconfig.json").write_text(json.dumps(TYPES))
        run([tools.node, compiler / "bin" / "tsc", "-p", project], project, newcomer())
