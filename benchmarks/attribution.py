"""The incident's own page: scrap charged to ancestors, in the request as on the day, and at the end of a job."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from typing import Any

from benchmarks import report
from benchmarks.harness import Case, Comparison, Measured, Places
from mesbatch.demo.lineage import lineage
from mesbatch.demo.rows import container_ids
from mesbatch.demo.warehouse import build_warehouse, is_whole
from mesbatch.memory import rss
from mesbatch.units import MiB
from tests.rig.site import EVERYTHING_A_JOB, Setting, Site, gunicorn, worker
from tests.rig.valkey import PrivateValkey

RUNS = 1
DOMAINS = ["upstream_history", "materials", "rejects"]
PATIENCE = 1_800.0  # seconds: on the day it took minutes
VARIABLES = EVERYTHING_A_JOB | {"GUNICORN_WORKERS": "1"}  # one web process, so that its memory is the web's
BEFORE, AFTER = "before", "after"
COLOURS = {BEFORE: "#c8553d", AFTER: "#1f7a5c"}

_memory: dict[str, list[tuple[float, int]]] = {}  # seconds since the request, bytes of web and work-horse together


def comparisons(places: Places, *, quick: bool) -> Iterator[Comparison]:
    if "postgres" in places.databases:
        work = {"url": places.postgres_url, "cids": 3_000 if quick else 114_000}
        title = f"scrap of the seeds among {work['cids']:,} ids, charged to their ancestors"
        yield Comparison(title, [Case(name, "ours" if name == AFTER else "peer", work) for name in (BEFORE, AFTER)])


def measure(comparison: Comparison, runs: int) -> list[Measured]:
    """Run each once; both must charge the same."""
    url, cids = comparison.cases[0].arguments["url"], comparison.cases[0].arguments["cids"]
    if not is_whole(url, cids):
        build_warehouse(url, cids)
    asked = {"profile": "mid_section_defect", "domains": DOMAINS}
    body = json.dumps(asked | {"container_ids": list(container_ids(cids)), "lineage": dict(lineage(cids))}).encode()
    measured, charged = zip(*(_measure(case, url, body) for case in comparison.cases))
    if charged[0] != charged[1]:
        measured[1].problems.append("before and after charge differently")
    return list(measured)


def table(results: Mapping[str, Sequence[Measured]]) -> str:
    return report.in_words(
        results, lambda one: f"{one.case.name:8} {one.seconds:7.1f} s, {one.above / MiB:8.1f} MiB above"
    )


def plot(path: Path, results: Mapping[str, Sequence[Measured]]) -> None:
    """Draw the memory of the service over time, on a scale of powers of ten."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, samples in _memory.items():
        seconds, used = [at for at, _ in samples], [nbytes / MiB for _, nbytes in samples]
        axes.plot(seconds, used, color=COLOURS[name], label=f"{name}: {seconds[-1]:.0f} s, {max(used):,.0f} MiB")
    axes.set(xlabel="seconds", ylabel="MiB of the web process and its worker's", yscale="log", xlim=0)
    axes.set_title(next(iter(results), ""), loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)


def _measure(case: Case, url: str, body: bytes) -> tuple[Measured, Any]:
    """Ask once, with the memory of the service meanwhile; what was charged."""
    with ExitStack() as stack:
        setting = Setting(url, Path(stack.enter_context(tempfile.TemporaryDirectory())), variables=VARIABLES)
        parents = []
        if case.name == AFTER:
            setting.redis = stack.enter_context(PrivateValkey()).url
            parents.append(stack.enter_context(worker(setting)))
        site = stack.enter_context(gunicorn(setting, f"examples.dashboard.{case.name}:app"))
        _charged(site, json.dumps(json.loads(body) | {"container_ids": ["none"], "lineage": {}}).encode())  # imports
        baseline, samples, begun = _used([site.pid, *parents]), _memory.setdefault(case.name, []), time.monotonic()
        found: list[Any] = []
        asking = Thread(target=lambda: found.append(_charged(site, body)), daemon=True)
        asking.start()
        while asking.is_alive():
            samples.append((time.monotonic() - begun, _used([site.pid, *parents])))
            Event().wait(0.05)
    measured = Measured(case, seconds=samples[-1][0], above=max(used for _, used in samples) - baseline)
    if not found:
        measured.problems.append("no answer")
    return measured, found and found[0]


def _charged(site: Site, body: bytes) -> Any:
    """Ask for an attribution, and wait for its job where it is one."""
    connection, response = site.open("POST", "/api/trace/events", body, timeout=PATIENCE)
    try:
        answer = json.loads(response.read())
    finally:
        connection.close()
    if response.status == 202:
        job = site.finished(answer["job_id"], PATIENCE)
        assert job["status"] == "finished", job
        answer = site.get(f"/job/{answer['job_id']}/result?limit=1").json
    assert response.status in {200, 202}, answer
    return answer["aggregation"]["attribution"]


def _used(parents: Sequence[int]) -> int:
    """Add up the resident bytes of the children of *parents*: gunicorn's worker, and the work-horse."""
    children = (Path(f"/proc/{pid}/task/{pid}/children").read_text().split() for pid in parents)
    return sum(rss(int(child)) or 0 for found in children for child in found)
