"""The process of a job: it ends with the one that started it, keeps to its memory, and its death is explained."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

PR_SET_PDEATHSIG = 1  # linux/prctl.h

_jobs_here: list[bool] = []


def enter_job() -> None:
    """Remember that this process runs a job."""
    _jobs_here.append(True)


def is_job() -> bool:
    """Return whether this process was started for a job: such a one starts no others."""
    return bool(_jobs_here)


def die_with_parent(parent: int) -> None:
    """Let the kernel kill this process when the *thread* that started it ends; end at once if *parent* is gone already.

    Does nothing where there is no such call: then `watch_pipe` remains.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the kernel was told
            end_now()


def watch_pipe(descriptor: int) -> SimpleQueue[bytes]:
    """Return the lines that come through the pipe *descriptor*.

    Ends this process when the other end closes, with the process that holds it.
    """
    lines = SimpleQueue[bytes]()

    def watch() -> None:
        begun = b""
        while more := os.read(descriptor, 65_536):
            *whole, begun = (begun + more).split(b"\n")
            for line in whole:
                lines.put(line)
        end_now()

    Thread(target=watch, name="mesbatch-lifeline", daemon=True).start()
    return lines


def end_now() -> None:
    """End this process as if it were killed: nothing is written any more."""
    os.kill(os.getpid(), signal.SIGKILL)


def limit_memory(nbytes: int | None) -> None:
    """Let this process allocate at most *nbytes* of data, interpreter and libraries included; None leaves it be.

    More raises MemoryError in Python. RLIMIT_DATA and not RLIMIT_AS, which counts mapped files and libraries, too.
    """
    if nbytes is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (nbytes, nbytes))


def count_kills() -> int:
    """Count the processes that the kernel has killed for memory since it started; 0 where it does not tell."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def killed_for_memory(number: int, kills_before: int) -> bool:
    """Return whether the kernel killed a process, ended by the signal *number*, since it had killed *kills_before*."""
    return number == signal.SIGKILL and count_kills() > kills_before
