"""The console's script that get_console_script serves: complete in one file, and of the published libraries."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from typing import TYPE_CHECKING

import pytest

from keywright.domain.audit_event import AuditEvent
from keywright.domain.limits import Period
from keywright.domain.principals import ActorType
from keywright.domain.revocation_reason import RevocationReason
from tests.support.client import calling
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.support.client import Call

call = calling("get_console_script")

FOLDER = ROOT / "functions" / "get_console_script"
VENDOR = FOLDER / "vendor"
PAGE = ROOT / "functions" / "get_console" / "page.html"
BUDGET_BYTES = 100_000


@pytest.fixture
def script(call: Call) -> str:
    """The script."""
    return str(call()["body"])


def test_every_module_is_part_of_it(script: str) -> None:
    """Each module and each library is in the script: a file that no other imports is a mistake."""
    modules = {path.stem.replace("-", "_") for path in (FOLDER / "modules").iterdir()}

    assert {*modules, "preact", "preact_hooks", "htm"} == set(
        re.findall(r"^const module\$(\w+) = ", script, re.MULTILINE)
    )


def test_it_asks_for_nothing_else(script: str) -> None:
    """The script loads no other script, and no map of its sources."""
    assert not re.search(r"^\s*(import|export)\b|\bimport\(|sourceMappingURL", script, re.MULTILINE)


def test_it_travels_as_a_script(call: Call) -> None:
    """Browsers run it as a script and guess no other type; caches keep it for five minutes."""
    headers = call()["headers"]

    assert "text/javascript; charset=utf-8" == headers["content-type"]
    assert "nosniff" == headers["x-content-type-options"]
    assert "public, max-age=300" == headers["cache-control"]


def test_pages_of_allowed_origins_can_embed_it(call: Call, setting: Callable[[str, str], None]) -> None:
    """A module of another origin is loaded with CORS, so the origin must be an allowed one."""
    setting("ALLOWED_ORIGINS", "https://app.example.com")

    allowed = call(headers={"origin": "https://app.example.com"})["headers"]
    refused = call(headers={"origin": "https://evil.example.com"})["headers"]

    assert "https://app.example.com" == allowed["access-control-allow-origin"]
    assert "access-control-allow-origin" not in refused
    assert "origin" == allowed["vary"] == refused["vary"]


def test_page_and_script_are_small(script: str) -> None:
    """Page and script take less than 100,000 bytes, compressed."""
    assert len(gzip.compress(script.encode() + PAGE.read_bytes(), 9)) < BUDGET_BYTES


def names_in(script: str, name: str) -> list[str]:
    """Return the names of the entries of a constant, an object or a list of pairs, that one module has."""
    (entries,) = re.findall(rf"^ *const {name} = [{{\[]\n(.*?)\n[}}\]];$", script, re.DOTALL | re.MULTILINE)
    return [quoted or bare for quoted, bare in re.findall(r'^ +\[?(?:"([^"]*)"|(\w+))[:,] ', entries, re.MULTILINE)]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("EVENTS", AuditEvent),
        ("ACTORS", ActorType),
        ("PERIODS", Period),
        ("REASONS", ["", *RevocationReason]),
    ],
)
def test_a_list_of_the_console_is_that_of_the_service(script: str, name: str, values: Iterable[str]) -> None:
    """Filters and choices offer each value that the service knows, and no other."""
    assert [str(value) for value in values] == names_in(script, name)


def test_lambda_can_answer_it(call: Call) -> None:
    """The answer takes less than a megabyte of Lambda's six, counted as JSON text."""
    assert len(json.dumps(call())) < 1_000_000


PUBLISHED = ["preact.mjs", "hooks.mjs", "htm.module.js", "preact.LICENSE", "htm.LICENSE"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_library_is_the_published_one(name: str) -> None:
    """A library is the published file, byte for byte, that the README names."""
    readme = (VENDOR / "README.md").read_text(encoding="utf-8")
    (digest,) = re.findall(rf"^\| `{re.escape(name)}` \|.*\| `(\w{{64}})` \|$", readme, re.MULTILINE)

    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest


def test_there_are_no_other_files_beside_the_libraries() -> None:
    """Every file in the folder of the libraries is checked."""
    assert {*PUBLISHED, "README.md"} == {path.name for path in VENDOR.iterdir()}


@pytest.mark.parametrize("library", ["preact", "htm"])
def test_the_licenses_travel_with_it(script: str, library: str) -> None:
    """Each license is in a comment before the code, as both licenses ask of every copy."""
    text = (VENDOR / f"{library}.LICENSE").read_text(encoding="utf-8").strip()

    assert f"/*! The license of {library}:\n\n{text}\n*/\n" in script.partition("const module$")[0]
