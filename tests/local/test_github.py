"""Reports of the development GitHub, against the local service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from local import github
from tests.api.deployment import Deployment
from tests.support.environment import LOOPBACK
from tests.support.github import report

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.allow_hosts(LOOPBACK)


def sent(deployment: Deployment, body: bytes, signed: bytes) -> httpx.Response:
    """Send a report with the signature of a body."""
    headers = {"Github-Public-Key-Identifier": github.IDENTIFIER, "Github-Public-Key-Signature": github.sign(signed)}
    return httpx.post(f"{deployment.base_url}/leaks/github", content=body, headers=headers, trust_env=False)


def test_a_report_of_github(local_stack: Path) -> None:
    """GIVEN `make run` WHEN the development GitHub reports a key THEN the key is disabled."""
    deployment = Deployment.read(local_stack)
    with deployment.client:
        text = deployment.create_key()["key"]
        body = report(text)

        refused, taken = sent(deployment, body, body + b" "), sent(deployment, body, body)

        assert 401 == refused.status_code
        assert ["true_positive"] == [label["label"] for label in taken.json()]
        assert "DISABLED" == deployment.outcome(text)
