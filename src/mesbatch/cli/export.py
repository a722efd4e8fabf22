"""`mesbatch export`: the rows of a query as NDJSON, Parquet or Arrow."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import get_args

import click

from mesbatch.cli.options import (
    PASSWORD_VARIABLE,
    check_no_password,
    find_password,
    parse_size,
    read_parameters,
    read_schema,
    with_password,
)
from mesbatch.cli.problems import explained
from mesbatch.cli.progress import Progress
from mesbatch.export import Summary
from mesbatch.export import export as write_export
from mesbatch.export.keys_file import key_maker, read_keys
from mesbatch.keys.collect import Keys, collect_keys
from mesbatch.memory import peak_rss
from mesbatch.source.session import OnInvalidText
from mesbatch.units import format_bytes

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--url", required=True, help="The database, without a password.")
@click.option("--sql", "sql_file", required=True, type=FILE, help="A file with one query.")
@click.option("--keys", "keys_file", type=FILE, help="A file of keys, one a line, for IN (:keys).")
@click.option("--key", help="The key's column in the result, if that is not the filter's own.")
@click.option("--param", "pairs", multiple=True, metavar="NAME=VALUE", help="A parameter of the query; repeatable.")
@click.option("--format", "format_", help="ndjson, parquet or arrow.  [default: by the name of --out]")
@click.option("--out", required=True, help="A file, a directory of parts (ends with /), or - for standard output.")
@click.option("--max-bytes", default="64MiB", show_default=True, callback=parse_size, help="Held at a time, in all.")
@click.option("--parallel", type=click.IntRange(min=1), default=1, show_default=True, help="Connections, with --keys.")
@click.option(
    "--schema", "types", multiple=True, metavar="COLUMN=TYPE", help="A column's type in Parquet and Arrow; repeatable."
)
@click.option(
    "--on-invalid-text",
    type=click.Choice(get_args(OnInvalidText)),
    default="raise",
    show_default=True,
    help="For text that is no UTF-8.",
)
@click.option("--compress", is_flag=True, help="gzip for NDJSON, zstd for Parquet and Arrow.")
@click.option("--resume", is_flag=True, help="Go on after the last whole part.")
@click.option("--force", is_flag=True, help="Replace what is there.")
@click.option(
    "--password-file", type=FILE, help=f"A file with the password.  [default: the variable {PASSWORD_VARIABLE}]"
)
@click.option("--ask-password", is_flag=True, help="Ask for the password.")
def export(
    url: str,
    sql_file: Path,
    keys_file: Path | None,
    key: str | None,
    pairs: tuple[str, ...],
    format_: str | None,
    out: str,
    max_bytes: int,
    parallel: int,
    types: tuple[str, ...],
    on_invalid_text: OnInvalidText,
    compress: bool,
    resume: bool,
    force: bool,
    password_file: Path | None,
    ask_password: bool,
) -> None:
    """Write the rows of a query to a file, in bounded memory.

    A manifest beside the file says that all rows came, and `mesbatch verify` checks it later. Fails unless they did.
    """
    sql = sql_file.read_text(encoding="utf-8-sig")
    params, schema = read_parameters(pairs, sql, check_no_password(url)), read_schema(types)
    con = with_password(url, find_password(os.environ.get(PASSWORD_VARIABLE), password_file, ask=ask_password))
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # gives back what was freed: 27 MiB less at the peak
    with ExitStack() as closed, explained(sql):
        keys: Keys | None = None
        if keys_file is not None:
            make = key_maker(sql, con, params, key)
            keys = collect_keys(read_keys(keys_file, make))
            closed.callback(keys.close)
        progress = Progress(len(keys) if keys is not None else None)
        closed.callback(progress.close)
        summary = write_export(
            sql, con, out, format=format_, params=params, keys=keys, key=key, max_bytes=max_bytes, parallel=parallel,
            schema=schema, on_invalid_text=on_invalid_text, compress=compress, resume=resume, force=force,
            on_event=progress,
        )  # fmt: skip
    click.echo(_tell(summary), err=True)
    if not summary.manifest.complete:
        raise click.exceptions.Exit(1)


def _tell(summary: Summary) -> str:
    rate = (summary.rows - summary.rows_before) / summary.seconds if summary.seconds else 0
    before = f" ({summary.rows_before:,} were there)" if summary.rows_before else ""
    return (
        f"{summary.rows:,} rows{before}, {format_bytes(summary.nbytes)} in {summary.parts:,} "
        f"part{'s' * (summary.parts != 1)}, {summary.seconds:.1f} s, {rate:,.0f} rows/s, "
        f"peak memory {format_bytes(peak_rss())}, {summary.manifest.status}"
    )
