"""GET /v1/auth/orgs/audit-logs: list the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.endpoint import endpoint
from keywright.api.schemas import ListAuditLogsQuery
from keywright.organizations import audit_log

if TYPE_CHECKING:
    from keywright.api.envelope import Listing
    from keywright.api.request import MemberRequest, Nothing
    from keywright.api.schemas import AuditLog


@endpoint("list_audit_logs", query=ListAuditLogsQuery)
def handler(request: MemberRequest[Nothing, ListAuditLogsQuery]) -> Listing[AuditLog]:
    """List the audit log of your organization, newest first."""
    return audit_log.list_logs(request.caller, request.query)
