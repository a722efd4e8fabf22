"""A comparison of the incident's two pipelines with ours, each in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mesbatch.demo.rows import ROWS_PER_CID
from mesbatch.demo.tables import LOT_HISTORY, LOT_HOLDS, LOT_MATERIALS, LOT_REJECTS
from mesbatch.demo.watch import Watched, watch
from mesbatch.memory import read_memory

# The function of each, and the modules that only that one imports.
PIPELINES = {
    "incident": ("mesbatch.demo.runs:incident", ["pandas"]),
    "first repair": ("mesbatch.demo.runs:first_repair", []),
    "mesbatch": ("mesbatch.demo.runs:trace", []),
}

# Columns of a domain's result and the table that its rows come from; jobs are not read by IN lists of lots.
COMPARED = {
    "history": (15, LOT_HISTORY),
    "upstream_history": (8, LOT_HISTORY),
    "materials": (9, LOT_MATERIALS),
    "rejects": (23, LOT_REJECTS),
    "downstream_rejects": (7, LOT_REJECTS),
    "holds": (14, LOT_HOLDS),
}
INCIDENT_BYTES_PER_VALUE = 300  # measured with 20,000 lots on SQLite: 229 (rejects) to 280 (downstream_rejects)
SHARE_TO_TAKE = 0.8  # of the available memory: others work on this machine, too


def compare(url: str, cids: int, domains: Sequence[str], preload: Sequence[str]) -> Iterator[tuple[str, Watched]]:
    """Read *domains* of *cids* lots with each pipeline in turn; takes `incident_bytes` of memory.

    Raises:
        WatchFailed: a pipeline failed or was killed.
    """
    arguments = {"url": url, "cids": cids, "domains": list(domains)}
    for name, (target, imports) in PIPELINES.items():
        yield name, watch(target, arguments, preload=[*preload, *imports])


def available_memory() -> int | None:
    """Read how many bytes this machine, or the container around us, can still give; None where neither tells."""
    return read_memory().headroom


def incident_bytes(cids: int, domains: Sequence[str]) -> int:
    """Estimate the bytes of memory that the incident's pipeline takes for *domains* of *cids* lots."""
    values = sum(columns * ROWS_PER_CID[table] for columns, table in map(COMPARED.__getitem__, domains))
    return round(cids * values * INCIDENT_BYTES_PER_VALUE)


def affordable_cids(cids: int, domains: Sequence[str], available: int | None) -> int:
    """Compute how many of *cids* lots the incident's pipeline can read in *available* bytes; all for None.

    >>> affordable_cids(114_000, ["history"], 16 * 2**30)
    114000
    >>> affordable_cids(114_000, ["history"], 2 * 2**30) < 60_000
    True
    """
    if available is None:
        return cids
    return min(cids, int(available * SHARE_TO_TAKE * cids / incident_bytes(cids, domains)))
