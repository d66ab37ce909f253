"""The stack file: what a test or a script needs to know of a running service."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from local.sigv4 import Credential


@dataclass(frozen=True, slots=True)
class StackDescription:
    """A running service.

    Attributes:
        base_url: with the stage, without a slash at its end.
        organization_id: the active demo organization; None without demo data.
        issuer: of the session tokens.
        tokens: a session token for each persona.
        users: the user id of each persona.
        iam: what requests to routes with AWS_IAM are signed with.
        aws_endpoint_url: where the table is.
    """

    base_url: str
    organization_id: str | None
    issuer: str
    tokens: Mapping[str, str]
    users: Mapping[str, str]
    iam: Credential
    aws_endpoint_url: str
    table_name: str


@dataclass(frozen=True, slots=True)
class StackFile:
    """A stack file, and what it says."""

    path: Path
    content: str

    @classmethod
    def describing(cls, description: StackDescription, path: Path) -> StackFile:
        """Give the file of a service, not written yet."""
        return cls(path, json.dumps(asdict(description), indent=2) + "\n")

    def write(self) -> None:
        """Write the file in one step; only its owner can read it, since it holds tokens and a secret."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")  # with mode 0600
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(self.content)
        os.replace(temporary, self.path)  # noqa: PTH105 - mkstemp gives a text

    def remove(self) -> None:
        """Remove the file, unless another service has written its own over it."""
        try:
            if self.path.read_text(encoding="utf-8") == self.content:
                self.path.unlink()
        except FileNotFoundError:
            return
