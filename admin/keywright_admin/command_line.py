"""The program `keywright-admin`."""  # no future annotations: typer evaluates those of the callback

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from keywright_admin import __version__, terminal
from keywright_admin.audit import audit_commands
from keywright_admin.command import NAME, CommonOptions, JsonOption, LocalOption, StackOption, TableOption
from keywright_admin.failures import EXPECTED, ExitCode, explain
from keywright_admin.keys import key_commands
from keywright_admin.members import member_commands
from keywright_admin.organizations import organization_commands
from keywright_admin.scanning import scanning_commands

EXIT_CODES = (
    "0 done, or nothing to do; 1 a bug in this program; 2 wrong usage; 3 not found; 4 refused; "
    "5 no access to AWS; 6 AWS does not answer; 7 a key or a difference was found; 130 stopped by you"
)
_PYDANTIC_PREFIX = "Value error, "  # put before the message of a broken rule

app = typer.Typer(
    name=NAME,
    help="Manage the organizations, members and API keys of a deployment with your own AWS credentials. "
    "Every change is recorded in the organization's audit log under the ARN of your credentials.",
    epilog="\n\n".join(
        [
            "Examples:",
            f"{NAME} --stack keywright organizations create org_2abc --name Acme --owner user_1",
            f"{NAME} --table my-table members list org_2abc --json",
            f"{NAME} --local organizations list",
            f"Exit codes: {EXIT_CODES}.",
        ]
    ),
    pretty_exceptions_enable=False,
    no_args_is_help=False,
)
app.add_typer(organization_commands, name="organizations")
app.add_typer(member_commands, name="members")
app.add_typer(key_commands, name="keys")
app.add_typer(audit_commands, name="audit")
app.add_typer(scanning_commands, name="scanning")


def _print_version(is_asked: bool) -> None:  # noqa: FBT001 - a callback of typer
    if is_asked:
        terminal.print_line(f"{NAME} {__version__}")
        raise typer.Exit


@app.callback()
def _keywright_admin(  # noqa: PLR0913 - options
    context: typer.Context,
    table: TableOption = None,
    stack: StackOption = None,
    local: LocalOption = False,  # noqa: FBT002 - an option
    as_json: JsonOption = False,  # noqa: FBT002 - an option
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version
    context.obj = CommonOptions(table, stack, local, as_json)


@functools.cache
def _program() -> Callable[..., object]:
    """The commands with their options, which typer reads from 30 signatures: 25 ms, once in a process."""
    return typer.main.get_command(app)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, by default that of this process, and return its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    terminal.escape_what_cannot_be_encoded()
    try:
        code = _program()(args=list(arguments) or ["--help"], prog_name=NAME, standalone_mode=False)
    except typer.TyperException as error:
        return _fail(ExitCode.USAGE, error.format_message().replace(_PYDANTIC_PREFIX, ""))
    except typer.Abort:
        return _fail(ExitCode.STOPPED, "stopped; nothing was changed")
    except EXPECTED as error:
        return _fail(*explain(error))
    if code == ExitCode.STOPPED:
        return _fail(ExitCode.STOPPED, "stopped")
    return code if isinstance(code, int) else ExitCode.DONE


def _fail(code: ExitCode, text: str) -> int:
    terminal.print_error(f"{NAME}: {terminal.printable(' '.join(text.split()))}")
    return code
