"""The statements of an export: given as text, as a file, by standard input, or as the names of tables."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click

_table = re.compile(r'(?:[^\W\d][\w$#]*|"[^"]+")(?:\.(?:[^\W\d][\w$#]*|"[^"]+"))*')


class Statement(NamedTuple):
    """A query, and the output that its rows go to."""

    sql: str
    out: str


def find_statements(sql: str | None, tables: Sequence[str], out: str) -> list[Statement]:
    """Make the statements of an export; each of several tables gets a folder in *out*.

    Raises:
        click.UsageError: neither or both are given, a name is none, or several tables go to one file.
    """
    if (sql is None) == (not tables):
        raise click.UsageError("name either a query, --sql 'select ...' or a file with one, or a --table")
    if sql is not None:
        return [Statement(read_sql(sql), out)]
    for table in tables:
        if not _table.fullmatch(table):
            raise click.UsageError(f"--table takes a name such as lots or mes.lots, got {table!r}; --sql takes a query")
    if len(tables) == 1:
        return [Statement(f"select * from {tables[0]}", out)]
    if not out.endswith("/") and not Path(out).is_dir():
        raise click.UsageError(f"{len(tables)} tables go into a folder, one below it for each: write --out {out}/")
    folder = out.rstrip("/")
    return [Statement(f"select * from {table}", f"{folder}/{table.replace(chr(34), '')}/") for table in tables]


def read_sql(text: str) -> str:
    """Read the query that ``--sql`` means: ``-`` is standard input, the name of a file its content, and SQL itself.

    Raises:
        click.UsageError: there is no such file, or its content is no UTF-8.
    """
    if text == "-":
        return _decode("standard input", sys.stdin.buffer.read())
    path = Path(text)
    if _is_file(path):
        return _decode(text, path.read_bytes())
    if re.search(r"\s", text.strip()) and not text.lower().endswith(".sql"):
        return text
    raise click.UsageError(f"there is no file {text!r}; a query itself is given as --sql 'select * from lots'")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a query is a name that is too long, or has a NUL
        return False


def _decode(name: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise click.UsageError(
            f"{name} is no UTF-8: line {line:,} has the byte 0x{data[error.start]:02x}; convert it first, such as by "
            f"iconv -f latin1 -t utf-8"
        ) from error
