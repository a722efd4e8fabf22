"""The tests that may notice a change, by what each was seen to call."""

from __future__ import annotations

import json
from bisect import bisect
from pathlib import Path
from typing import NamedTuple

from tests.mutation.mutants import SOURCES, Mutant, function_of

QUICK = [0.3, 2.0]  # seconds of a test: the quicker kinds are run first


class Noted(NamedTuple):
    """What is known of the tests of a package, by running them once without a change."""

    seconds: dict[str, float]  # of each test that passed, in the order of the run
    calls: dict[str, set[str]]  # the functions that each called; by "" those that ran when modules were imported
    starting: set[str]  # files with tests that start processes, which may call anything
    failed: list[str]


def read_notes(path: Path, longest: float) -> Noted:
    """Read what `reached` has written; tests of more than *longest* seconds are left out."""
    every = [json.loads(line) for line in path.read_text().splitlines()]
    tests = [one for one in every if one["test"]]
    return Noted(
        {one["test"]: one["seconds"] for one in tests if one["passed"] and one["seconds"] <= longest},
        {one["test"]: set(one["calls"]) for one in every},
        {one["test"].partition("::")[0] for one in tests if one["starts"]},
        [one["test"] for one in tests if not one["passed"]],
    )


def runs_for(mutant: Mutant, noted: Noted) -> list[list[str]]:
    """Choose the tests that may notice a change, as two runs at most.

    First those of the module's own file that call the changed function; then the others that call it, before those that
    start processes. What runs at import may be noticed by any test.
    """
    module = str(mutant.path.relative_to(SOURCES))
    function, twin = function_of(mutant), f"test_{mutant.path.stem}.py"
    called = f"{module} {function}"
    at_import = function is None or called in noted.calls.get("", ())
    if function is None:
        callers = {test for test, calls in noted.calls.items() if any(one.startswith(f"{module} ") for one in calls)}
    else:
        callers = {test for test, calls in noted.calls.items() if called in calls}
    own, others, starting = [], [], []
    for test in sorted(noted.seconds, key=lambda test: bisect(QUICK, noted.seconds[test])):
        file = test.partition("::")[0]
        if test in callers:
            (own if file.endswith(twin) else others).append(test)
        elif at_import or file in noted.starting:
            starting.append(test)
    return [run for run in (own, others + starting) if run]
