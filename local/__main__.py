"""Serves Keywright on this machine, from template.yaml: no AWS account, no Docker.

usage: python -m local

Environment variables:
  PORT        where to listen, on 127.0.0.1 (8787); the development identity provider takes the next port.
              0 takes any free ports.
  DEMO_TTL    seconds the demo tokens are valid (28800)
  EMPTY       1 starts without demo data
  PARAMETERS  values for parameters of the template, as a JSON object: '{"KeyPrefix": "dev_"}'.
              Patterns are checked, lower and upper bounds are not, so that tests can hash cheaply.
  STACK_FILE  where to write addresses, tokens and credentials (.local/stack.json); the log goes next to it, service.log
  TEMPLATE    the template to serve (template.yaml)
  AWS_ENDPOINT_URL_DYNAMODB
              another DynamoDB than the one in memory, as DynamoDB Local's http://127.0.0.1:8000.
              Every other AWS setting is ignored: the service never reaches an AWS account.
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
    """Run until a signal; 0 after one, 1 if the service cannot run, 2 if it was called wrongly."""
    if arguments:
        print(__doc__)
        return 0 if arguments in (["-h"], ["--help"]) else 2
    # Later on sys.stdout and sys.stderr are the log file.
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
        _writer(errors)(f"keywright: {error}; stop what uses it or choose another port: PORT=9000 make run")
        return 1
    except (TemplateError, BackendError) as error:
        _writer(errors)(f"keywright: {error}")
        return 1
    except BaseException:
        sys.stderr = errors  # for the traceback
        raise
    return 0


def _serve(options: Options, say: Callable[[str], None]) -> NoReturn:
    from local.service import running  # noqa: PLC0415 - takes a moment; wrong options are told at once

    say("Starting Keywright ...")
    with running(options, say) as service:
        say(welcome(service, options))
        while True:
            time.sleep(_DAY_SECONDS)


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    """End the main thread's work; the way out is short, and not to be interrupted again."""
    for name in _STOP_SIGNALS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    raise KeyboardInterrupt


def _writer(stream: TextIO) -> Callable[[str], None]:
    def say(line: str) -> None:
        with suppress(OSError):  # the terminal may be gone
            print(f"{line}\n", end="", file=stream, flush=True)  # in one piece: requests end at the same moment

    return say


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
