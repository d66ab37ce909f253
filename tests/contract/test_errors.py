"""The published words of errors: code, status, message and hint, written out in errors.json.

The files of events/ name an error instead of repeating its words.
"""

from __future__ import annotations

import json

from keywright import errors
from tests.support.environment import ROOT


def test_errors_have_their_published_words() -> None:
    """A changed word is a decision: customers read messages and hints, and programs compare codes."""
    published = json.loads((ROOT / "tests/contract/errors.json").read_text(encoding="utf-8"))
    catalogue = {name: error for name, error in vars(errors).items() if isinstance(error, errors.ErrorType)}

    assert published == {
        name: {"status": error.status, "code": error.code, "message": error.message, "hint": error.hint}
        for name, error in catalogue.items()
    }
