from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(tmp_path: Path, required: str, *options: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "test_it.py").write_text("import pytest\npytest.importorskip('no_such_driver')\ndef test_it(): pass\n")
    (tmp_path / "test_other.py").write_text("def test_other(): pass\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.rig.required", "-c", "/dev/null", *options, str(tmp_path)]
    environment = {"MESBATCH_REQUIRE": required, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)


def test_a_skip_passes_where_nothing_is_required(tmp_path):
    assert run(tmp_path, "").returncode == 0


def test_a_skip_for_something_else_passes(tmp_path):
    assert run(tmp_path, "postgres").returncode == 0


def test_a_skip_for_a_required_name_fails_the_run(tmp_path):
    done = run(tmp_path, "postgres,no_such_driver")
    assert done.returncode == 1
    assert "REQUIRED BUT SKIPPED" in done.stdout


def test_a_skip_in_one_of_several_workers_fails_the_run(tmp_path):
    pytest.importorskip("xdist", reason="no pytest-xdist")
    done = run(tmp_path, "postgres,no_such_driver", "-n2")
    assert done.returncode == 1
    assert "REQUIRED BUT SKIPPED" in done.stdout
