"""Exports in processes of their own, to be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

CODE = """
import json, sys
from mesbatch.export import export, rows
arguments = json.loads(sys.argv[1])
rows.PART_BYTES = arguments.pop("part_bytes")
export(**arguments)
"""


def run_export(**arguments: Any) -> None:
    """Export with small parts; raises when the process fails."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CODE, json.dumps(arguments)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def kill_export(at_bytes: int, **arguments: Any) -> bool:
    """Export, kill -9 the process once its output has *at_bytes*, and tell whether it was still running."""
    process = subprocess.Popen([sys.executable, "-c", CODE, json.dumps(arguments)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    out = Path(arguments["out"])
    while process.poll() is None and time.monotonic() < deadline:
        if size_of(out) >= at_bytes:
            os.kill(process.pid, signal.SIGKILL)
            break
    return process.wait(60) == -signal.SIGKILL


def size_of(out: Path) -> int:
    """Count the bytes of a file, or of all files in a directory; -1 for none."""
    try:
        return sum(path.stat().st_size for path in out.iterdir()) if out.is_dir() else out.stat().st_size
    except FileNotFoundError:
        return -1


def contents(out: Path) -> dict[str, bytes]:
    """Read all files of an output, by their names."""
    manifest = out.parent / f"{out.name}.manifest.json"
    paths = list(out.iterdir()) if out.is_dir() else [out, *([manifest] if manifest.exists() else [])]
    return {path.name.replace(out.name, "out"): path.read_bytes() for path in paths}
