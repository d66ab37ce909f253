"""Run a program from standard input as an interactive Python does that is started with `-m asyncio`."""

from __future__ import annotations

import ast
import asyncio
import inspect
import sys
from typing import Any


def main() -> int:
    """Return 0 unless the program raises an exception; `await` is allowed outside of functions."""
    code = compile(sys.stdin.read(), "pasted", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    names: dict[str, Any] = {"__name__": "__main__"}
    running = eval(code, names)  # noqa: S307 - a page of this repository
    if inspect.iscoroutine(running):

        async def finish() -> None:
            await running

        asyncio.run(finish())
    return 0


if __name__ == "__main__":
    sys.exit(main())
