"""Commands of the AWS command line in documents, and AWS's own descriptions of them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import cache
from typing import Any

import botocore.session
from botocore import xform_name

OWN_COMMANDS: dict[tuple[str, str], dict[str, Any]] = {
    ("configure", "export-credentials"): {"options": {"--format", "--profile"}, "required": set()},
    ("cloudformation", "deploy"): {
        "options": {"--stack-name", "--template-file", "--capabilities", "--parameter-overrides"},
        "required": {"--stack-name", "--template-file"},
    },
}
"""Commands that are not operations of a service (AWS CLI Command Reference)."""


@dataclass(frozen=True, slots=True)
class Command:
    """A call of the AWS command line."""

    document: str
    line: int
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.document}:{self.line} {' '.join(self.words[1:3])}"


def commands_in(code: str, document: str) -> list[Command]:
    """Return every `aws ...` in a text."""
    commands = []
    for number, line in enumerate(code.replace("\\\n", " ").splitlines()):
        if (match := re.search(r"(?:^\s*|\(|\| )(aws [a-z].*)", line)) is None:
            continue
        words = []
        try:
            for word in shlex.shlex(match[1], posix=True, punctuation_chars="|();"):
                if set(word) <= set("|();"):
                    break
                words.append(word)
        except ValueError:  # a quotation that continues on the next line: the part before it is enough
            pass
        commands.append(Command(document, number, tuple(words)))
    return commands


@cache
def operation(service: str, command: str) -> dict[str, Any]:
    """Return the options of a command, and those that are required."""
    model = botocore.session.get_session().get_service_model("s3" if service == "s3api" else service)
    name = next(name for name in model.operation_names if xform_name(name, "-") == command)
    shape = model.operation_model(name).input_shape
    assert shape
    booleans = {xform_name(member, "-") for member, kind in shape.members.items() if kind.type_name == "boolean"}
    options = {f"--{xform_name(member, '-')}" for member in shape.members}
    return {
        "options": options | {f"--no-{boolean}" for boolean in booleans},
        "required": {f"--{xform_name(member, '-')}" for member in shape.required_members},
    }


def waited_for(service: str, waiter: str) -> str:
    """Return the command that `aws SERVICE wait WAITER` repeats."""
    model = botocore.session.get_session().get_waiter_model(service)
    name = next(name for name in model.waiter_names if xform_name(name, "-") == waiter)
    return xform_name(model.get_waiter(name).operation, "-")
