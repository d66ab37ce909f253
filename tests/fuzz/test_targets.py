"""The fuzzers' targets pass for their seeds and for similar inputs, and each of them can fail."""

from __future__ import annotations

import importlib
import json
import random
from typing import TYPE_CHECKING

import pytest

from tests.fuzz.__main__ import NAMES
from tests.support.depth import size

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

INPUTS = size("FUZZ_INPUTS", 50, full=300)


@pytest.fixture
def targets(environment: pytest.MonkeyPatch) -> ModuleType:
    """The targets, in the environment of a function."""
    del environment
    return importlib.import_module("tests.fuzz.targets")


def near(seeds: list[bytes], chance: random.Random) -> bytes:
    """Change a seed slightly."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randrange(6)):
        place = chance.randrange(len(data) + 1)
        data[place : place + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
    return bytes(data)


def test_every_target_has_seeds(targets: ModuleType) -> None:
    """`make fuzz` runs every target, and each has seeds."""
    assert NAMES == list(targets.TARGETS)
    assert NAMES == list(targets.SEEDS)


@pytest.mark.parametrize("name", NAMES)
def test_a_target_holds(targets: ModuleType, name: str) -> None:
    """A target passes for an empty input, its seeds and similar inputs."""
    chance = random.Random(name)  # noqa: S311 - a seed that can be repeated
    seeds = targets.SEEDS[name]
    for data in [b"", *seeds, *(near(seeds, chance) for _ in range(INPUTS))]:
        targets.TARGETS[name](data)


def stripped(targets: ModuleType, patch: pytest.MonkeyPatch) -> bytes:
    """Ignore white space around a key."""
    decode = targets.key_text.decode
    patch.setattr(targets.key_text, "decode", lambda text, *others: decode(text.strip(), *others))
    return f"\1{targets.KEYS[0]}\n".encode()


def shortened(targets: ModuleType, patch: pytest.MonkeyPatch) -> bytes:
    """Verify only a part of a header."""
    patch.setattr(targets.api_key, "_text", lambda headers: next(iter(headers.values()))[:-1])
    return f"\0\1{targets.KEYS[0]}".encode()


def unsigned(targets: ModuleType, patch: pytest.MonkeyPatch) -> bytes:
    """Skip the check of signatures."""
    decode = targets.jwt.decode
    patch.setattr(
        targets.session_token.jwt,
        "decode",
        lambda token, *_, **__: decode(token, options={"verify_signature": False}),
    )
    return f"\1Bearer {targets.TOKEN[:-9]}AAAAAAAAA".encode()


def unreadable(targets: ModuleType, patch: pytest.MonkeyPatch) -> bytes:
    """Raise an unexpected exception for unreadable input."""
    del targets
    patch.setattr("keywright.api.request.parse_object", json.loads)
    return b"\0{"


def boundless(targets: ModuleType, patch: pytest.MonkeyPatch) -> bytes:
    """Allow pages of any size."""
    query = targets.ListApiKeysQuery.model_construct(limit=1000)
    patch.setattr("keywright.api.request.validate", lambda *_: query)
    return b"\2100"


def lenient(targets: ModuleType, patch: pytest.MonkeyPatch) -> bytes:
    """Ignore unknown fields."""
    body = targets.RotateApiKey()
    patch.setattr("keywright.api.request.validate", lambda model, _: body if model is targets.RotateApiKey else model())
    return b'\2{"gracePeriod": 60}'


def unasked(targets: ModuleType, patch: pytest.MonkeyPatch) -> bytes:
    """Ignore unknown query parameters."""
    query = targets.ListApiKeysQuery()
    patch.setattr("keywright.api.request.validate", lambda *_: query)
    return b"\4\nlimti"


def open_to_all(targets: ModuleType, patch: pytest.MonkeyPatch) -> bytes:
    """Allow every key every request."""
    everything = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": f"{targets.API}*"}
    patch.setattr(targets.policies, "statements_for", lambda *_: [everything])
    return bytes([1, 0, 0, 3, 0])


def unexpected(targets: ModuleType, patch: pytest.MonkeyPatch) -> bytes:
    """Raise an unexpected exception for a rule without a path."""
    patch.setattr(targets.access_rules, "_rule", lambda _, entry: entry["path"])
    return b"[{}]"


def half_read(targets: ModuleType, patch: pytest.MonkeyPatch) -> bytes:
    """Raise an unexpected exception for an event without details."""
    patch.setattr(targets.events, "validate", lambda _, content: content["detail"])
    return b'{"detail-type": "member.added"}'


@pytest.mark.parametrize(
    ("name", "plant"),
    [
        ("key", stripped),
        ("headers", shortened),
        ("session", unsigned),
        ("body", unreadable),
        ("body", lenient),
        ("query", boundless),
        ("query", unasked),
        ("policy", open_to_all),
        ("rules", unexpected),
        ("event", half_read),
    ],
)
def test_a_target_notices(
    targets: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    plant: Callable[[ModuleType, pytest.MonkeyPatch], bytes],
) -> None:
    """GIVEN a defect WHEN a target gets the input that shows it THEN it fails; without the defect it passes."""
    with pytest.MonkeyPatch.context() as first:
        data = plant(targets, first)
    targets.TARGETS[name](data)

    plant(targets, monkeypatch)

    with pytest.raises((AssertionError, KeyError)):
        targets.TARGETS[name](data)
