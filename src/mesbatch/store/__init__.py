"""Persistent state of a job: chunks, the manifest, a lease, small facts. No server's driver is loaded from here."""

from typing import TYPE_CHECKING, Any

from mesbatch.store.account import Chunk, DomainAccount, Entry, MissingKeys, ResultManifest
from mesbatch.store.job_id import check_job_id, new_job_id
from mesbatch.store.key_list import KeyList, read_keys, store_keys
from mesbatch.store.protocol import ENDED, Facts, Lease, Store
from mesbatch.store.reader import Page, ResultReader
from mesbatch.store.writer import ResultWriter

if TYPE_CHECKING:
    from mesbatch.store.directory import DirectoryStore

__all__ = [
    "ENDED",
    "Chunk",
    "DirectoryStore",
    "DomainAccount",
    "Entry",
    "Facts",
    "KeyList",
    "Lease",
    "MissingKeys",
    "Page",
    "ResultManifest",
    "ResultReader",
    "ResultWriter",
    "Store",
    "check_job_id",
    "new_job_id",
    "read_keys",
    "store_keys",
]


def __getattr__(name: str) -> Any:
    if name != "DirectoryStore":  # it locks files: clients and other stores work where that cannot be done
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mesbatch.store.directory import DirectoryStore

    return DirectoryStore


def __dir__() -> list[str]:
    """List the name that is imported on use, too."""
    return sorted({*globals(), *__all__})
