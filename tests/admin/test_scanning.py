"""The commands of `scanning`: rules for scanners, and the check of what they found. They need no deployment."""

from __future__ import annotations

import io
import json
import random
import re
import tomllib
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from rich.cells import cell_len

from keywright_admin.failures import ExitCode
from tests.scanners.corpus import PREFIX, new_key
from tests.support.environment import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.command_result import CommandResult

    Run = Callable[..., CommandResult]

LONGEST_PREFIX = "a123456789_12345678_"
KEYS = [new_key(random.Random(seed)) for seed in range(3)]  # noqa: S311 - reproducible
HINTS = [f"kk_...{key[-4:]}" for key in KEYS]
MISTYPED = KEYS[0][:50] + ("x" if KEYS[0][50] != "x" else "y") + KEYS[0][51:]


@pytest.fixture(autouse=True)
def no_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove what names a deployment or AWS credentials, and any connection."""
    for name in (
        "TABLE_NAME",
        "KEY_PREFIX",
        "KEYWRIGHT_URL",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_REGION",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def check(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs `scanning check` on a text."""

    def checking(text: str, *arguments: str) -> CommandResult:
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        return run("scanning", "check", "--prefix", PREFIX, *arguments)

    return checking


def test_rules_need_no_deployment(run: Run) -> None:
    """GIVEN no credentials, and no network, as in every test without a server THEN a prefix's rules are printed."""
    output = run("scanning", "rules", "--prefix", "acme_", "--json").json("scanning-rules")

    assert "acme_" == output["prefix"]
    assert 97 == output["characters"]
    assert re.compile(output["pattern"]).search(f"'{new_key(random.Random(1), 'acme_')}'")  # noqa: S311
    assert {"name": "acme_api_key", "pattern": "acme_0[E-S][0-9A-Za-z]{90}", "endpoint": None} == output["github"]


@pytest.mark.parametrize("scanner", ["gitleaks", "trufflehog"])
def test_a_rule_is_printed_as_a_file(run: Run, scanner: str) -> None:
    """The output is the configuration of the scanner, as in the JSON."""
    text = run("scanning", "rules", scanner, "--prefix", PREFIX).text()

    assert run("scanning", "rules", "--prefix", PREFIX, "--json").json("scanning-rules")[scanner] == text


def test_the_rule_of_gitleaks(run: Run) -> None:
    """The rule has the expression and its group, and adds to gitleaks' own rules."""
    rules = run("scanning", "rules", "--prefix", PREFIX, "--json").json("scanning-rules")

    configuration = tomllib.loads(rules["gitleaks"])

    assert {"useDefault": True} == configuration["extend"]
    (rule,) = configuration["rules"]
    assert rules["pattern"] == rule["regex"]
    assert 1 == rule["secretGroup"]
    assert ["kk_"] == rule["keywords"]


@pytest.mark.parametrize("scanner", [(), ("gitleaks",), ("trufflehog",), ("github",)])
def test_rules_fit_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch, scanner: tuple[str, ...]) -> None:
    """No line is wider than 80 columns, but for one with the expression in a file."""
    monkeypatch.setenv("COLUMNS", "80")

    lines = run("scanning", "rules", *scanner, "--prefix", PREFIX).text().splitlines()

    assert [] == [line for line in lines if cell_len(line) > 80 and not line.strip().startswith(("regex =", "key:"))]


def test_the_endpoint_is_that_of_the_deployment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN the address of the API THEN what GitHub asks for has the endpoint that takes its reports."""
    monkeypatch.setenv("KEYWRIGHT_URL", "https://api.example.com/v1/")

    text = run("scanning", "rules", "github", "--prefix", PREFIX).text()

    assert "endpoint\n  https://api.example.com/v1/leaks/github\n" in text
    assert "regular expression\n  kk_0[E-S][0-9A-Za-z]{90}\n" in text
    assert "kk_api_key" in text


@pytest.mark.allow_hosts(LOOPBACK)
def test_the_prefix_of_a_deployment(local_stack: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """GIVEN a deployment THEN its prefix is used, unless --prefix says otherwise."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("STACK_FILE", str(local_stack))

    assert "kk_" == run("--local", "scanning", "rules", "--json").json("scanning-rules")["prefix"]
    assert "x_" == run("scanning", "rules", "--local", "--prefix", "x_", "--json").json("scanning-rules")["prefix"]


@pytest.mark.parametrize("command", ["rules", "check"])
def test_a_prefix_is_needed(run: Run, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Without a prefix, or with one that no deployment can have, the usage is wrong."""
    missing = run("scanning", command).failure(ExitCode.USAGE)
    wrong = run("scanning", command, "--prefix", "KK").failure(ExitCode.USAGE)
    monkeypatch.setenv("KEY_PREFIX", "KK")
    of_environment = run("scanning", command).failure(ExitCode.USAGE)

    assert "no prefix: pass --prefix PREFIX, --stack NAME or --local, or set KEY_PREFIX" == missing
    assert "a prefix has 2 to 20 lower-case letters, digits and underscores, as kk_" in wrong
    assert "a prefix has 2 to 20 lower-case letters, digits and underscores, as kk_" in of_environment


@pytest.mark.parametrize("prefix", ["a_", LONGEST_PREFIX])
def test_any_prefix_of_a_stack_is_taken(run: Run, prefix: str) -> None:
    """The shortest and the longest prefix that the template allows."""
    assert prefix in run("scanning", "rules", "--prefix", prefix).text()


def test_keys_in_a_text_are_found(check: Run) -> None:
    """GIVEN keys and a mistyped one in a text THEN each key is shown by its hint and its line, never by its text."""
    text = f"KEY={KEYS[0]}\n\nurl: https://example.com/?key={KEYS[1]}&old={MISTYPED}\n"

    found = check(text, "--json")
    shown = check(text)

    assert {
        "keys": [{"place": "line 1", "hint": HINTS[0]}, {"place": "line 3", "hint": HINTS[1]}],
        "others": 1,
    } == found.json("checked-texts", ExitCode.FOUND)
    assert [
        "key         place",
        "----------  ------",
        f"{HINTS[0]}  line 1",
        f"{HINTS[1]}  line 3",
        "1 more with the form of a key and a wrong checksum.",
    ] == shown.output.splitlines()
    assert ExitCode.FOUND == shown.code
    assert "" == shown.errors
    for result in (found, shown):
        assert not any(key[5:-4] in result.output or key[5:15] in result.output for key in KEYS)


def gitleaks_report(*findings: tuple[str, int, str]) -> str:
    """Return a report as gitleaks writes it."""
    return json.dumps(
        [
            {"RuleID": "keywright-api-key", "StartLine": line, "Match": f'"{text}"', "Secret": text, "File": file}
            for file, line, text in findings
        ],
        indent=1,
    )


def trufflehog_report(*findings: tuple[str, int, str], source: str = "Filesystem") -> str:
    """Return a report as TruffleHog writes it with --json."""
    return "".join(
        json.dumps(
            {
                "SourceMetadata": {"Data": {source: {"file": file, "line": line}}},
                "DetectorName": "CustomRegex",
                "Verified": False,
                "Raw": text,
                "RawV2": "",
            }
        )
        + "\n"
        for file, line, text in findings
    )


@pytest.mark.parametrize("report", [gitleaks_report, trufflehog_report])
def test_a_report_is_checked(check: Run, report: Callable[..., str]) -> None:
    """GIVEN the JSON report of a scanner THEN each key is shown with file and line, once."""
    text = report(
        ("src/app.py", 12, KEYS[0]), ("src/app.py", 12, KEYS[0]), (".env", 1, KEYS[0]), ("b.txt", 3, MISTYPED)
    )

    output = check(text, "--json").json("checked-texts", ExitCode.FOUND)

    places = [{"place": place, "hint": HINTS[0]} for place in ("src/app.py:12", ".env:1")]
    assert {"keys": places, "others": 1} == output


def test_a_report_with_what_surrounds_a_key_is_checked(check: Run) -> None:
    """Versions of TruffleHog that report the whole match, and other sources than folders, are understood."""
    text = trufflehog_report(("a", 1, f"_{KEYS[0]}_"), ("b", 2, f"%3D{KEYS[1]}"), source="Git")

    output = check(text, "--json").json("checked-texts", ExitCode.FOUND)

    assert [("a:1", HINTS[0]), ("b:2", HINTS[1])] == [(each["place"], each["hint"]) for each in output["keys"]]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "[]",
        "{}",
        "null",
        "[1, 2]",
        '{"Secret": 1}',
        '[{"Secret": "x"}]',
        '{"Raw": "x", "SourceMetadata": {"Data": {"Git": null}}}',
        pytest.param("[" * 100_000, id="deep"),
        "plain text",
        "\ufffd\0\x1b[2J",
    ],
)
def test_nothing_is_found_in_other_input(check: Run, text: str) -> None:
    """GIVEN input without keys, JSON of any form or binary THEN there are none, and the command succeeds."""
    assert "No keys.\n" == check(text).text()


@pytest.mark.parametrize(
    "text",
    [
        f"\N{CJK UNIFIED IDEOGRAPH-4E2D}{KEYS[0]}",
        f"\f{KEYS[0]}",
        json.dumps({"key": KEYS[0]}),
        pytest.param(json.dumps({"Secret": KEYS[0]})[:-1] + f', "x": {"[" * 900}{"]" * 900}}}', id="deep"),
        json.dumps([{"Secret": KEYS[0]}, {"other": 1}]),
        json.dumps({"Raw": KEYS[0], "SourceMetadata": None}),
        json.dumps({"Raw": None, "message": f"\n{KEYS[0]}"}),
        json.dumps([{"Secret": "REDACTED", "Match": f"\x1b{KEYS[0]}<"}]),
        json.dumps([[KEYS[0]]]),
    ],
)
def test_other_text_is_searched(check: Run, text: str) -> None:
    """GIVEN text of any kind, or JSON that is no report of a known form THEN keys in it are found all the same."""
    output = check(text, "--json").json("checked-texts", ExitCode.FOUND)

    assert [HINTS[0]] == [each["hint"] for each in output["keys"]]


def test_bytes_that_are_not_utf_8(check: Run, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    """GIVEN a binary file THEN a key in it is found."""
    del check
    binary = io.TextIOWrapper(io.BytesIO(b"\xff\xfe\x00" + KEYS[0].encode() + b"\x80\n"), "ascii")
    monkeypatch.setattr("sys.stdin", binary)

    output: dict[str, Any] = run("scanning", "check", "--prefix", PREFIX, "--json").json(
        "checked-texts", ExitCode.FOUND
    )

    assert [{"place": "line 1", "hint": HINTS[0]}] == output["keys"]


def test_places_cannot_control_the_terminal(check: Run) -> None:
    """GIVEN a file name with an escape sequence in a report THEN it is printed escaped."""
    output = check(gitleaks_report(("a\x1b[2Jb", 1, KEYS[0]))).output

    assert "\x1b" not in output
    assert "a\\x1b[2Jb:1" in output
