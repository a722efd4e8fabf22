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


def declared_minimums():
    """Read the lowest version of each package that pyproject.toml declares, with or without an extra."""
    wanted = [*PROJECT["dependencies"], *(one for some in PROJECT["optional-dependencies"].values() for one in some)]
    found = (re.match(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", one) for one in wanted if not one.startswith("mesbatch["))
    return {match[1].lower(): match[2] for match in found if match}


def test_the_page_of_versions_shows_the_minimums_that_are_declared():
    table = re.findall(r"^\| ([\w, -]+) \| ([\d.]+)", (ROOT / "docs/upgrade.md").read_text(), re.MULTILINE)
    shown = {name.lower(): version for names, version in table for name in names.split(", ")}
    declared = declared_minimums()
    assert len(shown) > 7
    assert {name: [int(part) for part in version.split(".")][:2] for name, version in shown.items()} == {
        name: [*map(int, declared[name].split(".")), 0][:2] for name in shown
    }


def test_every_requirement_has_a_minimum_and_all_of_a_package_have_the_same():
    wanted = [*PROJECT["dependencies"], *(one for some in PROJECT["optional-dependencies"].values() for one in some)]
    minimums = {}
    for one in wanted:
        if not one.startswith("mesbatch["):
            name, minimum = re.match(r"([\w.-]+)(?:\[\w+\])?>=([\d.]+)", one).groups()
            assert minimums.setdefault(name, minimum) == minimum
