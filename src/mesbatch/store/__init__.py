"""What of a job outlives its process: chunks, the manifest, a lease, small facts; this loads no server's driver."""

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
