"""The environments that the benchmarks compare with."""

from __future__ import annotations

import os
import py_compile
from typing import TYPE_CHECKING

import pytest

from benchmarks.environments import NotInstalledError, require_byte_code

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def compiled(packages: Path) -> Path:
    """Write a module with its byte code, and return it."""
    module = packages / "package" / "module.py"
    module.parent.mkdir()
    module.write_text("VALUE = 1\n")
    py_compile.compile(str(module), doraise=True)
    return module


def without_byte_code(module: Path) -> None:
    """Remove the byte code."""
    for path in (module.parent / "__pycache__").iterdir():
        path.unlink()


def of_another_python(module: Path) -> None:
    """Change the magic number."""
    for path in (module.parent / "__pycache__").iterdir():
        path.write_bytes(b"\0\0\r\n" + path.read_bytes()[4:])


def of_another_source(module: Path) -> None:
    """Change the module after its compilation."""
    module.write_text("VALUE = 22\n")


def of_an_older_source(module: Path) -> None:
    """Change the time of the module."""
    os.utime(module, (1, 1))


def test_compiled_packages_can_be_measured(tmp_path: Path) -> None:
    """GIVEN packages with byte code THEN they can be measured; what installs packages need not have any."""
    compiled(tmp_path)
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "module.py").write_text("")

    require_byte_code(tmp_path, "install it")


@pytest.mark.parametrize("change", [without_byte_code, of_another_python, of_another_source, of_an_older_source])
def test_packages_that_would_be_compiled_are_not_measured(tmp_path: Path, change: Callable[[Path], None]) -> None:
    """GIVEN a module whose byte code Python would not load THEN nothing is measured; module and remedy are named."""
    change(compiled(tmp_path))

    with pytest.raises(NotInstalledError, match=r"1 of 1 modules .* such as package/module\.py: install it"):
        require_byte_code(tmp_path, "install it")


def test_hash_based_byte_code_counts(tmp_path: Path) -> None:
    """GIVEN byte code that Python does not compare with the time of its source THEN the packages can be measured."""
    module = compiled(tmp_path)
    py_compile.compile(str(module), doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    os.utime(module, (1, 1))

    require_byte_code(tmp_path, "install it")


def test_an_empty_environment_is_not_measured(tmp_path: Path) -> None:
    """GIVEN a folder without packages THEN nothing is measured."""
    with pytest.raises(NotInstalledError, match="0 of 0 modules"):
        require_byte_code(tmp_path, "install it")
