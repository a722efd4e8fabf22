"""`mesbatch export`: the rows of a query or of tables as CSV, NDJSON, Parquet or Arrow."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any, get_args

import click

from mesbatch.cli.misspelled import ask_about_first_word
from mesbatch.cli.options import (
    PASSWORD_VARIABLE,
    check_keys,
    check_no_password,
    find_password,
    parse_size,
    read_parameters,
    read_schema,
    with_password,
)
from mesbatch.cli.problems import explained
from mesbatch.cli.progress import Progress
from mesbatch.cli.statements import Statement, find_statements
from mesbatch.cli.stopping import stopping
from mesbatch.export import Summary
from mesbatch.export import export as write_export
from mesbatch.export.estimate import estimate_rows
from mesbatch.export.key_types import KEY_TYPES, key_type_maker
from mesbatch.export.keys_file import KeysFile, key_maker
from mesbatch.keys.collect import Keys, collect_keys
from mesbatch.memory import peak_rss
from mesbatch.source.session import OnInvalidText, Params
from mesbatch.units import format_bytes

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--url", required=True, help="The database, without a password.")
@click.option("--sql", metavar="SQL|FILE|-", help="One query: its text, a file with it, or - for standard input.")
@click.option("--table", "tables", multiple=True, help="A whole table; repeatable, for a folder of tables.")
@click.option("--keys", "keys_file", type=FILE, help="A file of keys, one a line, for IN (:keys).")
@click.option("--key", help="The key's column in the result, if that is not the filter's own.")
@click.option(
    "--key-type", type=click.Choice(list(KEY_TYPES)), help="The type of the keys.  [default: as the database tells]"
)
@click.option("--param", "pairs", multiple=True, metavar="NAME=VALUE", help="A parameter of the query; repeatable.")
@click.option("--format", "format_", help="csv, ndjson, parquet or arrow.  [default: by the name of --out]")
@click.option(
    "--out",
    required=True,
    help="A file, a folder of parts (ends with /), a URL (s3://, gs://, az://), or - for standard output.",
)
@click.option("--max-bytes", default="64MiB", show_default=True, callback=parse_size, help="Held at a time, in all.")
@click.option("--parallel", type=click.IntRange(min=1), default=1, show_default=True, help="Connections, with --keys.")
@click.option(
    "--schema",
    multiple=True,
    metavar="COLUMN=TYPE",
    callback=read_schema,
    help="A column's type in Parquet and Arrow; repeatable.",
)
@click.option(
    "--on-invalid-text",
    type=click.Choice(get_args(OnInvalidText)),
    default="raise",
    show_default=True,
    help="For text that is no UTF-8.",
)
@click.option("--compress", is_flag=True, help="gzip for a folder of lines, zstd for Parquet and Arrow.")
@click.option("--resume", is_flag=True, help="Go on after the last whole part.")
@click.option("--force", is_flag=True, help="Replace what is there.")
@click.option(
    "--password-file", type=FILE, help=f"A file with the password.  [default: the variable {PASSWORD_VARIABLE}]"
)
@click.option("--ask-password", is_flag=True, help="Ask for the password.")
def export(
    url: str,
    sql: str | None,
    tables: tuple[str, ...],
    keys_file: Path | None,
    key: str | None,
    key_type: str | None,
    pairs: tuple[str, ...],
    out: str,
    password_file: Path | None,
    ask_password: bool,
    **options: Any,
) -> None:
    """Write the rows of a query or of tables to files, in bounded memory.

    The name of the output says the format: rows.csv, rows.csv.gz, rows.ndjson, rows.parquet. A manifest beside it says
    that all rows came, and `mesbatch verify` checks it later. Fails unless they did: with 2 for a mistake in the
    options, 130 after ctrl-C, 143 after SIGTERM, and else with 1.
    """
    if keys_file is None and key_type is not None:
        raise click.UsageError("--key-type is for the keys of --keys")
    statements = find_statements(sql, tables, out)
    check_keys(statements[0].sql, given=keys_file is not None)
    params = read_parameters(pairs, statements[0].sql, check_no_password(url))
    password = find_password(os.environ.get(PASSWORD_VARIABLE), password_file, ask=ask_password)
    con = with_password(url, password)
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # gives back what was freed: 27 MiB less at the peak
    for statement in statements:
        with stopping(statement.out), explained(statement.sql, password), ExitStack() as closed:
            ask_about_first_word(statement.sql, con, password)
            keys: Keys | None = None
            if keys_file is not None:
                make = key_type_maker(key_type) if key_type else key_maker(statement.sql, con, params, key)
                keys = collect_keys(KeysFile(keys_file, make))
                closed.callback(keys.close)
            summary = _export(statement, con, params, keys, key=key, **options)
        click.echo(_tell(statement.out, summary), err=True)
        if not summary.manifest.complete:
            raise click.exceptions.Exit(1)


def _export(
    statement: Statement, con: str, params: Params, keys: Keys | None, *, format_: str | None, **options: Any
) -> Summary:
    sql, out = statement

    def estimate() -> int | None:
        return estimate_rows(sql, con, params)

    with Progress(None if keys is None else len(keys), None if keys is not None else estimate) as progress:
        return write_export(sql, con, out, format=format_, params=params, keys=keys, on_event=progress, **options)


def _tell(out: str, summary: Summary) -> str:
    rate = (summary.rows - summary.rows_before) / summary.seconds if summary.seconds else 0
    before = f" ({summary.rows_before:,} were there)" if summary.rows_before else ""
    return (
        f"{'standard output' if out == '-' else out}: {summary.rows:,} rows{before}, {format_bytes(summary.nbytes)} in "
        f"{summary.parts:,} part{'s' * (summary.parts != 1)}, {summary.seconds:.1f} s, {rate:,.0f} rows/s, "
        f"peak memory {format_bytes(peak_rss())}, {summary.manifest.status}"
    )
