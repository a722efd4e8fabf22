"""Scenarios: exports in each format, to a file, a folder and an object store, which go on after a failure."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mesbatch.export import export, verify
from tests.faults.scenario import REFUSALS, Scenario
from tests.rig.s3 import BUCKET, environment, unfinished_uploads

KEYS = [f"lot{n}" for n in range(6)]
ROWS = [(n, KEYS[n % 6], "x" * 150) for n in range(36)]
SCAN = "select n, lot, note from lots order by n"
KEYED = "select lot, n, note from lots where lot in (:keys)"


class Export(Scenario):
    """An export of a small table, in parts of a few rows; `again` goes on from what is there."""

    modes = (*Scenario.modes, "short")
    out: ClassVar[str]
    format: ClassVar[str | None] = None
    compress: ClassVar[bool] = False
    keyed: ClassVar[bool] = False

    @property
    def resumable(self) -> bool:
        return self.out.endswith("/") or Path(self.out).suffix not in {".parquet", ".arrow"}

    @contextmanager
    def opened(self, folder: Path, fixture: Callable[[str], Any]) -> Iterator[None]:
        if {self.format, Path(self.out).suffix} & {"parquet", "arrow", ".parquet", ".zst"}:
            pytest.importorskip("pyarrow", reason="no pyarrow: the extra arrow is not installed")
        fixture("monkeypatch").setattr("mesbatch.export.rows.PART_BYTES", 2_000)
        self.folder, self.path = folder, folder / "lots.db"
        with closing(sqlite3.connect(self.path)) as con, con:
            con.execute("create table lots (n integer, lot text, note text)")
            con.executemany("insert into lots values (?, ?, ?)", ROWS)
        self.target = self.place(folder / "whole", fixture)
        self.run()
        self.truth = self.contents()
        yield

    def place(self, folder: Path, fixture: Callable[[str], Any]) -> str:
        folder.mkdir()
        return f"{folder}/{self.out}"

    def begin(self, folder: Path) -> None:
        self.target = f"{folder}/{self.out}"

    def run(self, **more: Any) -> None:
        export(
            KEYED if self.keyed else SCAN, lambda: sqlite3.connect(self.path, check_same_thread=False), self.target,
            format=self.format, compress=self.compress, keys=KEYS if self.keyed else None, **more,
        )  # fmt: skip

    def act(self) -> Any:
        self.run()
        return self.contents()

    def check(self, came: Any, error: BaseException | None) -> None:
        super().check(came, error)
        with suppress(*REFUSALS):
            verify(self.target)  # what passes for whole is whole
            whole = {name: data for name, data in self.contents().items() if not name.endswith("journal.ndjson")}
            assert whole == self.truth, "a part of an output is verified as whole"

    def again(self) -> Any:
        self.run(**{"resume" if self.resumable else "force": True})
        assert verify(self.target).rows == len(ROWS)
        return self.contents()

    def contents(self) -> Any:
        """Give the bytes of all files of the output, by their names; temporary ones are there, too."""
        folder = Path(self.target).parent
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class ObjectExport(Export):
    """An export to an object store, which is a server of our own."""

    modes = Scenario.modes
    forks = False  # the client's threads, in Rust, are not there in a forked process
    numbers = count()

    @property
    def resumable(self) -> bool:
        return self.out.endswith("/")

    def place(self, folder: Path, fixture: Callable[[str], Any]) -> str:
        pytest.importorskip("obstore", reason="no obstore: the extra s3 is not installed")
        pytest.importorskip("moto", reason="no moto: no server that speaks S3")
        self.address = fixture("s3_server")
        for name, value in environment(self.address).items():
            fixture("monkeypatch").setenv(name, value)
        return self.next_target()

    def next_target(self) -> str:
        return f"s3://{BUCKET}/faults-{os.getpid()}-{next(self.numbers)}/{self.out}"

    def begin(self, folder: Path) -> None:
        self.target = self.next_target()

    def contents(self) -> Any:
        import obstore
        from obstore.store import from_url

        storage = from_url(f"s3://{BUCKET}")
        prefix = self.target.removeprefix(f"s3://{BUCKET}/").partition("/")[0]
        paths = [str(one["path"]) for part in obstore.list(storage, prefix) for one in part]
        return {path.removeprefix(prefix): obstore.get(storage, path).bytes().to_bytes() for path in paths}

    def left(self) -> list[str]:
        uploads = unfinished_uploads(self.address)
        return [f"{uploads} unfinished uploads"] if uploads else []


def _named(base: type[Export], out: str, **more: Any) -> type[Export]:
    words = [out, more.get("format", ""), "by keys" if more.get("keyed") else "", "in S3" * (base is ObjectExport)]
    return type(base.__name__, (base,), {"name": f"export {' '.join(filter(None, words))}", "out": out, **more})


SCENARIOS = [
    _named(Export, "out.ndjson"),
    _named(Export, "out.ndjson", keyed=True),
    _named(Export, "out.csv.gz"),
    _named(Export, "out.csv.zst", keyed=True),
    _named(Export, "out.parquet"),
    _named(Export, "out.arrow", keyed=True),
    _named(Export, "parts/", format="csv", keyed=True),
    _named(Export, "parts/", format="ndjson", compress=True),
    _named(Export, "parts/", format="parquet", keyed=True),
    _named(Export, "parts/", format="arrow"),
    _named(ObjectExport, "out.ndjson"),
    _named(ObjectExport, "parts/", format="csv", keyed=True),
    _named(ObjectExport, "parts/", format="parquet"),
]
