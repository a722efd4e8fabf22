"""A job's limit of memory, and how a death for memory is told from another."""

from __future__ import annotations

import resource
from pathlib import Path
from signal import SIGKILL


def limit_memory(nbytes: int | None) -> None:
    """Let this process allocate at most *nbytes* of data, interpreter and libraries included; None leaves it be.

    More raises MemoryError in Python. RLIMIT_DATA and not RLIMIT_AS, which counts mapped files and libraries, too.
    """
    if nbytes is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (nbytes, nbytes))


def count_kills() -> int:
    """How many processes the kernel has killed for memory since it started, in any cgroup; 0 where it does not tell."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def killed_for_memory(signal: int, kills_before: int) -> bool:
    """Whether a process that *signal* ended was one that the kernel killed since `count_kills` was *kills_before*."""
    return signal == SIGKILL and count_kills() > kills_before
