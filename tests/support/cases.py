"""The cases of events/, by what the function is invoked with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local import github
from local.cases import read_cases, session_token
from local.identity_provider import issuer_at
from local.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from local.cases import Case

DEVELOPMENT_ISSUER = issuer_at(Options().port + 1)
"""The identity provider of `make run`, which issued the session tokens in events/."""

DEVELOPMENT_GITHUB = DEVELOPMENT_ISSUER + github.KEYS_PATH
"""The address where `make run` publishes the keys that sign GitHub's reports in events/."""

WITHOUT_STATUS = {
    "announce_expirations",
    "archive_records",
    "process_leak_reports",
    "publish_events",
    "purge_organizations",
    "sync_organizations",
}
"""Functions without a caller, so without a status; their cases are MESSAGES."""
CASES = [case for case in read_cases() if case.function not in WITHOUT_STATUS]
REQUESTS = [case for case in CASES if case.is_request]
QUESTIONS = [case for case in CASES if not case.is_request]
"""Questions to authorizers."""

MESSAGES = [case for case in read_cases() if case.function in WITHOUT_STATUS]
BATCHES = [case for case in MESSAGES if case.function == "sync_organizations"]
LEAKS = [case for case in MESSAGES if case.function == "process_leak_reports"]
CHANGES = [case for case in MESSAGES if case.function in {"archive_records", "publish_events"}]
"""Batches of the table's stream."""
TICKS = [case for case in MESSAGES if case.function in {"announce_expirations", "purge_organizations"}]

SUCCESSFUL = {"200", "announced", "archived", "followed", "published", "purged", "settled"}
SUCCESSES = [case for case in CASES + MESSAGES if case.outcome in SUCCESSFUL]


def first_of_each_function(cases: Iterable[Case]) -> list[Case]:
    """Return the first case of each function."""
    first: dict[str, Case] = {}
    for case in cases:
        first.setdefault(case.function, case)
    return list(first.values())


def event_for(case: Case, issuer: str) -> dict[str, Any]:
    """Return the event of a case, with a token of another issuer instead of that of `make run`."""
    if case.function != "authorize_session" or not case.token or case.token["claims"]["iss"] != DEVELOPMENT_ISSUER:
        return case.event
    text = session_token(case.token | {"claims": case.token["claims"] | {"iss": issuer}})
    return case.event | {"authorizationToken": f"Bearer {text}"}


def message_id(case: Case, letter: str) -> str:
    """Return the id of the message, or the place of the record, that a letter in a dead-letter queue is about."""
    ids = {message["body"]: message["messageId"] for message in case.event["Records"] if "body" in message}
    return ids[letter] if ids else str(json.loads(letter)["sequenceNumber"])


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
