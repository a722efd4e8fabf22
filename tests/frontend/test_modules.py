"""The modules under Node: their own tests, their types and their size."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.frontend.rig import FRONTEND, node, npm_file, run_node

HERE = Path(__file__).parent
MOST_BYTES = 6_000


@pytest.mark.parametrize("name", sorted(path.name for path in HERE.glob("*.test.mjs")))
def test_the_tests_in_node_pass(name):
    done = run_node("--test", HERE / name)
    assert done.returncode == 0, done.stdout
    assert "# fail 0" in done.stdout


def test_the_types_are_right():
    tsc = npm_file(".bin/tsc")
    node()
    done = subprocess.run([tsc, "-p", FRONTEND], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_core_is_small():
    esbuild = npm_file(".bin/esbuild")
    node()
    command = [esbuild, "--bundle", "--minify", "--format=esm", FRONTEND / "jobs.js"]
    core = subprocess.run(command, capture_output=True, check=True).stdout
    assert len(core) < MOST_BYTES


def test_the_package_of_npm_has_every_module():
    package = json.loads((FRONTEND / "package.json").read_text())
    modules = sorted(path.name for path in FRONTEND.glob("*.js"))
    assert sorted(name for name in package["files"] if name.endswith(".js")) == modules
    assert sorted(package["exports"].values()) == [f"./{name}" for name in modules]
    assert "dependencies" not in package
