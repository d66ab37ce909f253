"""Users who can sign in: the personas of the demo organizations, and any other user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from local.demo import PERSONAS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.demo import Persona

LONGEST_ID = 255
"""Limit of a subject in OpenID Connect Core 1.0, section 2."""


@dataclass(frozen=True, slots=True)
class User:
    """A user who signs in.

    Attributes:
        ttl_seconds, audience: of the access token; None for the defaults.
    """

    user_id: str
    organization_id: str
    name: str
    ttl_seconds: int | None = None
    audience: str | None = None

    @classmethod
    def of(cls, persona: Persona) -> User:
        """Return a persona as a user."""
        return cls(
            persona.user_id,
            persona.organization_id,
            title(persona),
            ttl_seconds=persona.ttl_seconds,
            audience=persona.audience,
        )

    @classmethod
    def chosen(cls, form: Mapping[str, str], personas: tuple[Persona, ...] = PERSONAS) -> User | None:
        """Return the user that a form names: a persona, or user and organization. None if it names no user."""
        for persona in personas:
            if form.get("persona") == persona.name:
                return cls.of(persona)
        user_id, organization_id = form.get("user", ""), form.get("organization", "")
        if all(text.isprintable() and 1 <= len(text) <= LONGEST_ID for text in (user_id, organization_id)):
            return cls(user_id, organization_id, user_id)
        return None


def title(persona: Persona) -> str:
    """Return the name of a persona for people."""
    return persona.name.replace("_", " ").capitalize()


def remembered(form: Mapping[str, str]) -> str:
    """Return the text for the cookie that names the same user as a form.

    It is not signed: who can send it can also choose the user on the page.
    """
    return urlencode({name: form[name] for name in ("persona", "user", "organization") if name in form})


def recalled(cookie: str, personas: tuple[Persona, ...]) -> User | None:
    """Return the user that the text of a cookie names."""
    return User.chosen(dict(parse_qsl(cookie)), personas)
