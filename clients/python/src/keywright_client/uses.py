"""Uses of keys: the arguments of verifications."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from keywright_client import requests

LARGEST_BATCH = 100


@dataclass(frozen=True, slots=True, init=False)
class Use:
    """A key to verify, and what it is used for. The text of the key is not in the repr.

    Args:
        text: text of the key, as your caller presented it.
        permissions: permissions that the key must have.
        client_ip: address of your caller, as your server sees it, never from a header that callers can set. Without
            one, a key with allowed addresses is refused.
        cost: how much of the key's limits this use takes, 0 to 1,000,000. 0 takes nothing and shows what is left.

    Raises:
        TypeError: an argument has the wrong type.
        ValueError: `cost` is out of its range.
    """

    text: str = field(repr=False)
    permissions: tuple[str, ...]
    client_ip: str | None
    cost: int

    def __init__(
        self, text: str, *, permissions: Iterable[str] = (), client_ip: str | None = None, cost: int = 1
    ) -> None:
        if client_ip is not None:
            requests.text("client_ip", client_ip)
        object.__setattr__(self, "text", requests.text("text", text))
        object.__setattr__(self, "permissions", requests.texts("permissions", permissions))
        object.__setattr__(self, "client_ip", client_ip)
        object.__setattr__(self, "cost", requests.cost(cost))


def batch(uses: object) -> tuple[Use, ...]:
    """Return up to 100 uses as a tuple. A string among them is a key that needs no permission.

    Raises:
        TypeError: it is a string itself, whose characters are not meant, or has other items.
        ValueError: there are more than 100.
    """
    if isinstance(uses, (str, bytes)) or not isinstance(uses, Iterable):
        raise TypeError(f"uses must be a list of Use and strings, not {type(uses).__name__}")
    items = tuple(uses)
    if len(items) > LARGEST_BATCH:
        raise ValueError(f"uses must have at most {LARGEST_BATCH} items, not {len(items)}")
    return tuple([item if isinstance(item, Use) else Use(requests.text("an item of uses", item)) for item in items])
