"""A function in a fresh Python process whose memory is sampled over time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from signal import Signals
from tempfile import TemporaryFile
from typing import IO, Any, cast

from mesbatch.errors import MesbatchError
from mesbatch.memory import rss
from mesbatch.units import format_bytes

SAMPLE_INTERVAL = 0.02  # seconds: the incident's slopes show, and the sampler costs below 1 % of a core
LAST_WORDS = 4_000  # bytes of a failed process's stderr: the end of a traceback matters


class WatchFailed(MesbatchError):
    """A watched function that raised, or whose process was killed; the message holds the end of its stderr."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The resident memory of a process, *rss* in bytes, *seconds* after its imports were done."""

    seconds: float
    rss: int


@dataclass(frozen=True, slots=True)
class Watched:
    """The result of a function and its cost: *seconds*, and *baseline* and *peak* in bytes of resident memory.

    *baseline* was measured after the imports, before the call. *samples* is empty where there is no /proc.
    """

    result: Any
    seconds: float
    baseline: int
    peak: int
    samples: tuple[Sample, ...]

    @property
    def above(self) -> int:
        """The bytes that the call needed at its peak beyond those of the imports."""
        return max(0, self.peak - self.baseline)


def watch(target: str, arguments: Mapping[str, Any], *, preload: Sequence[str] = ()) -> Watched:
    """Call *target*, a ``module:function``, with keyword *arguments* in a process of its own.

    Arguments and result are JSON. *preload* names modules that the function would import on use, so that they count
    to the baseline. The function's prints go to its stderr. Holds the result and 50 samples a second.

    Raises:
        WatchFailed: the function raised, or the process was killed.

    >>> watch("os.path:join", {"a": "x"}).result
    'x'
    """
    work = {"target": target, "arguments": dict(arguments), "preload": list(preload)}
    with TemporaryFile() as stderr, _started(stderr) as process:
        reports = _reports(process, work)
        ready = next(reports, {"rss": 0})
        with _sampling(process.pid) as samples:
            done = next(reports, None)
        status = process.wait()
        if done is None:
            raise WatchFailed(_explain(target, status, samples, stderr))
    peak = max([done["peak"], ready["rss"], *(sample.rss for sample in samples)])
    return Watched(done["result"], done["seconds"], ready["rss"], peak, tuple(samples))


@contextmanager
def _started(stderr: IO[bytes]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "mesbatch.demo.watched"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=stderr, text=True) as process:  # noqa: S603
        try:
            yield process
        finally:
            process.kill()


def _reports(process: subprocess.Popen[str], work: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    stdin, stdout = cast("tuple[IO[str], IO[str]]", (process.stdin, process.stdout))
    with suppress(BrokenPipeError), stdin:  # it died before it could listen: its status says why
        json.dump(work, stdin)
    yield from map(json.loads, stdout)


@contextmanager
def _sampling(pid: int) -> Iterator[list[Sample]]:
    samples: list[Sample] = []
    stopped = threading.Event()
    sampler = threading.Thread(target=_sample, args=(pid, samples, stopped), daemon=True)
    sampler.start()
    try:
        yield samples
    finally:
        stopped.set()
        sampler.join()


def _sample(pid: int, samples: list[Sample], stopped: threading.Event) -> None:
    begin = time.monotonic()
    while not stopped.wait(SAMPLE_INTERVAL if samples else 0):
        resident = rss(pid)
        if resident is None:  # no /proc here, or the process is gone
            return
        if resident:  # a process that has ended and was not waited for yet holds nothing
            samples.append(Sample(time.monotonic() - begin, resident))


def _explain(target: str, status: int, samples: list[Sample], stderr: IO[bytes]) -> str:
    size = stderr.seek(0, os.SEEK_END)
    stderr.seek(max(0, size - LAST_WORDS))
    words = stderr.read().decode(errors="replace").strip() or "it wrote nothing to stderr"
    how = f"was killed by {Signals(-status).name}" if status < 0 else f"ended with status {status}"
    last = f" after {samples[-1].seconds:.1f} s at {format_bytes(samples[-1].rss)}" if samples else ""
    return f"the process that called {target} {how}{last}:\n{words}"
