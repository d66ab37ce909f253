"""GET /v1/auth/orgs/audit-logs: list what has happened in the caller's organization, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright import auditing
from keywright.endpoint import Nothing, Request, endpoint
from keywright.models import ListAuditLogsQuery

if TYPE_CHECKING:
    from keywright.envelope import Listing
    from keywright.models import AuditLog


@endpoint("list_audit_logs", query=ListAuditLogsQuery)
def handler(request: Request[Nothing, ListAuditLogsQuery]) -> Listing[AuditLog]:
    """List a page of audit records."""
    return auditing.list_logs(request.member, request.query)
