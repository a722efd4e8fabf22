"""Groups on disk whose file was damaged: the rows that were written, or an error of ours; never other rows."""

from __future__ import annotations

import os
from contextlib import closing
from random import Random

import pytest
from hypothesis import strategies as st

from mesbatch.errors import BudgetError, CorruptChunk
from mesbatch.group.spill.extents import ExtentFile
from mesbatch.group.spill.spilled import SpilledGroups
from mesbatch.group.spill.unlinked import open_unlinked
from mesbatch.testing.strategies import SCALARS
from tests.fuzz.budget import TIMEOUT, corpus, fuzz_briefly, fuzz_long
from tests.fuzz.damage import damaged, seeds

COLUMNS = ("k", "v", "w")
# Values that equal themselves; lists of rows are drawn once, and damaged often.
VALUES = [
    SCALARS[name] for name in ("none", "int", "huge int", "str", "bytes", "date", "aware datetime", "uuid", "bool")
]
ROWS = st.lists(st.tuples(st.integers(0, 5), st.one_of(VALUES), st.one_of(VALUES)), min_size=1, max_size=12)
DAMAGES = 20  # of one file


def check(rows, seed, max_bytes):
    descriptor = open_unlinked()
    with closing(SpilledGroups(COLUMNS, "k", ExtentFile(descriptor), max_bytes)) as groups:
        groups.add(rows, 100.0 * len(rows))
        groups.settle()
        written = os.pread(descriptor, groups.nbytes, 0)
        expected = {key: [row for row in rows if row[0] == key] for key in dict.fromkeys(row[0] for row in rows)}
        assert dict(groups.items()) == expected
        refused = 0
        for number in range(DAMAGES):
            _write(descriptor, damaged(written, seed + number))
            refused += not _is_refused(lambda: dict(groups.items()), expected)
            for key, found in expected.items():
                _is_refused(lambda key=key: groups[key], found)
    return "refused" if refused < DAMAGES else "all are whole"


def _write(descriptor, data):
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, data, 0)


def _is_refused(read, expected):
    """Tell whether reading is refused; what is not, is as *expected*, with the types of its values."""
    try:
        found = read()
    except (CorruptChunk, BudgetError):
        return True
    assert repr(found) == repr(expected)
    return False


DAMAGED = {"rows": ROWS, "seed": seeds(), "max_bytes": st.sampled_from([0, 100, 10_000])}


@pytest.mark.parametrize("seed", corpus("spill"))
def test_a_kept_damage_gives_no_other_rows(seed):
    chance = Random(seed)
    check([(chance.randrange(4), number, str(number)) for number in range(9)], seed, 100)


def test_a_damaged_spill_file_gives_no_other_rows():
    endings = fuzz_briefly(check, 60, **DAMAGED)
    assert endings["refused"] > 30, endings


@pytest.mark.long
@pytest.mark.timeout(TIMEOUT)
def test_minutes_of_damage_give_no_other_rows():
    fuzz_long(check, **DAMAGED)
