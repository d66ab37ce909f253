"""GET /v1/auth/orgs/audit-logs: list what has happened in the caller's organization, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.endpoint import Nothing, Request, endpoint
from keywright.api.schemas import ListAuditLogsQuery
from keywright.organizations import audit_log

if TYPE_CHECKING:
    from keywright.api.envelope import Listing
    from keywright.api.schemas import AuditLog


@endpoint("list_audit_logs", query=ListAuditLogsQuery)
def handler(request: Request[Nothing, ListAuditLogsQuery]) -> Listing[AuditLog]:
    """List a page of audit records."""
    return audit_log.list_logs(request.member, request.query)
