"""The files that describe a running service to tests, scripts and SAM CLI."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from local.sigv4 import SigningCredential


@dataclass(frozen=True, slots=True)
class StackDescription:
    """A running service.

    Attributes:
        base_url: URL with the stage, without a trailing slash.
        organization_id: id of the active demo organization; None without demo data.
        issuer: issuer of the session tokens.
        tokens: session token of each persona.
        users: user id of each persona.
        iam: access key for routes with AWS_IAM, and for invocations of their function.
        aws_endpoint_url: endpoint of DynamoDB.
        keys: text of each demo key.
        aws_url: endpoint of EventBridge, Secrets Manager and SQS.
        event_bus: name of the event bus.
        function_arn: ARN of that function, which backends can invoke without API Gateway.
        lambda_url: endpoint of Lambda; None for that of AWS.
        operator: environment of the operator's command line; empty for a service that is not local.
    """

    base_url: str
    organization_id: str | None
    issuer: str
    tokens: Mapping[str, str]
    users: Mapping[str, str]
    iam: SigningCredential
    aws_endpoint_url: str
    table_name: str
    keys: Mapping[str, str] = field(default_factory=dict)
    aws_url: str | None = None
    event_bus: str | None = None
    function_arn: str | None = None
    lambda_url: str | None = None
    operator: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StackFile:
    """A file that describes a service while it runs, such as the stack file, and its content."""

    path: Path
    content: str

    @classmethod
    def describing(cls, description: StackDescription, path: Path) -> StackFile:
        """Return the stack file of a service, without writing it."""
        return cls(path, json.dumps(asdict(description), indent=2) + "\n")

    def write(self) -> None:
        """Write the file atomically, readable only for its owner: it contains tokens and a secret."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")  # with mode 0600
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(self.content)
        os.replace(temporary, self.path)  # noqa: PTH105 - mkstemp returns a str

    def remove(self) -> None:
        """Remove the file, unless another service has replaced it."""
        try:
            if self.path.read_text(encoding="utf-8") == self.content:
                self.path.unlink()
        except FileNotFoundError:
            return
