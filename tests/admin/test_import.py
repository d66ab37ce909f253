"""`keys import`: files, what is reported of each line, and exit codes."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

from keywright.errors import SERVICE_UNAVAILABLE, ServiceError
from keywright.keys.outcome import Code
from keywright.keys.verification import requiring, verify
from keywright.store import pepper
from keywright.store import table as table_module
from keywright_admin.failures import ExitCode
from local.demo import ACTIVE_ORGANIZATION_ID
from tests.support import faults
from tests.support.depth import size
from tests.support.environment import ROOT, new_container
from tests.support.imported_keys import new_text
from tests.support.sample_keys import SampleKey
from tests.support.world import OTHER_ORGANIZATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from keywright.domain.keyring import Keyring
    from tests.support.command_result import CommandResult
    from tests.support.world import Table

ORGANIZATION = ACTIVE_ORGANIZATION_ID
TEXT = "acme_4eC39HqLyjWDarjtT1zdp7dcABCDwxyz"
HEADER = "key,name,permissions"
LINE = f"{TEXT},CI,sessions:read"
CATALOGUE = "webhooks:read, webhooks:write, sessions:read, sessions:write, analytics:read"
LINES = size("IMPORTED_LINES", 25, full=100)


@pytest.fixture(autouse=True)
def _takes_imported_keys(environment: pytest.MonkeyPatch, table: Table) -> None:
    """Let the deployment take imported keys."""
    del table
    environment.setenv("IMPORTED_KEYS", "on")


@pytest.fixture
def load(run: Callable[..., CommandResult], tmp_path: Path) -> Callable[..., CommandResult]:
    """Return a function that imports a file of these lines."""

    def importing(lines: list[str], *options: str, organization: str = ORGANIZATION) -> CommandResult:
        path = tmp_path / "keys.csv"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return run("keys", "import", str(path), "--organization", organization, *options)

    return importing


def keys(table: Table) -> list[dict[str, object]]:
    """Return the items of all keys."""
    return table.under("KEY#")


def reasons(result: CommandResult, code: int = ExitCode.REFUSED) -> dict[int, str]:
    """Return why lines were refused, of a command with --json."""
    assert code == result.code, result.errors
    return {line["line"]: line["reason"] for line in json.loads(result.output)["lines"] if line["reason"]}


# ---- What is imported ------------------------------------------------------------------------------------------


def test_a_key_is_imported(table: Table, load: Callable[..., CommandResult]) -> None:
    """The report names line, key and name; the text verifies, and is nowhere in the output."""
    output = load([HEADER, LINE]).text()

    (item,) = keys(table)
    key_id = str(item["sk"]).removeprefix("KEY#")
    assert [
        "line  result   id                                    name",
        "----  -------  ------------------------------------  ----",
        f"2     created  {key_id}  CI",
        "Imported 1 key. Already there: 0. Refused: 0.",
    ] == output.splitlines()
    assert Code.VALID == verify(TEXT, requiring(["sessions:read"])).code


def test_every_column(table: Table, load: Callable[..., CommandResult]) -> None:
    """Columns may come in any order, case and spelling; empty cells are as if the column were not there."""
    header = "Name,ALLOWED_IPS,quota,rate_limit,created-by,metadata,expires_at,enabled,permissions,sha256,sha512,key"
    metadata = '"{""plan"": ""pro"", ""seats"": 3}"'
    full = f'CI,192.0.2.0/24 2001:db8::1,100/month,"60/1m,burst=5",user_7,{metadata},2099-12-31T23:59:59Z,no,'
    load(
        [header, f'{full}"sessions:read; webhooks:write",,,{TEXT}', f"Plain,,,,,,,,sessions:read,,,{new_text()}"]
    ).text()

    by_name = {item["name"]: item for item in keys(table)}
    assert {
        "permissions": ["sessions:read", "webhooks:write"],
        "metadata": '{"plan":"pro","seats":3}',
        "enabled": False,
        "expires_at": "2099-12-31T23:59:59.000Z",
        "created_by": "user_7",
        "rate_limit": '{"limit":60,"windowSeconds":60,"burst":5}',
        "quota": '{"limit":100,"period":"month"}',
        "allowed_ips": ["192.0.2.0/24", "2001:db8::1"],
        "hint": "...wxyz",
    }.items() <= by_name["CI"].items()
    plain = by_name["Plain"]
    assert True is plain["enabled"]
    assert not {"expires_at", "rate_limit", "quota", "allowed_ips"} & plain.keys()
    assert str(plain["created_by"]).startswith("arn:aws:sts::")


def sha256(text: str) -> bytes:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).digest()


STORED: dict[str, tuple[str, Callable[[str], str]]] = {
    "SHA-256 in hex": ("sha256", lambda text: sha256(text).hex()),
    "SHA-256 in capitals": ("sha256", lambda text: sha256(text).hex().upper()),
    "Unkey": ("sha256", lambda text: base64.b64encode(sha256(text)).decode()),
    "better-auth": ("sha256", lambda text: base64.urlsafe_b64encode(sha256(text)).decode().rstrip("=")),
    "djangorestframework-api-key": ("sha512", lambda text: f"sha512$${hashlib.sha512(text.encode()).hexdigest()}"),
    "SHA-512 in base64": ("sha512", lambda text: base64.b64encode(hashlib.sha512(text.encode()).digest()).decode()),
}


@pytest.mark.parametrize("issuer", STORED)
def test_what_other_issuers_store(load: Callable[..., CommandResult], issuer: str) -> None:
    """GIVEN hashes as an issuer stores them WHEN they are imported THEN the texts verify; hints disclose nothing."""
    column, stored = STORED[issuer]
    texts = [new_text() for _ in range(20)]

    load([f"{column},name", *(f"{stored(text)},{number}" for number, text in enumerate(texts))], *ALL).text()

    assert {Code.VALID} == {verify(text).code for text in texts}
    assert Code.NOT_FOUND == verify(new_text()).code


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        *((cell, True) for cell in ("TRUE", "t", "1", "yes", "")),
        *((cell, False) for cell in ("False", "f", "0", "no")),
    ],
)
def test_booleans_of_other_programs(
    table: Table,
    load: Callable[..., CommandResult],
    cell: str,
    expected: bool,  # noqa: FBT001 - a case
) -> None:
    """The words of spreadsheets and databases, in any case."""
    load([f"{HEADER},enabled", f"{LINE},{cell}"]).text()

    assert [expected] == [item["enabled"] for item in keys(table)]


GUIDE = (ROOT / "docs" / "import.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```csv\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_the_examples_of_the_guide(load: Callable[..., CommandResult], example: str) -> None:
    """GIVEN a file as the guide shows it WHEN it is imported as the guide says THEN every line is a key."""
    lines = example.splitlines()
    options = ["--format", "api-gateway", *ALL] if "usageplanIds" in example else []

    output = load(lines, *options, "--json").json("imported-keys")

    assert len(lines) - 1 == output["created"] == len(output["lines"])


def test_the_guide_has_an_example_of_every_issuer() -> None:
    """The test above applies to existing examples."""
    assert 5 == len(EXAMPLES)
    assert {"key", "sha256", "sha512", "Name"} == {example.split(",")[0] for example in EXAMPLES}


ALL = ("--permissions", "sessions:read,webhooks:write")


def test_a_file_of_api_gateway(table: Table, load: Callable[..., CommandResult]) -> None:
    """Its columns come in any case and order, usage plans and unknown columns are ignored, a description is kept."""
    lines = [
        "Name,key,description,Enabled,usageplanIds,Extra",
        f'MyFirstApiKey,{TEXT},An imported key,TRUE,"c7y23b,glvrsr",x',
        f"Second,{new_text()},,false,c7y23b,",
        f"Third,{new_text()},,,,",
    ]

    load(lines, "--format", "api-gateway", *ALL).text()

    by_name = {item["name"]: item for item in keys(table)}
    assert '{"description":"An imported key"}' == by_name["MyFirstApiKey"]["metadata"]
    assert ["sessions:read", "webhooks:write"] == by_name["MyFirstApiKey"]["permissions"]
    assert [True, False, True] == [by_name[name]["enabled"] for name in ("MyFirstApiKey", "Second", "Third")]
    assert "{}" == by_name["Third"]["metadata"]
    assert Code.VALID == verify(TEXT).code


def test_a_file_on_standard_input(
    table: Table, run: Callable[..., CommandResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a byte order mark and the line ends of Windows, as spreadsheets write it."""
    content = f"\ufeff{HEADER}\r\n{LINE}\r\n\r\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content.encode())))

    run("keys", "import", "-", "--organization", ORGANIZATION).text()

    assert ["CI"] == [item["name"] for item in keys(table)]


def test_many_lines(table: Table, load: Callable[..., CommandResult]) -> None:
    """A file with many keys is imported, and imported again without a write."""
    lines = [HEADER, *(f"{new_text()},key {number},sessions:read" for number in range(LINES))]

    first = load(lines, "--json").json("imported-keys")
    before = table.items()
    second = load(lines, "--json").json("imported-keys")

    counts = ("created", "alreadyThere", "refused")
    assert [LINES, 0, 0] == [first[count] for count in counts]
    assert [0, LINES, 0] == [second[count] for count in counts]
    assert [line["id"] for line in first["lines"]] == [line["id"] for line in second["lines"]]
    assert list(range(2, LINES + 2)) == [line["line"] for line in second["lines"]]
    assert before == table.items()


# ---- Nothing is written ----------------------------------------------------------------------------------------


def test_a_dry_run_changes_nothing(table: Table, load: Callable[..., CommandResult]) -> None:
    """It reads, and reports what an import would do."""
    load([HEADER, LINE]).text()
    before = table.items()

    with faults.injected():
        output = load([HEADER, LINE, f"{new_text()},Next,sessions:read"], "--dry-run", "--json").json("imported-keys")

    assert True is output["dryRun"]
    assert ["already there", "created"] == [line["result"] for line in output["lines"]]
    assert output["lines"][1]["id"] is None
    assert before == table.items()


def test_one_refused_line_stops_all(table: Table, load: Callable[..., CommandResult]) -> None:
    """Nothing is written before every line is right; the report has all of them."""
    before = table.items()

    result = load([HEADER, LINE, f"{new_text()},,sessions:read", f"{new_text()},Next,unknown:read"])

    assert ExitCode.REFUSED == result.code
    assert [
        "line  result     id  name",
        "----  ---------  --  ----",
        "2     not tried  -   CI",
        "line 3  name must have at least 1 character. name is a string of 1 to 120 characters.",
        f"line 4  permissions[0] is not a permission of this service. Use any of: {CATALOGUE}.",
        "Imported 0 keys. Already there: 0. Refused: 2.",
        "Correct the refused lines, or pass --keep-going to import the others.",
    ] == result.output.splitlines()
    assert before == table.items()


def test_the_others_can_be_imported(table: Table, load: Callable[..., CommandResult]) -> None:
    """With --keep-going the exit code still says that lines were refused."""
    result = load([HEADER, LINE, f"{new_text()},,sessions:read"], "--keep-going", "--json")

    assert {3: "name must have at least 1 character. name is a string of 1 to 120 characters."} == reasons(result)
    assert ["CI"] == [item["name"] for item in keys(table)]


def test_a_failure_says_how_much_was_imported(
    table: Table, load: Callable[..., CommandResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIVEN DynamoDB stops answering in between THEN the rest can be imported by the same command."""
    lines = [HEADER, *(f"{new_text()},key {number},sessions:read" for number in range(4))]
    commit = table_module.commit
    written: list[object] = []

    def failing(*arguments: object) -> None:
        if len(written) == 2:
            raise ServiceError(SERVICE_UNAVAILABLE, reason="AWS did not answer")
        written.append(arguments)
        commit(*arguments)  # type: ignore[arg-type]  # passed on

    with monkeypatch.context() as patch:
        patch.setattr(table_module, "commit", failing)
        result = load(lines)

    assert ExitCode.UNAVAILABLE == result.code
    assert "" == result.output
    assert [
        "keywright-admin: imported 2 of 4 keys before the failure; run the command again for the rest",
        "keywright-admin: AWS did not answer; the change may have been made",
    ] == result.errors.splitlines()
    assert 2 == len(keys(table))
    assert "Imported 2 keys. Already there: 2. Refused: 0." == load(lines).text().splitlines()[-1]


def test_another_organizations_key(table: Table, load: Callable[..., CommandResult]) -> None:
    """The line is refused, with the organization's id."""
    table.put_organization(OTHER_ORGANIZATION_ID)
    load([HEADER, LINE], organization=OTHER_ORGANIZATION_ID).text()

    result = load([HEADER, LINE], "--json")

    assert {2: f"the key belongs to organization {OTHER_ORGANIZATION_ID}"} == reasons(result)
    assert 1 == len(keys(table))


RULE = "it must have exactly one of key, sha256, sha512"
FORM = "sha256 must be 32 bytes in hexadecimal, base64 or base64url"
REFUSED = {
    "no key": (",,,CI,sessions:read,,,", RULE),
    "two of a key": (f"{TEXT},{'0' * 64},,CI,sessions:read,,,", RULE),
    "a short text": ("short,,,CI,sessions:read,,,", "the key must have 8 to 512 printable ASCII characters"),
    "no hex": (f",{'x' * 64},,CI,sessions:read,,,", FORM),
    "hex of another length": (f",{'0' * 63},,CI,sessions:read,,,", FORM),
    "base64 of another length": (f",{'A' * 42},,CI,sessions:read,,,", FORM),
    "base64 with spare bits": (f",{'A' * 42}B,,CI,sessions:read,,,", FORM),
    "the other algorithm": (
        f",,{'0' * 64},CI,sessions:read,,,",
        "sha512 must be 64 bytes in hexadecimal, base64 or base64url",
    ),
    "a blank name": (
        f"{TEXT},,,  ,sessions:read,,,",
        "name must have at least 1 character. name is a string of 1 to 120 characters.",
    ),
    "a long name": (
        f"{TEXT},,,{'n' * 121},sessions:read,,,",
        "name must have at most 120 characters. name is a string of 1 to 120 characters.",
    ),
    "no permission": (
        f"{TEXT},,,CI,,,,",
        "permissions must have at least 1 item. permissions is an array of one or more",
    ),
    "no such state": (f"{TEXT},,,CI,sessions:read,perhaps,,", "enabled must be true or false"),
    "no time": (f"{TEXT},,,CI,sessions:read,,tomorrow,", "expiresAt must be an RFC 3339 time."),
    "a time in the past": (f"{TEXT},,,CI,sessions:read,,2020-01-01T00:00:00Z,", "expiresAt must be in the future."),
    "no JSON": (f"{TEXT},,,CI,sessions:read,,,{{", "metadata must be a JSON object"),
    "no object": (f"{TEXT},,,CI,sessions:read,,,[]", "metadata must be an object."),
    "deep JSON": (f"{TEXT},,,CI,sessions:read,,,{'[' * 100_000}", "metadata must be a JSON object"),
    "too few fields": (f"{TEXT},,,CI", "it has 4 fields, and the header has 8"),
    "too many fields": (f"{TEXT},,,CI,sessions:read,,,,", "it has 9 fields, and the header has 8"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_lines(table: Table, load: Callable[..., CommandResult], case: str) -> None:
    """Each rule of the API, and of the file, is named, with the line: the first of a row of several."""
    line, expected = REFUSED[case]
    before = table.items()

    result = load(
        [
            "key,sha256,sha512,name,permissions,enabled,expires_at,metadata",
            f'{new_text()},,,"two\nlines",sessions:read,,,'.replace("\n", " "),
            "",
            line,
        ],
        "--json",
    )

    assert reasons(result)[4].startswith(expected)
    assert before == table.items()
    assert TEXT not in result.output + result.errors


def test_line_numbers_count_lines_of_the_file(load: Callable[..., CommandResult]) -> None:
    """GIVEN a field with a line break WHEN a later row is refused THEN the line is that of an editor."""
    metadata = '"{""a"":\n1}"'
    result = load(
        ["key,name,permissions,metadata", f"{TEXT},CI,sessions:read,{metadata}", f"{new_text()},,sessions:read,{{}}"],
        "--json",
    )

    assert [4] == list(reasons(result))


# ---- Files that are no files of keys ---------------------------------------------------------------------------

FILES = {
    "empty": ([], "the first line must name the columns: name, and key or sha256 or sha512"),
    "no header": ([LINE], "column 1 of the first line is unknown; the columns are key, sha256"),
    "a misspelled column": ([f"{HEADER},expires", f"{LINE},"], "column 4 of the first line is unknown;"),
    "no name": (["key,permissions"], "the first line must name the columns: name, and key or sha256 or sha512"),
    "no key": (["name,permissions"], "the first line must name the columns: name, and key or sha256 or sha512"),
    "a column twice": (["key,name,Name"], "the first line names a column twice"),
    "an open quote": ([HEADER, f'"{LINE}'], "line 2 is not CSV (RFC 4180)"),
    "text after a quote": ([HEADER, f'"{TEXT}"x,CI,sessions:read'], "line 2 is not CSV (RFC 4180)"),
}


@pytest.mark.parametrize("case", FILES)
def test_unusable_files(load: Callable[..., CommandResult], case: str) -> None:
    """The message names the place, and repeats nothing of the file."""
    lines, expected = FILES[case]

    line = load(lines).failure(ExitCode.USAGE)

    assert line.startswith(expected)
    assert TEXT not in line


def test_a_file_that_cannot_be_read(run: Callable[..., CommandResult], tmp_path: Path) -> None:
    """A text that was passed in place of a file is not repeated."""
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    arguments = ("--organization", ORGANIZATION)

    missing = run("keys", "import", TEXT, *arguments).failure(ExitCode.USAGE)
    folder = run("keys", "import", str(tmp_path), *arguments).failure(ExitCode.USAGE)
    binary = run("keys", "import", str(tmp_path / "binary.csv"), *arguments).failure(ExitCode.USAGE)

    assert "FILE cannot be read: No such file or directory" == missing
    assert "FILE cannot be read: Is a directory" == folder
    assert "the file is not UTF-8 text" == binary


def test_an_organization_that_gets_no_keys(table: Table, load: Callable[..., CommandResult]) -> None:
    """One that does not exist, and one that is scheduled for deletion; named as they were typed."""
    table.put_organization(OTHER_ORGANIZATION_ID, pending_deletion_at="2099-12-01T00:00:00.000Z")

    missing = load([HEADER, LINE], organization="org_unknown").failure(ExitCode.NOT_FOUND)
    frozen = load([HEADER, LINE], organization=OTHER_ORGANIZATION_ID).failure(ExitCode.REFUSED)

    assert "there is no organization org_unknown" == missing
    assert f"organization {OTHER_ORGANIZATION_ID} is scheduled for deletion" == frozen


def test_a_key_of_this_deployment(load: Callable[..., CommandResult]) -> None:
    """It would never be looked up."""
    text = SampleKey().text()

    result = load([HEADER, f"{text},CI,sessions:read"], "--json")

    assert {2: "the key has the form of a key of this deployment"} == reasons(result)
    assert text[10:] not in result.output


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ("PEPPER_SECRET_ID", "the environment variable PEPPER_SECRET_ID is not set"),
        ("PERMISSIONS", "PERMISSIONS must list permissions as resource:action, separated by commas"),
    ],
)
def test_without_the_stacks_settings(
    load: Callable[..., CommandResult], environment: pytest.MonkeyPatch, missing: str, expected: str
) -> None:
    """A table that was named without its stack has no pepper and no permissions: the setting is named."""
    environment.delenv(missing)

    assert expected == load([HEADER, LINE]).failure(ExitCode.USAGE)


def test_pepper_that_cannot_be_read_is_no_refusal_of_a_line(
    load: Callable[..., CommandResult], environment: pytest.MonkeyPatch
) -> None:
    """GIVEN the first fetch fails, and a second one would not THEN it is a failure of AWS, not of the line.

    The line has a text of our form, whose tag is checked.
    """
    lines = [HEADER, f"{SampleKey().text()},CI,sessions:read"]
    fetch, failures = pepper._fetch, [ServiceError(SERVICE_UNAVAILABLE, reason="AWS did not answer")]

    def unavailable_at_first() -> Keyring:
        if failures:
            raise failures.pop()
        return fetch()

    environment.setattr(pepper, "_fetch", unavailable_at_first)

    assert "AWS did not answer; the change may have been made" == load(lines).failure(ExitCode.UNAVAILABLE)


def test_a_deployment_that_takes_no_imported_keys(
    table: Table, load: Callable[..., CommandResult], environment: pytest.MonkeyPatch
) -> None:
    """The keys are imported, and a warning says that they are refused."""
    environment.setenv("IMPORTED_KEYS", "off")

    result = load([HEADER, LINE])

    assert ExitCode.DONE == result.code
    warning = "the parameter ImportedKeys is off: set it to on, or imported keys are refused"
    assert f"keywright-admin: {warning}\n" == result.errors
    assert 1 == len(keys(table))


# ---- The screen ------------------------------------------------------------------------------------------------


def test_output_on_a_terminal_of_80_columns(
    load: Callable[..., CommandResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line is wider; ids are whole, names are cut, and reasons are wrapped."""
    monkeypatch.setenv("COLUMNS", "80")
    new_container()
    lines = [HEADER, f"{TEXT},{'Nightly export ' * 7},sessions:read", f"{new_text()},CI,unknown:read"]

    result = load(lines, "--keep-going")

    assert ExitCode.REFUSED == result.code
    assert [] == [line for line in result.output.splitlines() if cell_len(line) > 80]
    assert "Nightly export Nightly" in result.output
    assert "\N{HORIZONTAL ELLIPSIS}" in result.output
    assert "        " in result.output.splitlines()[4]  # the rest of a reason
