"""Words that people, scripts and accidents give to the commands."""

from __future__ import annotations

URLS = [
    *["sqlite:///db.sqlite"] * 4, "sqlite:///none.sqlite", "sqlite:///broken.bin", "sqlite://", "sqlite:///.", "", "x",
    "postgresql://127.0.0.1:1/x", "postgresql://[::1/x", "postgresql://u:secret@127.0.0.1:1/x", "://", "sqlite:",
    "mysql+pymysql://u@127.0.0.1:1/x", "duckdb:///:memory:", "http://127.0.0.1:1", "sqlite:///db.sqlite?mode=x",
    "postgresql://127.0.0.1:99999/x", "sqlite+apsw:///db.sqlite", "é://ü",
]  # fmt: skip
SQL = [
    "select * from t", "select a, b from t where a in (:keys)", "select * from t where a = :a", "q.sql", "-", "", ".",
    "select", "drop", "delete from t", "select * from none", "select 1; select 2", "broken.bin",
    "select 'é', x'ff' as b, 1e999 as i", "select a as x, b as x from t", "with w as (select 1) select * from w",
    "select * from t where b like '%x%'",
]  # fmt: skip
PLACES = [
    "out.csv", "out.ndjson", "out.parquet", "out.arrow", "out.csv.gz", "folder/", "folder/x.csv", "-", "", ".", "..",
    "none/", "db.sqlite/x.csv", "rows.csv", "out.txt", "memory://x", "file:///nowhere/x.csv", "a\nb.csv", "é.csv",
    "x" * 300 + ".csv",
]  # fmt: skip
FILES = ["keys.txt", "keys.txt", "q.sql", "broken.bin", "none.txt", ".", "rows.csv", ""]
SIZES = ["64MiB", "1", "0", "-5", "1e9", "x", "9" * 30 + "GiB", "1 KiB", "", "nan", "3%"]
JUNK = [  # no NUL, which the system lets nobody pass
    "--", "-", "--help", "--version", "-h", "--x", "--url", "--sql=", "export", "é", "\udcff", " ", "--out=-", "'",
]  # fmt: skip
VALUES = {  # by the name of an option or argument; others take `JUNK`
    "app": ["json:loads", "nowhere:jobs", "os:path", ":", "a:b:c", "", "os", "tests:x", "1:2", "é:x", "...:x", ":x"],
    "cids": ["0", "1", "x", "-1", "9" * 30],
    "directory": ["deployed", "folder", "rows.csv", "", "none/x"],
    "domains": ["history", "x", "", ",", "history,,"],
    "format_": ["csv", "ndjson", "parquet", "arrow", "x", ""],
    "key": ["a", "b", "none", "", "é"],
    "key_type": ["int", "str", "date", "uuid", "x", ""],
    "keys_file": FILES,
    "max_bytes": SIZES,
    "memory_limit": SIZES,
    "on_invalid_text": ["raise", "replace", "x"],
    "out": PLACES,
    "output": ["o.ndjson", "none/x"],
    "pairs": ["a=1", "a=", "=1", "a", "b=2", "é=ü", "keys=1"],
    "parallel": ["1", "2", "0", "x"],
    "password_file": FILES,
    "paths": [*PLACES, "done.csv", "parts/"],
    "png": ["m.png", "."],
    "port": ["0", "x", "99999"],
    "schema": ["a=int64", "b=x", "=", "a=", "none=string", "a=list<"],
    "sql": SQL,
    "tables": ["t", "none", "", "t; drop table t", '"t"', "main.t", "é"],
    "total": SIZES,
    "url": URLS,
}
