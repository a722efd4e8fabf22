"""The page of faults says what the tests say."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.faults.page import NONE, page, rows

ROOT = Path(__file__).parents[2]
ROWS = list(rows())
UNTESTED = {59: "there is no ASGI adapter in this version"}


@cache
def functions(file: str) -> dict[str, ast.FunctionDef]:
    tree = ast.parse((ROOT / "tests" / f"{file}.py").read_text())
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_page_is_made_from_the_table():
    assert (ROOT / "docs/faults.md").read_text() == page(), "python -m tests.faults.page > docs/faults.md"


def test_no_row_is_missing():
    assert [row.number for row in ROWS] == list(range(1, len(ROWS) + 1))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.number}")
def test_every_row_has_tests_that_are_there_and_are_run(row):
    assert bool(row.tests) == (row.number not in UNTESTED)
    for test in row.tests:
        file, _, name = test.partition("::")
        assert name in functions(file), f"{test} is not there"
        marks = [ast.unparse(mark) for mark in functions(file)[name].decorator_list]
        assert not any(".skip(" in mark or "xfail" in mark or mark.endswith(".long") for mark in marks)


def test_every_test_that_is_named_after_a_row_stands_in_it():
    for name in functions("faults/test_rows"):
        if name.startswith("test_row_"):
            number = int(name.split("_")[2])
            assert f"faults/test_rows::{name}" in ROWS[number - 1].tests


def test_a_row_without_a_test_says_so():
    assert page().count(f"| {NONE} |") == len(UNTESTED)
