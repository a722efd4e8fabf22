"""A new user's session: the wheel in a fresh environment, and then what the README says."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MINUTES = 5


def export_commands():
    """The README's own, so that the two cannot drift apart."""
    readme = (ROOT / "README.md").read_text()
    found = re.search(r"<!-- export-command -->\n```sh\n(.*?)```", readme, re.DOTALL)
    assert found
    return found[1]


def test_the_readme_installs_exports_and_verifies():
    commands = export_commands().splitlines()
    assert "'.[arrow,postgres]'" in commands[0]
    assert " export " in commands[1]
    assert " verify " in commands[2]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_from_the_wheel_to_a_parquet_file_by_the_readme_alone(tmp_path):
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, ROOT], check=True)
    (wheel,) = tmp_path.glob("mesbatch-*.whl")
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as con, con:
        con.execute("create table mine (id integer, name text, price real)")
        con.executemany("insert into mine values (?, ?, ?)", ((n, f"thing {n}", n / 4) for n in range(10_000)))
    (tmp_path / "query.sql").write_text("select * from mine where id >= 10;\n")
    began = time.monotonic()

    commands = export_commands().replace("'.[", f"'{wheel}[")
    done = subprocess.run(
        ["bash", "-euc", commands], cwd=tmp_path, env={"PATH": "/usr/bin:/bin:" + str(Path(sys.executable).parent)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "complete, 9,990 rows" in done.stdout
    assert "9,990 rows" in done.stderr
    assert time.monotonic() - began < MINUTES * 60
    read = "import pyarrow.parquet as pq; t = pq.read_table('rows.parquet'); print(t.num_rows, t.schema.names)"
    out = subprocess.run(
        [tmp_path / ".venv/bin/python", "-c", read], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "9990 ['id', 'name', 'price']"
