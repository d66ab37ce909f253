"""The clients for Python and TypeScript on a stack: every result of a verification, over HTTP and directly."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import environments
from tests.clients import transports
from tests.support.environment import ROOT

if TYPE_CHECKING:
    import pytest


def test_both_clients_say_the_same_over_http_and_directly(pytestconfig: pytest.Config) -> None:
    """A key of each code has the same result four times: in two languages, through API Gateway and without it."""
    stack_file: Path = pytestconfig.getoption("--stack")
    python = ["env", f"PYTHONPATH={ROOT / 'clients' / 'python' / 'src'}", sys.executable]
    node = shutil.which("node")
    assert node is not None, "Node.js is missing"

    transports.check(stack_file, python, Path(node), environments.typescript_client())
