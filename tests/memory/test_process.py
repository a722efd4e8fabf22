"""Memory as the system tells it: control groups of both versions, the machine, and this process."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch.memory.cgroup import find_limits
from mesbatch.memory.process import Memory, MemoryReader, RssMark, read_memory, release, rss
from mesbatch.units import GiB, KiB, MiB
from tests.rig.cage_or_skip import cage_or_skip

ROOT = Path(__file__).parents[2]
V1_NONE = "9223372036854771712"

needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system has no /proc")


class System:
    """A made-up /proc and the control groups that it speaks of."""

    def __init__(self, directory: Path, *, total: int = 64 * GiB, available: int = 60 * GiB) -> None:
        self.proc, self.mounted = directory / "proc", directory / "cgroup"
        (self.proc / "self").mkdir(parents=True)
        lines = f"MemTotal: {total // KiB} kB\nMemFree: 1 kB\nMemAvailable: {available // KiB} kB\n"
        (self.proc / "meminfo").write_text(lines)
        (self.proc / "self/statm").write_text("1000 500 100 1 0 300 0\n")

    def version_1(self, path: str, root: str = "/") -> None:
        self._mount(f"4:memory:{path}\n3:cpu:{path}\n0::{path}\n", root, "cgroup", "rw,memory")

    def version_2(self, path: str, root: str = "/") -> None:
        self._mount(f"0::{path}\n", root, "cgroup2", "rw")

    def group_1(self, path: str, limit: int | str, usage: int, inactive_file: int = 0) -> None:
        stat = f"inactive_file {inactive_file // 2}\ntotal_inactive_file {inactive_file}\n"
        self._group(path, {"memory.limit_in_bytes": limit, "memory.usage_in_bytes": usage, "memory.stat": stat})

    def group_2(self, path: str, limit: int | str, usage: int, inactive_file: int = 0) -> None:
        stat = f"anon 5\ninactive_file {inactive_file}\nactive_file 7\n"
        self._group(path, {"memory.max": limit, "memory.current": usage, "memory.stat": stat})

    def read(self) -> Memory:
        return MemoryReader(proc=self.proc).read()

    def _mount(self, membership: str, root: str, filesystem: str, options: str) -> None:
        (self.proc / "self/cgroup").write_text(membership)
        other = "22 1 0:20 / /sys rw shared:7 - sysfs sysfs rw\n"
        self.proc.joinpath("self/mountinfo").write_text(
            f"{other}35 31 0:32 {root} {self.mounted} rw,relatime shared:9 - {filesystem} cgroup {options}\n"
        )

    def _group(self, path: str, files: dict[str, int | str]) -> None:
        directory = self.mounted / path.strip("/")
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (directory / name).write_text(str(content))


@pytest.fixture
def system(tmp_path):
    return System(tmp_path)


@pytest.fixture(params=[1, 2])
def version(request, system):
    """A function that puts us into a group, and one that makes a group, of either version."""
    return (system.version_1, system.group_1) if request.param == 1 else (system.version_2, system.group_2)


def test_the_limit_and_the_working_set_of_our_own_group_are_read(system, version):
    enter, group = version
    enter("/app")
    group("/app", 384 * MiB, usage=200 * MiB, inactive_file=50 * MiB)

    memory = system.read()

    assert memory.limit == 384 * MiB
    assert memory.working_set == 150 * MiB
    assert memory.headroom == 234 * MiB
    assert memory.used == pytest.approx(150 / 384)


def test_file_cache_that_nobody_needs_is_not_counted_as_used(system, version):
    enter, group = version
    enter("/app")
    group("/app", 100 * MiB, usage=99 * MiB, inactive_file=90 * MiB)

    assert system.read().headroom == 91 * MiB
    assert system.read().used == pytest.approx(0.09)


def test_the_limit_is_the_smallest_of_ours_and_our_ancestors(system, version):
    enter, group = version
    enter("/slice/app/worker")
    group("/slice", GiB, usage=0)
    group("/slice/app", 256 * MiB, usage=0)
    group("/slice/app/worker", 512 * MiB, usage=0)

    assert system.read().limit == 256 * MiB


def test_the_headroom_is_that_of_the_tightest_group_and_not_of_the_smallest(system, version):
    enter, group = version
    enter("/slice/app")
    group("/slice", 1024 * MiB, usage=1000 * MiB, inactive_file=4 * MiB)
    group("/slice/app", 512 * MiB, usage=100 * MiB)

    memory = system.read()
    assert (memory.limit, memory.working_set) == (512 * MiB, 100 * MiB)
    assert memory.headroom == 28 * MiB
    assert memory.used == pytest.approx(996 / 1024)


@pytest.mark.parametrize("without", ["max", V1_NONE])
def test_a_group_without_a_limit_leaves_that_of_the_machine(system, version, without):
    enter, group = version
    enter("/app")
    group("/app", without, usage=5)

    assert system.read() == Memory(64 * GiB, 4 * GiB, 60 * GiB, pytest.approx(4 / 64), system.read().rss)


def test_a_container_sees_its_group_at_the_top_of_what_is_mounted(system, version):
    enter, group = version
    enter("/docker/abc", root="/docker/abc")
    group("/", 300 * MiB, usage=0)

    assert system.read().limit == 300 * MiB


def test_a_group_below_what_is_mounted_is_found_there(system, version):
    enter, group = version
    enter("/docker/abc/worker", root="/docker/abc")
    group("/", 300 * MiB, usage=0)
    group("/worker", 200 * MiB, usage=0)

    assert system.read().limit == 200 * MiB


@pytest.mark.parametrize("path", ["/elsewhere", "/../sibling"])
def test_a_group_outside_of_what_is_mounted_still_has_the_limit_of_its_top(system, version, path):
    enter, group = version
    enter(path, root="/docker/abc")
    group("/", 300 * MiB, usage=0)

    assert system.read().limit == 300 * MiB


def test_a_use_above_the_limit_leaves_no_headroom_and_never_less(system, version):
    enter, group = version
    enter("/app")
    group("/app", 100 * MiB, usage=120 * MiB)

    assert system.read().headroom == 0


@given(st.integers(0, 2**40), st.integers(0, 2**40), st.integers(1, 2**40))
def test_the_working_set_is_never_negative(tmp_path_factory, usage, inactive_file, limit):
    system = System(tmp_path_factory.mktemp("system"))
    system.version_2("/app")
    system.group_2("/app", limit, usage, inactive_file)

    assert find_limits(system.proc)[-1].working_set == max(0, usage - inactive_file)
    assert 0 <= system.read().headroom <= max(limit, 64 * GiB)


def test_where_nothing_is_told_everything_is_unknown(tmp_path):
    assert MemoryReader(proc=tmp_path).read() == Memory(None, None, None, None, None)


def test_a_reading_is_kept_for_250_ms(system):
    now = 0.0
    reader = MemoryReader(proc=system.proc, clock=lambda: now)
    first = reader.read()
    (system.proc / "self/statm").write_text("1000 900 100 1 0 300 0\n")

    now = 0.249
    assert reader.read() is first
    now = 0.25
    assert reader.read().rss > first.rss


@needs_proc
def test_this_process_and_this_machine_can_be_read():
    memory = read_memory()

    assert memory.limit > memory.headroom > 0
    assert 0 < memory.used < 1
    assert memory.rss == pytest.approx(rss(), abs=50 * MiB)


@needs_proc
def test_a_mark_has_the_peak_since_it_was_made_and_not_the_one_before():
    before = RssMark()
    held = bytearray(b"x") * (80 * MiB)
    del held
    after = RssMark()

    assert before.peak - before.start > 75 * MiB
    assert after.peak - after.start < 40 * MiB


@needs_proc
def test_a_mark_does_not_disturb_those_before_it():
    outer = RssMark()
    held = bytearray(b"x") * (80 * MiB)
    del held
    RssMark()
    RssMark()

    assert outer.peak - outer.start > 75 * MiB


@needs_proc
def test_marks_of_several_threads_each_have_their_peak():
    marks: list[RssMark] = []
    held = []

    def work() -> None:
        marks.append(RssMark())
        held.append(bytearray(b"x") * (30 * MiB))

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert min(mark.peak - mark.start for mark in marks) > 25 * MiB


@needs_proc
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="malloc_trim is glibc's")
def test_memory_that_was_freed_is_given_back_and_counted():
    pieces = [f"{number:01000d}" for number in range(100_000)]
    cycle: list[object] = [pieces]
    cycle.append(cycle)
    keep = f"{5:01000d}"  # on top of the heap: free() alone could give nothing back
    gc.disable()
    try:
        del pieces, cycle
        held = rss()
        given_back = release()
    finally:
        gc.enable()

    assert given_back > 60 * MiB
    assert held - rss() == pytest.approx(given_back, abs=20 * MiB)
    assert keep


def test_a_real_control_group_is_read_as_it_is(tmp_path):
    """Anonymous memory counts; a file that was written counts in the group's use, and not in its working set."""
    code = f"""
import os
from mesbatch.memory.process import MemoryReader
held = bytearray(b"x") * {60 * MiB}
first = MemoryReader(cached=0).read()
with open({str(tmp_path / "file")!r}, "wb") as file:
    for _ in range(100):
        file.write(os.urandom(2**20))
    file.flush()
    os.fsync(file.fileno())
second = MemoryReader(cached=0).read()
print(first.limit, first.limit - first.headroom, second.headroom - first.headroom)
"""
    with cage_or_skip(384 * MiB) as cage:
        process = cage.popen([sys.executable, "-c", code], stdout=-1, env={"PYTHONPATH": str(ROOT / "src")})
        output = process.communicate(timeout=60)[0]
        usage = cage.usage()

    limit, used, change = map(int, output.split())
    assert limit == 384 * MiB
    assert 55 * MiB < used < 120 * MiB
    assert abs(change) < 20 * MiB
    assert usage > 80 * MiB  # the file: its pages are still counted after the process is gone
