"""Immutable values do what frozen dataclasses with slots do, for each other and for the functions of `dataclasses`."""

from __future__ import annotations

import dataclasses
import pickle
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from keywright.immutable import field, immutable, replace
from tests.support.environment import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@immutable
class Value:
    """A value with each kind of field."""

    name: str
    secret: str = field(default="hidden", repr=False)
    note: str | None = field(default=None, compare=False)
    more: Mapping[str, int] = field(default_factory=dict)


@immutable
class Longer(Value):
    """A value with another field and a method."""

    size: int = 3

    @property
    def double(self) -> int:
        """Twice the size."""
        return 2 * self.size


@immutable
class Empty:
    """A value without fields."""


@immutable
class Caching:
    """A value with a cached property."""

    size: int

    @cached_property
    def squares(self) -> list[int]:
        """The squares below the size."""
        return [number**2 for number in range(self.size)]


@dataclass(frozen=True, slots=True)
class Twin:
    """What `Value` would be as a dataclass."""

    name: str
    secret: str = dataclasses.field(default="hidden", repr=False)
    note: str | None = dataclasses.field(default=None, compare=False)
    more: Mapping[str, int] = dataclasses.field(default_factory=dict)


MAKERS: list[Callable[[Any], Any]] = [
    lambda kind: kind("a"),
    lambda kind: kind("a", "b"),
    lambda kind: kind(name="a", note="c"),
    lambda kind: kind("a", more={"x": 1}),
]


@pytest.mark.parametrize("make", MAKERS, ids=["required", "position", "name", "factory"])
def test_it_is_made_as_a_dataclass(make: Callable[[Any], Any]) -> None:
    """Arguments by position and by name fill the same fields as those of a dataclass."""
    assert dataclasses.asdict(make(Twin)) == dataclasses.asdict(make(Value))


@pytest.mark.parametrize("make", MAKERS, ids=["required", "position", "name", "factory"])
def test_it_is_written_as_a_dataclass(make: Callable[[Any], Any]) -> None:
    """A hidden field is not in the text."""
    assert repr(make(Twin)).replace("Twin", "Value") == repr(make(Value))


@pytest.mark.parametrize(
    "make",
    [lambda kind: kind(), lambda kind: kind("a", size=1), lambda kind: kind("a", name="b")],
    ids=["missing", "unknown", "twice"],
)
def test_it_refuses_the_arguments_that_a_dataclass_refuses(make: Callable[[Any], Any]) -> None:
    """Arguments that are missing, unknown or given twice are errors."""
    for kind in (Twin, Value):
        with pytest.raises(TypeError):
            make(kind)


def test_a_factory_makes_a_value_for_each_instance() -> None:
    """Two instances do not share what a factory made."""
    assert Value("a").more is not Value("a").more


def test_it_equals_a_value_with_the_same_compared_fields() -> None:
    """A field that is not compared makes no difference, in a set neither."""
    more = {"x": 1}
    assert Value("a", note="b", more=more) == Value("a", note="c", more=more)
    assert Value("a") != Value("b")
    assert 1 == len({Caching(1), Caching(1)})


def test_it_equals_no_value_of_another_class() -> None:
    """A value of a derived class with the same fields is another value."""
    assert Value("a") != Longer("a")


@pytest.mark.parametrize("value", [Value("a"), Longer("a"), Empty(), Caching(1)])
@pytest.mark.parametrize("name", ["name", "size", "other"])
def test_it_cannot_be_changed(value: object, name: str) -> None:
    """No attribute can be set, new ones neither, or deleted."""
    with pytest.raises(AttributeError):
        setattr(value, name, 1)
    with pytest.raises(AttributeError):
        delattr(value, name)


def test_it_has_the_fields_of_its_base_first() -> None:
    """A class that is derived takes the fields of its base and then its own."""
    assert Longer(name="a", secret="b", note="c", more={"x": 1}, size=4) == Longer("a", "b", "c", {"x": 1}, 4)
    assert 8 == Longer("a", size=4).double


def test_a_copy_has_other_contents_of_the_named_fields() -> None:
    """The original stays as it was."""
    original = Longer("a", size=4)

    assert Longer("b", size=4) == replace(original, name="b")
    assert Longer("a", size=4) == original


@pytest.mark.parametrize("value", [Value("a", note="b", more={"x": 1}), Longer("a", size=4), Empty(), Caching(1)])
def test_it_goes_to_another_process(value: object) -> None:
    """What was pickled comes back with the same contents, also of fields that are not compared."""
    back = pickle.loads(pickle.dumps(value))  # noqa: S301 - our own

    assert value == back
    assert dataclasses.astuple(value) == dataclasses.astuple(back)  # type: ignore[call-overload]


def test_it_is_a_dataclass_for_the_functions_of_dataclasses() -> None:
    """They find the same fields as in a dataclass."""
    described = [
        [(content.name, content.default, content.default_factory, content.repr, content.compare) for content in fields]
        for fields in (dataclasses.fields(Twin), dataclasses.fields(Value))
    ]

    assert described[0] == described[1]
    assert Value("b") == dataclasses.replace(Value("a"), name="b")


def test_it_is_matched_by_position() -> None:
    """A pattern may name the fields in their order."""
    match Value("a", "b"):
        case Value(name, secret):
            assert "ab" == name + secret


def test_a_cached_property_is_computed_once() -> None:
    """The second read returns the same object."""
    value = Caching(3)

    assert [0, 1, 4] == value.squares
    assert value.squares is value.squares


def test_its_definition_imports_no_dataclasses() -> None:
    """A class that is defined and used loads neither `dataclasses` nor `inspect`."""
    script = (
        "from __future__ import annotations\nimport sys\nfrom keywright.immutable import immutable\n"
        "@immutable\nclass Value:\n    name: str\n"
        "hash(Value('a')); repr(Value('a')); print({'dataclasses', 'inspect'} & {*sys.modules})"
    )
    finished = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(ROOT / "layers/shared/python")},
        check=True,
        capture_output=True,
        text=True,
    )

    assert "set()\n" == finished.stdout
