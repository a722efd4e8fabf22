"""The rows of the made-up warehouse: the same for the same number of lots, on every machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import cache
from itertools import cycle
from math import log1p
from random import Random
from typing import Any, NamedTuple

from mesbatch.batch import Row
from mesbatch.demo.tables import EQUIPMENT_JOBS, LOT_HISTORY, LOT_HOLDS, LOT_MATERIALS, LOT_REJECTS, Table

DEFAULT_CIDS = 114_000  # the lineage of the incident
ROWS_PER_CID = {LOT_HISTORY: 9.5, LOT_MATERIALS: 3.5, LOT_REJECTS: 3.0, LOT_HOLDS: 0.06}
JOBS_PER_CID = 20_000 / DEFAULT_CIDS

FIRST_ID = 0x48810380001CBA48
ID_STEP = 7
BUSY_LOTS = slice(17, None, 5_000)  # a few lots go round and round: 21 times the usual, 200 rows of history
BUSY_FACTOR = 21
COMMENTED_STRETCH, COMMENTED_LOTS = 4_000, 1_000  # comments on 1,000 lots in 4,000: NULL in whole batches between them

FIRST_DAY = date(2025, 10, 1)
DAYS = 150  # the incident asked for five months
MINUTES_A_DAY = 24 * 60
MINUTES_A_STEP = 70

WORK_CENTRES = (
    ("DB_Line_A", "焊接_DB", "GDBA"),
    ("DB_Line_B", "焊接_DB", "GDBB"),
    ("WB_Line_A", "焊接_WB", "GWBA"),
    ("WB_Line_B", "焊接_WB", "GWBB"),
    ("Wafer_Saw", "切割", "GSAW"),
    ("Molding", "成型", "GMLD"),
    ("Deflash", "去膠", "GDFL"),
    ("Plating", "電鍍", "GPLT"),
    ("Trim_Form", "切彎腳", "GTRF"),
    ("Marking", "移印", "GMRK"),
    ("Final_Test", "TMTT", "GTST"),
    ("Packing", "PACK", "GPCK"),
)
LOSS_REASONS = ("缺角", "裂痕", "斷線", "偏移", "沾污", "氣泡", "短路", "開路", "尺寸不符", "印字不良", "漏電", "其他")
HOLD_REASONS = ("品質異常單", "客戶要求", "參數超限", "待確認", "設備異常")


class Lot(NamedTuple):
    """The values that all rows of one lot share; *start* is a minute of the five months."""

    cid: str
    name: str
    work_order: str
    product: str
    type: str
    bop: str
    wafer: str
    start: int


class Place(NamedTuple):
    """The place of something that happened to a lot."""

    work_centre: str
    group: str
    equipment_id: str
    equipment: str
    spec: str


def container_ids(cids: int = DEFAULT_CIDS) -> Iterator[str]:
    """Make the ids of the first *cids* lots, with rows or without, in ascending order.

    >>> next(container_ids())
    '48810380001cba48'
    """
    return map(_container_id, range(cids))


def count_rows(cids: int) -> dict[Table, int]:
    """Count the rows of the tables of a warehouse of *cids* lots."""
    counts = {table: sum(_draw_counts(table, cids)) for table in ROWS_PER_CID}
    return counts | {EQUIPMENT_JOBS: _count_jobs(cids)}


def make_rows(table: Table, cids: int) -> Iterator[Row]:
    """Make the rows of *table*, lot after lot. Holds one row, and 30 MiB of values to choose from."""
    return _MAKERS[table](cids)


def _history(cids: int) -> Iterator[Row]:
    clock, visits = _clock(), cycle(_visits())
    for number, (lot, count) in enumerate(_lots(LOT_HISTORY, cids)):
        wip = (f"RC{number:08d}", lot.work_order, lot.name, lot.type, lot.bop, lot.wafer)
        for minute, (place, stay, qty, lost) in zip(_steps(lot, count), visits):
            track_in = clock[minute] if qty else None
            track_out = clock[minute + stay] if stay else None
            yield (lot.cid, *place, track_in, track_out, qty, qty - lost if stay else None, *wip)


def _materials(cids: int) -> Iterator[Row]:
    clock, visits = _clock(), cycle(_visits())
    random = Random("materials")
    parts = [
        (f"MAT-{part:04d}", f"ML{random.randrange(10**8):08d}", round(random.uniform(0.001, 2_000), 3))
        for part in random.choices(range(200), k=2_039)
    ]
    chosen = cycle(parts)
    for lot, count in _lots(LOT_MATERIALS, cids):
        for minute, (place, *_), part in zip(_steps(lot, count), visits, chosen):
            yield (lot.cid, lot.name, *part, place.work_centre, place.spec, place.equipment, clock[minute])


def _rejects(cids: int) -> Iterator[Row]:
    clock, visits = _clock(), cycle(_visits())
    losses = cycle(_losses())
    for number, (lot, count) in enumerate(_lots(LOT_REJECTS, cids)):
        commented = number % COMMENTED_STRETCH >= COMMENTED_STRETCH - COMMENTED_LOTS
        origin = (lot.product, lot.type, lot.bop, lot.work_order)
        for minute, (place, *_), (loss, comment) in zip(_steps(lot, count), visits, losses):
            yield (lot.cid, lot.name, clock[minute], *place, *origin, *loss, comment if commented else None)


def _holds(cids: int) -> Iterator[Row]:
    clock, visits = _clock(), cycle(_visits())
    random = Random("holds")
    for lot, count in _lots(LOT_HOLDS, cids):
        for minute, (place, stay, qty, _) in zip(_steps(lot, count), visits):
            reason = random.randrange(len(HOLD_REASONS))
            held = (f"HR{reason:03d}", HOLD_REASONS[reason], "工程" if reason % 2 else "品質", clock[minute])
            by = (f"E{random.randrange(1_000):05d}", "品保部", "held for a check" if reason else None)
            released = (clock[minute + stay], f"E{random.randrange(1_000):05d}", "released") if stay else (None,) * 3
            yield (lot.cid, lot.name, place.work_centre, *held, *by, *released, qty)


def _jobs(cids: int) -> Iterator[Row]:
    clock, visits = _clock(), _visits()
    random = Random("jobs")
    for number in range(_count_jobs(cids)):
        place, stay, *_ = random.choice(visits)
        lots = [_lot(random.randrange(cids)) for _ in range(random.randrange(4))]
        minute = random.randrange(DAYS * MINUTES_A_DAY)
        equipment = (place.equipment_id, place.equipment)
        order = ("COMPLETE" if stay else "OPEN", f"MODEL-{place.spec}", f"JO{number:08d}")
        codes = tuple(f"{kind}{random.randrange(30):02d}" for kind in ("SYM", "CAUSE", "REPAIR"))
        dates = (clock[minute], clock[minute + stay] if stay else None)
        ids, names = ",".join(lot.cid for lot in lots), ",".join(lot.name for lot in lots)
        yield (f"JOB{number:07d}", *equipment, *order, *dates, *codes, "E00017", ids or None, names or None)


_MAKERS: dict[Table, Callable[[int], Iterator[Row]]] = {
    LOT_HISTORY: _history,
    LOT_MATERIALS: _materials,
    LOT_REJECTS: _rejects,
    LOT_HOLDS: _holds,
    EQUIPMENT_JOBS: _jobs,
}


def _lots(table: Table, cids: int) -> Iterator[tuple[Lot, int]]:
    counts = _draw_counts(table, cids)
    return ((_lot(number), count) for number, count in enumerate(counts))


def _lot(number: int) -> Lot:
    order, place = divmod(number, 24)
    work_order = f"GA23{10 + order // 10_000:02d}{order % 10_000:04d}"
    product = f"PRD-{order % 311:03d}"
    kind = f"TYPE-{order % 23:02d}"
    start = number * 7_919 % ((DAYS - 10) * MINUTES_A_DAY)
    return Lot(
        _container_id(number),
        f"{work_order}-A00-{place + 1:03d}",
        work_order,
        product,
        kind,
        f"BOP-{order % 47:03d}",
        f"W{order // 3:07d}",
        start,
    )


def _container_id(number: int) -> str:
    return f"{FIRST_ID + ID_STEP * number:x}"


def _draw_counts(table: Table, cids: int) -> list[int]:
    mean = ROWS_PER_CID[table]
    random, rate = Random(table.name), log1p(1 / mean)
    counts = [int(random.expovariate(rate)) for _ in range(cids)]  # geometric: many lots have none
    counts[BUSY_LOTS] = [round(BUSY_FACTOR * mean)] * len(counts[BUSY_LOTS])
    return counts


def _count_jobs(cids: int) -> int:
    return round(cids * JOBS_PER_CID)


def _steps(lot: Lot, count: int) -> range:
    return range(lot.start, lot.start + count * MINUTES_A_STEP, MINUTES_A_STEP)


@cache
def _clock() -> list[str]:
    """Write every minute of the five months, and of ten days more for lots that started late."""
    days = [(FIRST_DAY + timedelta(days=day)).isoformat() for day in range(DAYS + 10)]
    times = [f"{hour:02d}:{minute:02d}:00" for hour in range(24) for minute in range(60)]
    return [f"{day}T{time}" for day in days for time in times]


@cache
def _visits() -> list[tuple[Place, int, int, int]]:
    """Make places with the minutes a lot stays (0: it is still there), its quantity and its loss."""
    random = Random("visits")
    visits = []
    for _ in range(4_093):  # prime, so that two cycles of other lengths do not fall into step
        centre, group, letters = random.choice(WORK_CENTRES)
        unit = random.randrange(30)
        place = Place(centre, group, f"488102{unit:04d}{letters}", f"{letters}-{unit:04d}", f"{centre}-{unit % 4}")
        stay = 0 if random.random() < 0.03 else random.randrange(5, 600)
        visits.append((place, stay, random.randrange(100, 30_000), int(random.expovariate(0.2))))
    return visits


def _losses() -> list[tuple[tuple[Any, ...], str]]:
    """Make pairs of a comment and of material, reason, code, category and six quantities."""
    random = Random("losses")
    losses = []
    for _ in range(3_061):
        reason = min(int(random.expovariate(0.4)), len(LOSS_REASONS) - 1)
        quantities = [int(random.expovariate(1 / mean)) for mean in (8, 1, 2_000, 50, 1_500, 3)]
        names = (f"MAT-{random.randrange(200):04d}", LOSS_REASONS[reason], f"L{reason:03d}", "報廢")
        losses.append(((*names, *quantities), "checked again; " * random.randrange(1, 6)))
    return losses
