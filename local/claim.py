"""Directory and ports of a running service. After a change of the code, its successor takes them over.

The successor replaces the process (execve), so that connections wait for it instead of being refused.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local.server import PortError, port_of, reserve

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from local.options import Options

_VARIABLE = "KEYWRIGHT_HANDOVER"
_LOCK = "lock"


class ClaimError(Exception):
    """The directory is in use; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A directory and listening sockets, which belong to this process.

    Attributes:
        directory: for the files of the service.
        lock: descriptor of the file that is locked while the service runs.
        service, provider, containers: the sockets of the API, the identity provider, and the AWS endpoint for
            containers, one for each address.
        is_taken_over: whether another process served with them before.
    """

    directory: Path
    lock: int
    service: tuple[socket.socket, ...]
    provider: tuple[socket.socket, ...]
    containers: tuple[socket.socket, ...]
    is_taken_over: bool = False

    @classmethod
    def make(cls, options: Options, environment: MutableMapping[str, str]) -> Claim:
        """Take over the claim that the environment describes, or make one.

        While another service has the directory of the stack file, it is the one below that is named after the port.

        Raises:
            PortError: a port is in use.
            ClaimError: both directories are.
        """
        described = environment.pop(_VARIABLE, None)
        if described is not None:
            directory, lock, *roles = json.loads(described)
            service, provider, containers = (tuple(socket.socket(fileno=number) for number in role) for role in roles)
            return cls(Path(directory), lock, service, provider, containers, is_taken_over=True)
        service = _reserve(options, options.port)
        port = port_of(service[0])
        try:
            provider = _reserve(options, options.port and port + 1, "the development identity provider")
        except PortError:
            _close(service)
            raise
        try:
            containers = _reserve(options, options.port and port + 2, "the AWS endpoint for containers")
        except PortError:
            _close(service + provider)
            raise
        for directory in (options.stack_file.parent, options.stack_file.parent / str(port)):
            lock = _lock(directory)
            if lock is not None:
                return cls(directory, lock, service, provider, containers)
        _close(service + provider + containers)
        raise ClaimError(f"another service keeps its files in {directory}; name another STACK_FILE")

    def hand_over(self, environment: MutableMapping[str, str]) -> None:
        """Describe the claim in the environment of the program that will replace this one."""
        roles = [[each.fileno() for each in sockets] for sockets in (self.service, self.provider, self.containers)]
        for number in [self.lock, *(number for numbers in roles for number in numbers)]:
            os.set_inheritable(number, True)  # noqa: FBT003 - its only parameter
        environment[_VARIABLE] = json.dumps([str(self.directory), self.lock, *roles])

    def close(self) -> None:
        """Close everything."""
        _close(self.service + self.provider + self.containers)
        os.close(self.lock)


def _reserve(options: Options, port: int, purpose: str | None = None) -> tuple[socket.socket, ...]:
    reserved: list[socket.socket] = []
    try:
        for address in options.addresses:
            reserved.append(reserve(port_of(reserved[0]) if reserved else port, address))
    except PortError as error:
        _close(tuple(reserved))
        raise PortError(f"{error}, which {purpose} needs" if purpose else str(error)) from error
    return tuple(reserved)


def _close(sockets: tuple[socket.socket, ...]) -> None:
    for each in sockets:
        each.close()


def _lock(directory: Path) -> int | None:
    """Lock a directory. Return the descriptor that holds the lock, or None if another process does.

    The lock ends with the process, even if it is killed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
