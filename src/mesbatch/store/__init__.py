"""Persistent state of a job: chunks, the manifest, a lease, small facts. No server's driver is loaded from here."""

from mesbatch.store.account import Chunk, DomainAccount, Entry, MissingKeys, ResultManifest
from mesbatch.store.directory import DirectoryStore
from mesbatch.store.job_id import check_job_id, new_job_id
from mesbatch.store.key_list import KeyList, read_keys, store_keys
from mesbatch.store.protocol import ENDED, Facts, Lease, Store
from mesbatch.store.reader import Page, ResultReader
from mesbatch.store.writer import ResultWriter

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
