"""Run a program from standard input as an interactive Python does that is started with `-m asyncio`."""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import sys
from typing import Any

import keywright_client


def main() -> int:
    """Return 0 unless the program raises an exception; `await` is allowed outside of functions."""
    code = compile(sys.stdin.read(), "pasted", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    running = eval(code, _known_to_readers())  # noqa: S307 - a page of this repository
    if inspect.iscoroutine(running):

        async def finish() -> None:
            await running

        asyncio.run(finish())
    return 0


def _known_to_readers() -> dict[str, Any]:
    """Return what readers of a page have before they paste a program. A program may define each of it anew."""
    url, token, text = (os.environ[name] for name in ("KEYWRIGHT_URL", "TOKEN", "KEY"))
    return {
        "__name__": "__main__",
        **{name: getattr(keywright_client, name) for name in keywright_client.__all__},
        "API_URL": url,
        "keywright": keywright_client.Keywright(url, token=token),
        "request_address": "127.0.0.1",
        "request_key": text,
        "session_token": token,
        "text": text,
    }


if __name__ == "__main__":
    sys.exit(main())
