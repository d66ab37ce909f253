"""The bounded mapping that keeps the most recently used entries."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from keywright.cache import Recent


def test_a_value_is_found_by_its_key() -> None:
    """A stored value is returned for its key, and for no other."""
    memory: Recent[str, int] = Recent(2)
    memory.put("a", 1)

    assert 1 == memory.get("a")
    assert memory.get("b") is None


def test_a_value_replaces_the_earlier_one() -> None:
    """A key has one value, the latest."""
    memory: Recent[str, int] = Recent(2)
    memory.put("a", 1)
    memory.put("a", 2)

    assert 2 == memory.get("a")
    assert 1 == len(memory)


@given(st.integers(1, 4), st.lists(st.tuples(st.sampled_from("gp"), st.integers(0, 6)), max_size=40))
def test_it_forgets_the_least_recently_used_entry(size: int, acts: list[tuple[str, int]]) -> None:
    """It equals a list that moves each used entry to its end, in any order of calls."""
    memory: Recent[int, int] = Recent(size)
    model: list[int] = []
    for act, key in acts:
        if act == "p":
            memory.put(key, -key - 1)
        else:
            assert (-key - 1 if key in model else None) == memory.get(key)
        if key in model or act == "p":
            model = [*(other for other in model if other != key), key][-size:]

    assert model == list(memory._values)


def test_threads_may_share_it() -> None:
    """With several threads it keeps its bound, and each key its value."""
    memory: Recent[int, int] = Recent(10)

    def use(start: int) -> bool:
        for number in range(start, start + 500):
            memory.put(number % 20, number % 20)
        return all(memory.get(number) in {None, number} for number in range(20))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(use, range(8)))
    assert 10 == len(memory)
