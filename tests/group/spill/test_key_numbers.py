"""Keys are numbered as they are first seen, in little memory."""

from __future__ import annotations

import tracemalloc
from sys import getsizeof

from hypothesis import given
from hypothesis import strategies as st

from mesbatch.group.spill.key_numbers import KeyNumbers

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates() | st.uuids()


@given(st.lists(st.lists(scalars | st.integers(0, 100), unique=True, max_size=60)))
def test_numbers_follow_the_order_in_which_keys_are_first_seen(added):
    numbers, truth = KeyNumbers(), {}
    for keys in added:
        assert numbers.add(keys) == [truth.setdefault(key, len(truth)) for key in keys]
    assert list(numbers) == list(truth)
    assert len(numbers) == len(truth)
    assert all(key in numbers and numbers[key] == number for key, number in truth.items())


def test_a_number_takes_less_memory_than_an_int_does():
    added = [[f"{start + n:016}" for n in range(5_000)] for start in range(0, 100_000, 5_000)]
    numbers, truth = KeyNumbers(), {}
    tracemalloc.start()
    try:
        for keys in added:
            numbers.add(keys)
        held = tracemalloc.get_traced_memory()[0]
        for keys in added:
            truth.update((key, len(truth)) for key in keys)
        ints = tracemalloc.get_traced_memory()[0] - held - getsizeof(truth)
        assert held - getsizeof(truth) < 15 * len(truth)
        assert ints > 25 * len(truth)
    finally:
        tracemalloc.stop()
    keys_nbytes = sum(map(getsizeof, truth))
    assert held < numbers.nbytes - keys_nbytes + 10_000  # it does not tell less than it holds
