"""The fuzzers' targets hold for their seeds and for what is near them, and each of them can fail."""

from __future__ import annotations

import importlib
import json
import random
from typing import TYPE_CHECKING

import pytest

from tests.fuzz.__main__ import NAMES

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

INPUTS = 300


@pytest.fixture
def targets(environment: pytest.MonkeyPatch) -> ModuleType:
    """The targets, in the environment of a function."""
    del environment
    return importlib.import_module("tests.fuzz.targets")


def near(seeds: list[bytes], chance: random.Random) -> bytes:
    """Change a seed a little."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randrange(6)):
        place = chance.randrange(len(data) + 1)
        data[place : place + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
    return bytes(data)


def test_every_target_has_seeds(targets: ModuleType) -> None:
    """And `make fuzz` runs all of them."""
    assert NAMES == list(targets.TARGETS) == list(targets.SEEDS)


@pytest.mark.parametrize("name", NAMES)
def test_a_target_holds(targets: ModuleType, name: str) -> None:
    """For nothing, for its seeds and for what is near them."""
    chance = random.Random(name)  # noqa: S311 - so that it can be had again
    seeds = targets.SEEDS[name]
    for data in [b"", *seeds, *(near(seeds, chance) for _ in range(INPUTS))]:
        targets.TARGETS[name](data)


def stripped(targets: ModuleType, patch: pytest.MonkeyPatch) -> bytes:
    """White space around a key is overlooked."""
    parse = targets.tokens.parse
    patch.setattr(targets.tokens, "parse", lambda text, *others: parse(text.strip(), *others))
    return f"\1{targets.KEYS[0]}\n".encode()


def shortened(targets: ModuleType, patch: pytest.MonkeyPatch) -> bytes:
    """Not all of a header is verified."""
    patch.setattr(targets.key_authorizing, "_presented", lambda headers: next(iter(headers.values()))[:-1])
    return f"\0\1{targets.KEYS[0]}".encode()


def unsigned(targets: ModuleType, patch: pytest.MonkeyPatch) -> bytes:
    """Signatures are not looked at."""
    decode = targets.jwt.decode
    patch.setattr(
        targets.sessions.jwt,
        "decode",
        lambda token, *_, **__: decode(token, options={"verify_signature": False}),
    )
    return f"\1Bearer {targets.TOKEN[:-9]}AAAAAAAAA".encode()


def unreadable(targets: ModuleType, patch: pytest.MonkeyPatch) -> bytes:
    """What cannot be read is unexpected."""
    del targets
    patch.setattr("keywright.api.endpoint.parse_object", json.loads)
    return b"\0{"


def boundless(targets: ModuleType, patch: pytest.MonkeyPatch) -> bytes:
    """A page may have any size."""
    query = targets.ListApiKeysQuery.model_construct(limit=1000)
    patch.setattr("keywright.api.endpoint.validate", lambda *_: query)
    return b"\2100"


def open_to_all(targets: ModuleType, patch: pytest.MonkeyPatch) -> bytes:
    """Every key may call everything."""
    everything = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": f"{targets.API}*"}
    patch.setattr(targets.access_rules.AccessRules, "statements", lambda *_: [everything])
    return bytes([1, 0, 0, 3, 0])


def a_surprise(targets: ModuleType, patch: pytest.MonkeyPatch) -> bytes:
    """A rule without a path is unexpected."""
    patch.setattr(targets.access_rules, "_rule", lambda _, entry: entry["path"])
    return b"[{}]"


def half_read(targets: ModuleType, patch: pytest.MonkeyPatch) -> bytes:
    """An event without details is unexpected."""
    patch.setattr(targets.organization_events, "validate", lambda _, content: content["detail"])
    return b'{"detail-type": "member.added"}'


@pytest.mark.parametrize(
    ("name", "plant"),
    [
        ("key", stripped),
        ("headers", shortened),
        ("session", unsigned),
        ("body", unreadable),
        ("query", boundless),
        ("policy", open_to_all),
        ("rules", a_surprise),
        ("event", half_read),
    ],
)
def test_a_target_notices(
    targets: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    plant: Callable[[ModuleType, pytest.MonkeyPatch], bytes],
) -> None:
    """GIVEN a defect WHEN the input comes that shows it THEN the target fails; before, it did not."""
    with pytest.MonkeyPatch.context() as first:
        data = plant(targets, first)
    targets.TARGETS[name](data)

    plant(targets, monkeypatch)

    with pytest.raises((AssertionError, KeyError)):
        targets.TARGETS[name](data)
