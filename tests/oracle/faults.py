"""Planned faults: requested by a hint in the SQL, or set up from outside for later statements."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Literal

Kind = Literal["drop", "reset", "stall", "trickle", "deaf", "delay", "fail"]

# As in /*+ drop_after(1000) */, which passes through every layer between a test and the server.
_HINT = re.compile(r"\b(drop_after|rst_after|stall_after|fail_after|trickle|deaf|delay)\(([^)]*)\)")
_KINDS: dict[str, Kind] = {"drop_after": "drop", "rst_after": "reset", "stall_after": "stall", "fail_after": "fail"}


@dataclass(frozen=True)
class Fault:
    """One fault of one statement.

    ``drop`` and ``reset`` cut the connection in the middle of the response with row *after*; ``stall`` sends half of it
    and the rest after *seconds*; ``fail`` ends the rows there with ORA-*code*, and with the session where that says so.
    ``trickle`` waits *seconds* between packets, ``delay`` before each response; ``deaf`` waits like ``delay`` and hears
    no break meanwhile.
    """

    kind: Kind
    after: int = 0
    seconds: float = 0.0
    code: int = 1555


def find_hint(sql: str) -> Fault | None:
    """The fault that a hint in *sql* asks for.

    >>> find_hint("select /*+ fail_after(50, 28) */ 1 from dual")
    Fault(kind='fail', after=50, seconds=0.0, code=28)
    """
    match = _HINT.search(sql)
    if match is None:
        return None
    name = match[1]
    first, _, second = match[2].partition(",")
    if name in {"trickle", "deaf", "delay"}:
        return Fault(name, seconds=float(first))  # type: ignore[arg-type]
    kind = _KINDS[name]
    if kind == "stall":
        return Fault(kind, int(first), float(second or 3_600))
    return Fault(kind, int(first), code=int(second or 1555))


@dataclass
class Planned:
    """A fault for the next *times* queries whose text holds *match*; for all of them if *times* is None."""

    fault: Fault
    match: str = ""
    times: int | None = 1


@dataclass
class Plan:
    """The faults that were set up, from which each session takes its own."""

    planned: list[Planned] = field(default_factory=list)
    taken: int = 0
    _lock: Any = field(default_factory=Lock)

    def add(self, one: Planned) -> None:
        with self._lock:
            self.planned.append(one)

    def clear(self) -> None:
        with self._lock:
            self.planned.clear()

    def take(self, sql: str) -> Fault | None:
        """Take the fault for a query that begins."""
        with self._lock:
            for one in self.planned:
                if one.match.lower() in sql.lower():
                    self.taken += 1
                    if one.times is not None:
                        one.times -= 1
                        if not one.times:
                            self.planned.remove(one)
                    return one.fault
        return None
