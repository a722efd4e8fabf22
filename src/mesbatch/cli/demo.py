"""`mesbatch demo`: the incident's trace through a made-up warehouse, with its memory drawn over time."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import click

from mesbatch.cli.problems import explained
from mesbatch.demo.comparison import COMPARED, affordable_cids, available_memory, compare, incident_bytes
from mesbatch.demo.queries import DOMAINS
from mesbatch.demo.report import comparison_heading, comparison_line, trace_report
from mesbatch.demo.rows import DEFAULT_CIDS, count_rows
from mesbatch.demo.warehouse import build_warehouse, is_whole, sqlite_url
from mesbatch.demo.watch import Watched, watch
from mesbatch.units import format_bytes

DRIVERS = ("sqlite3", "apsw", "psycopg")  # those that read the warehouse count to the imports, not to the trace
COMPARED_BY_DEFAULT = ("history",)
FEWEST_COMPARED = 1_000  # one IN list: below that all three pipelines look alike


def default_directory() -> Path:
    """Find the directory that keeps the warehouse between runs: the user's cache, as the XDG specification has it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "mesbatch")


def parse_domains(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[str, ...] | None:
    """Read ``a,b`` as two domains."""
    if text is None:
        return None
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    if unknown := [name for name in names if name not in DOMAINS]:
        raise click.BadParameter(f"unknown: {', '.join(unknown)}; the domains are {', '.join(DOMAINS)}")
    return names


@click.command()
@click.option("--cids", type=click.IntRange(min=1), default=DEFAULT_CIDS, show_default=True, help="Lots to trace.")
@click.option("--url", help="A PostgreSQL database for the warehouse, in place of a SQLite file.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=default_directory,
    help="Place of the SQLite file and the picture.  [default: ~/.cache/mesbatch]",
)
@click.option("--domains", callback=parse_domains, help="What to read, separated by commas.  [default: all seven]")
@click.option(
    "--compare", "compared", is_flag=True, help="Run the incident's two pipelines beside ours; takes minutes and 4 GB."
)
@click.option("--serve", "served", is_flag=True, help="Serve a dashboard that shows all of it in a browser.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8_000, show_default=True, help="Of the dashboard; 0: any."
)
@click.option("--png", type=click.Path(dir_okay=False, path_type=Path), help="The picture.  [default: memory.png]")
@click.option("--output", type=click.Path(dir_okay=False), default=os.devnull, help="Keep the NDJSON in this file.")
def demo(
    cids: int,
    url: str | None,
    directory: Path,
    domains: tuple[str, ...] | None,
    compared: bool,
    served: bool,
    port: int,
    png: Path | None,
    output: str,
) -> None:
    """Trace a station's lots through a made-up warehouse, and see that memory stays flat.

    The warehouse is built once. It is read in a process of its own, whose memory is drawn over time. Fails unless all
    rows came.
    """
    _check(url, domains, compared, served)
    url = url or sqlite_url(directory / f"warehouse-{cids}.sqlite")
    with explained():
        _build_once(url, cids)
        if served:
            _serve(url, cids, directory, port)
            return
        traced = _trace(url, cids, domains or DOMAINS, output)
        runs = _compare(url, cids, domains or COMPARED_BY_DEFAULT) if compared else {"mesbatch": traced}
        _draw(png or directory / "memory.png", runs, required=png is not None)
    if not traced.result["complete"]:
        raise click.exceptions.Exit(1)


def _check(url: str | None, domains: Sequence[str] | None, compared: bool, served: bool) -> None:
    """Refuse at once a combination that would fail after minutes."""
    if url and not url.startswith("postgres"):
        raise click.UsageError("--url is for PostgreSQL; a SQLite warehouse is a file of our own in --directory")
    if url and not find_spec("psycopg"):
        raise click.UsageError("--url needs psycopg: pip install 'mesbatch[postgres]'")
    if served and not find_spec("flask"):
        raise click.UsageError("--serve needs Flask: pip install 'mesbatch[demo]'")
    if compared and not find_spec("pandas"):
        raise click.UsageError("--compare needs pandas, as the incident did: pip install 'mesbatch[demo]'")
    if compared and domains and not set(domains) <= set(COMPARED):
        raise click.UsageError(f"--compare reads {', '.join(COMPARED)}; jobs were never read by lists of lots")


def _build_once(url: str, cids: int) -> None:
    """Build the warehouse in a process of its own, which takes the memory for it away at its end."""
    if is_whole(url, cids):
        return
    spawn = get_context("spawn")
    told, tell = spawn.Pipe(duplex=False)
    with told, tell:
        child = spawn.Process(target=_build, args=(url, cids, tell))
        child.start()
        child.join()
        if child.exitcode:
            raise click.ClickException(told.recv() if told.poll() else "the warehouse's builder was killed")


def _build(url: str, cids: int, tell: Connection) -> None:
    label = f"Building a warehouse of {cids:,} lots"
    try:
        with explained(), click.progressbar(length=sum(count_rows(cids).values()), label=label) as progress:
            build_warehouse(url, cids, progress.update)
    except click.ClickException as error:
        tell.send(error.message)
        sys.exit(1)


def _serve(url: str, cids: int, directory: Path, port: int) -> None:
    from mesbatch.demo.dashboard.server import serve  # Flask is an extra

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl+C: its jobs and their results go, too
    directory.mkdir(parents=True, exist_ok=True)
    with suppress(KeyboardInterrupt):
        serve(url, cids, directory, port, lambda address: click.echo(f"The dashboard is at {address}"))


def _trace(url: str, cids: int, domains: Sequence[str], output: str) -> Watched:
    click.echo(f"Tracing {cids:,} lots through {len(domains)} domains\n")
    arguments = {"url": url, "cids": cids, "domains": list(domains), "output": output}
    traced = watch("mesbatch.demo.runs:trace", arguments, preload=_drivers())
    click.echo("\n".join(trace_report(traced)))
    return traced


def _compare(url: str, cids: int, domains: Sequence[str]) -> dict[str, Watched]:
    fitting = _scale_down(cids, domains)
    click.echo(f"\nReading {', '.join(domains)} of {fitting:,} lots in three ways\n")
    click.echo(comparison_heading())
    runs = {}
    for name, run in compare(url, fitting, domains, _drivers()):
        click.echo(comparison_line(name, run))
        runs[name] = run
    if len({run.result["rows"] for run in runs.values()}) > 1:
        raise click.ClickException("the three pipelines read different numbers of rows")
    return runs


def _scale_down(cids: int, domains: Sequence[str]) -> int:
    """Find the number of lots whose rows the incident's pipeline can hold on this machine."""
    available, needed = available_memory(), incident_bytes(cids, domains)
    fitting = affordable_cids(cids, domains, available)
    if fitting == cids:
        return cids
    need = f"the incident's pipeline takes about {format_bytes(needed)} for {cids:,} lots"
    have = f"{format_bytes(available or 0)} are available"
    if fitting < min(cids, FEWEST_COMPARED):
        raise click.ClickException(f"{need}, and only {have}: that is too little to compare anything")
    click.echo(f"\n{need[0].upper()}{need[1:]}, but only {have}: comparing with {fitting:,} lots.")
    return fitting


def _draw(path: Path, runs: dict[str, Watched], required: bool) -> None:
    if not find_spec("matplotlib"):
        missing = "no picture without matplotlib: pip install 'mesbatch[demo]'"
        if required:
            raise click.UsageError(missing)
        click.echo(missing)
        return
    from mesbatch.demo.memory_plot import draw_memory  # matplotlib takes a second to import

    path.parent.mkdir(parents=True, exist_ok=True)
    draw_memory(path, "Memory while the trace is read", runs)
    click.echo(f"memory over time is drawn in {path}")


def _drivers() -> list[str]:
    return [driver for driver in DRIVERS if find_spec(driver)]
