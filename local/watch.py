"""Watches the files that the service is made of."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from local.options import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_POLL_SECONDS = 0.5
_CODE = ("functions", "layers")
"""Directories beside a template."""

_State = dict[str, tuple[int, int]]


class ChangedError(Exception):
    """A file has changed: the service ends, and another process takes over. The message is its path."""


class Watch:
    """Watches a template, the code beside it, and the code of the service itself.

    Args:
        template: path of the template.
        sleep: waits for some seconds.
    """

    def __init__(self, template: Path, sleep: Callable[[float], None] = time.sleep) -> None:
        self._places = (template, *(template.parent / name for name in _CODE), ROOT / "local")
        self._sleep = sleep
        self._state = self._read()

    def wait(self) -> str:
        """Wait until a file is changed, added or removed, and nothing changes anymore; return the path of one."""
        while True:
            self._sleep(_POLL_SECONDS)
            state = self._read()
            if state == self._state:
                continue
            path = min(path for path, _ in state.items() ^ self._state.items())
            while True:  # an editor or git may still be writing
                self._sleep(_POLL_SECONDS)
                latest = self._read()
                if latest == state:
                    break
                state = latest
            self._state = state
            return path

    def _read(self) -> _State:
        return {path: (status.st_mtime_ns, status.st_size) for place in self._places for path, status in _files(place)}


def _files(place: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the files of a directory that an editor writes, with their states."""
    try:
        if not place.is_dir():
            yield str(place), place.stat()
            return
        entries = list(os.scandir(place))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name == "__pycache__":
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _files(place / entry.name)
        else:
            try:
                yield entry.path, entry.stat()
            except FileNotFoundError:
                continue
