"""The credentials that functions sign with when they share a process.

In Lambda a process runs one function, and its environment holds the credentials of the function's role. Here functions
share the clients, so a request is signed with the access key of the function that runs in the current thread.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from keywright.aws.endpoints import Keys
    from local.iam import AccessKey

_RUNNING: ContextVar[AccessKey | None] = ContextVar("running", default=None)
_MARK = "_signs_as_the_running_function"


@contextmanager
def running_with(key: AccessKey) -> Iterator[None]:
    """Sign with an access key in this thread while the context is open."""
    token = _RUNNING.set(key)
    try:
        yield
    finally:
        _RUNNING.reset(token)


def sign_as_the_running_function() -> None:
    """Make Keywright's clients in this process sign with the access key of the running function. Idempotent.

    Outside of functions, they use the credentials of the environment, as all other clients always do.
    """
    if find_spec("keywright") is None:
        return
    from keywright.aws import endpoints  # noqa: PLC0415 - importable only after the layers are on the path

    if not hasattr(endpoints.keys, _MARK):
        endpoints.keys = _of_the_running_function(endpoints.keys)  # type: ignore[assignment]  # a function's


def _of_the_running_function(
    keys: Callable[[Mapping[str, str]], Callable[[], Keys]],
) -> Callable[[Mapping[str, str]], Callable[[], Keys]]:
    from keywright.aws.endpoints import Keys  # noqa: PLC0415 - as above

    def keys_of_the_running_function(environment: Mapping[str, str]) -> Callable[[], Keys]:
        default = keys(environment)

        def current_keys() -> Keys:
            running = _RUNNING.get()
            return default() if running is None else Keys(running.access_key, running.secret_key, running.token)

        return current_keys

    setattr(keys_of_the_running_function, _MARK, True)
    return keys_of_the_running_function
