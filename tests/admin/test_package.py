"""The package that pipx and uvx install from the repository; `make test-wheel` installs it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from typing import Any

from keywright_admin.command import NAME
from keywright_admin.command_line import main
from tests.support.environment import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
OPTIONAL = {"certifi"}
"""Distributions that a dependency uses where they are installed: botocore has certificates too."""
USED = """
import json, sys
before = set(sys.modules)  # those that every interpreter of the environment loads
import keywright_admin.command_line
from keywright.domain import key_hash
from keywright.settings import Argon2Parameters
key_hash.hash_digest(bytes(32), Argon2Parameters(8, 1, 1))
import boto3
for service in ("dynamodb", "secretsmanager", "cloudformation", "sts"):
    boto3.client(service, region_name="eu-central-1")
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules.keys() - before})))
"""


def test_the_entry_point_is_the_program() -> None:
    """The installed program has the name of the documentation, and runs `main`."""
    (target,) = PROJECT["project"]["scripts"].values()

    assert [NAME] == [*PROJECT["project"]["scripts"]]
    assert main is EntryPoint(NAME, target, "console_scripts").load()


def test_the_wheel_has_packages_with_names_of_this_project() -> None:
    """No package is installed under a name that another project could use."""
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]

    assert ["keywright_admin", "keywright"] == [path.rpartition("/")[2] for path in packages]
    assert all((ROOT / path / "__init__.py").is_file() for path in packages)


def test_every_dependency_has_a_range() -> None:
    """A dependency has a tested lower bound, and ends before the next major version."""
    assert [] == [
        requirement
        for requirement in PROJECT["project"]["dependencies"]
        if not re.fullmatch(r"[a-z0-9-]+>=[0-9.]+,<[0-9]+", requirement)
    ]


def test_the_dependencies_are_what_is_imported() -> None:
    """All that the program imports comes with the dependencies, and each of them is imported."""
    names = {re.split(r"[<>=]", requirement)[0] for requirement in PROJECT["project"]["dependencies"]}
    printed = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", USED],
        env={"PYTHONPATH": os.pathsep.join(map(str, [ROOT / "admin", ROOT / "layers" / "shared" / "python"]))},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    distributions = importlib.metadata.packages_distributions()
    imported = {
        normalized(name)
        for module in json.loads(printed)
        if module not in sys.stdlib_module_names
        for name in distributions.get(module, [])
    }

    assert {normalized(name) for name in names} <= imported
    assert imported - OPTIONAL <= with_dependencies(names)
    assert not {"local", "tools", "tests"} & set(json.loads(printed))


def with_dependencies(names: set[str]) -> set[str]:
    """Return distributions and all that they need, without extras."""
    found: set[str] = set()
    left = set(names)
    while left:
        name = normalized(left.pop())
        found.add(name)
        required = importlib.metadata.requires(name) or []
        needed = {normalized(re.split(r"[^\w.-]", text)[0]) for text in required if "extra ==" not in text}
        left |= {each for each in needed - found if is_installed(each)}
    return found


def is_installed(name: str) -> bool:
    """Return whether a distribution is installed: some are only for other systems."""
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def normalized(name: str) -> str:
    """Return the name of a distribution as packaging tools compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()
