"""Run one target under atheris: inputs that reach new code are mutated further (LLVM's libFuzzer).

usage: python -m tests.fuzz.covered TARGET CORPUS [OPTIONS OF LIBFUZZER]

`make fuzz` runs it, with the Python that has atheris.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["keywright"]):
    from tests.fuzz import targets


def main(name: str, corpus: str, *options: str) -> None:
    """Run until libFuzzer's options end it."""
    directory = Path(corpus)
    directory.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(targets.SEEDS[name]):
        (directory / f"seed-{number}").write_bytes(seed)
    atheris.Setup([sys.argv[0], *options, corpus], targets.TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
