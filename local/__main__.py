"""Serve Keywright on this machine from template.yaml, without an AWS account and without Docker.

usage: python -m local

Environment variables:
  PORT        port (default 8787). The development identity provider uses the next port, and the AWS endpoint for
              containers of `sam local` the one after. 0 uses any free ports.
  BIND        IPv4 address to listen on besides 127.0.0.1, such as 172.17.0.1, where containers reach this machine.
              0.0.0.0 listens on every network.
  FRESH       1 deletes the data of the last start. Otherwise data, pepper and demo keys are kept in .local/data.db.
  EMPTY       1 starts without demo data
  EVENTS      1 shows each event that the service publishes, in a line: its kind, and its detail as JSON
  RELOAD      1 starts again when the template or code changes; the default of `make run`
  DEMO_TTL    lifetime of the demo tokens in seconds (default 28800)
  PARAMETERS  values of template parameters, as a JSON object: '{"KeyPrefix": "dev_"}'.
              Patterns are checked; minimum and maximum values are not, so that tests can hash cheaply.
  STACK_FILE  file for URLs, tokens and credentials (default .local/stack.json). The other files are next to it.
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
import traceback
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from local.backend import BackendError
from local.claim import Claim, ClaimError
from local.intrinsics import TemplateError
from local.options import OptionError, Options
from local.server import HOST, PortError
from local.store import StoreError
from local.watch import ChangedError, Watch
from local.welcome import second_service, shown, welcome

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
    # The service redirects sys.stdout and sys.stderr to the log file, and changes the environment.
    terminal, errors, environment = _writer(sys.stdout), _writer(sys.stderr), dict(os.environ)
    for name in _STOP_SIGNALS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _stop)
    traceback_stream = sys.stderr
    try:
        options = Options.from_environment(os.environ)
        with closing(Claim.make(options, os.environ)) as claim:
            _run(options, claim, terminal, errors)
            claim.hand_over(environment)
            os.execve(sys.executable, sys.orig_argv, environment)  # noqa: S606 - this program again
    except KeyboardInterrupt:
        terminal("\nStopped.")
    except OptionError as error:
        errors(f"keywright: {error}")
        return 2
    except PortError as error:
        errors(f"keywright: {error}; stop the program that uses it or choose another port: PORT=9000 make run")
        return 1
    except (TemplateError, BackendError, ClaimError, StoreError) as error:
        errors(f"keywright: {error}")
        return 1
    except BaseException:
        sys.stderr = traceback_stream
        raise
    return 0


def _run(options: Options, claim: Claim, announce: Callable[[str], None], complain: Callable[[str], None]) -> None:
    """Serve until code or template change.

    A service that was changed and does not start says why, and waits for the next change.
    """
    if claim.directory != options.stack_file.parent:
        if not claim.is_taken_over:
            announce(second_service(options, claim.directory))
        options = replace(options, stack_file=claim.directory / options.stack_file.name)
    watch = Watch(options.template)
    try:
        _serve(options, claim, watch, announce)
    except ChangedError as change:
        announce(f"{change} has changed; starting again ...")
    except Exception as error:
        if not claim.is_taken_over:
            raise
        complain(f"{''.join(traceback.format_exception_only(error)).strip()}\nWaiting for a change ...")
        announce(f"{shown(Path(watch.wait()))} has changed; starting again ...")


def _serve(options: Options, claim: Claim, watch: Watch, announce: Callable[[str], None]) -> NoReturn:
    from local.service import running  # noqa: PLC0415 - slow to import; wrong options are reported first

    if not claim.is_taken_over:
        announce("Starting Keywright ...")
        if options.bind != HOST:
            announce(
                f"Warning: whoever reaches {options.bind} can sign in as any user, and read and change\n"
                "all data of this service."
            )
    with running(options, claim, announce) as service:
        announce("Started again." if claim.is_taken_over else welcome(service, options))
        while not options.reload:
            time.sleep(_DAY_SECONDS)
        raise ChangedError(shown(Path(watch.wait())))


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
