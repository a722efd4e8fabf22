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
READ = """
import sqlite3, sys
from mesbatch import read_sql_iter
connection = sqlite3.connect(":memory:")
assert list(read_sql_iter("select 1 as a", connection))
print(*sys.modules)
list(read_sql_iter("select 1 as a where 1 in (:keys)", connection, keys=[1]))
print(*sys.modules)
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


def test_importing_mesbatch_loads_neither_the_reader_nor_what_it_needs():
    code = "import mesbatch, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = {name for name in done.stdout.split() if name.startswith("mesbatch")}
    assert ours == {"mesbatch", "mesbatch.batch", "mesbatch.errors", "mesbatch.units"}
    assert {"msgspec", "sqlite3", "uuid", "decimal", "random", "urllib.parse"}.isdisjoint(done.stdout.split())


def test_only_a_keyed_read_loads_the_judge_of_sql():
    done = subprocess.run([sys.executable, "-c", READ], capture_output=True, text=True, check=True)
    without, with_keys = map(str.split, done.stdout.splitlines())
    assert {"mesbatch.sql.judge", "mesbatch.keys.examine", "random"}.isdisjoint(without)
    assert "mesbatch.sql.judge" in with_keys


def test_a_regular_expression_is_compiled_on_use():
    code = """
import re
compiled = []
real, re.compile = re.compile, lambda text, flags=0: compiled.append(str(text)) or real(text, flags)
import mesbatch.sql.judge, mesbatch.source.connect, dataclasses
print(sum("POSTCOMPILE" in text or "password" in text for text in compiled))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"


def test_every_public_name_is_there():
    import mesbatch

    assert all(getattr(mesbatch, name) is not None for name in mesbatch.__all__)
