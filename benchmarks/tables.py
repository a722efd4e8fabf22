"""The made-up lot histories that the benchmarks read, the same rows for every seed, database and machine."""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import chain, islice, repeat
from math import gcd
from typing import Any

KEYS = 114_000  # the incident's lineage
KEYS_WITH_ROWS = 107_119
ROWS = 1_065_023
MOST_ROWS_OF_A_KEY = 200
SEED = 20260225

COLUMNS = {
    "CONTAINERID": ("varchar(16)", "TEXT"),
    "LOTNAME": ("varchar(40)", "TEXT"),
    "WORKCENTER": ("varchar(40)", "TEXT"),
    "EQUIPMENTID": ("varchar(16)", "TEXT"),
    "EQUIPMENT": ("varchar(40)", "TEXT"),
    "SPEC": ("varchar(40)", "TEXT"),
    "TRACKINTIME": ("timestamp", "TEXT"),
    "TRACKOUTTIME": ("timestamp", "TEXT"),
    "TRACKINQTY": ("integer", "INTEGER"),
    "TRACKOUTQTY": ("integer", "INTEGER"),
    "QTYCONSUMED": ("numeric(12,3)", "REAL"),
    "RUNCARD": ("varchar(20)", "TEXT"),
    "WORKORDER": ("varchar(20)", "TEXT"),
    "REMARK": ("text", "TEXT"),
}
"""Column names with their types in PostgreSQL and in SQLite."""

TAILS = 50_000  # prefabricated rows without their key: a random number per value would cost minutes
LONG_REMARK = 20_000  # characters
LONG_REMARKS = 10  # of TAILS, taken by every 5,000th row
REMARKS = ("lot", "held", "for", "visual", "check", "wire", "sweep", "die", "tilt", "retest")


@dataclass(frozen=True, slots=True)
class Table:
    """One table of *keys* keys, of which 94 % have rows.

    *shuffled* scatters the rows over the disk, as inserts in order of time do; otherwise a key's rows lie together.
    *big_key* gives one key that many rows. One row in *long_remark_every* has a remark of 20 KB.
    """

    name: str
    keys: int
    shuffled: bool = False
    big_key: int = 0
    long_remark_every: int = TAILS // LONG_REMARKS

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Make every row as SQLite stores it; holds 4 bytes a row, 8 if shuffled."""
        tails = _tails()
        for number, owner in self._numbered():
            yield cid(owner), lot_name(owner), *tails[self._tail(number)]

    def copy_lines(self) -> Iterator[str]:
        """Write every row as a line of PostgreSQL's COPY text."""
        tails = ["\t".join("\\N" if value is None else str(value) for value in tail) + "\n" for tail in _tails()]
        for number, owner in self._numbered():
            yield f"{cid(owner)}\t{lot_name(owner)}\t{tails[self._tail(number)]}"

    def num_rows(self) -> int:
        return sum(self._counts())

    def _numbered(self) -> Iterator[tuple[int, int]]:
        """Give the number of each row and of its key, in their order on the disk."""
        owners = array("I", chain.from_iterable(map(repeat, range(self.keys), self._counts())))
        if not self.shuffled:
            return enumerate(owners)
        numbers = array("I", range(len(owners)))
        random.Random(SEED).shuffle(numbers)
        return zip(numbers, map(owners.__getitem__, numbers))

    def _counts(self) -> Iterator[int]:
        pool = _row_counts()
        counts = (pool[key % len(pool)] for key in range(self.keys))
        return chain([self.big_key], islice(counts, 1, None)) if self.big_key else counts

    def _tail(self, number: int) -> int:
        if number % self.long_remark_every == 0:
            return number // self.long_remark_every % LONG_REMARKS
        return LONG_REMARKS + number * 7919 % (TAILS - LONG_REMARKS)


def cids(number: int, of: int | None = None) -> Iterator[str]:
    """Make *number* distinct keys of a table of *of* keys (default: all of them), in an order unlike the table's.

    Holds nothing.

    >>> list(cids(3))
    ['4881038000100000', '4881038000100006', '4881038000100003']
    """
    total = of or number
    step = next(step for step in range(total * 618 // 1000 + 1, 2 * total + 1) if gcd(step, total) == 1)
    return (cid(i * step % total) for i in range(number))


def cid(key: int) -> str:
    """Write the container id of key number *key*; ids ascend with numbers.

    >>> cid(593_945)
    '48810380002b304b'
    """
    return f"{0x4881038000100000 + 3 * key:016x}"


def lot_name(key: int) -> str:
    return f"GA{23100000 + key // 25 % 1_000_000:08d}-A{key // 1000 % 100:02d}-{key % 1000:03d}"


@cache
def _row_counts() -> list[int]:
    """Draw the number of rows of each of 114,000 keys: skewed, a few with 200, some with none."""
    chance = random.Random(SEED)
    counts = [min(MOST_ROWS_OF_A_KEY, 1 + int(chance.expovariate(1 / 8.4))) for _ in range(KEYS_WITH_ROWS)]
    for key in range(0, KEYS_WITH_ROWS, 1_000):
        counts[key] = chance.randint(100, MOST_ROWS_OF_A_KEY)
    while surplus := sum(counts) - ROWS:
        step = -1 if surplus > 0 else 1
        for key in chance.sample(range(KEYS_WITH_ROWS), min(abs(surplus), KEYS_WITH_ROWS)):
            counts[key] += step * (1 < counts[key] < MOST_ROWS_OF_A_KEY)
    counts += [0] * (KEYS - KEYS_WITH_ROWS)
    chance.shuffle(counts)
    return counts


@cache
def _tails() -> list[tuple[Any, ...]]:
    """Make rows without key and lot name; the first `LONG_REMARKS` have a remark of 20 KB."""
    chance = random.Random(SEED)
    return [_tail(chance, LONG_REMARK if number < LONG_REMARKS else None) for number in range(TAILS)]


def _tail(chance: random.Random, remark: int | None) -> tuple[Any, ...]:
    centre, machine, track_in = chance.randrange(12), chance.randrange(400), chance.randrange(13_000_000)
    start = datetime(2025, 10, 1) + timedelta(seconds=track_in)
    finish = start + timedelta(seconds=chance.randrange(600, 90_000))
    quantity = chance.randrange(100, 5_000)
    return (
        ("DB_1", "WB_1", "MOLDING", "DEFLASH", "PLATING", "TRIM_FORM")[centre % 6] + f"_{centre:02d}",
        f"GWBK-{machine:04d}",
        f"Wire bonder {chance.choice(('KS', 'ASM', 'ESEC'))} {machine:04d}",
        f"SPEC-{centre:02d}-{chance.randrange(900):03d}",
        start.isoformat(),
        finish.isoformat() if chance.random() < 0.95 else None,
        quantity,
        quantity - chance.randrange(20) if chance.random() < 0.9 else None,
        chance.randrange(5_000_000) / 1000,
        f"RC{chance.randrange(10**8):08d}",
        f"WO{chance.randrange(10**8):08d}",
        _remark(chance, remark),
    )


def _remark(chance: random.Random, length: int | None) -> str | None:
    length = length or min(200, int(chance.expovariate(1 / 51)))
    words = chance.choices(REMARKS, k=length)
    return " ".join(words)[:length] or None


TABLES = {
    table.name: table
    for table in (
        Table("events_1k", 1_000),
        Table("events_10k", 10_000),
        Table("events_114k", KEYS),
        Table("events_1140k", 10 * KEYS, shuffled=True),
        Table("events_1140k_in_order", 10 * KEYS),
        Table("events_114k_shuffled", KEYS, shuffled=True),
        Table("one_big_key", 1_000, big_key=1_000_000),
        Table("long_remarks", 10_700, long_remark_every=493),
    )
}
