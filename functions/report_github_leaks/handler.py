"""POST /v1/leaks/github: report leaked keys, as GitHub's secret scanning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.endpoint import webhook
from keywright.authorizers import github
from keywright.errors import UNAUTHORIZED
from keywright.keys import github_reports

if TYPE_CHECKING:
    from keywright.api.documents import JsonDocument
    from keywright.api.request import RawRequest


@webhook("report_github_leaks", raises=(UNAUTHORIZED,))
def handler(request: RawRequest) -> JsonDocument:
    """Take a report of GitHub's secret scanning partner program, signed by GitHub. The answer labels each match."""
    headers = request.headers
    github.require_signature(headers.get(github.IDENTIFIER_HEADER), headers.get(github.SIGNATURE_HEADER), request.body)
    return github_reports.report(request.body, request.origin)
