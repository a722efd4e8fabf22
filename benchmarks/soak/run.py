"""One soak: load, faults and samples for some minutes, and what must hold at its end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from threading import Event, Thread

from benchmarks.soak.load import Account, Client
from benchmarks.soak.samples import Sample, growth
from benchmarks.soak.service import CIDS, Service, running
from mesbatch.demo.rows import container_ids

MINUTES = 20.0
CLIENTS = 6
SAMPLE_SECONDS, FAULT_SECONDS = 5.0, 60.0
SETTLE_SECONDS = 90.0  # after the load: what is still read is given up, and the permits are back


@dataclass
class Soak:
    """The record of a soak of *seconds*; *faults* are those that befell it, each at a second of the run."""

    seconds: float
    samples: list[Sample] = field(default_factory=list)
    faults: list[tuple[float, str]] = field(default_factory=list)
    account: Account = field(default_factory=Account)
    kills: int = 0  # by the kernel, for memory
    settled: Sample | None = None

    def complaints(self) -> list[str]:
        """List everything that must not be: growth, a permit that is left, a wrong answer, a kill for memory."""
        found = [*growth(self.samples, self.seconds), *self.account.wrong[:10]]
        found += [f"{self.kills} processes were killed for memory"] if self.kills else []
        left = self.settled
        if left is None or left.permits or left.connections:
            found.append(f"after the load there are still permits or connections: {left}")
        whole = Counter({ending: n for ending, n in self.account.endings.items() if ending.endswith("whole")})
        if not all(whole[f"{kind}: whole"] for kind in ("small", "stream", "slow", "job")):
            found.append(f"too little was read to the end: {dict(whole)}")
        return found


def soak(minutes: float = MINUTES) -> Soak:
    """Run the service under load for *minutes*, and let it settle."""
    record = Soak(60 * minutes)
    with running() as service:
        began = time.monotonic()
        with _load(service, record, began):
            while (at := time.monotonic() - began) < record.seconds:
                record.samples.append(service.sample(at))
                time.sleep(max(0.0, SAMPLE_SECONDS - (time.monotonic() - began - at)))
        record.settled = _settled(service, began)
        record.kills = service.cage.kills()
    return record


@contextmanager
def _load(service: Service, record: Soak, began: float) -> Iterator[None]:
    stop, ids = Event(), list(container_ids(CIDS))
    clients = [Client(service.site, ids, record.account, stop, number) for number in range(CLIENTS)]
    faults = Thread(target=_befall, args=(service, record, began, stop), daemon=True)
    for thread in (*clients, faults):
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in (*clients, faults):
            thread.join(SETTLE_SECONDS)
            if thread.is_alive():
                record.account.strange(f"{thread.name} still waits for an answer")


def _befall(service: Service, record: Soak, began: float, stop: Event) -> None:
    for name, fault in cycle(service.faults.items()):
        if stop.wait(FAULT_SECONDS):
            return
        record.faults.append((time.monotonic() - began, name))
        try:
            fault()
        except Exception as error:  # a soak without its faults proves nothing
            record.account.strange(f"no fault, {name}: {error}")


def _settled(service: Service, began: float) -> Sample:
    """The first sample that holds no permit and no connection, or the last one within the time."""
    until = time.monotonic() + SETTLE_SECONDS
    while True:
        found = service.sample(time.monotonic() - began)
        if not (found.permits or found.connections) or time.monotonic() > until:
            return found
        time.sleep(1)
