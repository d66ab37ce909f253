"""Time left in the invocation."""

from __future__ import annotations

import pytest

from keywright import deadline


@pytest.mark.parametrize(("seconds", "inside"), [(24, 16), (9, 5.5), (2, -1.5)])
def test_a_share_of_the_time_is_reserved(seconds: float, inside: float) -> None:
    """GIVEN time without the reserve for the answer THEN a third of it, or 3.5 seconds, is left for what follows."""
    with deadline.within(int(1000 * (seconds + deadline.RESERVE_SECONDS))):
        before = deadline.remaining_seconds()
        with deadline.reserving(1 / 3, 3.5):
            assert inside == pytest.approx(deadline.remaining_seconds(), abs=0.5)

        assert before == pytest.approx(deadline.remaining_seconds(), abs=0.5)


def test_without_a_deadline_nothing_is_reserved() -> None:
    """Without a deadline, there is none inside either."""
    with deadline.reserving(1 / 3, 3.5):
        assert float("inf") == deadline.remaining_seconds()
