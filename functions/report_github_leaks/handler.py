"""POST /v1/leaks/github: report leaked keys, as GitHub's secret scanning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keywright.api.endpoint import webhook
from keywright.api.schemas import GitHubMatch
from keywright.authorizers import github
from keywright.errors import UNAUTHORIZED
from keywright.keys import github_reports

if TYPE_CHECKING:
    from keywright.api.envelope import Unwrapped
    from keywright.api.request import RawRequest
    from keywright.api.schemas import GitHubLabel


@webhook("report_github_leaks", item=GitHubMatch, raises=(UNAUTHORIZED,))
def handler(request: RawRequest) -> Unwrapped[GitHubLabel]:
    """Take a report of GitHub's secret scanning partner program, signed by GitHub. The answer labels each match."""
    headers = request.headers
    github.require_signature(headers.get(github.IDENTIFIER_HEADER), headers.get(github.SIGNATURE_HEADER), request.body)
    return github_reports.report(request.body, request.origin)
