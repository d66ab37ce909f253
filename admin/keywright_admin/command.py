"""The base of every command: the common options, the answer and the confirmation."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from keywright.errors import ServiceError
from keywright.operators.refusals import RefusedError
from keywright_admin import deployment, terminal
from keywright_admin.deployment import Deployment
from keywright_admin.failures import UsageError, as_typed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel
    from typer._click import Context, Parameter  # the copy of click that typer is built on

NAME = "keywright-admin"

TableOption = Annotated[str | None, typer.Option("--table", metavar="NAME", help="Table name. Default: TABLE_NAME.")]
StackOption = Annotated[
    str | None, typer.Option("--stack", metavar="NAME", help="CloudFormation stack that owns the table.")
]
LocalOption = Annotated[bool, typer.Option("--local", help="Table of the service that `make run` serves here.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one line of JSON, described in docs/schemas/admin.")]


@dataclass(frozen=True, slots=True)
class CommonOptions:
    """The options that stand before or after a command: which deployment, and whether to print JSON."""

    table: str | None
    stack: str | None
    local: bool
    as_json: bool

    @property
    def deployment(self) -> Deployment:
        """The deployment that the options name."""
        return Deployment(self.table, self.stack, is_local=self.local)

    def overridden_by(self, later: CommonOptions) -> CommonOptions:
        """Return the options with those of a later place: a deployment named there replaces the one named here."""
        winner = later if later.deployment != Deployment() else self
        return replace(winner, as_json=self.as_json or later.as_json)


_COMMON = tuple(field.name for field in fields(CommonOptions))


class Command(TyperCommand):
    """A command that also takes the common options, which the program itself declares."""

    def get_params(self, ctx: Context) -> list[Parameter]:
        """Return the command's own parameters, the common options and --help."""
        *own, help_option = super().get_params(ctx)
        common = [parameter for parameter in ctx.find_root().command.params if parameter.name in _COMMON]
        return [*own, *common, help_option]

    def invoke(self, ctx: Context) -> Any:
        """Select the deployment and run the command."""
        options: CommonOptions = ctx.obj
        ctx.obj = options.overridden_by(CommonOptions(**{name: ctx.params.pop(name) for name in _COMMON}))
        self.select(ctx.obj.deployment)
        try:
            return super().invoke(ctx)
        except (RefusedError, ServiceError) as error:
            raise as_typed(error, ctx.params.get("organization"), ctx.params.get("key")) from None

    def select(self, named: Deployment) -> None:
        """Select the deployment that the options name."""
        deployment.select(named)


class OfflineCommand(Command):
    """A command that works without a deployment, and takes settings of one that is named."""

    def select(self, named: Deployment) -> None:
        """Select the deployment that the options name, if they name one."""
        if named != Deployment():
            super().select(named)


def follow_up(context: typer.Context, *words: str) -> str:
    """Return another command on the same deployment, to be pasted into the shell in which this one runs."""
    options: CommonOptions = context.obj
    return shlex.join([_program(), *options.deployment.options, *words])


def _program() -> str:
    """Return what calls this program: its name if that is found on the PATH, else its path as it was given."""
    path = os.environ.get("KEYWRIGHT_ADMIN") or sys.argv[0]
    found = shutil.which(NAME)
    is_named = Path(path).name != NAME or (found is not None and Path(found).resolve() == Path(path).resolve())
    return NAME if is_named else path


def command(
    group: typer.Typer, name: str, *examples: str, cls: type[Command] = Command
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds a command to a group, with the common options and with examples in its help."""
    epilog = "\n\n".join(["Examples:", *(f"{NAME} {example}" for example in examples)])
    return group.command(name, cls=cls, epilog=epilog)


def is_json(context: typer.Context) -> bool:
    """Return whether the command answers in JSON."""
    options: CommonOptions = context.obj
    return options.as_json


def answer(context: typer.Context, output: BaseModel, print_text: Callable[[], object]) -> None:
    """Print the output of a command as JSON, or as text if --json was not given."""
    if is_json(context):
        terminal.print_line(output.model_dump_json(by_alias=True, ensure_ascii=True))
    else:
        print_text()


def confirm(question: str, *, is_confirmed: bool) -> None:
    """Ask for confirmation, unless --yes was given.

    Raises:
        Abort: the answer is no.
        UsageError: standard input is not a terminal.
    """
    if is_confirmed:
        return
    if not terminal.is_interactive():
        raise UsageError("not a terminal: pass --yes to confirm")
    if not terminal.ask(question):
        raise typer.Abort
