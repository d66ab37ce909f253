"""Draws the pictures of a report with matplotlib: `python draw.py report.json folder`."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt

OURS, THEIRS = "#1f6f8b", "#b8b8b8"
WHOLE = 100
WIDE = 30

mpl.use("svg")
# Reproducible output: a picture changes only when its numbers do.
mpl.rcParams.update({"svg.hashsalt": "keywright", "svg.fonttype": "none", "font.size": 9, "font.family": "sans-serif"})


def bars(path: Path, title: str, unit: str, values: list[tuple[str, float, str]]) -> None:
    """Draw values as bars, the first at the top, with a logarithmic scale for a wide range."""
    figure, axes = plt.subplots(figsize=(8, 0.6 + 0.34 * len(values)))
    labels, numbers, colors = zip(*reversed(values), strict=True)
    drawn = axes.barh(labels, numbers, color=colors)
    axes.bar_label(drawn, labels=[f"{n:,.0f}" if n >= WHOLE else f"{n:.3g}" for n in numbers], padding=3)
    if max(numbers) > WIDE * min(numbers):
        axes.set_xscale("log")
        unit += ", logarithmic"
    axes.margins(x=0.15)
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel(unit)
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, path)


def save(figure: Any, path: Path) -> None:
    """Write a picture without its creation time."""
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    # matplotlib writes trailing spaces.
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")
    plt.close(figure)


def color(name: str) -> str:
    """Return the color of a product."""
    return OURS if name.startswith("Keywright") else THEIRS


def hot_path(data: dict[str, Any], folder: Path) -> None:
    """Draw the hot path."""
    base = "bare boto3 batch_get_item"
    ours = ["authorize_api_key, warm", "verify_api_key, warm", "get_api_key", "forged key, with its line in the log"]
    values = [(name, statistics.median(data[name]) * 1e6, THEIRS if name == base else OURS) for name in [base, *ours]]
    bars(folder / "hot-path.svg", "One warm request; AWS answered by a stub", "microseconds", values)


def cold_start(data: dict[str, Any], folder: Path) -> None:
    """Draw the cold starts. The names of handlers for comparison have spaces."""
    values = [
        (name, statistics.median(rounds) * 1000, THEIRS if " " in name else OURS)
        for name, rounds in data["seconds"].items()
    ]
    title = "From nothing to the first answer, under Lambda's runtime emulator"
    bars(folder / "cold-start.svg", title, "milliseconds", values)


def peers(data: dict[str, Any], folder: Path) -> None:
    """Draw the comparison with other products."""
    titles = {"valid": "A valid key that was verified before", "wrong_secret": "A wrong secret"}
    for kind, title in titles.items():
        values = [
            (entry["subject"], statistics.median(entry["milliseconds"]), color(entry["subject"]))
            for entry in data["times"]
            if entry["kind"] == kind and entry["at_once"] == 1 and entry["milliseconds"]
        ]
        path = folder / f"peers-{kind.replace('_', '-')}.svg"
        bars(path, f"{title}: median of one at a time", "milliseconds", values)


def growth(data: dict[str, Any], folder: Path) -> None:
    """Draw latency and memory."""
    values = [(name, value, OURS) for name, value in data["milliseconds"].items()]
    bars(folder / "growth.svg", "The same work on more data, on DynamoDB Local", "milliseconds", values)
    rows = data["memory"]
    figure, axes = plt.subplots(figsize=(8, 2.6))
    axes.plot(range(len(rows)), [row[1] for row in rows], color=OURS, marker="o")
    axes.set_ylim(bottom=0)
    axes.set_xticks(range(len(rows)), [row[0].removeprefix("after ") for row in rows], rotation=30, ha="right")
    axes.set_title("Memory of a container, by verifications", loc="left", fontsize=10)
    axes.set_ylabel("MB")
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, folder / "memory.svg")


def simulation(data: dict[str, Any], folder: Path) -> None:
    """Draw the cost of a million verifications per second."""
    values = [(row[0], row[-1], OURS) for row in data["1"]]
    bars(folder / "simulation.svg", "A million verifications a second, Zipf exponent 1", "dollars an hour", values)


def draw(report: dict[str, Any], folder: Path) -> None:
    """Draw the sections that the report has."""
    for section in (hot_path, cold_start, peers, growth, simulation):
        data = report["sections"].get(section.__name__, {}).get("data")
        if data:
            section(data, folder)


if __name__ == "__main__":
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    target.mkdir(parents=True, exist_ok=True)
    draw(json.loads(source.read_text(encoding="utf-8")), target)
