"""API Gateway's choice of a route for a request: the plainest way to say it."""

from __future__ import annotations


def routed(named: list[tuple[str, str, str | None]], method: str, path: str) -> tuple[str, str, str | None] | None:
    """Find the route of a request as API Gateway does, by comparing segments and nothing else."""

    def fits(pattern: list[str], given: list[str]) -> bool:
        if pattern[-1] == "{rest+}":
            return len(given) >= len(pattern) and fits([*pattern[:-1], "{x}"], given[: len(pattern)])
        return len(pattern) == len(given) and all(
            wanted == found or (wanted == "{x}" and found != "") for wanted, found in zip(pattern, given, strict=True)
        )

    def specificity(entry: tuple[str, str, str | None]) -> tuple[list[int], bool]:
        ranks = {"{x}": 1, "{rest+}": 2}
        return [ranks.get(segment, 0) for segment in entry[1][1:].split("/")], entry[0] == "ANY"

    candidates = [
        entry for entry in named if entry[0] in {"ANY", method} and fits(entry[1][1:].split("/"), path[1:].split("/"))
    ]
    return min(candidates, key=specificity, default=None)
