"""Mistakes in the template, made on purpose: each check of the template has to notice its own."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.intrinsics import TemplateError
from tests.support import cloudformation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import pytest

GONE = object()
"""The value of a part that is missing by mistake."""

Arguments = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A plausible mistake in the template.

    Attributes:
        check: the test that has to notice.
        place: path in the template, separated by dots; numbers are positions in lists.
        value: the wrong value; GONE for none.
        cases: returns the arguments of the check, for each thing that it is about.
    """

    check: Callable[..., None]
    place: str
    value: object
    cases: Callable[[], Iterable[Arguments]]

    def __str__(self) -> str:
        wrong = "is missing" if self.value is GONE else f"is {self.value!r}"
        return f"{self.check.__name__.removeprefix('test_')}: {self.place} {wrong}"

    def assert_noticed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Check that the test passes with the template, and fails once the mistake is made."""
        template = cloudformation._template()
        assert not self._is_noticed()

        broken = self._made_in(template)
        assert broken != template
        monkeypatch.setattr(cloudformation, "_template", lambda: broken)

        assert self._is_noticed()

    def _is_noticed(self) -> bool:
        """Return whether the check fails for at least one of its cases."""
        try:
            for arguments in self.cases():
                self.check(*arguments)
        except (AssertionError, KeyError, ValueError, TypeError, TemplateError):
            return True
        return False

    def _made_in(self, template: dict[str, Any]) -> dict[str, Any]:
        """Return a copy of the template with the mistake."""
        broken = copy.deepcopy(template)
        *way, last = self.place.split(".")
        place: Any = broken
        for step in way:
            place = place[int(step) if isinstance(place, list) else step]
        name = int(last) if isinstance(place, list) else last
        if self.value is GONE:
            del place[name]
        else:
            place[name] = self.value
        return broken


def mistakes(
    check: Callable[..., None], *made: tuple[str, object], cases: Callable[[], Iterable[Arguments]] = lambda: [()]
) -> list[Mistake]:
    """Return mistakes, each a place and its wrong value, that a check has to notice."""
    return [Mistake(check, place, value, cases) for place, value in made]


def about(*arguments: object) -> Callable[[], Iterable[Arguments]]:
    """Return the cases of a check that is made once, with these arguments."""
    return lambda: [arguments]


def checks_in(module: Mapping[str, object]) -> set[str]:
    """Return the names of the tests of a module, but for those about mistakes."""
    return {name for name in module if name.startswith("test_") and "mistake" not in name}
