"""Results as values: they cannot be changed, are small, and can be copied and sent to other processes."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any, get_args

import pytest

from keywright_client import NotFound, Refused, Valid, VerifiedApiKey, results

DETAILS: dict[str, Any] = {
    "id": "019b7e3c-9585-719d-81cb-3b8af1c594c2",
    "organization_id": "5f0c2c0e-9a3d-4b6e-8f57-0d6f2b8a1c01",
    "name": "CI",
    "permissions": ("sessions:read",),
    "missing_permissions": (),
    "metadata": {},
    "expires_at": None,
    "allowed_ips": None,
    "rate_limit": None,
    "quota": None,
    "retry_after_seconds": None,
    "leak": None,
}
VERIFICATIONS = [
    Refused(code="TOO_YOUNG"),
    *(
        result(**DETAILS) if issubclass(result, VerifiedApiKey) else result()
        for result in get_args(results.Verification)
        if result is not Refused
    ),
]


@pytest.mark.parametrize("result", VERIFICATIONS, ids=lambda result: result.code)
def test_a_result_can_be_copied(result: Any) -> None:
    """A copy, and a result that comes back from another process, equal the original."""
    assert result == copy.deepcopy(result)
    assert result == pickle.loads(pickle.dumps(result))  # noqa: S301 - written a moment ago


@pytest.mark.parametrize("result", VERIFICATIONS, ids=lambda result: result.code)
@pytest.mark.parametrize("name", ["valid", "code", "new"])
def test_a_result_cannot_be_changed(result: Any, name: str) -> None:
    """A refusal cannot be made an admission."""
    with pytest.raises((dataclasses.FrozenInstanceError, AttributeError, TypeError)):
        setattr(result, name, True)

    assert result.valid is isinstance(result, Valid)


@pytest.mark.parametrize("result", VERIFICATIONS, ids=lambda result: result.code)
def test_a_result_has_slots(result: Any) -> None:
    """A result has no dictionary of attributes."""
    assert not hasattr(result, "__dict__")


def test_refusals_with_and_without_details() -> None:
    """Every result but NotFound and an unknown refusal has the details of the key; every one but Valid is a refusal."""
    with_details = {type(result) for result in VERIFICATIONS if isinstance(result, VerifiedApiKey)}
    refusals = {type(result) for result in VERIFICATIONS if isinstance(result, Refused)}
    every = {type(result) for result in VERIFICATIONS}

    assert {NotFound, Refused} == every - with_details
    assert {Valid} == every - refusals
