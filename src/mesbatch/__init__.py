"""mesbatch reads the result of any SQL query in bounded memory, groups it by key, and serves it."""

from mesbatch.batch import Batch, Column
from mesbatch.errors import MesbatchError
from mesbatch.manifest import Manifest
from mesbatch.reader import BatchReader, read_sql_iter
from mesbatch.trace import Query, Trace
from mesbatch.units import GiB, KiB, MiB

__all__ = [
    "Batch",
    "BatchReader",
    "Column",
    "GiB",
    "KiB",
    "Manifest",
    "MesbatchError",
    "MiB",
    "Query",
    "Trace",
    "read_sql_iter",
]
