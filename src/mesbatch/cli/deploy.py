"""`mesbatch deploy`: the files of a deployment, written into a directory."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from mesbatch.cli.problems import explained

_PACKAGE = Path(__file__).parents[1]


def deploy_directory() -> Path:
    """Find the files: inside this package in a wheel, at the top of a checkout.

    Raises:
        FileNotFoundError: they were not installed.

    >>> (deploy_directory() / "nginx.conf").is_file()
    True
    """
    for directory in (_PACKAGE / "deploy", _PACKAGE.parents[1] / "deploy"):
        if (directory / "gunicorn.conf.py").is_file():
            return directory
    raise FileNotFoundError(f"the files of a deployment are not in {_PACKAGE / 'deploy'}: install mesbatch again")


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def deploy(directory: Path) -> None:
    """Write the settings of nginx, gunicorn, systemd and Redis, and the scripts to start and stop, into DIRECTORY.

    Writes nothing if one of the files is there already.
    """
    with explained():
        source = deploy_directory()
        files = sorted(path.relative_to(source) for path in source.rglob("*") if _is_ours(path))
        if there := [str(directory / name) for name in files if (directory / name).exists()]:
            raise click.ClickException(f"nothing was written, as these files are there already: {', '.join(there)}")
        for name in files:
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / name, target)  # with its mode: start and stop are run
            click.echo(str(target))


def _is_ours(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts
