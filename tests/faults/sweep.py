"""The loop: operation 1, 2, 3 ... n of a scenario fails, and the same laws are asked each time."""

from __future__ import annotations

import gc
import os
import random
import shutil
import signal
import subprocess
import threading
import time
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import cache
from pathlib import Path
from typing import Any

from tests.faults.points import Dead, Failure, points
from tests.faults.scenario import REFUSALS, Scenario
from tests.rig.threads import threads_of_reads

ROOT = Path(__file__).parents[2]
KILL_SECONDS = 60.0
LEAVE_SECONDS = 5.0  # for threads and connections of a server to end


class Broken(AssertionError):
    """A law that did not hold; the message names the scenario and the operation that failed."""


@cache
def commit() -> str:
    """Return the commit that is tested, or what stands for it: the seed of the samples."""
    if found := os.environ.get("GITHUB_SHA"):
        return found
    with suppress(OSError):
        done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout.strip()
    return (ROOT / "CHANGELOG.md").read_text()


def drawn(name: str, count: int, wanted: int, seed: str | None = None) -> list[int]:
    """Draw *wanted* of the numbers from 1 to *count*, by the commit's hash; all of them if there are no more."""
    chance = random.Random(f"{commit() if seed is None else seed} {name}")
    return sorted(chance.sample(range(1, count + 1), min(wanted, count)))


def count_points(scenario: Scenario, mode: str) -> int:
    """Run *scenario* without a failure, and count its operations."""
    folder = _folder(scenario)
    scenario.begin(folder)
    with points.arm(0, mode):
        came = scenario.act()
    scenario.check(came, None)
    assert came == scenario.truth, f"{scenario.name}: undisturbed, it gave {came!r:.300}"
    scenario.end()
    _remove(folder)
    return points.calls


def inject(scenario: Scenario, mode: str, numbers: Iterable[int]) -> int:
    """Run *scenario* once for each of *numbers*, with that operation failing; return the runs in which it did."""
    injected = 0
    for at in numbers:
        folder = _folder(scenario)
        before = _descriptors()
        scenario.begin(folder)
        try:
            with _burying() if mode == "dead" else nullcontext():
                came, error = _act(scenario, at, mode)
                _judge(scenario, came, error, mode)
                del came, error
            again = scenario.again()
            assert again == scenario.truth, f"the next one gave {again!r:.300}"
            scenario.end()
            if mode != "dead":  # its descriptors would have ended with the process
                _nothing_left(scenario, before)
        except Exception as broken:
            raise Broken(f"{scenario.name}: {mode}, {_told(points.failed, at)}: {broken}") from broken
        finally:
            _remove(folder)
        injected += points.failed is not None
    return injected


def kill(scenario: Scenario, numbers: Iterable[int]) -> int:
    """Run *scenario* in a forked process once for each of *numbers*, killed at that operation; return the kills."""
    killed = 0
    for at in numbers:
        folder = _folder(scenario)
        before = _descriptors()
        scenario.begin(folder)
        try:
            killed += _killed(scenario, at)
            scenario.check(None, Dead())
            again = scenario.again()
            assert again == scenario.truth, f"the next one gave {again!r:.300}"
            scenario.end()
            _nothing_left(scenario, before)
        except Exception as broken:
            raise Broken(f"{scenario.name}: killed at operation {at}: {broken}") from broken
        finally:
            _remove(folder)
    return killed


def _killed(scenario: Scenario, at: int) -> bool:
    process = os.fork()
    if not process:
        try:
            with points.arm(at, "kill"):
                scenario.act()
        finally:
            os._exit(0)
    until = time.monotonic() + KILL_SECONDS
    while not (ended := os.waitpid(process, os.WNOHANG))[0]:
        if time.monotonic() > until:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            raise AssertionError(f"the process did not end within {KILL_SECONDS} s")
        time.sleep(0.001)
    return os.WIFSIGNALED(ended[1])


def _act(scenario: Scenario, at: int, mode: str) -> tuple[Any, BaseException | None]:
    with points.arm(at, mode):
        try:
            return scenario.act(), None
        except (Exception, Dead) as error:
            return None, error


def _judge(scenario: Scenario, came: Any, error: BaseException | None, mode: str) -> None:
    if error is not None and not isinstance(error, (*REFUSALS, *scenario.refusals, Dead)):
        raise AssertionError(f"an error of no known kind: {type(error).__name__}: {error}") from error
    if isinstance(error, Dead) and mode != "dead":
        raise error
    scenario.check(came, error)
    if error is not None:
        error.__traceback__ = None  # which holds the frames, and so the readers in them


@contextmanager
def _burying() -> Iterator[None]:
    """Collect what a dead process would have left to the kernel."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


def _nothing_left(scenario: Scenario, before: list[str]) -> None:
    """Wait until descriptors, threads and connections are those of before."""
    until = time.monotonic() + LEAVE_SECONDS
    while left := [*_more(_descriptors(), before), *threads_of_reads(), *scenario.left()]:
        if time.monotonic() > until:
            threads = [thread.name for thread in threading.enumerate()]
            raise AssertionError(f"left behind: {left}; threads {threads}")
        gc.collect()
        time.sleep(0.002)


def _descriptors() -> list[str]:
    """List what the descriptors of this process are open on."""
    found = []
    for path in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            target = str(path.readlink())
            found.append(target if not target.startswith(("socket:", "pipe:")) else target.partition(":")[0])
    return sorted(found)


def _more(now: list[str], before: list[str]) -> list[str]:
    left = list(before)
    more = []
    for one in now:
        if one in left:
            left.remove(one)
        elif "/proc/" not in one:  # the list itself was read through one
            more.append(one)
    return more


def _told(failed: Failure | None, at: int) -> str:
    return f"no operation {at}" if failed is None else f"operation {at} ({failed.family}: {failed.name})"


_runs = 0


def _folder(scenario: Scenario) -> Path:
    global _runs
    _runs += 1
    folder = scenario.folder / f"run-{_runs}"
    folder.mkdir()
    return folder


def _remove(folder: Path) -> None:
    shutil.rmtree(folder)
