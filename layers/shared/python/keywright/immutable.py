"""Immutable values: what `dataclass(frozen=True, slots=True)` makes, at a small part of its cost in a cold start.

A dataclass writes and compiles up to seven methods of its class while its module loads, used or not. Classes that are
made here share their methods; only `__init__` is compiled, with the first instance (docs/decisions/0051). For the
functions of `dataclasses`, such as `fields` and `asdict`, they are dataclasses.
"""

from __future__ import annotations

from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar, cast, dataclass_transform

__all__ = ["field", "immutable", "replace"]

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from dataclasses import field, replace
else:

    def field(**options: object) -> _Field:
        """Return a field with options of `dataclasses.field`: default, default_factory, repr, compare."""
        return _Field(**options)

    def replace(value: Value, /, **changes: object) -> Value:
        """Return a copy of a value with other contents of some fields."""
        return type(value)(**{name: getattr(value, name) for name in value.__match_args__} | changes)


Value = TypeVar("Value")
_MISSING = object()


class _Field:
    __slots__ = ("compare", "default", "default_factory", "repr")

    def __init__(
        self,
        *,
        default: object = _MISSING,
        default_factory: Callable[[], object] | None = None,
        repr: bool = True,  # noqa: A002 - the name that dataclasses use
        compare: bool = True,
    ) -> None:
        self.default, self.default_factory, self.repr, self.compare = default, default_factory, repr, compare

    @property
    def is_required(self) -> bool:
        return self.default is _MISSING and self.default_factory is None


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def immutable(cls: type[Value]) -> type[Value]:
    """Return the class with slots for its annotated fields and the methods of a frozen dataclass.

    Fields of an immutable base class come first. Methods that the class defines are kept. A class with cached
    properties also gets a dictionary for their values.
    """
    own = {
        name: _field(cls.__dict__.get(name, _MISSING))
        for name, annotation in cls.__annotations__.items()
        if not annotation.startswith("ClassVar")
    }
    inherited: Mapping[str, _Field] = getattr(cls, "__immutable_fields__", {})
    fields = {**inherited, **own}
    compared = [name for name, content in fields.items() if content.compare]
    caches = any(isinstance(value, cached_property) for value in cls.__dict__.values())
    left_out = {"__dict__", "__weakref__", *own}
    contents = {name: value for name, value in cls.__dict__.items() if name not in left_out}
    made = {
        **_SHARED,
        "__slots__": (*own, "__dict__") if caches else tuple(own),
        "__match_args__": tuple(fields),
        "__qualname__": cls.__qualname__,
        "__immutable_fields__": fields,
        "__immutable_values__": staticmethod(attrgetter(*compared) if compared else lambda _: ()),
        "__init__": _first_init,
    }
    metaclass: Any = type(cls)
    return cast("type[Value]", metaclass(cls.__name__, cls.__bases__, made | contents))


def _field(default: object) -> _Field:
    return default if isinstance(default, _Field) else _Field(default=default)


def _first_init(self: Any, *arguments: object, **named: object) -> None:
    """Compile the `__init__` of a class, which replaces this one, and call it."""
    cls: Any = next(cls for cls in type(self).__mro__ if "__immutable_fields__" in cls.__dict__)
    cls.__init__ = _compiled_init(cls)
    cls.__init__(self, *arguments, **named)


def _compiled_init(cls: Any) -> Callable[..., None]:
    fields: Mapping[str, _Field] = cls.__immutable_fields__
    # Slots are set by their descriptors: the class itself refuses assignments.
    known: dict[str, object] = {"_missing": _MISSING}
    parameters, lines = ["self"], ["pass"]
    for name, content in fields.items():
        known |= {f"_set_{name}": getattr(cls, name).__set__, f"_default_{name}": content.default}
        parameters.append(name if content.is_required else f"{name}=_default_{name}")
        written = name
        if content.default_factory is not None:
            known[f"_make_{name}"] = content.default_factory
            written = f"_make_{name}() if {name} is _missing else {name}"
        lines.append(f"_set_{name}(self, {written})")
    body = "\n ".join(lines)
    exec(f"def __init__({', '.join(parameters)}):\n {body}", known)  # noqa: S102 - made of names of fields
    return cast("Callable[..., None]", known["__init__"])


class _DataclassFields:
    """The fields as `dataclasses` describes them, computed when one of its functions asks."""

    def __get__(self, _: object, cls: Any) -> dict[str, Any]:
        import dataclasses  # noqa: PLC0415 - no start of an authorizer needs it

        described = []
        for name, content in cls.__immutable_fields__.items():
            options = {} if content.default is _MISSING else {"default": content.default}
            if content.default_factory is not None:
                options = {"default_factory": content.default_factory}
            described.append((name, object, dataclasses.field(repr=content.repr, compare=content.compare, **options)))
        twin: Any = dataclasses.make_dataclass(cls.__name__, described)
        return dict(twin.__dataclass_fields__)


def _repr(self: Any) -> str:
    shown = (name for name, content in self.__immutable_fields__.items() if content.repr)
    return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"


def _eq(self: Any, other: Any) -> bool:
    if type(other) is not type(self):
        return NotImplemented  # type: ignore[no-any-return]  # Python's protocol of comparisons
    return bool(self.__immutable_values__(self) == self.__immutable_values__(other))


def _hash(self: Any) -> int:
    return hash(self.__immutable_values__(self))


def _reduce(self: Any) -> tuple[type, tuple[object, ...]]:
    """Return what a copy, or a value that another process unpickles, is made of."""
    return type(self), tuple(getattr(self, name) for name in self.__match_args__)


def _refuse(self: object, name: str, _: object = None) -> None:
    raise AttributeError(f"{type(self).__name__} is immutable: {name} cannot be changed")


_SHARED: Mapping[str, object] = {
    "__dataclass_fields__": _DataclassFields(),
    "__delattr__": _refuse,
    "__eq__": _eq,
    "__hash__": _hash,
    "__reduce__": _reduce,
    "__repr__": _repr,
    "__setattr__": _refuse,
}
