"""Runs of one law on generated inputs: a short one that is always the same, and a long one that is bounded by time."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import SystemRandom
from typing import Any

from hypothesis import HealthCheck, given, seed, settings
from hypothesis.strategies import SearchStrategy

SECONDS = 60 * float(os.environ.get("MESBATCH_FUZZ_MINUTES", "10"))  # of one long run
EXAMPLES_A_ROUND = 500  # hypothesis has no limit of time: a long run is rounds of this many, each with the next seed
TIMEOUT = SECONDS + 600  # of a long test: the last round ends, and a failure is made small
CORPUS = Path(__file__).parent / "corpus"

Law = Callable[..., str | None]

_QUIET = settings(
    database=None, deadline=None, derandomize=False, print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
)  # fmt: skip


def corpus(name: str) -> list[Any]:
    """Give the inputs of *name* that are always tried: each line of its file is ``{"why": ..., "input": ...}``."""
    lines = (CORPUS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["input"] for line in lines]


def fuzz_briefly(law: Law, examples: int, **inputs: SearchStrategy[Any]) -> Counter[str]:
    """Ask *law* of *examples* inputs, the same ones in every run; count the words in which it says how each ended."""
    endings: Counter[str] = Counter()
    settings(_QUIET, max_examples=examples, derandomize=True)(given(**inputs)(_counted(law, endings)))()
    return endings


def fuzz_long(law: Law, **inputs: SearchStrategy[Any]) -> None:
    """Ask *law* of inputs for `SECONDS`: where CI is set always of the same ones, elsewhere of others in each run."""
    endings: Counter[str] = Counter()
    until, number = time.monotonic() + SECONDS, 0 if "CI" in os.environ else SystemRandom().getrandbits(32)
    while time.monotonic() < until:
        law_of_round = given(**inputs)(_counted(law, endings))
        seed(number)(settings(_QUIET, max_examples=EXAMPLES_A_ROUND)(law_of_round))()
        number += 1
    print(f"{endings.total():,} inputs:", *(f"{count:,} {ending}," for ending, count in endings.most_common()))


def _counted(law: Law, endings: Counter[str]) -> Callable[..., None]:
    def counted(**given: Any) -> None:
        endings[law(**given) or "held"] += 1

    return counted
