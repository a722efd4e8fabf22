"""Where the browser modules are: in the wheel beside this package, in a checkout at its top."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

MODULES = ("ndjson.js", "jobs.js", "vue.js")


def find_modules() -> Path:
    """The directory of `MODULES`.

    Raises:
        FileNotFoundError: they are in neither place.

    >>> (find_modules() / "ndjson.js").exists()
    True
    """
    spec = find_spec("mesbatch")
    package = Path(spec.origin or "").parent if spec else Path()
    for directory in (package / "frontend", package.parents[1] / "frontend"):
        if all((directory / name).is_file() for name in MODULES):
            return directory
    raise FileNotFoundError(f"{', '.join(MODULES)} are neither in {package} nor beside it")
