"""A new user's session: the wheel in a fresh environment, and then what the README says."""

from __future__ import annotations

import re
import subprocess
import sys
import time
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


def exported_by(commands, folder, *programs):
    """Run *commands* in *folder* as a shell does; they must end well and write both files whole."""
    environment = {"PATH": ":".join(["/usr/bin:/bin", *map(str, programs)]), "HOME": str(folder)}
    if not programs:
        environment["PYTHONPATH"] = str(ROOT / "src")
    done = subprocess.run(["bash", "-euc", commands], cwd=folder, env=environment, capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^([\w.]+): complete, ([\d,]+) rows", done.stdout, re.MULTILINE) == [
        ("history.csv", "19,104"),
        ("rejects.parquet", "6,254"),
    ]


def test_the_readme_installs_exports_to_csv_first_and_verifies():
    commands = export_commands().splitlines()
    assert "'.[arrow,demo,postgres]'" in commands[0]
    assert [re.search(r"--out \S+", line)[0] for line in commands if " export " in line] == [
        "--out history.csv",
        "--out rejects.parquet",
    ]
    assert " verify " in commands[-1]


def test_the_commands_of_the_readme_export_what_they_say(tmp_path):
    for name in ("pyarrow", "matplotlib", "apsw", "flask"):
        pytest.importorskip(name, reason=f"{name} is not installed")
    programs = tmp_path / ".venv/bin"
    programs.mkdir(parents=True)
    (programs / "mesbatch").write_text(
        f"#!/bin/sh\nexec {sys.executable} -c 'from mesbatch.cli import main; main()' \"$@\"\n"
    )
    (programs / "mesbatch").chmod(0o755)
    exported_by("\n".join(export_commands().splitlines()[1:]), tmp_path)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_from_the_wheel_to_files_by_the_readme_alone(tmp_path):
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path, ROOT], check=True)
    (wheel,) = tmp_path.glob("mesbatch-*.whl")
    began = time.monotonic()
    exported_by(export_commands().replace("'.[", f"'{wheel}["), tmp_path, Path(sys.executable).parent)
    assert time.monotonic() - began < MINUTES * 60
    read = "import pyarrow.parquet as pq; t = pq.read_table('rejects.parquet'); print(t.num_rows, t.schema.names[0])"
    out = subprocess.run(
        [tmp_path / ".venv/bin/python", "-c", read], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "6254 CONTAINERID"
