"""Jobs that the kernel kills for memory, in a cgroup of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from mesbatch.jobs.process import count_kills, killed_for_memory
from mesbatch.units import MiB
from tests.jobs.rig import LocalRig, running, spec, until, wait_for_end

LIMIT = 250 * MiB


@pytest.fixture
def cgroup():
    """Make a cgroup with a limit of memory; processes that are written into its *procs* live in it."""
    first, second = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    folder = (first if first.is_dir() else second) / f"mesbatch-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup can be made here: {error}")
    try:
        limit = folder / ("memory.limit_in_bytes" if first.is_dir() else "memory.max")
        if not limit.exists():
            pytest.skip("no cgroup with a limit of memory can be made here")
        limit.write_text(str(LIMIT))
        yield folder
    finally:
        until(lambda: not (folder / "cgroup.procs").read_text(), 10, "the end of the processes")
        with suppress(OSError):
            folder.rmdir()


@pytest.fixture
def rig(tmp_path, cgroup):
    yield from running(LocalRig(tmp_path))


def test_without_our_care_the_kernel_does_kill(cgroup):
    before = count_kills()
    code = (
        f"import sys; sys.stdin.readline(); x = bytearray({2 * LIMIT}); x[::4096] = b'x' * len(range(0, len(x), 4096))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as process:
        (cgroup / "cgroup.procs").write_text(str(process.pid))
        process.communicate(b"\n")
    assert process.returncode == -9
    assert killed_for_memory(9, before)
    assert not killed_for_memory(9, count_kills())


@pytest.mark.parametrize(("appetite", "status"), [(40, "finished"), (120, "failed")])
def test_a_job_that_the_kernel_killed_is_tried_once_more_with_half(rig, cgroup, database, appetite, status):
    worker = rig.start_worker()
    (cgroup / "cgroup.procs").write_text(str(worker.pid))
    job = wait_for_end(rig.jobs, rig.submit(spec(database, "hungry", arguments={"appetite": appetite})))
    assert (job.status, job.interruption, job.attempt) == (status, "job-out-of-memory", 2)
    assert job.code == ("job-out-of-memory" if status == "failed" else None)
    assert worker.poll() is None, "the one that submits goes on"
    rig.stop_workers()
