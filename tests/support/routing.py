"""API Gateway's choice of a route, in its simplest form."""

from __future__ import annotations


def routed(named: list[tuple[str, str, str | None]], method: str, path: str) -> tuple[str, str, str | None] | None:
    """Return the route of a request, chosen by comparing segments as API Gateway does."""

    def fits(pattern: list[str], path: list[str]) -> bool:
        if pattern[-1] == "{rest+}":
            return len(path) >= len(pattern) and fits([*pattern[:-1], "{x}"], path[: len(pattern)])
        return len(pattern) == len(path) and all(
            expected == segment or (expected == "{x}" and segment != "")
            for expected, segment in zip(pattern, path, strict=True)
        )

    def specificity(entry: tuple[str, str, str | None]) -> tuple[list[int], bool]:
        ranks = {"{x}": 1, "{rest+}": 2}
        return [ranks.get(segment, 0) for segment in entry[1][1:].split("/")], entry[0] == "ANY"

    candidates = [
        entry for entry in named if entry[0] in {"ANY", method} and fits(entry[1][1:].split("/"), path[1:].split("/"))
    ]
    return min(candidates, key=specificity, default=None)
