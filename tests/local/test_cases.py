"""Expansion of the files of events/: patches, derived values, and clear errors for mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local import cases
from local.case_files import EVENTS, CaseError, composed, merged
from local.cases import Case, main, read_cases, recorded, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

BASE = {
    "event": {
        "resource": "/keys/{id}",
        "path": "${path}",
        "httpMethod": "GET",
        "pathParameters": {"id": "7"},
        "headers": {"accept": "*/*"},
        "multiValueHeaders": {},
        "requestContext": {"domainName": "api.example.com", "stage": "v1", "requestId": "${id}"},
        "isBase64Encoded": False,
    },
    "expected": {"answer": {"headers": {"x-request-id": "${id}"}, "data": {}}},
}
ITEMS = {"key": {"pk": "ORG#1", "sk": "KEY#7", "name": "CI", "metadata": {"plan": "pro"}, "expires_at": "2099"}}
MINIMAL = EVENTS / "create_api_key" / "200_minimal.json"
MESSAGE = {"messageId": "${id}", "body": {"id": "${event_id}", "detail": {"time": "2026"}}}

RECORD = {"eventID": "${id}", "dynamodb": {"SequenceNumber": "41"}}


@pytest.fixture
def case(tmp_path: Path) -> Callable[..., Case]:
    """Write a case of get_key, with a base, items, a message and a record of its directory; return it."""
    files = {
        "get_key/base.json": BASE,
        "items.json": ITEMS,
        "message.json": MESSAGE,
        "stream_record.json": RECORD,
        "base/down.json": {"with": []},
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(content))

    def create(name: str = "200_ok", **content: Any) -> Case:
        file = tmp_path / "get_key" / f"{name}.json"
        file.write_text(json.dumps(content))
        return Case(file)

    return create


def answer(**fields: Any) -> dict[str, Any]:
    """Return an expectation of an answer."""
    return {"answer": fields}


# RFC 7396, appendix A.
@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_patch_is_applied_as_the_rfc_says(target: object, patch: object, result: object) -> None:
    """The examples of RFC 7396 have their results."""
    assert result == merged(target, patch)


def test_two_patches_do_what_one_does_after_the_other() -> None:
    """A composed patch still removes what either patch removes."""
    first, second = {"a": {"b": None, "c": 1}}, {"a": {"c": None, "d": 2}}
    target = {"a": {"b": 0, "c": 0, "e": 0}}

    assert merged(merged(target, first), second) == merged(target, composed(first, second))


def test_a_request_is_completed(case: Callable[..., Case]) -> None:
    """Path, lists of header values and the text of a JSON body are derived."""
    event = case(event={"headers": {"origin": "null"}, "body": {"name": "<null>", "text": "${x * 3}"}}).event

    assert "/keys/7" == event["path"]
    assert {"accept": ["*/*"], "origin": ["null"]} == event["multiValueHeaders"]
    assert '{"name": null, "text": "xxx"}' == event["body"]


def test_an_answer_has_the_request_id_and_the_envelope(case: Callable[..., Case]) -> None:
    """The status is that of the name, and the id in the answer is that of the request."""
    complete = case(expected=answer(data={"id": 7}))

    assert {
        "statusCode": 200,
        "headers": {"x-request-id": complete.event["requestContext"]["requestId"]},
        "body": {"data": {"id": 7}, "error": None},
    } == complete.expected["answer"]


def test_an_error_has_the_words_of_the_catalogue(case: Callable[..., Case], monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN a changed message in keywright.errors THEN events that name the error change, unless they say another."""
    forbidden = {"code": "FORBIDDEN", "message": "new words", "hint": "new hint"}
    monkeypatch.setitem(cases._ERRORS, "FORBIDDEN", forbidden)

    named = case(expected=answer(error="FORBIDDEN")).expected["answer"]["body"]
    own = case("403_own", expected=answer(error={"code": "FORBIDDEN", "message": "own"})).expected["answer"]["body"]

    docs = "https://api.example.com/v1/docs#FORBIDDEN"
    assert {"data": None, "error": {**forbidden, "docs": docs}} == named
    assert {"data": None, "error": {**forbidden, "message": "own", "docs": docs}} == own


def test_items_are_patched_by_name(case: Callable[..., Case]) -> None:
    """A seed patches items.json, a change patches the seed, and a removal names the keys."""
    changed = case(
        seed={"items": {"key": {"name": "new"}}},
        expected={"changed": {"key": {"expires_at": None}}, "removed": ["key"]},
    )

    item = {"pk": "ORG#1", "sk": "KEY#7", "name": "new", "metadata": '{"plan":"pro"}'}
    assert [item | {"expires_at": "2099"}] == changed.seed["items"]
    assert [item] == changed.expected["changed"]
    assert [{"pk": "ORG#1", "sk": "KEY#7"}] == changed.expected["removed"]


def test_days_near_today_are_placeholders(case: Callable[..., Case], stop_clock: Callable[[str], datetime]) -> None:
    """A case that is replayed any day can name days, in texts and as names of an item's map."""
    stop_clock("2028-03-01T00:00:30.000Z")
    seed = {"items": {"key": {"days": {"${day}": 1, "${day-1}": 2}, "range": "${today-60} to ${today+31}"}}}

    (item,) = case(seed=seed).seed["items"]

    assert {"ge4": 1, "ge3": 2} == item["days"]
    assert "2028-01-01 to 2028-04-01" == item["range"]


def test_items_are_ordered_by_key(case: Callable[..., Case]) -> None:
    """Added items are in the order of the table, in any order of the file."""
    items = {name: {"pk": "ORG#1", "sk": sort_key} for name, sort_key in {"b": "USAGE#<uuid7>", "a": "AUDIT#1"}.items()}

    added = case(expected={"added": items}).expected["added"]

    assert ["AUDIT#1", "USAGE#<uuid7>"] == [item["sk"] for item in added]


def test_messages_get_ids_and_digests(case: Callable[..., Case]) -> None:
    """A message of a batch has its own id, also where the answer and the dead-letter queue name it."""
    batch = case(
        "again",
        messages={"first": {"body": {"detail": {"time": "2027"}}}, "second": {"body": "no JSON"}},
        expected=answer(batchItemFailures=["first"]) | {"put_aside": {"second": "not JSON"}},
    )
    first, second = batch.event["Records"]

    assert "2027" == json.loads(first["body"])["detail"]["time"]
    assert first["messageId"] != second["messageId"]
    assert [{"itemIdentifier": first["messageId"]}] == batch.expected["answer"]["batchItemFailures"]
    assert [{"messageId": second["messageId"], "reason": "not JSON"}] == batch.expected["put_aside"]


NO_ITEM: dict[str, Any] = {"changed": {"kee": {}}}


def test_records_hold_items_in_the_order_of_the_stream(case: Callable[..., Case]) -> None:
    """A record is a new item in DynamoDB's JSON, with its keys and a place after the one before it."""
    first, second = case(records={"other": {"pk": "ORG#1", "sk": "KEY#8", "ttl": 7}, "key": {}}).event["Records"]

    assert {
        "Keys": {"pk": {"S": "ORG#1"}, "sk": {"S": "KEY#8"}},
        "NewImage": {"pk": {"S": "ORG#1"}, "sk": {"S": "KEY#8"}, "ttl": {"N": "7"}},
        "SequenceNumber": "41",
        "SizeBytes": 18,
    } == first["dynamodb"]
    assert {"S": '{"plan":"pro"}'} == second["dynamodb"]["NewImage"]["metadata"]
    assert "42" == second["dynamodb"]["SequenceNumber"]
    assert first["eventID"] != second["eventID"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"sed": {}}, "sed: unknown; known are event, expected, key, messages, records, seed, token, with"),
        (
            {"seed": {"item": {}}},
            "seed.item: unknown; known are archive, dynamodb, environment, eventbridge, items, pepper, s3, table",
        ),
        (
            {"expected": {"response": 1}},
            "expected.response: unknown; known are added, answer, archived, changed, error, published, put_aside",
        ),
        (
            {"expected": answer(dta={})},
            "expected.answer.dta: unknown; known are body, data, error, headers",
        ),
        ({"expected": answer(data=None)}, "expected.answer: one of data, error and body is required"),
        ({"expected": answer(error="GONE")}, "expected.answer.error: keywright.errors has no GONE"),
        ({"with": "up"}, "with: events/base/up.json does not exist"),
        ({"with": ["down", "up"]}, "with: events/base/up.json does not exist"),
        ({"seed": {"items": {"kee": {}}}}, "seed.items.kee: not in events/items.json, and without pk and sk"),
        ({"expected": {"added": {"kee": {}}}}, "expected.added.kee: not in events/items.json, and without pk and sk"),
        ({"seed": {"items": {"key": {}}}, "expected": NO_ITEM}, "expected.changed.kee: no item kee in the seed: key"),
        ({"expected": {"removed": ["key"]}}, "expected.removed: no item key in the seed: empty"),
        ({"records": {"kee": {}}}, "records.kee: not in events/items.json, and without pk and sk"),
        (
            {"records": {"key": {}}, "expected": {"answer": {"batchItemFailures": ["kee"]}}},
            "expected.answer: there is no record kee",
        ),
        ({"event": {"path": "${event.pth}"}}, "${event.pth}: there is no such value"),
        ({"event": {"path": "${api_key}"}}, "${key}: there is no such value"),
    ],
)
def test_a_mistake_names_the_file_and_the_field(
    case: Callable[..., Case], content: dict[str, Any], problem: str
) -> None:
    """GIVEN a copied file with a mistake WHEN it is expanded THEN the error says where it is, and what is known."""
    wrong = case(**content)

    with pytest.raises(CaseError) as raised:
        _ = (wrong.event, wrong.seed, wrong.expected)

    assert str(raised.value).startswith(f"events/get_key/200_ok.json: {problem}")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"seed": {},\n}', "line 2: "),
        ('{"seed": {"items": {"key": {}, "key": {}}}}', "key: twice in one object"),
    ],
)
def test_a_file_that_is_not_proper_json_is_named(case: Callable[..., Case], text: str, problem: str) -> None:
    """A syntax error has its line, and a name that a copy left twice is refused."""
    broken = case()
    broken.file.write_text(text)

    with pytest.raises(CaseError, match=f"^events/get_key/200_ok.json: {problem}"):
        _ = broken.event


def test_a_missing_base_of_the_function_is_named(tmp_path: Path) -> None:
    """GIVEN a function's folder without base.json THEN the error says so."""
    file = tmp_path / "get_key" / "200_ok.json"
    file.parent.mkdir()
    file.write_text("{}")

    with pytest.raises(CaseError, match=r"200_ok.json: with: events/get_key/base.json does not exist"):
        _ = Case(file).event


def test_only_files_are_cases(case: Callable[..., Case], tmp_path: Path) -> None:
    """Written folders, empty folders and caches next to the files are not read."""
    only = case()
    write(only)
    (tmp_path / "removed_function" / "200_ok").mkdir(parents=True)
    (tmp_path / "get_key" / "__pycache__").mkdir()

    assert [str(only)] == [str(found) for found in read_cases(tmp_path)]


def test_whole_files_are_written(case: Callable[..., Case]) -> None:
    """`make event` writes the three whole files into a folder of the case's name."""
    complete = case()

    folder = write(complete)

    assert "200_ok" == folder.name
    assert complete.event == json.loads((folder / "event.json").read_text())
    assert complete.seed == json.loads((folder / "seed.json").read_text())
    assert complete.expected == json.loads((folder / "expected.json").read_text())


def test_only_missing_files_are_written(case: Callable[..., Case], monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN an event that the user has changed WHEN missing files are written THEN it is left as it is."""
    changed = write(case()) / "event.json"
    changed.write_text("{}")
    missing = case("200_another").file.with_suffix("")
    events = changed.parents[2]
    monkeypatch.setattr(cases, "read_cases", lambda: read_cases(events))

    assert 0 == main(["--missing"])
    assert "{}" == changed.read_text()
    assert (missing / "event.json").is_file()


@pytest.mark.parametrize(
    "path", ["events/create_api_key/200_minimal", "events/create_api_key/200_minimal/", f"{MINIMAL}"]
)
def test_a_path_names_a_case(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A case is named by its file, with or without the suffix, or by the folder of its whole files."""
    monkeypatch.chdir(EVENTS.parent)

    assert Case(MINIMAL) == recorded(Path(path))


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "events",
        "events/create_api_key/base.json",
        "events/items.json",
        "events/create_api_key/200_minimal/event.json",
    ],
)
def test_other_paths_name_no_case(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bases, items and whole files are no cases."""
    monkeypatch.chdir(EVENTS.parent)

    assert recorded(Path(path)) is None


def test_an_unknown_case_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    """`make event` says which case does not exist, and fails."""
    assert 1 == main(["create_api_key/200_no_such_case"])
    assert capsys.readouterr().err.startswith("there is no case create_api_key/200_no_such_case")
