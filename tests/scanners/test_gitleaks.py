"""gitleaks with the rule of `scanning rules`, and `scanning check` behind it, find every key and nothing else."""

from __future__ import annotations

import io
import json
import random
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from keywright.domain import key_text
from keywright.operators import scanning
from keywright_admin import scanning as commands
from keywright_admin.command_line import main
from keywright_admin.failures import ExitCode
from tests.scanners import corpus
from tests.scanners.corpus import BEGINNING, PREFIX, repository_files
from tests.support.depth import size
from tests.support.environment import ROOT
from tests.support.figures import record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCANNED_KEYS = size("SCANNED_KEYS", 1_000)
SCANNED_TOKENS = size("SCANNED_TOKENS", 1_000_000)
RULE = "keywright-api-key"
WITHOUT_OTHER_RULES = ("--enable-rule", RULE)


def run(request: pytest.FixtureRequest, folder: Path, report: Path, *options: str, mode: str = "dir") -> str:
    """Scan a folder with gitleaks; return its report."""
    program = request.config.getoption("--gitleaks").absolute()
    command = [program, mode, folder, "--report-path", report, "--exit-code", "0", *options]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert 0 == finished.returncode, finished.stderr
    return report.read_text(encoding="utf-8")


@pytest.fixture
def scan(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., str]:
    """Return a function that scans a folder with the printed rule, and returns gitleaks' report."""
    configuration = tmp_path / "gitleaks.toml"
    configuration.write_text(commands.rules_of(PREFIX).gitleaks, encoding="utf-8")
    return lambda folder, *options: run(
        request, folder, tmp_path / "report.json", "--config", str(configuration), *options
    )


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Any]]:
    """Return a function that pipes a report into `scanning check`, and returns its output."""

    def checking(report: str) -> dict[str, Any]:
        monkeypatch.setattr("sys.stdin", io.StringIO(report))
        capsys.readouterr()
        code = main(["scanning", "check", "--prefix", PREFIX, "--json"])
        content: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert code == (ExitCode.FOUND if content["keys"] else ExitCode.DONE)
        return content

    return checking


@pytest.mark.parametrize("options", [(), WITHOUT_OTHER_RULES], ids=["all rules", "one rule"])
def test_every_key_is_found(
    scan: Callable[..., str], check: Callable[[str], dict[str, Any]], tmp_path: Path, options: tuple[str, ...]
) -> None:
    """GIVEN 1,000 keys in files of 12 formats THEN each is found at its place, alone and beside gitleaks' own rules."""
    folder = tmp_path / "keys"
    folder.mkdir()
    planted = corpus.plant_keys(folder, SCANNED_KEYS)

    report = scan(folder, *options)
    found = check(report)

    places = {(f"{each.path}:{each.line}", key_text.hint(each.key, PREFIX)) for each in planted}
    assert {each.key for each in planted} == {
        finding["Secret"] for finding in json.loads(report) if finding["RuleID"] == RULE
    }
    assert places == {(each["place"], each["hint"]) for each in found["keys"]}
    assert 0 == found["others"]
    record("scanners", keys=len(planted))


def test_no_random_token_is_found(
    scan: Callable[..., str], check: Callable[[str], dict[str, Any]], tmp_path: Path
) -> None:
    """GIVEN 1,000,000 tokens THEN the rule matches only prefix, beginning and length of a key, and the check none."""
    folder = tmp_path / "tokens"
    folder.mkdir()
    numbers = corpus.write_tokens(folder, SCANNED_TOKENS)

    report = scan(folder, *WITHOUT_OTHER_RULES)

    matched = {finding["Secret"] for finding in json.loads(report)}
    expected = {text for path in folder.iterdir() for text, _ in scanning.find(path.read_text(), PREFIX)}
    assert expected == matched
    assert numbers[BEGINNING] <= len(matched) <= numbers[BEGINNING] + numbers["length of a key"]
    assert {"keys": [], "others": len(matched)} == check(report)
    record("scanners", tokens=SCANNED_TOKENS, matches=len(matched))


def test_a_key_in_the_history_is_found(
    request: pytest.FixtureRequest, check: Callable[[str], dict[str, Any]], tmp_path: Path
) -> None:
    """GIVEN a key that a later commit removed THEN gitleaks finds it, with the .gitleaks.toml of the repository."""
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / ".gitleaks.toml").write_text(commands.rules_of(PREFIX).gitleaks, encoding="utf-8")
    key = corpus.new_key(random.Random(9))  # noqa: S311 - reproducible
    for command in (
        ["git", "init", "--quiet"],
        *(
            step
            for text in (f'KEY = "{key}"\n', "KEY = environ['KEY']\n")
            for step in (
                ["sh", "-c", 'printf %s "$0" > app.py', text],
                ["git", "add", "--all"],
                ["git", "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "--quiet", "--message=Change"],
            )
        ),
    ):
        subprocess.run(command, cwd=repository, check=True)  # noqa: S603

    found = check(run(request, repository, tmp_path / "report.json", mode="git"))

    assert {"keys": [{"place": "app.py:1", "hint": key_text.hint(key, PREFIX)}], "others": 0} == found


CHUNK_BYTES = 125_000
"""What gitleaks reads of a file at once, if it has no empty lines."""


def test_gitleaks_cuts_a_key_in_a_large_file(
    scan: Callable[..., str], check: Callable[[str], dict[str, Any]], tmp_path: Path
) -> None:
    """GIVEN a key at the end of a chunk of a file without empty lines THEN only the check of the file finds it."""
    folder = tmp_path / "logs"
    folder.mkdir()
    key = corpus.new_key(random.Random(8))  # noqa: S311 - reproducible
    for name, before in (("cut", CHUNK_BYTES - 50), ("whole", CHUNK_BYTES - 500)):
        content = "-" * 99 + "\n"
        (folder / name).write_text(
            (content * (before // len(content) + 1))[: before - 1] + f" {key}\n", encoding="ascii"
        )

    report = json.loads(scan(folder, *WITHOUT_OTHER_RULES))

    assert [str(folder / "whole")] == [finding["File"] for finding in report]
    assert 1 == len(check((folder / "cut").read_text(encoding="ascii"))["keys"])


@pytest.mark.parametrize("configuration", ["its own", "the rule"])
def test_a_clone_of_this_repository_sets_off_nothing(
    request: pytest.FixtureRequest, scan: Callable[..., str], tmp_path: Path, configuration: str
) -> None:
    """GIVEN the files of this repository THEN gitleaks finds nothing, with their .gitleaks.toml or with the rule."""
    clone = tmp_path / "clone"
    for path in repository_files():
        copy = clone / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())

    is_own = configuration == "its own"
    report = run(request, clone, tmp_path / "own.json") if is_own else scan(clone, *WITHOUT_OTHER_RULES)

    assert [] == json.loads(report)
