"""The regular expression and the checksum find keys in other text, and nothing else."""

from __future__ import annotations

import math
import random
import re
import string
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from keywright.domain import key_text
from keywright.operators import scanning
from keywright_admin import scanning as commands
from tests.scanners import corpus
from tests.scanners.corpus import BASE62, BEGINNING, FORMATS, KINDS, PREFIX, new_key
from tests.support.depth import size
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SCANNED_TOKENS = size("SCANNED_TOKENS", 20_000, full=200_000)
PREFIXES = ["kk_", "a_", "acme_prod_2_", "a123456789_123456789"[:19] + "_"]


def found_in(folder: Path, prefix: str = PREFIX) -> list[tuple[Path, int, str]]:
    """Return file, line and text of everything with the form of a key."""
    found = []
    for path in sorted(folder.iterdir()):
        content = path.read_text(encoding="utf-8")
        found += [(path, content.count("\n", 0, at) + 1, text) for text, at in scanning.find(content, prefix)]
    return found


def test_a_thousand_keys_are_found(tmp_path: Path) -> None:
    """GIVEN 1,000 keys in files of 12 formats THEN each is found where it is, with the right checksum."""
    planted = corpus.plant_keys(tmp_path, 1_000)

    found = found_in(tmp_path)

    assert 12 == len(FORMATS) == len({path.suffix for path in tmp_path.iterdir()})
    assert 1_000 <= len(planted)
    assert sorted((each.path, each.line, each.key) for each in planted) == sorted(found)
    assert all(scanning.is_key(text) for _, _, text in found)


def test_random_tokens_are_not(tmp_path: Path) -> None:
    """GIVEN random tokens THEN only those with prefix, beginning and length of a key match, and none is a key."""
    numbers = corpus.write_tokens(tmp_path, SCANNED_TOKENS)

    texts = [text for _, _, text in found_in(tmp_path)]

    assert all(numbers[kind] > 0 for kind in KINDS)
    by_chance = len(texts) - numbers[BEGINNING]
    assert 0 <= by_chance <= 3 * numbers["length of a key"] * 15 / 62**2  # 15 of 3,844 beginnings are those of a key
    assert [] == [text for text in texts if scanning.is_key(text)]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_key_of_any_prefix_is_found(prefix: str) -> None:
    """The expression is that of the deployment's prefix, and of no other."""
    key = new_key(random.Random(3), prefix)  # noqa: S311 - reproducible

    assert [(key, 3)] == list(scanning.find(f"k='{key}'", prefix))
    for other in set(PREFIXES) - {prefix}:
        assert not any(scanning.is_key(text) for text, _ in scanning.find(f"k='{key}'", other))


def test_a_part_of_a_longer_word_is_not_found() -> None:
    """GIVEN a key with a letter or digit in front or behind THEN it is another text."""
    key = new_key(random.Random(4))  # noqa: S311 - reproducible

    words = [word for around in BASE62 for word in (f"{key}{around}", f" {around}{key} ", f" {around}{key}{around} ")]

    assert [] == [word for word in words if list(scanning.find(word, PREFIX))]


@pytest.mark.parametrize("around", [*string.punctuation, *string.whitespace, "é", "\N{NO-BREAK SPACE}", "\0", "\x1b"])
def test_any_other_character_is_a_boundary(around: str) -> None:
    """GIVEN two keys, each between characters that are no letter or digit THEN both are found."""
    draw = random.Random(5)  # noqa: S311 - reproducible
    keys = [new_key(draw), new_key(draw)]

    text = "".join(f"{around}{key}{around}" for key in keys)
    assert keys == [found for found, _ in scanning.find(text, PREFIX)]


@pytest.mark.parametrize("payload", [b"\x01" + bytes(57), b"\x01" + b"\xff" * 57])
def test_the_first_and_the_last_key_match(payload: bytes) -> None:
    """Every key of this format version begins as the expression says: from 0E to 0S."""
    key = key_text.encode(PREFIX, payload, b"tag key")

    assert [key] == [found for found, _ in scanning.find(key, PREFIX)]
    assert key[3:5] == ("0E" if payload[1] == 0 else "0S")
    assert scanning.is_key(key)


def test_the_shown_code_computes_the_checksum() -> None:
    """The code that `scanning rules` prints agrees with the service, and so does its example."""
    names: dict[str, Any] = {}
    exec(commands.SNIPPET, names)  # noqa: S102 - it is shown, so it must run
    draw = random.Random(6)  # noqa: S311 - reproducible

    keys = [new_key(draw) for _ in range(100)]
    assert all(names["has_right_checksum"](key) for key in keys)
    assert not any(names["has_right_checksum"](key[:-1] + ("0" if key[-1] != "0" else "1")) for key in keys)
    assert names["has_right_checksum"]("1234567893jZRME")


def test_keys_have_the_entropy_of_the_rules() -> None:
    """No rule's minimum of entropy loses a key, but it leaves out texts that a person made up as an example."""
    draw = random.Random(7)  # noqa: S311 - reproducible

    assert min(_entropy(new_key(draw)) for _ in range(10_000)) > commands.MINIMUM_ENTROPY + 0.5
    assert commands.MINIMUM_ENTROPY > _entropy("kk_0E" + "x" * 45 + "X" * 45)


def _entropy(text: str) -> float:
    """Return Shannon's entropy of the characters, in bits, as gitleaks and TruffleHog compute it."""
    shares = [text.count(character) / len(text) for character in set(text)]
    return -sum(share * math.log2(share) for share in shares)


def test_this_repository_has_no_text_with_the_form_of_a_key() -> None:
    """GIVEN a clone of this repository THEN the rule finds nothing in it: samples are split or begin otherwise."""
    files = corpus.repository_files()
    named = [
        str(path.relative_to(ROOT))
        for path in files
        if any(scanning.find(path.read_text(encoding="utf-8", errors="replace"), PREFIX))
    ]

    assert len(files) > 1000
    assert [] == named


def test_the_guide_names_the_pinned_gitleaks() -> None:
    """The version for pre-commit is the one that was tested, and its digest is in go.sum."""
    (revision,) = re.findall(r"rev: (v\S+)", (ROOT / "docs" / "scanning.md").read_text(encoding="utf-8"))
    folder = ROOT / "requirements" / "scanners"

    assert f"\tgithub.com/zricethezav/gitleaks/v8 {revision} " in (folder / "go.mod").read_text(encoding="utf-8")
    assert f"github.com/zricethezav/gitleaks/v8 {revision} h1:" in (folder / "go.sum").read_text(encoding="utf-8")


def test_the_rule_for_trufflehog_has_documented_fields() -> None:
    """The detector has fields of TruffleHog's guide to custom detectors, and no endpoint that keys are sent to."""
    (detector,) = yaml.safe_load(commands.rules_of("kk_").trufflehog)["detectors"]

    assert {"name", "keywords", "regex", "entropy"} == detector.keys()
    assert ["kk_"] == detector["keywords"]
    assert {"key": scanning.pattern("kk_")} == detector["regex"]
