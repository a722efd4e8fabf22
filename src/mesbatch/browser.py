"""Location of the browser modules: inside this package in a wheel, at the top of a checkout."""

from __future__ import annotations

from pathlib import Path

MODULES = ("ndjson.js", "jobs.js", "vue.js")
_PACKAGE = Path(__file__).parent


def modules_directory() -> Path:
    """Find the directory with `MODULES`, which can be served as they are.

    Raises:
        FileNotFoundError: they were not installed.

    >>> (modules_directory() / "ndjson.js").is_file()
    True
    """
    for directory in (_PACKAGE / "frontend", _PACKAGE.parents[1] / "frontend"):
        if all((directory / name).is_file() for name in MODULES):
            return directory
    raise FileNotFoundError(f"{', '.join(MODULES)} are not in {_PACKAGE / 'frontend'}: install mesbatch again")
