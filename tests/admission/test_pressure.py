"""Hysteresis of pressure, and its effect on readers while they read."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch import read_sql_iter
from mesbatch.admission import Load, Pressure, PressureGauge
from mesbatch.errors import InvalidLimit
from mesbatch.memory.process import Memory
from mesbatch.units import GiB, KiB, MiB

shares = st.floats(0, 1)


class Weather:
    """Memory that is as full as it is told."""

    def __init__(self, used: float | None = 0.0) -> None:
        self.used = used

    def __call__(self) -> Memory:
        return Memory(GiB, int(GiB * (self.used or 0)), int(GiB * (1 - (self.used or 0))), used=self.used, rss=MiB)


@pytest.fixture
def weather():
    return Weather()


@pytest.fixture
def gauge(weather):
    return PressureGauge(memory=weather)


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        (0.0, Pressure.CALM),
        (0.8, Pressure.CALM),
        (0.801, Pressure.HIGH),
        (0.9, Pressure.HIGH),
        (0.901, Pressure.CRITICAL),
        (1.2, Pressure.CRITICAL),
        (None, Pressure.CALM),
    ],
)
def test_the_thresholds_are_80_and_90_percent(gauge, weather, used, expected):
    weather.used = used
    assert gauge.level() is expected


def test_a_level_ends_below_where_it_began(gauge, weather):
    levels = []
    for used in (0.81, 0.79, 0.76, 0.75, 0.79, 0.95, 0.87, 0.84, 0.76, 0.70):
        weather.used = used
        levels.append(int(gauge.level()))

    assert levels == [1, 1, 1, 0, 0, 2, 2, 1, 1, 0]


@given(st.lists(shares, max_size=30), shares)
def test_pressure_is_within_the_hysteresis_of_what_it_would_be_without_a_past(past, used):
    weather = Weather()
    gauge = PressureGauge(memory=weather)
    for weather.used in past:
        gauge.level()

    weather.used = used
    without_past, at_most = PressureGauge(memory=weather).level(), PressureGauge(memory=Weather(used + 0.05)).level()
    assert without_past <= gauge.level() <= at_most


@given(shares, st.lists(st.floats(0, 0.049), max_size=20))
def test_a_small_swing_changes_the_level_at_most_once(used, swings):
    weather = Weather()
    gauge = PressureGauge(memory=weather)
    levels = []
    for swing in swings:
        weather.used = used + swing
        levels.append(gauge.level())

    assert levels == sorted(levels)


def test_the_load_carries_pressure_and_memory(gauge, weather):
    weather.used = 0.85
    load = gauge.load(worker_listens=True, promised=5)

    assert load == Load(True, Pressure.HIGH, weather().headroom, GiB, 5)


@pytest.mark.parametrize(
    "wrong", [(0.9, 0.8, 0.05), (0.8, 0.8, 0.05), (0.8, 1.1, 0.0), (0.8, 0.9, -0.1), (0.1, 0.9, 0.2)]
)
def test_thresholds_out_of_order_are_refused(wrong):
    enqueue_above, reject_above, hysteresis = wrong
    with pytest.raises(InvalidLimit, match="out of order"):
        PressureGauge(enqueue_above=enqueue_above, reject_above=reject_above, hysteresis=hysteresis)


@pytest.fixture
def table():
    with closing(sqlite3.connect(":memory:")) as con:
        con.execute("create table t (n integer, v text)")
        con.executemany("insert into t values (?, ?)", ((n, "x" * 100) for n in range(60_000)))
        yield con


def test_a_running_reader_gets_half_its_bytes_until_pressure_falls(gauge, weather, table):
    with read_sql_iter("select * from t", table, max_bytes=600 * KiB) as reader, gauge.relieving(reader):
        sizes = {used: size_of_next(reader, gauge, weather, used) for used in (0.5, 0.85, 0.95, 0.1)}
    rows = sum(batch.num_rows for batch in read_sql_iter("select * from t", table))

    assert reader.max_bytes == 600 * KiB
    assert sizes[0.85] == pytest.approx(sizes[0.5] / 2, rel=0.2)
    assert sizes[0.95] == pytest.approx(sizes[0.85], rel=0.2)  # half once, not half of half
    assert sizes[0.1] == pytest.approx(sizes[0.5], rel=0.2)
    assert rows == 60_000


def size_of_next(reader, gauge, weather, used: float) -> int:
    weather.used = used
    gauge.level()
    for _ in range(2):  # the batch that was fetched before may still be on its way
        batch = next(reader)
    return batch.nbytes


def test_a_reader_is_relieved_without_anybody_asking(gauge, weather):
    class Reader:
        max_bytes = 100

    reader = Reader()
    with gauge.relieving(reader):
        assert reader.max_bytes == 100
        weather.used = 0.85
        until = time.monotonic() + 20
        while reader.max_bytes == 100:
            assert time.monotonic() < until
            Event().wait(0.01)
        assert reader.max_bytes == 50
    assert reader.max_bytes == 100


def test_a_reader_that_begins_under_pressure_begins_with_half(gauge, weather):
    class Reader:
        max_bytes = 101

    weather.used, reader = 0.95, Reader()
    with gauge.relieving(reader), gauge.relieving(Reader()):
        assert reader.max_bytes == 50
    assert reader.max_bytes == 101
