"""Serve Keywright on this machine from template.yaml, without an AWS account and without Docker.

usage: python -m local

Environment variables:
  PORT        port on 127.0.0.1 (default 8787). The development identity provider uses the next port.
              0 uses any free ports.
  DEMO_TTL    lifetime of the demo tokens in seconds (default 28800)
  EMPTY       1 starts without demo data
  PARAMETERS  values of template parameters, as a JSON object: '{"KeyPrefix": "dev_"}'.
              Patterns are checked; minimum and maximum values are not, so that tests can hash cheaply.
  STACK_FILE  file for URLs, tokens and credentials (default .local/stack.json). service.log is written next to it.
  TEMPLATE    template to serve (default template.yaml)
  AWS_ENDPOINT_URL_DYNAMODB
              a DynamoDB to use instead of the one in memory, such as DynamoDB Local at http://127.0.0.1:8000.
              All other AWS settings are ignored: the service never reaches an AWS account.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from local.backend import BackendError
from local.intrinsics import TemplateError
from local.options import OptionError, Options
from local.server import PortError
from local.welcome import welcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import NoReturn

_STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
_DAY_SECONDS = 86400


def main(arguments: list[str]) -> int:
    """Serve until a signal; return 0 after a signal, 1 if the service cannot run, 2 for wrong usage."""
    if arguments:
        print(__doc__)
        return 0 if arguments in (["-h"], ["--help"]) else 2
    # The service redirects sys.stdout and sys.stderr to the log file.
    terminal, errors = sys.stdout, sys.stderr
    for name in _STOP_SIGNALS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _stop)
    try:
        _serve(Options.from_environment(os.environ), _writer(terminal))
    except KeyboardInterrupt:
        _writer(terminal)("\nStopped.")
    except OptionError as error:
        _writer(errors)(f"keywright: {error}")
        return 2
    except PortError as error:
        _writer(errors)(f"keywright: {error}; stop the program that uses it or choose another port: PORT=9000 make run")
        return 1
    except (TemplateError, BackendError) as error:
        _writer(errors)(f"keywright: {error}")
        return 1
    except BaseException:
        sys.stderr = errors  # for the traceback
        raise
    return 0


def _serve(options: Options, announce: Callable[[str], None]) -> NoReturn:
    from local.service import running  # noqa: PLC0415 - slow to import; wrong options are reported first

    announce("Starting Keywright ...")
    with running(options, announce) as service:
        announce(welcome(service, options))
        while True:
            time.sleep(_DAY_SECONDS)


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    """Interrupt the main thread, and ignore further signals while it shuts down."""
    for name in _STOP_SIGNALS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    raise KeyboardInterrupt


def _writer(stream: TextIO) -> Callable[[str], None]:
    def write(line: str) -> None:
        with suppress(OSError):  # the terminal may be closed
            print(f"{line}\n", end="", file=stream, flush=True)  # one write: requests end concurrently

    return write


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
