"""Where the browser modules are: in the wheel inside this package, in a checkout at its top."""

from __future__ import annotations

from pathlib import Path

MODULES = ("ndjson.js", "jobs.js", "vue.js")
_PACKAGE = Path(__file__).parent


def modules_directory() -> Path:
    """The directory with `MODULES`, to be served as they are.

    Raises:
        FileNotFoundError: they were not installed.

    >>> (modules_directory() / "ndjson.js").is_file()
    True
    """
    for directory in (_PACKAGE / "frontend", _PACKAGE.parents[1] / "frontend"):
        if all((directory / name).is_file() for name in MODULES):
            return directory
    raise FileNotFoundError(f"{', '.join(MODULES)} are not in {_PACKAGE / 'frontend'}: install mesbatch again")
