"""`mesbatch verify`: an exported output, compared with its manifest."""

from __future__ import annotations

from pathlib import Path

import click

from mesbatch.cli.problems import explained
from mesbatch.export.verify import verify as verify_output
from mesbatch.units import format_bytes


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
def verify(path: Path) -> None:
    """Compare the output at PATH, a file or a directory of parts, with its manifest, byte for byte."""
    with explained():
        manifest = verify_output(path)
    parts = f"{len(manifest.parts):,} part{'s' * (len(manifest.parts) != 1)}"
    click.echo(f"{path}: {manifest.status}, {manifest.rows:,} rows, {format_bytes(manifest.nbytes)} in {parts}")
