"""Shutdown of a container: the last moment to write what is only in memory.

Lambda sends SIGTERM to a runtime only if an extension is registered. An extension may be a thread of the function
itself (Lambda Developer Guide, "Using the Lambda Extensions API": internal extensions), which registers for no events
and only waits. It can register only while the function is initialized.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from keywright.aws.transport import Host, NoAnswerError
from keywright.log import describe, logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

RUNTIME_API = "AWS_LAMBDA_RUNTIME_API"

_VERSION = "/2020-01-01/extension"
_NAME = "keywright"
_IDENTIFIER = "lambda-extension-identifier"
_REGISTRATION_SECONDS = 1


def before_shutdown(act: Callable[[], None]) -> None:
    """Call `act` when Lambda ends this container. Use it while a module is imported.

    Outside of Lambda it does nothing, and leaves the signals of the process alone.
    """
    address = os.environ.get(RUNTIME_API)
    if address is None:
        return

    def end(_number: int, _frame: FrameType | None) -> None:
        try:
            act()
        finally:
            os._exit(0)  # the runtime's thread waits for an invocation that never comes

    signal.signal(signal.SIGTERM, end)
    try:
        identifier = _register(address)
    except NoAnswerError as error:
        logger().warning("no signal will precede the end of this container", extra={"details": describe(error)})
        return
    threading.Thread(target=_wait, args=(address, identifier), daemon=True).start()


def _register(address: str) -> str:
    """Return the identifier of the registered extension.

    Raises:
        NoAnswerError: it could not be registered.
    """
    body, headers = json.dumps({"events": []}).encode(), {"lambda-extension-name": _NAME}
    answer = _api(address, _REGISTRATION_SECONDS).send("POST", f"{_VERSION}/register", headers, body)
    identifier = answer.headers.get(_IDENTIFIER)
    if identifier is None:
        raise NoAnswerError(f"the registration of the extension was answered {answer.status}")
    return identifier


def _wait(address: str, identifier: str) -> None:
    """Ask for the next event, which tells Lambda that the extension is ready. None ever comes."""
    with suppress(NoAnswerError):
        _api(address, None).send("GET", f"{_VERSION}/event/next", {_IDENTIFIER: identifier})


def _api(address: str, read_timeout_seconds: float | None) -> Host:
    url = f"http://{address}"
    return Host(url, connect_timeout_seconds=_REGISTRATION_SECONDS, read_timeout_seconds=read_timeout_seconds)
