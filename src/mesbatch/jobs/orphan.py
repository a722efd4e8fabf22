"""A worker's process ends with the one that started it: nobody else would know that it runs."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from threading import Thread

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the *thread* that started it ends; at once if *parent* is gone already.

    Does nothing where there is no such call: then `watch_pipe` remains.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the kernel was told
            end_now()


def watch_pipe(descriptor: int) -> None:
    """End this process when the other end of the pipe *descriptor* closes, with the process that holds it."""

    def watch() -> None:
        while os.read(descriptor, 1):
            pass
        end_now()

    Thread(target=watch, name="mesbatch-lifeline", daemon=True).start()


def end_now() -> None:
    """As if killed: nothing is written any more."""
    os.kill(os.getpid(), signal.SIGKILL)
