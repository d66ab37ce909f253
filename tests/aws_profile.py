"""A stand-in for AWS's command line on a machine whose credentials are those of a profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def with_a_profile(
    path: Path, access_key_id: str, secret_access_key: str, session_token: str = "", *, otherwise: str = "exit 2"
) -> None:
    """Write a command that knows `aws configure export-credentials --format env`, and prints what version 2 prints.

    Args:
        path: of the command.
        access_key_id: of the profile.
        secret_access_key: of the profile.
        session_token: of a profile that assumes a role or signs in; empty for one with the keys of a user.
        otherwise: what the shell does with any other arguments.
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
