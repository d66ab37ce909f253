"""`make invoke`: single functions under Lambda's runtime client, with the state of their cases."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from local.case_files import EVENTS
from local.cases import Case
from local.changes import UNTOUCHED
from tests.runtime.stream_batch import BATCH, record_id
from tests.support.cases import MESSAGES, SUCCESSES, first_of_each_function
from tests.support.environment import CHEAP_ARGON2, ROOT
from tests.support.matchers import differences
from tests.support.world import Context

_LOCK = Path(tempfile.gettempdir()) / "keywright-invoke.lock"
MINIMAL = Case(EVENTS / "create_api_key" / "200_minimal.json")
OTHERS = [case for case in first_of_each_function(SUCCESSES) if case.function != "authorize_session"]
"""The first success of each function, except of the one that needs a free port."""
ASIDE = next(case for case in MESSAGES if case.outcome == "aside")


def invoke(*arguments: str) -> tuple[int, Any, str]:
    """Run the command; return exit code, the parsed output, and errors.

    One at a time: commands at once share the identity provider of the first, which stops with it.
    """
    environment = {"PYTHONPATH": "layers/shared/python", "PARAMETERS": json.dumps(CHEAP_ARGON2)}
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        finished = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "local.invoke", *arguments],
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
    return finished.returncode, json.loads(finished.stdout or "null"), finished.stderr


def named(case: Case) -> str:
    """Return the path of a case, as a user writes it."""
    return str(case.file.with_suffix("").relative_to(ROOT))


@pytest.mark.parametrize("case", OTHERS, ids=str)
def test_a_case_prints_its_answer_and_changes(case: Case) -> None:
    """GIVEN a case WHEN it is invoked THEN its answer and changes are printed, and the log goes to standard error."""
    code, outcome, errors = invoke(named(case))

    expected = json.loads(json.dumps(case.expected).replace(Context().aws_request_id, "<any string>"))
    nothing = {**UNTOUCHED, "put_aside": []}
    assert [] == differences({**nothing, **expected}, {**nothing, **(outcome or {"failed": errors})})
    assert 0 == code
    assert "START RequestId" in errors


def test_messages_that_are_put_aside_have_reasons() -> None:
    """Messages of the dead-letter queue are printed with their reason."""
    code, outcome, _ = invoke(named(ASIDE))

    assert 0 == code
    assert [each["reason"] for each in ASIDE.expected["put_aside"]] == [each["reason"] for each in outcome["put_aside"]]


def test_a_case_can_be_named_by_its_file() -> None:
    """GIVEN the name of a case with its suffix WHEN it is invoked THEN the answer is that of the case."""
    code, outcome, _ = invoke(f"{named(MINIMAL)}.json")

    assert 0 == code
    assert 200 == outcome["answer"]["statusCode"]


def test_a_folder_has_an_event_and_a_seed(tmp_path: Path) -> None:
    """GIVEN a folder with a changed event and its seed WHEN it is invoked THEN this event is answered."""
    folder = tmp_path / "create_api_key" / "mine"
    folder.mkdir(parents=True)
    (folder / "event.json").write_text(json.dumps({**MINIMAL.event, "body": "{}"}))
    (folder / "seed.json").write_text(json.dumps(MINIMAL.seed))

    code, outcome, _ = invoke(str(folder))

    assert 0 == code
    assert 400 == outcome["answer"]["statusCode"]


def test_an_event_without_a_seed_has_the_demo_data(tmp_path: Path) -> None:
    """GIVEN a user's event WHEN it is invoked by the function's name THEN the demo organization answers."""
    (tmp_path / "mine.json").write_text(json.dumps(MINIMAL.event))

    code, outcome, _ = invoke(str(tmp_path / "mine.json"), "create_api_key")

    assert 0 == code
    assert 200 == outcome["answer"]["statusCode"]


def test_published_events_are_printed(tmp_path: Path) -> None:
    """GIVEN records of the table's stream WHEN publish_events is invoked on them THEN its events are printed."""
    (tmp_path / "records.json").write_text(json.dumps(BATCH))

    code, outcome, errors = invoke(str(tmp_path / "records.json"), "publish_events")

    assert 0 == code, errors
    assert {"batchItemFailures": []} == outcome["answer"]
    assert {("keywright", "api_key.created")} == {
        (each["source"], each["detail-type"]) for each in outcome["published"]
    }
    assert [record_id(number) for number in (1, 3, 2)] == [each["detail"]["id"] for each in outcome["published"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["events/nothing"], "there is no events/nothing; name a case of events/"),
        (["pyproject.toml"], "name the function as well: FUNCTION=create_api_key"),
        (["pyproject.toml", "create_api_key"], "is not JSON"),
        (["events/create_api_key/200_minimal", "nothing"], "there is no function nothing; there are"),
    ],
)
def test_a_mistake_is_reported_in_one_line(arguments: list[str], message: str) -> None:
    """Mistakes are reported in one line that says what to do."""
    code, _, errors = invoke(*arguments)

    assert 1 == code
    assert message in errors
    assert 1 == len(errors.splitlines())
