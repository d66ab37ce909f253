"""A stand-in for the AWS command line of a machine with a profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def with_a_profile(
    path: Path, access_key_id: str, secret_access_key: str, session_token: str = "", *, otherwise: str = "exit 2"
) -> None:
    """Write a command with `aws configure export-credentials --format env`, which prints what version 2 prints.

    Args:
        path: file of the command.
        access_key_id: the profile's access key id.
        secret_access_key: the profile's secret.
        session_token: the token of a profile that assumes a role or signs in; empty for one with a user's keys.
        otherwise: shell command for any other arguments.
    """
    exports = {"AWS_ACCESS_KEY_ID": access_key_id, "AWS_SECRET_ACCESS_KEY": secret_access_key}
    if session_token:
        exports["AWS_SESSION_TOKEN"] = session_token
    lines = "".join(f"echo 'export {name}={value}'\n" for name, value in exports.items())
    path.write_text(
        f'#!/bin/sh\nif [ "$*" != "configure export-credentials --format env" ]; then {otherwise}; fi\n{lines}',
        encoding="utf-8",
    )
    path.chmod(0o755)
