"""`mesbatch verify`: whether an exported output is what was written."""

from __future__ import annotations

from pathlib import Path

import click

from mesbatch.errors import MesbatchError
from mesbatch.export.verify import verify as verify_output
from mesbatch.units import format_bytes


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
def verify(path: Path) -> None:
    """Hold the output at PATH, a file or a directory of parts, against its manifest, byte for byte."""
    try:
        manifest = verify_output(path)
    except (MesbatchError, OSError) as error:
        raise click.ClickException(str(error)) from error
    parts = f"{len(manifest.parts):,} part{'s' * (len(manifest.parts) != 1)}"
    click.echo(f"{path}: {manifest.status}, {manifest.rows:,} rows, {format_bytes(manifest.nbytes)} in {parts}")
