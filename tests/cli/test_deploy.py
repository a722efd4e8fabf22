"""Files of a deployment that the command writes out."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from click.testing import CliRunner

from mesbatch.cli import main
from mesbatch.cli.deploy import deploy_directory

ROOT = Path(__file__).parents[2]
FILES = {path.relative_to(ROOT / "deploy") for path in (ROOT / "deploy").rglob("*") if "__pycache__" not in str(path)}


def test_every_file_is_written_with_its_bytes_and_mode(tmp_path):
    result = CliRunner().invoke(main, ["deploy", str(tmp_path / "new" / "deploy")])
    assert result.exit_code == 0, result.output
    folder = tmp_path / "new" / "deploy"
    assert {path.relative_to(folder) for path in folder.rglob("*")} == FILES
    for name in (path for path in FILES if (folder / path).is_file()):
        assert (folder / name).read_bytes() == (ROOT / "deploy" / name).read_bytes()
        assert os.access(folder / name, os.X_OK) == os.access(ROOT / "deploy" / name, os.X_OK)
        assert str(folder / name) in result.output


def test_nothing_is_written_over_what_is_there(tmp_path):
    (tmp_path / "nginx.conf").write_text("mine")
    result = CliRunner().invoke(main, ["deploy", str(tmp_path)])
    assert result.exit_code == 1
    assert str(tmp_path / "nginx.conf") in result.output
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_the_wheel_has_the_files():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]["deploy"] == "mesbatch/deploy"
    assert deploy_directory() == ROOT / "deploy"


def test_an_installation_without_the_files_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("mesbatch.cli.deploy._PACKAGE", tmp_path / "a" / "b")
    result = CliRunner().invoke(main, ["deploy", str(tmp_path / "new")])
    assert result.exit_code == 1
    assert "install mesbatch again" in result.output
