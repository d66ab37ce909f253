"""The cases of events/, by what the function is invoked with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.cases import read_cases
from local.options import Options
from local.server import HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from local.cases import Case

DEVELOPMENT_ISSUER = f"http://{HOST}:{Options().port + 1}"
"""The identity provider of `make run`, which issued the session tokens in events/."""

WITHOUT_STATUS = {"purge_organizations", "sync_organizations"}
"""Functions without a caller, so without a status; their cases are MESSAGES."""
CASES = [case for case in read_cases() if case.function not in WITHOUT_STATUS]
REQUESTS = [case for case in CASES if case.is_request]
QUESTIONS = [case for case in CASES if not case.is_request]
"""Questions to authorizers."""

MESSAGES = [case for case in read_cases() if case.function in WITHOUT_STATUS]
BATCHES = [case for case in MESSAGES if case.function == "sync_organizations"]
TICKS = [case for case in MESSAGES if case.function == "purge_organizations"]

Comparison = tuple[str, object, object]
"""A place in a case, the value expected there, and the value found."""


def unequal(cases: Iterable[Case], compare: Callable[[Case], Iterable[Comparison]]) -> list[str]:
    """Return one line for each comparison in any of the cases whose values differ."""
    return [
        f"{case}: {place}: expected {expected}, found {found}"
        for case in cases
        for place, expected, found in compare(case)
        if expected != found
    ]
