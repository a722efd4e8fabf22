"""Proof that memory does not grow with the work: the same run at several sizes, under memray."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from memray import AllocationRecord, FileFormat, FileReader, Tracker

from mesbatch.units import MiB, format_bytes

__tracebackhide__ = True  # pytest shows the lines of the user's test, and none of ours

GROWTH = 1 * MiB  # caches and allocators add less between two sizes; a list of 10,000 rows is far above it
PLACES = 3  # that a failure names: the first is nearly always the culprit


@dataclass(frozen=True, slots=True)
class Peak:
    """The most that a run held at one time.

    Attributes:
        nbytes: Bytes.
        places: The places in the code that allocated most of them.

    >>> Peak(2**20).nbytes
    1048576
    """

    nbytes: int
    places: tuple[str, ...] = ()


def assert_flat_memory(run: Callable[[int], object], sizes: Sequence[int], growth: int = GROWTH) -> list[int]:
    """Call *run* with each of *sizes*, and fail if its memory grows.

    Prove that the sizes are far enough apart: the naive code must fail here. The first size is run once before
    anything is measured, for imports and caches. Allocations between the beginning and the end of a run count, by
    Python, by C libraries and in every thread, but not those of other processes. Returns the peaks, in bytes, one
    for each size.

    Args:
        run: A function of a size, such as a number of rows.
        sizes: Ascending sizes, so far apart that a run which keeps its rows would grow by more than *growth*.
        growth: Bytes that the peak at any size may have above that at the first.

    Raises:
        AssertionError: memory grew; the message shows every peak, and the places that held most at the highest.
        ValueError: *sizes* are fewer than two, or do not ascend.
        RuntimeError: memray tracks already, as under ``pytest --memray``.

    >>> def read(size):
    ...     return sum(len(range(100)) for _ in range(size))
    >>> len(assert_flat_memory(read, [10, 1_000]))
    2
    >>> assert_flat_memory(lambda size: list(range(size)), [10_000, 1_000_000])
    Traceback (most recent call last):
        ...
    AssertionError: memory grew by ... MiB from size 10,000 to size 1,000,000, allowed 1.0 MiB
    ...
    """
    if len(sizes) < 2 or any(small >= large for small, large in pairwise(sizes)):
        raise ValueError(f"sizes must be at least two, in ascending order, got {list(sizes)}")
    run(sizes[0])
    peaks = [measure_peak(lambda: run(size)) for size in sizes]  # noqa: B023  # called before the next size
    highest = max(range(len(sizes)), key=lambda i: peaks[i].nbytes)
    grown = peaks[highest].nbytes - peaks[0].nbytes
    if grown > growth:
        raise AssertionError(_explain(sizes, peaks, highest, grown, growth))
    return [peak.nbytes for peak in peaks]


def measure_peak(run: Callable[[], object]) -> Peak:
    """Call *run* and measure its peak: the bytes that it holds beside those that were there before.

    Args:
        run: A function without arguments.

    Raises:
        RuntimeError: memray tracks already.

    >>> measure_peak(lambda: bytes(10_000_000)).nbytes // 10**6
    10
    """
    gc.collect()
    with TemporaryDirectory() as directory:
        record = Path(directory, "allocations")
        # Without trace_python_allocators, pymalloc hides what is used again: a list of small rows would seem free.
        with Tracker(record, trace_python_allocators=True, file_format=FileFormat.AGGREGATED_ALLOCATIONS):
            run()
        with FileReader(record) as reader:
            held = sorted(reader.get_high_watermark_allocation_records(merge_threads=True), key=lambda one: -one.size)
            peak = Peak(reader.metadata.peak_memory, tuple(map(_place, held[:PLACES])))
    return peak


def _place(record: AllocationRecord) -> str:
    function, file, line = next(iter(record.stack_trace(max_stacks=1)), ("a library", "", 0))
    return f"{format_bytes(record.size)} in {function}" + (f" ({file}:{line})" if file else "")


def _explain(sizes: Sequence[int], peaks: Sequence[Peak], highest: int, grown: int, growth: int) -> str:
    between = f"from size {sizes[0]:,} to size {sizes[highest]:,}"
    lines = [
        f"memory grew by {format_bytes(grown)} {between}, allowed {format_bytes(growth)}",
        *(f"  at size {size:,}: {format_bytes(peak.nbytes)}" for size, peak in zip(sizes, peaks)),
        "most of it was allocated by",
        *(f"  {place}" for place in peaks[highest].places),
    ]
    return "\n".join(lines)
