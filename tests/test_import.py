from __future__ import annotations

import json
import subprocess
import sys

import pytest

from mesbatch import MiB

FORBIDDEN = {
    "sqlalchemy", "oracledb", "psycopg", "apsw", "pyarrow", "adbc_driver_manager", "flask", "pandas", "numpy",
    "matplotlib", "click", "rq", "redis", "orjson",
}  # fmt: skip
CODE = """
import json, os, sys
def rss(): return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
before = rss()
import mesbatch
print(json.dumps([rss() - before, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


@pytest.fixture(scope="module")
def imported():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_importing_mesbatch_loads_no_driver_no_arrow_and_no_framework(imported):
    assert FORBIDDEN.isdisjoint(imported[1])


def test_importing_mesbatch_adds_less_than_12_mib(imported):
    assert imported[0] < 12 * MiB


@pytest.mark.parametrize("module", ["mesbatch.admission", "mesbatch.memory.process"])
def test_admission_needs_no_server_and_no_framework(module):
    code = f"import {module}, sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert FORBIDDEN.isdisjoint(done.stdout.split())
