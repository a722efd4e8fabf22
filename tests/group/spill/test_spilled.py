"""Groups on disk are right or raise: damaged bytes, full disks, many runs."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from contextlib import closing
from itertools import chain

import pytest

from mesbatch.errors import CorruptChunk
from mesbatch.group.spill.extents import ExtentFile
from mesbatch.group.spill.spilled import SpilledGroups
from mesbatch.group.spill.unlinked import open_unlinked

RUNS = [
    {"a": [("a", 1), ("a", None)], "b": [("b", 2)]},
    {"b": [("b", "x")], "c": [("c", 2.5)]},
    {"a": [("a", b"y")], "b": [("b", None)]},  # begins before the run that was written before it
]
TRUTH = {"a": [("a", 1), ("a", None), ("a", b"y")], "b": [("b", 2), ("b", "x"), ("b", None)], "c": [("c", 2.5)]}


@pytest.fixture
def descriptor():
    return open_unlinked()


@pytest.fixture
def groups(descriptor):
    with closing(SpilledGroups(("k", "v"), "k", ExtentFile(descriptor), 0)) as groups:
        for run in RUNS:
            rows = list(chain.from_iterable(run.values()))
            groups.add(rows, 1_000)
        groups.settle()
        yield groups


def every_way_to_read(groups):
    yield lambda: dict(groups.items()), TRUTH
    for key, rows in TRUTH.items():
        yield lambda key=key: groups[key], rows
        yield lambda key=key: list(groups.iter_rows(key)), rows


def check_never_wrong(groups):
    """Check that each way to read is right or raises, and that the one that reads all bytes raises."""
    num_corrupt = 0
    for read, rows in every_way_to_read(groups):
        try:
            assert read() == rows
        except CorruptChunk:
            num_corrupt += 1
    assert num_corrupt >= 3  # items, the group of the byte by its key and by its rows
    with pytest.raises(CorruptChunk):
        list(groups.items())


def test_every_way_to_read_gives_the_rows(groups):
    for read, rows in every_way_to_read(groups):
        assert read() == rows


def test_closing_gives_the_index_back(groups):
    before = groups.index_nbytes
    groups.close()
    assert list(groups) == []
    assert groups.index_nbytes < before


def test_a_flipped_bit_anywhere_never_gives_wrong_rows(groups, descriptor):
    content = os.pread(descriptor, groups.nbytes, 0)
    for position, byte in enumerate(content):
        for bit in range(8):
            os.pwrite(descriptor, bytes([byte ^ 1 << bit]), position)
            check_never_wrong(groups)
        os.pwrite(descriptor, bytes([byte]), position)
    assert dict(groups.items()) == TRUTH


def test_a_truncation_anywhere_never_gives_wrong_rows(groups, descriptor):
    for length in reversed(range(groups.nbytes)):
        os.ftruncate(descriptor, length)
        check_never_wrong(groups)


def test_a_full_disk_is_a_clean_failure_forty_times_and_then_none(tmp_path):
    program = """
        import os, resource, signal, sys
        from mesbatch.batch import Batch
        from mesbatch.errors import SpillError
        from mesbatch.group.by_key import group_by_key

        directory = sys.argv[1]
        rows = [(number % 70, f"{number:0500}") for number in range(2_000)]
        batches = [Batch(("k", "v"), rows[start : start + 100]) for start in range(0, 2_000, 100)]

        def use():
            with group_by_key(batches, "k", max_bytes=50_000, directory=directory) as groups:
                return sum(len(rows) for rows in groups.values())

        unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
        before = sorted(os.listdir("/proc/self/fd"))
        for limit in range(0, 800_000, 20_000):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, unlimited[1]))
            try:
                use()
            except SpillError as error:
                print(error)
            assert sorted(os.listdir("/proc/self/fd")) == before
            assert os.listdir(directory) == []
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
        print(use())
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program), str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.stderr == ""
    *failures, rows = result.stdout.splitlines()
    assert len(failures) == 40
    assert all("could not write bytes" in failure and "File too large" in failure for failure in failures)
    assert rows == "2000"


def test_nothing_is_left_after_a_kill(tmp_path):
    program = """
        import os, signal, sys
        from mesbatch.batch import Batch
        from mesbatch.group.by_key import group_by_key

        groups = group_by_key([Batch(("k",), [(1,)])], "k", max_bytes=0, directory=sys.argv[1])
        os.kill(os.getpid(), signal.SIGKILL if groups.spilled_nbytes else signal.SIGTERM)
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)]
    assert subprocess.run(command, check=False, timeout=60).returncode == -9
    assert list(tmp_path.iterdir()) == []
