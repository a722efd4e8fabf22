"""The pages of the manual as files: each is listed once, and its links and figures are those of the repository."""

from __future__ import annotations

import re

import pytest

from tests.docs.manual import PAGES, ROOT

TEXTS = {path.name: path.read_text() for path in PAGES}
TABLE = re.compile(r"^\|.*\|$", re.MULTILINE)
OURS = re.compile(r"https://github\.com/mesbatch/mesbatch/(?:blob|tree)/main/([^)#\s]+)")


def test_every_page_is_listed_once():
    listed = [line for block in re.findall(r"```{toctree}\n(.*?)```", TEXTS["index.md"], re.DOTALL)
              for line in block.splitlines() if re.fullmatch(r"[\w-]+", line)]  # fmt: skip
    assert sorted(listed) == sorted(path.stem for path in PAGES if path.stem != "index")


def test_every_guide_stands_in_the_table_of_tasks():
    named = set(re.findall(r"\]\(([\w-]+\.md)\)", TEXTS["index.md"]))
    elsewhere = {"index.md", "budget.md", "design.md", "benchmarks.md", "oracle.md", "drivers.md"}
    assert {name for name in TEXTS if not name.startswith("api-")} - named - elsewhere == set()


@pytest.mark.parametrize("name", TEXTS)
def test_every_link_into_the_repository_names_a_file(name):
    assert [path for path in OURS.findall(TEXTS[name]) if not (ROOT / path).exists()] == []


def test_the_rows_where_others_win_are_those_of_the_benchmarks():
    measured = set(TABLE.findall((ROOT / "benchmarks/README.md").read_text()))
    quoted = TABLE.findall(TEXTS["when-not.md"])
    assert len(quoted) > 20
    assert [row for row in quoted if row not in measured] == []


def test_the_rows_for_comers_are_those_of_the_benchmarks():
    rows = [row.strip("| ").split(" | ") for row in TABLE.findall((ROOT / "benchmarks/README.md").read_text())]
    measured = {(name, seconds, above) for name, seconds, _, above in (row for row in rows if len(row) == 4)}
    block = TEXTS["coming-from.md"].partition("| | s | above MiB |\n|---|---|---|\n")[2].partition("\n\n")[0]
    quoted = [tuple(row.strip("| ").split(" | ")) for row in block.splitlines()]
    assert len(quoted) == 5
    assert [row for row in quoted if row not in measured] == []
