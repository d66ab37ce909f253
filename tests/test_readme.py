"""README and guides match the code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from keywright.errors import CATALOGUE
from local.intrinsics import mapping
from tests.support.cloudformation import section
from tests.support.environment import ROOT
from tools.errors import with_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.intrinsics import Json

README = (ROOT / "README.md").read_text()


def rows(document: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table under a heading, without its header."""
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    section = re.split(rf"^#+ {heading}$", text, flags=re.MULTILINE)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_errors_match_the_catalog() -> None:
    """The table of errors is that of keywright.errors: `make generate` changes nothing."""
    guide = (ROOT / "docs" / "using.md").read_text(encoding="utf-8")

    assert with_table(guide) == guide
    assert [f"`{code}`" for code in CATALOGUE] == [row[0] for row in rows("using.md", "Errors")]


def test_every_error_has_causes_and_remedies() -> None:
    """The page of errors has each code of the catalog, in its order, with at least one cause and its remedy."""
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")

    assert list(CATALOGUE) == re.findall(r"^## (.+)$", page, re.MULTILINE)
    for code in CATALOGUE:
        assert all(len(cells) == 2 and all(cells) for cells in rows("errors.md", code))
        assert rows("errors.md", code)


def test_the_configuration_matches_the_template() -> None:
    """The table has every parameter of template.yaml and no other, in its order, with its default."""
    declared = {name: mapping(parameter, name) for name, parameter in section("Parameters").items()}

    assert [[f"`{name}`", shown_default(parameter)] for name, parameter in declared.items()] == [
        row[:2] for row in rows("configuration.md", "Configuration")
    ]


def shown_default(parameter: Mapping[str, Json]) -> str:
    """Return the default of a parameter as the table shows it: empty without one, the items of a list one by one."""
    default = str(parameter.get("Default", ""))
    return ", ".join(f"`{item}`" for item in default.split(",")) if default else ""


def test_the_greatest_lengths_are_those_of_the_template() -> None:
    """The documentation lists the maximum length of each free-text parameter."""
    declared = {name: mapping(parameter, name) for name, parameter in section("Parameters").items()}
    expected = [[f"`{name}`", str(item["MaxLength"])] for name, item in declared.items() if "MaxLength" in item]

    assert expected == rows("configuration.md", "Greatest lengths")


COMMANDS = sorted(set(re.findall(r"(?:^    |`)make ([a-z0-9-]+)", README, re.MULTILINE)))


@pytest.mark.parametrize("target", COMMANDS)
def test_make_targets_exist(target: str) -> None:
    """Every `make ...` of the README is a target."""
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
