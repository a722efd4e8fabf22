"""The application's own jobs object, imported by its name in a worker's process."""

from __future__ import annotations

from importlib import import_module

from mesbatch.errors import InvalidJob
from mesbatch.jobs.base import Jobs


def import_jobs(app: str) -> Jobs:
    """Import the object *app*, a ``module:object``.

    Raises:
        InvalidJob: there is none of this name, or it is no `Jobs`.
    """
    module, _, name = app.partition(":")
    if not name or module in ("", "__main__") or module.startswith("."):
        raise InvalidJob(f"app must be a module:object that a worker's process can import, got {app!r}")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InvalidJob(f"app={app!r} cannot be imported: {error}") from error
    if not isinstance(found, Jobs):
        raise InvalidJob(f"app={app!r} must be jobs with their functions and store, it is a {type(found).__name__}")
    return found
