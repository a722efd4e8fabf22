"""`mesbatch verify`: an exported output, compared with its manifest."""

from __future__ import annotations

import click

from mesbatch.cli.problems import explained
from mesbatch.export.verify import verify as verify_output
from mesbatch.units import format_bytes


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
def verify(paths: tuple[str, ...]) -> None:
    """Compare the output at each PATH, a file, a folder of parts or a URL, with its manifest, byte for byte."""
    for path in paths:
        with explained():
            manifest = verify_output(path)
        parts = f"{len(manifest.parts):,} part{'s' * (len(manifest.parts) != 1)}"
        click.echo(f"{path}: {manifest.status}, {manifest.rows:,} rows, {format_bytes(manifest.nbytes)} in {parts}")
