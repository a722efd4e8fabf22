"""One thing that was looked at, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Grade = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """*text* says what was found, *remedy* what to do; a ``problem`` has one always.

    >>> print(Finding("problem", "Redis may evict keys", "set maxmemory-policy noeviction"))
    PROBLEM  Redis may evict keys
             -> set maxmemory-policy noeviction
    """

    grade: Grade
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        head = f"{'PROBLEM' if self.grade == 'problem' else self.grade:8} {self.text}"
        return f"{head}\n{'':8} -> {self.remedy}" if self.remedy else head
