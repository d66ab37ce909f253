"""The local service runs each function with the permissions of its role in the template."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.support.environment import ROOT
from tests.support.local_service import connected, local_service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.api.deployment import Deployment

DELETE_SCHEDULED_DELETION = """\
            - Sid: DeleteScheduledDeletion
              Effect: Allow
              Action: dynamodb:DeleteItem
              Resource: !GetAtt Table.Arn
"""
"""A statement of the role of CancelOrganizationDeletion."""


@contextmanager
def serving(directory: Path, removed: str) -> Iterator[tuple[Deployment, Path]]:
    """Serve the template without a part of it; yield the deployment and its log."""
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    assert 1 == template.count(removed)
    (directory / "template.yaml").write_text(template.replace(removed, ""), encoding="utf-8")
    for name in ("functions", "layers"):
        (directory / name).symlink_to(ROOT / name)
    with local_service(directory, TEMPLATE=str(directory / "template.yaml")) as stack_file:
        for deployment in connected(stack_file):
            yield deployment, stack_file.with_name("service.log")


def test_a_role_without_an_action_is_denied_as_on_aws(tmp_path: Path) -> None:
    """GIVEN a role without DeleteItem WHEN a deletion is canceled THEN it is a 500 and the log has the denial."""
    with serving(tmp_path, DELETE_SCHEDULED_DELETION) as (deployment, log):
        requested = deployment.delete_organization()
        canceled = deployment.cancel_deletion()
        lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]

    assert 200 == requested.status_code
    assert 500 == canceled.status_code
    assert "INTERNAL_SERVER_ERROR" == canceled.json()["error"]["code"]
    (error,) = [line for line in lines if line["level"] == "ERROR"]
    assert "cancel_organization_deletion" == error["operation"]
    assert "AccessDeniedException (400)" in error["details"]
