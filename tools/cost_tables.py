"""The tables of costs in docs/deploy.md, from the model and from what others charge."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from local.options import ROOT
from tools.costs import ARGON2ID, COSTS_FOLDER, HMAC_SHA256, WARM, read_costs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tools.costs import Company, Costs, Start, Way

GUIDE = ROOT / "docs" / "deploy.md"
EXAMPLE = "1,000 keys"
"""The company whose traffic the costs of a million verifications are computed for."""

_PLACE = re.compile(r"(?P<begin><!-- costs of (?P<name>[a-z ]+) -->\n).*?(?=<!-- end of costs -->)", re.DOTALL)
_MILLION = 1_000_000
_DEFAULT_WAY = "authorizer"
_OTHER_WAYS = ("authorizer_kept", "invocation", "verify")


def with_tables(guide: str) -> str:
    """Return the guide with the current tables of costs."""
    tables = {"a million": million_table, "companies": companies_table, "providers": providers_table}
    return _PLACE.sub(lambda place: place["begin"] + tables[place["name"]](), guide)


def million(costs: Costs, way: Way, start: Start) -> float:
    """Return what a million verifications cost the example company."""
    company = costs.companies[EXAMPLE]
    return costs.bill(costs.consumed(way, company, start)).total / company.verifications * _MILLION


def million_table() -> str:
    """Return the table of ways of asking."""
    costs = read_costs()
    starts = (WARM, costs.start(ARGON2ID), costs.start(HMAC_SHA256))
    share = f"{costs.assumed('cold_start_share') * 100:g} % cold starts"
    lines = [
        f"| a million verifications, {costs.currency} | warm | {share}, `argon2id` | {share}, `hmac-sha256` |",
        "| --- | ---: | ---: | ---: |",
    ]
    lines += [_row(way.title, [_money(million(costs, way, start)) for start in starts]) for way in costs.ways.values()]
    return "\n".join(lines) + "\n"


def companies_table() -> str:
    """Return the table of the bills of three companies."""
    costs = read_costs()
    companies, start = costs.companies, costs.start(ARGON2ID)
    way = costs.ways[_DEFAULT_WAY]
    columns = [costs.month(way, company, start) for company in companies.values()]
    lines = [
        _row("a month", companies),
        "| --- |" + " ---: |" * len(companies),
        _row("verifications", [f"{company.verifications:,}" for company in companies.values()]),
        _row("changes and lists", [f"{company.changes:,}" for company in companies.values()]),
        *(_row(part, [_money(column[part]) for column in columns]) for part in columns[0]),
        _row(f"**together, {costs.currency}**", [f"**{_money(sum(column.values()))}**" for column in columns]),
        _row("with `AuditArchive`, in addition", [_money(costs.archive(company)) for company in companies.values()]),
    ]
    return "\n".join(lines) + f"\n\n{costs.note} Region {costs.region}, as of {costs.as_of}.\n"


def providers_table() -> str:
    """Return the table of what the same companies pay with other ways of asking, and to others."""
    costs, others = read_costs(), read_others()
    companies, start = costs.companies, costs.start(ARGON2ID)
    lines = [
        _row(f"a month, {costs.currency}", companies),
        "| --- |" + " ---: |" * len(companies),
    ]
    for name in (_DEFAULT_WAY, *_OTHER_WAYS):
        way = costs.ways[name]
        totals = [_money(sum(costs.month(way, company, start).values())) for company in companies.values()]
        lines.append(_row(f"Keywright, {way.title}", totals))
    lines += [
        _row(other["name"], [charged(other, company) for company in companies.values()]) for other in others["others"]
    ]
    notes = [f"- **{other['name']}.** {other['includes']} Source: {_sources(other)}." for other in others["others"]]
    return "\n".join([*lines, "", f"What the others' prices include, as of {others['as_of']}:", "", *notes, ""])


def read_others() -> dict[str, Any]:
    """Read what others charge."""
    content: dict[str, Any] = json.loads((COSTS_FOLDER / "others.json").read_text(encoding="utf-8"))
    return content


def charged(other: dict[str, Any], company: Company) -> str:
    """Return what another provider charges a company a month, or why there is no such amount.

    Args:
        other: an entry of others.json.
        company: that verifies keys.
    """
    match other["kind"]:
        case "included":
            return _money(0) if company.keys <= other["most_keys"] else f"at most {other['most_keys']:,} keys"
        case "per_verification":
            verifications = max(0, company.verifications - other["free_verifications"])
            created = max(0, company.created_keys - other["free_created_keys"])
            return _money(verifications * other["price_per_verification"] + created * other["price_per_created_key"])
        case "per_token":
            tokens = company.keys * other["tokens_per_key_and_month"]
            amount = _money(tokens * other["price_per_token"])
            return amount if tokens <= other["first_tokens"] else f"at most {amount}"
        case "plans":
            fitting = [price for included, price in other["plans"] if company.verifications <= included]
            return _money(fitting[0]) if fitting else "not published"
        case kind:
            raise ValueError(f"{kind} is not a kind of price")


def _sources(other: dict[str, Any]) -> str:
    return ", ".join(f"[{page['title']}]({page['url']})" for page in other["pages"])


def _row(name: str, cells: Iterable[str]) -> str:
    return f"| {name} | " + " | ".join(cells) + " |"


def _money(amount: float) -> str:
    return f"{amount:,.2f}"
