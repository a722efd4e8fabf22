"""The tutorial, from top to bottom, as a reader pastes it in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TUTORIAL = ROOT / "docs/tutorial.md"
INSTALL = ("python3 -m venv", ".venv/bin/pip install")


@pytest.fixture
def empty_folder(tmp_path):
    """A folder with nothing but an environment that has mesbatch, in the place where the tutorial makes one."""
    programs = tmp_path / ".venv/bin"
    programs.mkdir(parents=True)
    run = f"exec {sys.executable}"
    for name, command in {"python": run, "mesbatch": f"{run} -c 'from mesbatch.cli import main; main()'"}.items():
        (programs / name).write_text(f'#!/bin/sh\n{command} "$@"\n')
        (programs / name).chmod(0o755)
    return tmp_path


def test_every_command_of_the_tutorial_runs_in_an_empty_folder(empty_folder):
    pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")
    blocks = re.findall(r"```sh\n(.*?)```", TUTORIAL.read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if not line.startswith(INSTALL)]
    pasted = ["bash", "-euo", "pipefail", "-c", "\n".join(lines)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(pasted, cwd=empty_folder, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert len(lines) > 10
    assert re.findall(r"^(history\.\w+): complete, 20,000 rows", done.stdout, re.MULTILINE) == [
        "history.csv",
        "history.parquet",
    ]


def test_every_line_of_python_in_the_tutorial_gives_what_it_shows_in_an_empty_folder(empty_folder):
    pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")
    pasted = [sys.executable, "-m", "doctest", "-o", "ELLIPSIS", "-o", "NORMALIZE_WHITESPACE", str(TUTORIAL)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(pasted, cwd=empty_folder, env=environment, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")
