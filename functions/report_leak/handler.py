"""POST /v1/leaks: report leaked keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.endpoint import endpoint
from keywright.api.request import PublicRequest, anyone
from keywright.api.schemas import ReportLeak
from keywright.keys import leaks

if TYPE_CHECKING:
    from keywright.api.schemas import LeakResults


@endpoint("report_leak", body=ReportLeak, caller=anyone)
def handler(request: PublicRequest[ReportLeak]) -> LeakResults:
    """Report keys that you found in public. Whoever holds the text of a key may report it, without credentials."""
    return leaks.report(request.body, request.origin)
