"""The incident, replayed: eight requests for 114,000 ids at once against a web server of 384 MiB, before and after."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from benchmarks import report
from benchmarks.harness import Case, Comparison, Measured, Places
from benchmarks.visitors import Ending, Visitor, wait_for_small_route
from mesbatch.demo.rows import container_ids
from mesbatch.demo.warehouse import build_warehouse, is_whole
from mesbatch.units import MiB, format_bytes
from tests.rig.cgroup import MemoryCage
from tests.rig.site import Setting, Site, gunicorn, worker
from tests.rig.valkey import PrivateValkey

RUNS = 1
REQUESTS = 8
LIMIT = 384 * MiB
ONE_LIMIT = 32 * MiB  # above, for one request of the aggregating profile: 1,892 before
SMALL_ROUTE_SECONDS = 0.5
DOMAINS = ["history", "materials"]
BEFORE, JOBS, STREAMS = "before", "after, with a worker", "after, without a worker"
ONE_NDJSON, ONE_JSON = "one answer as NDJSON", "one answer as JSON"
TITLE = "eight requests at once, 384 MiB for web and for worker"
ONE_TITLE = "one request, and another route meanwhile"
COLOURS = {BEFORE: "#c8553d", JOBS: "#4c72b0", STREAMS: "#1f7a5c"}


@dataclass
class Replay:
    """The record of a run: the web server's working set over time, the end of each request, the number of kills."""

    usage: list[tuple[float, int]] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)
    kills: int = 0


_replays: dict[str, Replay] = {}


def comparisons(places: Places, *, quick: bool) -> Iterator[Comparison]:
    cids = 10_000 if quick else 114_000
    if "postgres" not in places.databases:
        return
    work = {"url": places.postgres_url, "cids": cids}
    names = (BEFORE, JOBS, STREAMS)
    yield Comparison(TITLE, [Case(name, "peer" if name == BEFORE else "ours", work) for name in names])
    yield Comparison(ONE_TITLE, [Case(name, "ours", work, limit=ONE_LIMIT) for name in (ONE_NDJSON, ONE_JSON)])


def measure(comparison: Comparison, runs: int) -> list[Measured]:
    url, cids = comparison.cases[0].arguments["url"], comparison.cases[0].arguments["cids"]
    if not is_whole(url, cids):
        build_warehouse(url, cids)
    ids = list(container_ids(cids))
    return [(_measure_one if case.limit else _replay)(case, url, ids) for case in comparison.cases]


def table(results: Mapping[str, Sequence[Measured]]) -> str:
    return report.in_words(results, lambda one: f"{one.case.name:24} {_in_words(one)}")


def plot(path: Path, results: Mapping[str, Sequence[Measured]]) -> None:
    """Draw the memory of the web server's control group over time, and the moment of its kill."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, replay in _replays.items():
        seconds, usage = [at for at, _ in replay.usage], [nbytes / MiB for _, nbytes in replay.usage]
        label = f"{name}: {replay.kills} killed, {sum(one.whole for one in replay.endings)} of {REQUESTS} whole"
        axes.plot(seconds, usage, color=COLOURS[name], label=label)
    axes.axhline(LIMIT / MiB, color="#8a97a6", linewidth=1, linestyle="--", label="limit")
    axes.set(xlabel="seconds", ylabel="MiB in the web's control group", ylim=0, xlim=0)
    axes.set_title(TITLE, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)


def _in_words(one: Measured) -> str:
    if one.case.limit:
        return f"{one.seconds:6.1f} s, {one.above / MiB:6.1f} MiB above; the other route's p99 {one.first * 1e3:.0f} ms"
    replay = _replays[one.case.name]
    how = {kind: sum(ending.kind == kind for ending in replay.endings) for kind in ("stream", "job", "json", "cut")}
    refused = sum(ending.refusals for ending in replay.endings)
    ended = ", ".join(f"{count} {kind}" for kind, count in how.items() if count)
    return f"{one.seconds:6.1f} s, peak {format_bytes(one.above)}, {replay.kills} killed; {ended}; {refused} refusals"


# -- eight at once


def _replay(case: Case, url: str, ids: list[str]) -> Measured:
    replay = _replays[case.name] = Replay()
    app = "before" if case.name == BEFORE else "after"
    with _running(case.name, url, app) as (site, cages):
        visitors = [Visitor(site, f"user {number}", ids, DOMAINS) for number in range(REQUESTS)]
        started = time.monotonic()
        for visitor in visitors:
            visitor.start()
        while any(visitor.is_alive() for visitor in visitors):
            replay.usage.append((time.monotonic() - started, cages[0].working_set()))
            Event().wait(0.1)
        seconds = time.monotonic() - started
        replay.endings = [visitor.ending for visitor in visitors]
        replay.kills = sum(cage.kills() for cage in cages)
    peak = max(nbytes for _, nbytes in replay.usage)
    measured = Measured(case, seconds=seconds, above=peak, count=sum(one.whole for one in replay.endings))
    measured.problems = _complain(case, replay)
    return measured


def _complain(case: Case, replay: Replay) -> list[str]:
    if case.name == BEFORE:
        return [] if replay.kills else ["the red control was not killed: this proves nothing"]
    broken = [one.why for one in replay.endings if not one.whole]
    rows = {one.rows for one in replay.endings}
    found = [f"{len(broken)} requests did not end whole: {broken[0]}"] if broken else []
    found += [f"{replay.kills} processes were killed"] if replay.kills else []
    return found + ([f"the answers differ: {rows} rows"] if len(rows) > 1 else [])


@contextmanager
def _running(name: str, url: str, app: str) -> Iterator[tuple[Site, list[MemoryCage]]]:
    """Run the web server in a control group, and for some cases a worker in another."""
    with ExitStack() as stack:
        setting = Setting(url, Path(stack.enter_context(tempfile.TemporaryDirectory())))
        web = stack.enter_context(MemoryCage(LIMIT))
        cages = [web]
        if name == JOBS:
            setting.redis = stack.enter_context(PrivateValkey()).url
            cages.append(stack.enter_context(MemoryCage(LIMIT)))
            stack.enter_context(worker(setting, popen=cages[1].popen))
        yield stack.enter_context(gunicorn(setting, f"examples.dashboard.{app}:app", web.popen)), cages


# -- one


def _measure_one(case: Case, url: str, ids: list[str]) -> Measured:
    accept = "application/x-ndjson" if case.name == ONE_NDJSON else "application/json"
    with tempfile.TemporaryDirectory() as directory, gunicorn(Setting(url, Path(directory))) as site:
        Visitor(site, "ann", ids[:100], DOMAINS, accept).run()  # all that is imported on use
        baseline = {pid: _rss(pid) for pid in site.workers()}
        visitor, waits, above = Visitor(site, "ann", ids, DOMAINS, accept), [], 0
        started = time.monotonic()
        visitor.start()
        while visitor.is_alive():
            waits.append(wait_for_small_route(site))
            above = max([above, *(_rss(pid) - before for pid, before in baseline.items())])
        seconds = time.monotonic() - started
    p99 = sorted(waits)[int(len(waits) * 0.99)]
    measured = Measured(case, seconds=seconds, first=p99, above=above, count=visitor.ending.rows)
    measured.problems = [] if visitor.ending.whole else [visitor.ending.why]
    if above > ONE_LIMIT:
        measured.problems.append(f"held {format_bytes(above)} above, allowed {format_bytes(ONE_LIMIT)}")
    if p99 > SMALL_ROUTE_SECONDS:
        measured.problems.append(f"another route took {p99 * 1e3:.0f} ms at p99 meanwhile")
    return measured


def _rss(pid: int) -> int:
    status: dict[str, Any] = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
    )
    return int(status["VmRSS"].split()[0]) * 1024
