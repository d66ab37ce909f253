"""The documentation: valid links, valid commands, and computed parts that are up to date."""

from __future__ import annotations

import re
import subprocess
import tomllib
from functools import cache
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from local.intrinsics import load_template, mapping
from tests.support.aws_commands import OWN_COMMANDS, Command, commands_in, operation, waited_for
from tests.support.cloudformation import section
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "events/*.md", "functions/**/*.md", "examples/**/*.md", "clients/*/*.md")
    for path in ROOT.glob(pattern)
)

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^( *)```.*?^\1```", re.DOTALL | re.MULTILINE)


def links(path: Path) -> list[str]:
    """Return the links of a document, without those in code."""
    prose = re.sub(r"`[^`\n]*`", "", _FENCE.sub("", path.read_text(encoding="utf-8")))
    return sorted({first or second for first, second in _LINK.findall(prose)})


@cache
def anchors(path: Path) -> frozenset[str]:
    """Return the anchors of a document's headings, as GitHub creates them."""
    prose = _FENCE.sub("", path.read_text(encoding="utf-8"))
    names = set()
    for heading in re.findall(r"^#{1,6} (.+)$", prose, re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        names.add(re.sub(r"[^\w\- ]", "", words).replace(" ", "-"))
    return frozenset(names)


LINKS = {
    path: [link for link in found if not re.match(r"https?://|mailto:", link)]
    for path in DOCUMENTS
    if (found := links(path))
}


def leads_somewhere(path: Path, link: str) -> bool:
    """Return whether a link is that of a file of this repository, and of a heading in it if it names one."""
    file, _, anchor = link.partition("#")
    target = (path.parent / file).resolve() if file else path
    return target.exists() and target.is_relative_to(ROOT) and (not anchor or anchor in anchors(target))


@pytest.mark.parametrize("path", LINKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_link_leads_somewhere(path: Path) -> None:
    """A link leads to an existing file, and to an existing heading if it names one."""
    assert [] == [link for link in LINKS[path] if not leads_somewhere(path, link)]


def test_there_are_links_to_check() -> None:
    """The rule above applies to existing links."""
    assert sum(map(len, LINKS.values())) > 40
    assert {"deploy.md", "architecture.md", "security-model.md"} <= {path.name for path in DOCUMENTS}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_addresses_are_fictitious(path: Path) -> None:
    """Accounts and hosts in examples are fictitious, and plain http is used on this machine only."""
    content = path.read_text(encoding="utf-8")

    assert not re.findall(r"http://(?!127\.0\.0\.1|localhost|\[::1\])[^\s`]+", content)
    assert set(re.findall(r"\b\d{12}\b", content)) <= {"123456789012"}


# ---- Commands ------------------------------------------------------------------------------------------------


def aws_commands(path: Path) -> list[Command]:
    """Return every `aws ...` in a document's code."""
    return commands_in(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))


AWS_COMMANDS = [command for path in DOCUMENTS for command in aws_commands(path)]
GLOBAL_OPTIONS = {"--cli-binary-format", "--cli-read-timeout", "--query", "--output", "--region"}


@pytest.mark.parametrize("command", AWS_COMMANDS, ids=str)
def test_an_aws_command_exists(command: Command) -> None:
    """Service, operation and options exist in AWS's service models, and every required option is there."""
    _, service, name, *rest = command.words
    if name == "wait":
        waiter, *rest = rest
        name = waited_for(service, waiter)
    described = OWN_COMMANDS.get((service, name)) or operation(service, name)
    options = {word for word in rest if word.startswith("--")}

    assert options - GLOBAL_OPTIONS <= described["options"]
    assert {option for option in described["required"] if option.replace("--", "--no-") not in options} <= options


READERS_OWN = {"KEY", "OWNER", "SIGNING_SECRET", "TOKEN", "VERSION", "WEBHOOK_URL"}
"""Variables that only the reader can set: what they have, or choose."""
_VARIABLE = re.compile(r"(?<!\\)\$\{?([A-Za-z_][A-Za-z0-9_]*)")
_ASSIGNED = re.compile(r"(?:^|[\s;(])([A-Za-z_][A-Za-z0-9_]*)=")
_LOOPED = re.compile(r"^ *for ([A-Za-z_][A-Za-z0-9_]*) in ", re.MULTILINE)
_CODE = re.compile(r"^( *)```sh\n(.*?)^\1```|((?:^ {4,}\S[^\n]*\n|^\n(?= {4,}\S))+)", re.DOTALL | re.MULTILINE)
OF_THE_SHELL = {"AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HOME", "PATH"}
GUIDE_NAMES = ("deploy", "events", "organization-events", "recipes", "using", "verify-outside-aws")
GUIDES = [*(ROOT / "docs").glob("runbooks/*.md"), *(ROOT / "docs" / f"{name}.md" for name in GUIDE_NAMES)]


def unset_variables(document: str) -> set[str]:
    """Return the variables that a document's code uses but neither sets before nor names as the reader's own."""
    known, unset = set(OF_THE_SHELL), set[str]()
    known |= {name for name in READERS_OWN if f"`{name}`" in document}
    for match in _CODE.finditer(document):
        code = match[2] or match[3]
        known |= {*_ASSIGNED.findall(code), *_LOOPED.findall(code)}
        unset |= set(_VARIABLE.findall(code)) - known
    return unset


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_guide_sets_the_variables_that_it_uses(path: Path) -> None:
    """Each variable of a guide is set by the guide or named as the reader's own."""
    assert set() == unset_variables(path.read_text(encoding="utf-8"))


def test_an_unset_variable_is_noticed() -> None:
    """The check above finds an unset variable."""
    assert {"QUEUE_ARN"} == unset_variables('    URL=$(output Url)\n    aws sqs x --a "$URL" --b "$QUEUE_ARN"\n')
    assert {"TOKEN"} == unset_variables('```sh\ncurl -H "Bearer $TOKEN"\n```\n')
    assert set() == unset_variables('```sh\nfor FILE in *.json; do\n  cat "$FILE"\ndone\n```\n')
    assert set() == unset_variables('A session token in `TOKEN`:\n```sh\ncurl -H "Bearer $TOKEN"\n```\n')


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_named_output_exists(path: Path) -> None:
    """Every output that a document names is one of the stack, or of the example that the document is about."""
    content = path.read_text(encoding="utf-8")
    named = re.findall(r"\boutput ([A-Z]\w+)\)|OutputKey=='([A-Z]\w+)'|\(output\s+`(\w+)`\)", content)

    examples = [load_template(file)["Outputs"] for file in (ROOT / "examples").glob("*/template.yaml")]
    outputs = {*section("Outputs"), *(name for example in examples for name in mapping(example, "Outputs"))}

    assert {name for names in named for name in names if name} <= outputs


def test_rotating_the_pepper_starts_new_containers() -> None:
    """The parameter that the runbook changes is in the functions' environment: only that starts new containers."""
    runbook = (ROOT / "docs" / "runbooks" / "pepper-rotation.md").read_text(encoding="utf-8")
    (changed,) = re.findall(r"sam deploy --parameter-overrides (\w+)=(\d+)", runbook)
    environment = mapping(mapping(section("Globals")["Function"], "Function")["Environment"], "Environment")
    parameter = mapping(section("Parameters")[changed[0]], changed[0])

    assert {"Ref": changed[0]} in mapping(environment["Variables"], "Variables").values()
    assert int(changed[1]) != parameter["Default"]


def test_there_are_commands_to_check() -> None:
    """The rule above applies to existing commands."""
    assert len(AWS_COMMANDS) > 20


SHELL = [
    pytest.param(block, id=f"{path.relative_to(ROOT)} {number}")
    for path in DOCUMENTS
    for number, block in enumerate(
        re.findall(r"^ *```sh\n(.*?)^ *```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    )
]


@pytest.mark.parametrize("block", SHELL)
def test_shell_can_be_parsed(block: str) -> None:
    """A shell can parse every block: no open quotation, no continued last line."""
    finished = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)  # noqa: S607

    assert 0 == finished.returncode
    assert "" == finished.stderr


PICTURES = sorted((ROOT / "docs").glob("*.svg"))


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_a_picture_is_complete_in_itself(path: Path) -> None:
    """A picture is valid XML without scripts and references."""
    picture = ET.parse(path)  # noqa: S314 - from this repository

    tags = {element.tag.rpartition("}")[2] for element in picture.iter()}
    assert tags == {"svg", "style", "rect", "circle", "text"}
    assert not {name for element in picture.iter() for name in element.attrib if "href" in name or name[:2] == "on"}


def test_the_picture_of_the_first_run_is_current() -> None:
    """The picture shows the printed command and its answer, without a whole token or key."""
    shown = "\n".join(ET.parse(ROOT / "docs" / "first-run.svg").getroot().itertext())  # noqa: S314 - from this repository

    assert "$ make run" in shown
    assert "http://127.0.0.1:8787/v1/auth/api-keys" in shown
    assert re.search(r'"key":"kk_\w{10}\.\.\."', shown)
    assert not re.search(r"[\w-]{40,}", shown)


# ---- Versions and builds -------------------------------------------------------------------------------------


def test_the_version_is_the_latest_of_the_changelog() -> None:
    """The version of the project, which the OpenAPI description has, is the latest in the changelog, with its date."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert "Unreleased" == headings[0]
    assert re.fullmatch(rf"{re.escape(project['version'])} - \d{{4}}-\d\d-\d\d", headings[1])


def test_the_guide_quotes_the_build() -> None:
    """The deploy guide quotes what a build with the defaults prints, as the Makefile of the layer has it."""
    guide = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    makefile = (ROOT / "layers" / "shared" / "Makefile").read_text(encoding="utf-8")
    printed = re.findall(r'echo "((?:Installing the layer|There is no Python)[^"]*)"', makefile)

    assert 2 == len(printed)
    for line in printed:
        shown = line.replace("$(PYTHON_VERSION)", "3.13").replace("$(MACHINE)", "aarch64")
        assert f"    {re.sub(r'[$][(]if .*', 'pip', shown)}" in guide
