"""The words of the packages: versions that agree, and a README that reads the same at PyPI."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_version_is_the_same_everywhere():
    newest = re.search(r"^## ([\d.]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    frontend = json.loads((ROOT / "frontend/package.json").read_text())
    locked = json.loads((ROOT / "frontend/package-lock.json").read_text())

    assert newest
    assert {newest[1], frontend["version"], locked["version"]} == {PROJECT["version"]}


def test_every_link_and_picture_of_the_readme_is_absolute_and_names_a_file_of_ours():
    targets = re.findall(r"\]\(([^)]+)\)|^\[[\w.-]+\]: (\S+)$", README, re.MULTILINE)
    urls = ["".join(target) for target in targets]
    ours = [url for url in urls if "/mesbatch/mesbatch/" in url]

    assert len(ours) > 10
    assert [url for url in urls if not url.startswith("https://")] == []
    paths = [re.split(r"/(?:blob/|tree/)?main/", url)[1] for url in ours]
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_link_by_name_is_defined():
    names = set(re.findall(r"\]\[([\w.-]+)\]", README))
    assert names == set(re.findall(r"^\[([\w.-]+)\]: ", README, re.MULTILINE))


def test_the_python_versions_of_the_classifiers_are_those_that_are_tested():
    tested = set(re.findall(r"\"(3\.\d+)\"", (ROOT / ".github/workflows/ci.yml").read_text()))
    named = {line.rpartition(" ")[2] for line in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", line)}
    assert named == tested
