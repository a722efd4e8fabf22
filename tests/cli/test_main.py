"""The group of commands."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from mesbatch.cli import main

HEAVY = ("sqlalchemy", "oracledb", "matplotlib", "pandas", "pyarrow", "psycopg", "apsw", "flask")


def test_help_names_the_commands():
    result = CliRunner().invoke(main, ["--help"])

    assert result.exit_code == 0
    assert "demo" in result.output


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "mesbatch", "--help"], capture_output=True, text=True, check=True)

    assert "export" in done.stdout


def test_a_command_that_does_not_exist_is_refused():
    result = CliRunner().invoke(main, ["trace"])

    assert result.exit_code == 2
    assert "No such command 'trace'" in result.output


@pytest.mark.parametrize("module", ["mesbatch.cli", "mesbatch.cli.demo", "mesbatch.cli.export", "mesbatch.cli.verify"])
def test_asking_for_help_loads_no_driver(module):
    code = f"import sys, {module}; print(sorted(set(sys.modules) & {set(HEAVY)!r}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert loaded.strip() == "[]"
