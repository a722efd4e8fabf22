from __future__ import annotations

import csv
import io

import pytest

from mesbatch import KiB
from mesbatch.errors import CorruptChunk, ExportError, InvalidExport, MesbatchError, OutputExists
from mesbatch.export import export, rows, verify
from tests.rig.lots import ROWS, make_lots
from tests.rig.s3 import BUCKET, environment, private_s3, unfinished_uploads

obstore = pytest.importorskip("obstore", reason="no obstore: the extra s3 is not installed")
pytest.importorskip("moto", reason="no moto: no server that speaks S3")

SQL = "select * from lots"
KEYED = "select lot, id, qty from lots where lot in (:keys)"
LOTS = [f"lot{n:02}" for n in range(40)]


@pytest.fixture(scope="module")
def server():
    with private_s3() as address:
        yield address


@pytest.fixture
def bucket(server, monkeypatch, request):
    """The URL of an empty folder of the bucket."""
    for name, value in environment(server).items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{request.node.name.partition('[')[0]}"


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{make_lots(tmp_path)}"


@pytest.fixture
def storage(bucket):
    from obstore.store import from_url

    return from_url(bucket)


def names_in(storage):
    return sorted(str(one["path"]) for one in obstore.list_with_delimiter(storage)["objects"])


def stopping_at(count):
    seen = 0

    def stop(event):
        nonlocal seen
        seen += getattr(event, "rows", 0)
        if seen >= count:
            raise KeyError("stop")

    return stop


@pytest.mark.parametrize("name", ["lots.csv", "lots.csv.gz", "lots.parquet"])
def test_one_object_holds_every_row_and_a_manifest_stands_beside_it(bucket, storage, url, name):
    assert export(SQL, url, f"{bucket}/{name}").rows == len(ROWS)

    assert {name, f"{name}.manifest.json"} <= set(names_in(storage))
    assert verify(f"{bucket}/{name}").rows == len(ROWS)
    with pytest.raises(OutputExists, match=r"exists: replace it by --force"):
        export(SQL, url, f"{bucket}/{name}")


def test_a_folder_of_parts_goes_on_after_a_failure_and_its_manifest_is_last(bucket, storage, url, monkeypatch):
    monkeypatch.setattr(rows, "PART_BYTES", 2 * KiB)
    options = {"keys": LOTS, "format": "csv", "max_bytes": 16 * KiB}
    with pytest.raises(KeyError):
        export(KEYED, url, f"{bucket}/", on_event=stopping_at(500), **options)
    before = names_in(storage)
    assert "journal.ndjson" in before
    assert "manifest.json" not in before
    with pytest.raises(ExportError, match="go on with --resume"):
        verify(bucket)

    summary = export(KEYED, url, f"{bucket}/", resume=True, **options)
    assert 0 < summary.rows_before < summary.rows == len(ROWS)
    assert "journal.ndjson" not in names_in(storage)
    assert verify(bucket).rows == len(ROWS)
    parts = [name for name in names_in(storage) if name.startswith("part-")]
    texts = [obstore.get(storage, name).bytes().to_bytes().decode() for name in parts]
    read = [int(one["id"]) for text in texts for one in csv.DictReader(io.StringIO(text, newline=""))]
    assert sorted(read) == [row[0] for row in ROWS]


def test_a_large_object_goes_in_pieces_and_one_that_fails_leaves_no_piece(server, bucket, storage, url):
    sql = "select a.id, b.lot, hex(randomblob(40)) as t from lots a, lots b where b.id < 200"
    with pytest.raises(KeyError):
        export(sql, url, f"{bucket}/big.csv", on_event=stopping_at(150_000))
    assert names_in(storage) == []
    assert unfinished_uploads(server) == 0

    summary = export(sql, url, f"{bucket}/big.csv")
    assert summary.nbytes > 18_000_000
    assert verify(f"{bucket}/big.csv").rows == 200_000
    obstore.put(storage, "big.csv", b"id,lot,t\r\n")
    with pytest.raises(CorruptChunk):
        verify(f"{bucket}/big.csv")


def test_a_store_that_cannot_be_written_is_an_error_in_one_line_and_leaves_no_manifest(bucket, url):
    for out in (f"s3://{BUCKET}-nosuch/x.csv", f"s3://{BUCKET}-nosuch/x/"):
        with pytest.raises(MesbatchError, match=rf"cannot (write|read|list) s3://{BUCKET}-nosuch/x") as caught:
            export(SQL, url, out, format="csv")
        assert "\n" not in str(caught.value)


def test_nothing_of_somebody_else_is_removed(bucket, storage, url):
    obstore.put(storage, "thesis.tex", b"years of work")
    with pytest.raises(OutputExists, match="none of ours"):
        export(SQL, url, f"{bucket}/", format="csv", force=True)


def test_a_file_url_is_a_path(tmp_path, url):
    export(SQL, url, f"file://{tmp_path}/a%20b.csv")

    assert (tmp_path / "a b.csv").exists()
    assert verify(tmp_path / "a b.csv").rows == len(ROWS)


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("ftp://host/x.csv", "no target ftp://: write to a path, or to s3://, gs://, az:// or file://"),
        ("s3:/lots/x.csv", "looks like a URL: write s3://BUCKET/PATH"),
        ("s3:///x.csv", "names no bucket"),
    ],
)
def test_an_unknown_target_is_refused_and_makes_no_folder(tmp_path, monkeypatch, url, out, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ExportError, match=words):
        export(SQL, url, out)
    with pytest.raises(ExportError):
        export(SQL, url, out, resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["lots.db"]


def test_a_missing_package_names_its_extra(monkeypatch, url):
    monkeypatch.setitem(__import__("sys").modules, "mesbatch.export.objects", None)
    with pytest.raises(InvalidExport, match=r"needs obstore: pip install 'mesbatch\[s3\]'"):
        export(SQL, url, "s3://lots/x.csv")
