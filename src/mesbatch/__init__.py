"""mesbatch reads the result of any SQL query in bounded memory, groups it by key, and serves it."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mesbatch.batch import Batch, Column
from mesbatch.errors import MesbatchError
from mesbatch.units import GiB, KiB, MiB

if TYPE_CHECKING:
    from mesbatch.group.by_key import group_by_key, iter_groups
    from mesbatch.group.fold import fold, fold_by_key, project
    from mesbatch.group.groups import Groups
    from mesbatch.manifest import Manifest
    from mesbatch.read.reader import BatchReader, read_sql_iter
    from mesbatch.source.oracle.source import OracleSource
    from mesbatch.trace.read import Query, Trace

__all__ = [
    "Batch",
    "BatchReader",
    "Column",
    "GiB",
    "Groups",
    "KiB",
    "Manifest",
    "MesbatchError",
    "MiB",
    "OracleSource",
    "Query",
    "Trace",
    "fold",
    "fold_by_key",
    "group_by_key",
    "iter_groups",
    "project",
    "read_sql_iter",
]

# Imported on first use: a web process that only looks at batches or catches errors need not wait for the reader, a
# reader not for the encoder of the spill file, and nobody but Oracle's users for its driver.
_LATER = {
    "BatchReader": "mesbatch.read.reader",
    "Groups": "mesbatch.group.groups",
    "Manifest": "mesbatch.manifest",
    "OracleSource": "mesbatch.source.oracle.source",
    "Query": "mesbatch.trace.read",
    "Trace": "mesbatch.trace.read",
    "fold": "mesbatch.group.fold",
    "fold_by_key": "mesbatch.group.fold",
    "group_by_key": "mesbatch.group.by_key",
    "iter_groups": "mesbatch.group.by_key",
    "project": "mesbatch.group.fold",
    "read_sql_iter": "mesbatch.read.reader",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)


def __dir__() -> list[str]:
    """List the names that are imported on use, too."""
    return sorted({*globals(), *__all__})
