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


@dataclass(frozen=True, slots=True)
class StackDescription:
    """A running service.

    Attributes:
        base_url: with the stage, without a slash at its end.
        organization_id: the active demo organization; None without demo data.
        issuer: of the session tokens.
        tokens: a session token for each persona.
        users: the user id of each persona.
        aws_endpoint_url: where the table is.
    """

    base_url: str
    organization_id: str | None
    issuer: str
    tokens: Mapping[str, str]
    users: Mapping[str, str]
    aws_endpoint_url: str
    table_name: str


@dataclass(frozen=True, slots=True)
class StackFile:
    """A stack file that was written."""

    path: Path
    content: str

    @classmethod
    def write(cls, path: Path, description: StackDescription) -> StackFile:
        """Write the file in one step; only its owner can read it, since it holds tokens."""
        content = json.dumps(asdict(description), indent=2) + "\n"
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp: mode 0600
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
        os.replace(temporary, path)  # noqa: PTH105 - mkstemp gives a text
        return cls(path, content)

    def remove(self) -> None:
        """Remove the file, unless another service has written its own over it."""
        try:
            if self.path.read_text(encoding="utf-8") == self.content:
                self.path.unlink()
        except FileNotFoundError:
            return
