"""What a service holds, taken every few seconds, and the rule that tells growth from noise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import median
from typing import Any

from mesbatch.units import MiB

SHARE = 0.10  # by which a measure may be larger in the last quarter than in the second
SLACK = {  # beside the share: what one more request, or one job that is not yet forgotten, may hold
    "web_nbytes": 8 * MiB,
    "worker_nbytes": 4 * MiB,
    "permits": 1,
    "files": 3,  # one that a fault leaves each minute is found
    "threads": 4,
    "connections": 2,
    "redis_keys": 60,
}


@dataclass(frozen=True, slots=True)
class Sample:
    """What is held at one moment, *at* seconds from the start.

    Files and threads are those of the web server and of the worker, without its work-horses, which come and go with
    each job, as the bytes do.
    """

    at: float
    web_nbytes: int
    worker_nbytes: int
    permits: int
    files: int
    threads: int
    connections: int
    redis_keys: int


def growth(samples: Sequence[Sample], seconds: float) -> list[str]:
    """Name each measure that grew between the second quarter of *seconds* and the last.

    A measure grew when its median in the last quarter is above that in the second one by more than `SHARE` and its
    `SLACK`, or its least value is: what leaks is never given back, so it raises the least value, too, which the load of
    a moment does not touch.
    """
    second = [sample for sample in samples if seconds / 4 <= sample.at < seconds / 2]
    last = [sample for sample in samples if 3 * seconds / 4 <= sample.at < seconds]
    found = []
    for name, slack in SLACK.items():
        for word, of in (("median", median), ("least", min)):
            before, after = (of([getattr(sample, name) for sample in some]) for some in (second, last))
            if after > before * (1 + SHARE) + slack:
                found.append(f"{name}: the {word} grew from {before:,.0f} to {after:,.0f}")
    return found


def quarters(samples: Sequence[Sample], seconds: float) -> list[str]:
    """Tell the median and the least and largest value of each measure in each quarter, a line a measure."""
    lines = []
    for name in SLACK:
        cells = []
        for number in range(4):
            begin, end = number * seconds / 4, (number + 1) * seconds / 4
            values = [getattr(sample, name) for sample in samples if begin <= sample.at < end]
            scale = MiB if name.endswith("nbytes") else 1
            shown = [median(values) / scale, min(values) / scale, max(values) / scale] if values else []
            cells.append("{:8.1f} ({:.1f} to {:.1f})".format(*shown) if shown else "-")
        lines.append(f"{name.replace('nbytes', 'MiB'):12} " + " ".join(f"{cell:26}" for cell in cells))
    return lines


def rss(pids: Iterable[int]) -> int:
    """Sum the resident bytes of processes; one that has ended holds none."""
    return 1024 * sum(int(_status(pid).get("VmRSS", "0 kB").split()[0]) for pid in pids)


def threads(pids: Iterable[int]) -> int:
    return sum(int(_status(pid).get("Threads", "0")) for pid in pids)


def open_files(pids: Iterable[int]) -> int:
    count = 0
    for pid in pids:
        with suppress(OSError):
            count += len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return count


def names() -> list[str]:
    """List the measures of a sample."""
    return [field.name for field in fields(Sample) if field.name != "at"]


def _status(pid: int) -> dict[str, Any]:
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return {}
