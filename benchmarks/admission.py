"""The cost of a decision and of a permit, and the work that is done at one to six times a service's capacity."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness import Case, Comparison, Measured, Places
from benchmarks.load import CAPACITY, PATIENCE, PLACES, goodput
from mesbatch.admission import (
    AdmissionPolicy,
    Cost,
    Limiter,
    Load,
    MachineLimiter,
    Pressure,
    ProcessLimiter,
)
from mesbatch.admission.trace_table import TRACE_PROFILES
from mesbatch.units import GiB
from tests.rig.postgres import RigUnavailable
from tests.rig.valkey import PrivateValkey

RUNS = 1
DECIDE = "decide, of 20,000 decisions"
PERMITS = "permits taken and given back, one after the other"
WITH, WITHOUT = "with admission", "a line without end"
LOAD, LOAD_WITHOUT = f"load: {WITH}", f"load: {WITHOUT}"
FACTORS = (1, 2, 3, 4, 5, 6)


def comparisons(places: Places, *, quick: bool) -> Iterator[Comparison]:
    yield Comparison(DECIDE, [Case(f"p{percent}", "ours", {"percent": percent}) for percent in (50, 99)])
    permits = 500 if quick else 5_000
    kinds = ("process", "machine", "redis")
    yield Comparison(PERMITS, [Case(kind, "ours", {"permits": permits}) for kind in kinds])
    seconds = 1.0 if quick else 4.0
    for title, kind in ((LOAD, "ours"), (LOAD_WITHOUT, "peer")):
        yield Comparison(
            title, [Case(f"{factor}x", kind, {"factor": factor, "seconds": seconds}) for factor in FACTORS]
        )


def measure(comparison: Comparison, runs: int) -> list[Measured]:
    if comparison.title == DECIDE:
        return _measure_decisions(comparison.cases)
    if comparison.title == PERMITS:
        return [one for case in comparison.cases if (one := _measure_permits(case))]
    return [_measure_load(case) for case in comparison.cases]


def table(results: Mapping[str, Sequence[Measured]]) -> str:
    lines = []
    for title, measured in results.items():
        lines += [title, *(f"  {one.case.name:8} {_in_words(title, one)}" for one in measured)]
        if title in {LOAD, LOAD_WITHOUT}:
            share = _rate(measured[-1]) / max(map(_rate, measured))
            lines.append(f"  at {measured[-1].case.name} it does {share:.0%} of its best")
        lines.append("")
    return "\n".join(lines)


def plot(path: Path, results: Mapping[str, Sequence[Measured]]) -> None:
    """Draw requests answered in time over requests made, both in times of the capacity."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for title, name, colour in ((LOAD, WITH, "#1f7a5c"), (LOAD_WITHOUT, WITHOUT, "#c8553d")):
        measured = results.get(title, [])
        factors = [one.case.arguments["factor"] for one in measured]
        axes.plot(factors, [_rate(one) / CAPACITY for one in measured], "o-", color=colour, label=name)
    axes.axhline(1, color="#8a97a6", linewidth=1, linestyle="--", label="capacity")
    axes.set(xlabel="requests, in times of the capacity", ylabel="answered in time, in times of the capacity", ylim=0)
    axes.set_title(f"{CAPACITY:.0f} requests/s, clients wait {PATIENCE:g} s", loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=110)


def _rate(one: Measured) -> float:
    return one.count / one.seconds


def _in_words(title: str, one: Measured) -> str:
    if title == DECIDE:
        return f"{one.seconds * 1e6:8.1f} us"
    if title == PERMITS:
        return f"{_rate(one):8,.0f} permits/s"
    return f"{_rate(one):8,.0f} of {one.case.arguments['factor'] * CAPACITY:,.0f} requests/s answered in time"


# -- decisions


def _measure_decisions(cases: Sequence[Case]) -> list[Measured]:
    policy, chance = AdmissionPolicy(), random.Random(1)
    work = [(_any_cost(chance), _any_load(chance)) for _ in range(20_000)]
    seconds = []
    for cost, load in work:
        begin = time.perf_counter()
        policy.decide(cost, load)
        seconds.append(time.perf_counter() - begin)
    seconds.sort()
    return [Measured(case, seconds=seconds[len(seconds) * case.arguments["percent"] // 100], count=1) for case in cases]


def _any_cost(chance: random.Random) -> Cost:
    size = chance.choice([None, chance.randrange(GiB)])
    return Cost(chance.choice(sorted(TRACE_PROFILES)), chance.randrange(120_000), size, streamed=chance.random() < 0.5)


def _any_load(chance: random.Random) -> Load:
    return Load(chance.random() < 0.5, chance.choice(list(Pressure)), chance.randrange(4 * GiB), 4 * GiB)


# -- permits


def _measure_permits(case: Case) -> Measured | None:
    number: int = case.arguments["permits"]
    with _limiter(case.name) as limiter:
        if limiter is None:
            return None
        begin = time.perf_counter()
        for _ in range(number):
            limiter.permit(1).release()
        return Measured(case, seconds=time.perf_counter() - begin, count=number)


@contextmanager
def _limiter(kind: str) -> Iterator[Limiter | None]:
    """Make a limiter of *kind*; None if there is no server for it."""
    if kind == "process":
        yield ProcessLimiter(PLACES, GiB)
    elif kind == "machine":
        with tempfile.TemporaryDirectory() as directory:
            yield MachineLimiter(Path(directory) / "permits", PLACES, GiB)
    else:
        try:
            from mesbatch.admission.redis import RedisLimiter

            with PrivateValkey() as server:
                yield RedisLimiter(server.url, "benchmark", PLACES, GiB)
        except (ImportError, RigUnavailable):
            yield None


def _measure_load(case: Case) -> Measured:
    answered, seconds = goodput(
        case.arguments["factor"] * CAPACITY, case.arguments["seconds"], admitting=case.kind == "ours"
    )
    return Measured(case, seconds=seconds, count=answered)
