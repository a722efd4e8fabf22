"""CSV and Arrow over HTTP, for both adapters: whole, or an error at the client."""

from __future__ import annotations

import csv
import http.client
import io
import socket
import subprocess
import zlib
from contextlib import closing

import pytest

pytest.importorskip("psycopg", reason="no postgres driver: psycopg is not installed")
pytest.importorskip("pyarrow", reason="no Arrow: pyarrow is not installed")

import pyarrow as pa

from mesbatch import read_sql_iter
from mesbatch.adapters.http.encoding import has_zstd
from mesbatch.sink.csv import CsvStyle, csv_lines
from tests.adapters.served import QUERIES
from tests.adapters.test_faults import NDJSON, permits, store_result
from tests.rig.until import until

LOTS = [f"lot{n:04d}" for n in range(1_000)]
ARROW = "application/vnd.apache.arrow.stream"


def direct(served, domain: str, **style: bool) -> bytes:
    with read_sql_iter(QUERIES[domain].sql, served.database, keys=LOTS) as reader:
        return b"".join(csv_lines(reader, style=CsvStyle(**style)))


def old_client(site, request: str, body: bytes = b"") -> tuple[bytes, bytes]:
    """Ask as a client of HTTP/1.0, which reads until the connection ends."""
    head, found = f"{request} HTTP/1.0\r\nHost: x\r\nContent-Length: {len(body)}\r\n", b""
    if body:
        head += "Content-Type: application/json\r\n"
    with closing(socket.create_connection(("127.0.0.1", site.port), timeout=60)) as connection:
        connection.sendall(head.encode() + b"\r\n" + body)
        while piece := connection.recv(65_536):
            found += piece
    head_bytes, _, rest = found.partition(b"\r\n\r\n")
    return head_bytes.lower(), rest


def test_csv_is_the_rows_with_a_name_and_a_header(served):
    answer = served.site.ask("GET", "/csv/odd")
    assert answer.body == direct(served, "odd")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename=\"l_ts.csv\"; filename*=UTF-8''l%C3%B8ts.csv"
    )
    assert answer.headers["Transfer-Encoding"] == "chunked"
    records = list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))
    assert [record["note"] for record in records] == ["=1+1", 'say "hi", all', "two\nlines", "", ""]
    assert (records[0]["qty"], records[0]["amount"]) == ("-5.250", "12345678901234567890.123456789")


def test_csv_for_people_has_a_mark_no_formulas_and_an_end(served):
    answer = served.site.ask("GET", "/styled/odd")
    assert answer.body == direct(served, "odd", bom=True, neutral=True, end=True)
    text = answer.body.decode("utf-8-sig")
    assert ",'=1+1,-5.250," in text
    assert text.endswith("\r\n# end: 5 rows\r\n")


def test_arrow_is_the_rows_with_their_types(served):
    answer = served.site.ask("GET", "/arrow/odd")
    assert answer.headers["Content-Type"] == ARROW
    with read_sql_iter(QUERIES["odd"].sql, served.database, keys=LOTS) as reader:
        expected = pa.table(reader.arrow())
    found = pa.ipc.open_stream(answer.body).read_all()
    assert (found.schema, str(found.to_pylist())) == (expected.schema, str(expected.to_pylist()))  # a NaN is no NaN


@pytest.mark.parametrize(
    ("query", "accept"), [("?format=csv", "*/*"), ("", "text/csv"), ("", "text/csv, application/json;q=0.9")]
)
def test_the_routes_of_the_trace_give_csv_of_one_domain(served, query, accept):
    answer = served.site.events(LOTS, ["odd"], query=query, Accept=accept)
    assert (answer.status, answer.body) == (200, direct(served, "odd"))
    assert 'filename="odd.csv"' in answer.headers["Content-Disposition"]
    two = served.site.events(LOTS, ["odd", "rows"], query=query, Accept=accept)
    assert (two.status, two.json["code"]) == (400, "INVALID_PARAMS")


def test_the_routes_of_the_trace_give_arrow_and_know_their_formats(served):
    answer = served.site.events(LOTS, ["odd"], query="?format=arrow")
    table = pa.ipc.open_stream(answer.body).read_all()
    assert (table.num_rows, table.schema.field("qty").type) == (5, pa.decimal128(12, 3))
    none = served.site.events(["nothing"], ["odd"], query="?format=arrow")
    assert pa.ipc.open_stream(none.body).read_all().schema == table.schema
    wrong = served.site.events(LOTS, ["odd"], query="?format=xlsx")
    assert wrong.json["detail"] == "format='xlsx': it is json or ndjson or csv or arrow"
    lines = served.site.events(LOTS, ["odd"], query="?format=ndjson").lines
    assert lines[-1]["total_records"] == 5


@pytest.mark.parametrize("path", ["/csv/late", "/arrow/late"])
def test_a_cut_answer_is_an_error_at_the_client(served, path):
    connection, response = served.site.open("GET", path)
    assert response.status == 200
    with closing(connection), pytest.raises(http.client.IncompleteRead) as cut:
        response.read()
    assert len(cut.value.partial) > 1_000_000


def test_curl_takes_a_cut_answer_for_an_error(served, tmp_path):
    command = ["curl", "-s", "-o", str(tmp_path / "rows.csv"), f"http://127.0.0.1:{served.site.port}/csv/late"]
    assert subprocess.run(command, check=False).returncode == 18  # a partial file


@pytest.mark.parametrize("format_", ["csv", "arrow"])
def test_over_http_1_0_an_answer_has_its_length_or_is_an_error(served, format_):
    head, body = old_client(served.site, f"GET /{format_}/odd")
    assert head.split(b"\r\n")[0].split()[1] == b"200"
    assert f"content-length: {len(body)}".encode() in head
    assert b"transfer-encoding" not in head
    assert body == served.site.ask("GET", f"/{format_}/odd").body
    head, body = old_client(served.site, f"GET /{format_}/late")
    assert head.split(b"\r\n")[0].split()[1] == b"500"
    assert b"application/problem+json" in head
    assert b"1 /" not in body
    until(lambda: permits(served.directory) == 0)


@pytest.mark.parametrize("domain", ["rows", "odd"])
def test_a_stored_result_is_a_table_chunk_by_chunk(served, domain):
    job_id = store_result(served.directory)
    answer = served.site.get(f"/job/{job_id}/result?domain={domain}&format=csv")
    records = list(csv.reader(io.StringIO(answer.body.decode(), newline="")))
    assert records[0] == ["ID", "PAD"]
    whole = served.site.get(f"/job/{job_id}/result?domain={domain}").json["results"][domain]["data"]
    assert [int(record[0]) for record in records[1:]] == [row["ID"] for row in whole]
    assert f'filename="{domain}.csv"' in answer.headers["Content-Disposition"]
    arrow = served.site.get(f"/job/{job_id}/result?domain={domain}&format=arrow&offset=998&limit=5")
    ids = pa.ipc.open_stream(arrow.body).read_all()["ID"].to_pylist()
    assert ids == [row["ID"] for row in whole[998:1003]]
    assert served.site.get(f"/job/{job_id}/result?format=csv").json["code"] == "INVALID_PARAMS"
    again = served.site.get(
        f"/job/{job_id}/result?domain={domain}", Accept="text/csv", If_None_Match=answer.headers["ETag"]
    )
    assert (again.status, again.body) == (304, b"")


def test_a_stored_table_whose_chunk_is_lost_breaks_off(served):
    job_id = store_result(served.directory, 40)
    chunks = [path for path in (served.directory / "jobs" / job_id).rglob("*") if path.stat().st_size > 100_000]
    assert len(chunks) == 40
    max(chunks, key=lambda path: path.stat().st_mtime_ns).unlink()
    connection, response = served.site.open("GET", f"/api/trace/job/{job_id}/result?domain=rows&format=csv")
    with closing(connection), pytest.raises(http.client.IncompleteRead):
        response.read()


@pytest.mark.parametrize("path", ["/csv/odd", "/arrow/odd"])
def test_answers_are_compressed_as_the_client_likes(served, path):
    plain = served.site.ask("GET", path)
    gzip = served.site.open("GET", path, headers={"Accept-Encoding": "gzip, br"})
    zstd = served.site.open("GET", path, headers={"Accept-Encoding": "gzip, deflate, br, zstd"})
    with closing(gzip[0]), closing(zstd[0]):
        assert gzip[1].headers["Content-Encoding"] == "gzip"
        assert zlib.decompress(gzip[1].read(), 16 + zlib.MAX_WBITS) == plain.body
        assert zstd[1].headers["Content-Encoding"] == ("zstd" if has_zstd() else "gzip")
        if has_zstd():
            from backports.zstd import decompress

            assert decompress(zstd[1].read()) == plain.body


def test_each_line_leaves_at_once_in_zstd(served):
    zstd = pytest.importorskip("backports.zstd", reason="no zstd: backports.zstd is not installed")
    body = {"profile": "query_tool", "container_ids": LOTS[:1], "domains": ["silent"]}
    headers = {"Accept": NDJSON, "Accept-Encoding": "zstd"}
    connection, response = served.site.open("POST", "/api/trace/events", body, headers, timeout=20)
    with closing(connection), closing(response):
        text = zstd.ZstdDecompressor().decompress(response.read1(10_000))
        assert text.endswith(b"\n")
        assert b'"meta"' in text
    until(lambda: permits(served.directory) == 0)
