"""The credentials that a function signs with, where several functions share a process.

On Lambda no process runs two functions, and its environment holds the credentials of the function's role. Here the
clients are shared: a request is signed with the key of the function that runs in its thread at the moment.
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
    """Sign with a key as long as the context is open, in this thread."""
    token = _RUNNING.set(key)
    try:
        yield
    finally:
        _RUNNING.reset(token)


def sign_as_the_running_function() -> None:
    """Change where the product's clients get their keys, in this process; a second call changes nothing.

    Outside of functions they are those of the environment, as before. So are those of other clients than the product's.
    """
    if find_spec("keywright") is None:
        return
    from keywright.aws import endpoints  # noqa: PLC0415 - on the path only once a template's layers are

    if not hasattr(endpoints.keys, _MARK):
        endpoints.keys = _of_the_running_function(endpoints.keys)  # type: ignore[assignment]  # a function's


def _of_the_running_function(
    keys: Callable[[Mapping[str, str]], Callable[[], Keys]],
) -> Callable[[Mapping[str, str]], Callable[[], Keys]]:
    from keywright.aws.endpoints import Keys  # noqa: PLC0415 - see above

    def keys_of_the_running_function(environment: Mapping[str, str]) -> Callable[[], Keys]:
        otherwise = keys(environment)

        def keys_of_the_moment() -> Keys:
            running = _RUNNING.get()
            return otherwise() if running is None else Keys(running.access_key, running.secret_key, running.token)

        return keys_of_the_moment

    setattr(keys_of_the_running_function, _MARK, True)
    return keys_of_the_running_function
