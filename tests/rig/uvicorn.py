"""An ASGI application behind a real uvicorn, as a deployment runs it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.rig.site import ROOT, Popen, Setting, Site, await_answer, ended, free_port


class OneProcess(Site):
    """A server that is its only worker."""

    def workers(self) -> list[int]:
        return [self.pid]


@contextmanager
def uvicorn(setting: Setting, app: str, popen: Popen = subprocess.Popen, *options: str) -> Iterator[OneProcess]:
    """Run the application *app* behind uvicorn, and end it."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port), "--log-level", "error", *options]
    process = popen(command, env=setting.environment(), cwd=ROOT)
    with ended(process):
        await_answer(port, process)
        yield OneProcess(port, process)
