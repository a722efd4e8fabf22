"""Web servers and workers that run on this machine, from what the system shows of their processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

PROC = Path("/proc")
ASK_SECONDS = 20.0
# Reads settings as gunicorn does, in an interpreter of its own, because a settings file is a program.
ASK = """
import json, os, runpy, shlex, sys
from gunicorn.config import Config
parser = Config().parser()
found = {"worker_class": "sync", "threads": 1, "workers": 1}
variables, _ = parser.parse_known_args(shlex.split(os.environ.get("GUNICORN_CMD_ARGS", "")))
options, _ = parser.parse_known_args(sys.argv[1:])
path = options.config or variables.config or "gunicorn.conf.py"
if os.path.exists(path):
    found.update({name: value for name, value in runpy.run_path(path).items() if name in found})
for given in (variables, options):
    found.update({name: value for name in found if (value := getattr(given, name, None)) is not None})
print(json.dumps({name: str(value) for name, value in found.items()}))
"""


@dataclass(frozen=True)
class RunningProcess:
    """Process of a set-up, with the *command* and *environment* that it was started with."""

    pid: int
    kind: Literal["web", "worker"]
    command: list[str] = field(repr=False)
    environment: dict[str, str] = field(repr=False)

    def __str__(self) -> str:
        return f"{self.kind} process {self.pid}"


def find_processes() -> list[RunningProcess]:
    """Find the first process of every gunicorn and every ``mesbatch worker`` that we may look into."""
    found = list(_scan())
    pids = {one.pid for one in found}
    return [one for one in found if _parent(one.pid) not in pids]


def gunicorn_settings(web: RunningProcess) -> dict[str, Any] | None:
    """Find class, threads and number of the workers of *web*; None where it does not tell."""
    at = next((i for i, word in enumerate(web.command) if Path(word).name == "gunicorn"), 0)
    command = [sys.executable, "-c", ASK, *web.command[at + 1 :]]
    with suppress(OSError, subprocess.SubprocessError, ValueError):
        done = subprocess.run(  # noqa: S603
            command, cwd=PROC / str(web.pid) / "cwd", env=web.environment, capture_output=True, timeout=ASK_SECONDS,
            check=True,
        )  # fmt: skip
        found: dict[str, Any] = json.loads(done.stdout)
        return found
    return None


def _scan() -> Iterator[RunningProcess]:
    for entry in PROC.iterdir() if PROC.is_dir() else ():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            command = (entry / "cmdline").read_text(errors="replace").split("\0")[:-1]
            if kind := _kind(command):
                pairs = (entry / "environ").read_text(errors="replace").split("\0")
                environment = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
                yield RunningProcess(int(entry.name), kind, command, environment)


def _kind(command: list[str]) -> Literal["web", "worker"] | None:
    names = [Path(word).name for word in command[:3]]
    if "python" not in names[0] if names else True:
        return None
    if "gunicorn" in names:
        return "web"
    is_ours = "mesbatch" in names or any("mesbatch.cli" in word for word in command[:4])
    return "worker" if is_ours and "worker" in command else None


def _parent(pid: int) -> int:
    with suppress(OSError, ValueError, IndexError):
        return int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    return 0
