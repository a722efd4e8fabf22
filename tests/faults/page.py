"""The table of faults, and the page of the manual that is made from it.

``python -m tests.faults.page > docs/faults.md`` writes the page.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).with_name("table.txt")
HEAD = """\
# Faults

This page is made from the tests: each row names a fault, what happens then, and the tests that make it happen, below
`tests/` of the source. A test compares the page with them.

Beside these, one tool (`tests/faults/sweep.py`) makes *every* operation fail, as SQLite's own tests do. It runs a use
of mesbatch once and counts each point at which mesbatch touches a database, a file, a socket, an object store, a lock,
the clock or a process. Then operation 1, 2, 3 ... fails: once; with all later ones of its kind; after it was done, so
that only the answer is lost; by a write of half its bytes; by SIGKILL. Each time the same laws are asked: the rows are
those of the database, or an error says that they are not; no descriptor, thread, permit, connection or key of a store
is left; the next use works. Every run of the tests has a sample, which the hash of the commit draws;
`pytest -m long tests/faults` runs all, and prints how many there were.

The uses are
{uses}

| # | fault | what happens | tests |
|---|---|---|---|
"""
NONE = "none yet"


class Row(NamedTuple):
    """A fault, the *expected* behaviour, and the tests as ``folder/file::function``."""

    number: int
    fault: str
    expected: str
    tests: tuple[str, ...]


def rows() -> Iterator[Row]:
    """Read the table."""
    for line in TABLE.read_text().splitlines():
        number, fault, expected, tests = line.split(" | ")
        yield Row(int(number), fault, expected, () if tests == "-" else tuple(tests.split()))


def page() -> str:
    """Write the page."""
    from tests.faults.test_sweep import SCENARIOS

    uses = "\n".join(f"* {name}" for name in SCENARIOS)
    lines = [
        f"| {row.number} | {row.fault} | {row.expected} | {'<br>'.join(f'`{test}`' for test in row.tests) or NONE} |"
        for row in rows()
    ]
    return HEAD.format(uses=f"\n{uses}") + "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
