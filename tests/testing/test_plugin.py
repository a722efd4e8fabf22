from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("memray", reason="no memray")

GUIDE = Path(__file__).parents[2] / "docs/prove.md"


def run(tmp_path: Path, tests: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["mesbatch.testing.plugin"]\n')
    (tmp_path / "test_it.py").write_text(tests)
    command = [sys.executable, "-m", "pytest", "-v", "-c", "/dev/null", "--strict-markers", "--rootdir=.", "."]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)


def test_a_marked_test_runs_at_every_size_with_its_other_arguments(tmp_path):
    done = run(
        tmp_path,
        "import pytest\n"
        "sizes = []\n"
        "@pytest.mark.flat_memory(sizes=[10, 20, 30])\n"
        "@pytest.mark.parametrize('word', ['a', 'b'])\n"
        "def test_it(word, size, tmp_path):\n"
        "    assert tmp_path.exists()\n"
        "    sizes.append((word, size))\n"
        "def test_all():\n"
        "    assert sizes == [(word, size) for word in 'ab' for size in (10, 10, 20, 30)]\n",
    )
    assert done.returncode == 0, done.stdout
    assert "test_it[10-30-a] PASSED" in done.stdout or "test_it[a-10-30] PASSED" in done.stdout


def test_a_marked_test_fails_when_memory_grows(tmp_path):
    done = run(
        tmp_path,
        "import pytest\n"
        "@pytest.mark.flat_memory(sizes=[10, 5_000_000])\n"
        "def test_it(size):\n"
        "    bytes(size)\n"
        "@pytest.mark.flat_memory(sizes=[10, 5_000_000], growth=5_000_000)\n"
        "def test_that_much_is_allowed(size):\n"
        "    bytes(size)\n",
    )
    assert done.returncode == 1
    assert "memory grew by 4.8 MiB from size 10 to size 5,000,000, allowed 1.0 MiB" in done.stdout
    assert "1 failed, 1 passed" in done.stdout
    assert not re.search(r"mesbatch/testing/\w+\.py:\d+: ", done.stdout)


def test_a_failure_on_purpose_shows_the_call_of_the_test_and_no_line_of_ours(tmp_path):
    done = run(
        tmp_path,
        "import sqlite3\n"
        "from mesbatch.testing import Faults, FaultyConnect\n"
        "def test_it():\n"
        "    con = FaultyConnect(lambda: sqlite3.connect(':memory:'), Faults(2))()\n"
        "    con.execute('select 1')\n",
    )
    assert "test_it.py:5" in done.stdout
    assert not re.search(r"mesbatch/testing/\w+\.py:\d+: ", done.stdout)


def test_a_marked_test_without_a_size_is_an_error(tmp_path):
    done = run(tmp_path, "import pytest\n@pytest.mark.flat_memory(sizes=[1, 2])\ndef test_it(): pass\n")
    assert done.returncode != 0
    assert "a test marked flat_memory takes an argument size" in done.stdout + done.stderr


def test_tests_without_the_marker_are_as_they_were(tmp_path):
    done = run(
        tmp_path,
        "import pytest\n"
        "@pytest.mark.parametrize('size', [1, 2])\n"
        "def test_it(size): pass\n"
        "@pytest.fixture\n"
        "def word(): return 'a'\n"
        "def test_other(word): assert word == 'a'\n",
    )
    assert "3 passed" in done.stdout


def test_the_example_of_the_guide_passes(tmp_path):
    (example,) = [text.partition("```")[0] for text in GUIDE.read_text().split("```python\n")[1:]]
    done = run(tmp_path, example)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


@pytest.mark.flat_memory(sizes=[1_000, 1_000_000])
def test_the_marker_works_here_too(size):
    assert sum(1 for _ in range(size)) == size
