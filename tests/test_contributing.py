"""CONTRIBUTING.md names files, names and commands that exist."""

from __future__ import annotations

import re

import pytest

from tests.support.environment import ROOT

GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
LAYER = ROOT / "layers" / "shared" / "python" / "keywright"

_QUOTED = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"[.\w]+(/[\w.-]+)*(\.(py|md|yaml|json)|/)|\.ci/run")
_NAMES = re.compile(r"((?:`\w+`(?:, | and )?)+)(?: with [^`:;]*)? (?:in|of) `([^`]+\.py)`")

PATHS = sorted({quoted for quoted in _QUOTED.findall(GUIDE) if _PATH.fullmatch(quoted)})
NAMES = sorted(
    {(name, path) for names, path in _NAMES.findall(GUIDE) for name in re.findall(r"`(\w+)`", names)}
    | {
        (name, path)
        for path, text in re.findall(r"^\d\. `([\w/]+\.py)`: (.*?)(?=^\d\. |\Z|^#)", GUIDE, re.MULTILINE | re.DOTALL)
        for name in re.findall(r"`(\w+)`", text)
    }
)
TARGETS = sorted(set(re.findall(r"`make ([a-z0-9-]+)", GUIDE)))


@pytest.mark.parametrize("path", PATHS)
def test_a_named_file_exists(path: str) -> None:
    """A path is one of the repository or of the layer."""
    assert (ROOT / path).exists() or (LAYER / path).exists()


@pytest.mark.parametrize(("name", "path"), NAMES)
def test_a_named_name_is_in_its_file(name: str, path: str) -> None:
    """A constant, class or function is in the file that the guide names with it."""
    file = ROOT / path if (ROOT / path).is_file() else LAYER / path

    assert re.search(rf"\b{name}\b", file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("target", TARGETS)
def test_a_named_command_exists(target: str) -> None:
    """Every `make ...` is a target."""
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_there_is_something_to_check() -> None:
    """The rules above apply to the files, names and commands of the guide."""
    assert {"template.yaml", "store/api_keys.py", "tests/test_events.py", "docs/using.md"} <= set(PATHS)
    assert {("STATUSES", "tests/test_events.py"), ("parse_api_key", "store/api_keys.py")} <= set(NAMES)
    assert {"generate", "capacity"} <= set(TARGETS)
