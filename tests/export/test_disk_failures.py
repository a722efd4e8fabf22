"""Failures of the disk that an export must not hide: short writes, and what is left when the end cannot be tidied."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mesbatch.errors import ExportError
from mesbatch.export import export, verify
from mesbatch.export.place import LocalPlace, UnfinishedFile
from mesbatch.export.target import JoinedParts
from tests.rig.lots import ROWS, make_lots


class ShortFile:
    """A file that takes three bytes at a time, as one without a buffer may."""

    def __init__(self, file):
        self._file = file

    def write(self, data):
        return self._file.write(memoryview(data)[:3])

    def close(self):
        self._file.close()


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{make_lots(tmp_path)}"


def test_a_manifest_is_written_whole_where_the_disk_takes_a_few_bytes_at_a_time(tmp_path, monkeypatch):
    begin = UnfinishedFile.__init__

    def short(self, path):
        begin(self, path)
        self._file = ShortFile(self._file)

    monkeypatch.setattr(UnfinishedFile, "__init__", short)
    LocalPlace(tmp_path).write("manifest.json", b'{"rows": 12345}')
    assert (tmp_path / "manifest.json").read_bytes() == b'{"rows": 12345}'


@pytest.mark.parametrize("out", ["lots.csv", "parts/"])
def test_a_journal_that_could_not_be_removed_makes_no_whole_output_wrong_and_goes_with_the_next_run(
    tmp_path, url, monkeypatch, out
):
    remove = LocalPlace.remove

    def failing(self, name):
        if name.endswith("journal.ndjson"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        remove(self, name)

    target = f"{tmp_path}/out/{out}"
    monkeypatch.setattr(LocalPlace, "remove", failing)
    with pytest.raises(OSError, match="Input/output"):
        export("select * from lots", url, target, format="csv")
    monkeypatch.setattr(LocalPlace, "remove", remove)
    assert verify(target).rows == len(ROWS)
    assert list(Path(tmp_path, "out").rglob("*journal.ndjson"))

    assert export("select * from lots", url, target, format="csv", resume=True).rows == len(ROWS)
    assert not list(Path(tmp_path, "out").rglob("*journal.ndjson"))


def test_a_file_whose_cut_fails_is_closed(tmp_path, monkeypatch):
    def failing(self):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    target = JoinedParts(tmp_path / "lots.csv", [])
    monkeypatch.setattr(JoinedParts, "_cut", failing)
    with pytest.raises(OSError, match="Input/output"):
        target.drop()
    assert target._file.closed
    with pytest.raises(OSError, match="Input/output"):
        JoinedParts(tmp_path / "other.csv", [])  # a file that stays open is a ResourceWarning, and so an error


def test_a_full_disk_is_our_error(tmp_path, url, monkeypatch):
    def full(self, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(UnfinishedFile, "write", full)
    with pytest.raises(ExportError, match="no space left"):
        export("select * from lots", url, f"{tmp_path}/parts/", format="csv")


@pytest.mark.parametrize("out", ["lots.csv", "parts/"])
def test_an_export_that_was_killed_before_its_journal_had_a_name_can_be_gone_on_with(tmp_path, url, out):
    folder = tmp_path / "out" / out.rstrip("/") if out.endswith("/") else tmp_path / "out"
    folder.mkdir(parents=True)
    journal = "journal.ndjson" if out.endswith("/") else f"{out}.journal.ndjson"
    (folder / f"{journal}.unfinished").write_bytes(b'{"vers')
    target = f"{tmp_path}/out/{out}"
    assert export("select * from lots", url, target, format="csv", resume=True).rows == len(ROWS)
    assert verify(target).rows == len(ROWS)
    assert not list(Path(tmp_path, "out").rglob("*.unfinished"))
