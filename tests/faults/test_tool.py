"""Red controls of the loop: a use of mesbatch that breaks a law is found, whichever law it is."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from threading import Event, Thread

import pytest

from mesbatch import read_sql_iter
from mesbatch.export.place import LocalPlace
from tests.faults import disk, sweep, wires
from tests.faults.points import points
from tests.faults.scenario import Scenario
from tests.faults.sweep import Broken, count_points, drawn, inject, kill

DATA = b"x" * 1_000


@pytest.fixture(autouse=True)
def faulty(monkeypatch):
    monkeypatch.setattr(sweep, "LEAVE_SECONDS", 0.05)
    disk.install(monkeypatch)
    wires.install(monkeypatch)


class Writing(Scenario):
    """A small file, written as a manifest is: whole or not at all."""

    name = "a file"
    truth = DATA

    def begin(self, folder: Path) -> None:
        self.run = folder

    def act(self):
        LocalPlace(self.run).write("data", DATA)
        return (self.run / "data").read_bytes()

    def left(self):
        return [path.name for path in self.run.iterdir() if path.name != "data"]


class Silent(Writing):
    """It hides the error, and gives what is there."""

    def act(self):
        with suppress(OSError):
            LocalPlace(self.run).write("data", DATA)
        return (self.run / "data").read_bytes() if (self.run / "data").exists() else b""


class Unsafe(Writing):
    """It writes under the name itself."""

    def act(self):
        LocalPlace(self.run).append("data", DATA)
        return (self.run / "data").read_bytes()

    def check(self, came, error):
        assert not (self.run / "data").exists() or (self.run / "data").read_bytes() == DATA


class Leaking(Writing):
    """It opens a descriptor, and forgets it after an error."""

    def act(self):
        descriptor = os.open(self.run, os.O_RDONLY)
        came = super().act()
        os.close(descriptor)
        return came


class Threaded(Writing):
    """It leaves a thread of ours after an error."""

    stop = Event()

    def act(self):
        try:
            return super().act()
        except OSError:
            Thread(target=self.stop.wait, name="mesbatch-left", daemon=True).start()
            raise


class Odd(Writing):
    """It gives an error that nobody expects."""

    def act(self):
        try:
            return super().act()
        except OSError as error:
            raise KeyError("odd") from error


class Staying(Writing):
    """The next use fails as well."""

    broken = False

    def act(self):
        if self.broken:
            raise OSError("still broken")
        try:
            return super().act()
        except OSError:
            self.broken = True
            raise


def swept(kind, folder, mode="once"):
    scenario = kind()
    scenario.folder = folder
    return inject(scenario, mode, range(1, count_points(scenario, mode) + 1))


def test_a_use_that_keeps_the_laws_passes_in_every_mode(tmp_path):
    for mode in ("once", "for ever", "short"):
        assert swept(Writing, tmp_path, mode) >= (1 if mode == "short" else 4)
    scenario = Writing()
    scenario.folder = tmp_path
    assert kill(scenario, range(1, count_points(scenario, "once") + 1)) >= 4


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Silent, "no error, and"),
        (Leaking, "left behind"),
        (Threaded, "mesbatch-left"),
        (Odd, "an error of no known kind: KeyError"),
        (Staying, "still broken"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_use_that_breaks_a_law_is_found_with_its_operation(tmp_path, kind, words):
    Threaded.stop.clear()
    with pytest.raises(Broken, match=rf"a file: once, operation \d+ \(disk \w+: .*{words}"):
        swept(kind, tmp_path)
    Threaded.stop.set()


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_file_that_is_seen_before_it_is_whole_is_found_by_a_kill(tmp_path):
    scenario = Unsafe()
    scenario.folder = tmp_path
    with pytest.raises(Broken, match="killed at operation"):
        kill(scenario, range(1, count_points(scenario, "once") + 1))


def test_rows_that_come_twice_are_found(tmp_path):
    class Doubling(Scenario):
        name = "rows"
        truth = tuple((n,) for n in range(6))

        def act(self):
            rows = []
            for _ in range(2):
                try:
                    with read_sql_iter("select n from t", lambda: sqlite3.connect(path), batch_size=2) as reader:
                        rows += [row for batch in reader for row in batch.rows]
                    return tuple(rows)
                except sqlite3.Error:
                    rows = rows or [(0,)]  # it goes on with what it has
            return tuple(rows)

    path = tmp_path / "t.db"
    with closing(sqlite3.connect(path)) as con, con:
        con.execute("create table t (n int)")
        con.executemany("insert into t values (?)", Doubling.truth)
    with pytest.raises(Broken, match="no error, and"):
        swept(Doubling, tmp_path)


def test_only_operations_of_mesbatch_count(tmp_path):
    with points.arm(1):
        (tmp_path / "own").write_bytes(DATA)
        assert (tmp_path / "own").read_bytes() == DATA
    assert points.calls == 0
    with points.arm(1), pytest.raises(OSError, match="No space"):
        LocalPlace(tmp_path / "none").write("data", DATA)
    assert points.failed is not None


def test_a_sample_is_the_same_for_a_commit_and_another_for_the_next():
    assert drawn("scan", 1_000, 8, seed="a") == drawn("scan", 1_000, 8, seed="a")
    assert drawn("scan", 1_000, 8, seed="a") != drawn("scan", 1_000, 8, seed="b")
    assert drawn("scan", 3, 8, seed="a") == [1, 2, 3]
