"""`make invoke`: single functions under Lambda's runtime client, with the state of their events."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.cases import CASES, MESSAGES, Case, outcome_of
from tests.support.environment import CHEAP_ARGON2, ROOT
from tests.support.matchers import differences
from tests.support.replay import UNTOUCHED
from tests.support.world import Context

if TYPE_CHECKING:
    from pathlib import Path

FIRST = list(
    {
        case.function: case
        for case in reversed(CASES + MESSAGES)
        if outcome_of(case) in {"200", "followed", "purged"} and case.function != "authorize_session"
    }.values()
)
"""The first success of each function, except of the one that needs a free port."""
ASIDE = next(case for case in MESSAGES if outcome_of(case) == "aside")


def invoke(*arguments: str) -> tuple[int, Any, str]:
    """Run the command; return exit code, the parsed output, and errors."""
    finished = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "local.invoke", *arguments],
        cwd=ROOT,
        env={**os.environ, "PARAMETERS": json.dumps(CHEAP_ARGON2)},
        capture_output=True,
        text=True,
        check=False,
    )
    return finished.returncode, json.loads(finished.stdout or "null"), finished.stderr


@pytest.mark.parametrize("case", FIRST, ids=str)
def test_a_function(case: Case) -> None:
    """GIVEN a folder of events WHEN it is invoked THEN answer and changes are printed, the log goes to errors."""
    code, outcome, errors = invoke(str(case.folder.relative_to(ROOT)))

    expected = json.loads(json.dumps(case.expected).replace(Context().aws_request_id, "<any string>"))
    assert (0, []) == (code, differences({**UNTOUCHED, **expected}, {**UNTOUCHED, **outcome}))
    assert "START RequestId" in errors


def test_what_is_put_aside() -> None:
    """Messages of the dead-letter queue are printed with their reason."""
    code, outcome, _ = invoke(str(ASIDE.folder))

    assert (0, [each["reason"] for each in ASIDE.expected["put_aside"]]) == (
        code,
        [each["reason"] for each in outcome["put_aside"]],
    )


def test_a_file_without_a_seed(tmp_path: Path) -> None:
    """GIVEN an event of the user's WHEN it is invoked by the function's name THEN the demo organization answers."""
    case = next(case for case in CASES if (case.function, case.folder.name) == ("create_api_key", "200_minimal"))
    (tmp_path / "mine.json").write_text(json.dumps(case.event))

    code, outcome, _ = invoke(str(tmp_path / "mine.json"), "create_api_key")

    assert (0, 200) == (code, outcome["answer"]["statusCode"])


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["events/nothing"], 1, "there is no events/nothing; name a folder of events/"),
        (["pyproject.toml"], 1, "name the function as well: FUNCTION=create_api_key"),
        (["pyproject.toml", "create_api_key"], 1, "is not JSON"),
        (["events/create_api_key/200_minimal", "nothing"], 1, "there is no function nothing; there are"),
    ],
)
def test_mistakes(arguments: list[str], code: int, message: str) -> None:
    """Mistakes are reported in one line that says what to do."""
    exit_code, _, errors = invoke(*arguments)

    assert (code, True, 1) == (exit_code, message in errors, len(errors.splitlines()))
