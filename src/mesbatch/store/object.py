"""Jobs in an object storage such as S3: for results that outgrow one machine."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import ObjectStore as Storage

from mesbatch.errors import ResultStoreFull, StoreUnavailable
from mesbatch.store.job_id import new_job_id
from mesbatch.store.protocol import LEASE_SECONDS, TTL_SECONDS
from mesbatch.store.write_once import WriteOnceStore

CLOCK_SECONDS = 60.0  # between two looks at the storage's clock: each is two requests
FULL = ("No space left", "StorageFull", "QuotaExceeded")  # words of file systems and S3-compatible servers


class ObjectStore(WriteOnceStore):
    """Jobs in an object storage.

    The storage must be able to create an object only if there is none (S3 and its kind can since 2024), and show a
    new object at once. There are no locks: a late writer is fenced off because nobody looks at the names that it
    writes to. Holds one chunk. Every look at a job is one to four requests, so let readers ask less often than every
    0.2 s.

    Args:
        storage: An object that `obstore.store.from_url`, ``S3Store`` and others make.
        ttl: Seconds that a job stays after its last sign of life.
        lease_seconds: Seconds without a sign of life after which another worker may take a job over.

    >>> from obstore.store import MemoryStore
    >>> store = ObjectStore(MemoryStore())
    """

    def __init__(self, storage: Storage, *, ttl: float = TTL_SECONDS, lease_seconds: float = LEASE_SECONDS) -> None:
        super().__init__(StoredObjects(storage), ttl=ttl, lease_seconds=lease_seconds)


class StoredObjects:
    """Objects of *storage*, by their paths."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._ahead = 0.0  # seconds that the storage's clock is ahead of ours
        self._looked: float | None = None

    def create(self, name: str, data: bytes) -> bool:
        with typed(f"cannot write {name}"):
            try:
                obstore.put(self._storage, name, data, mode="create")
            except AlreadyExistsError:
                return False
            return True

    def replace(self, name: str, data: bytes) -> None:
        with typed(f"cannot write {name}"):
            obstore.put(self._storage, name, data)

    def create_all(self, objects: Sequence[tuple[str, bytes]]) -> list[bool]:
        return [self.create(name, data) for name, data in objects]

    def copy_all(self, sources: Sequence[tuple[str, str]]) -> list[bool]:
        return [self._copy(source, name) for source, name in sources]

    def _copy(self, source: str, name: str) -> bool:
        with typed(f"cannot write {name}"):
            try:
                obstore.copy(self._storage, source, name)
            except FileNotFoundError:
                return False
            return True

    def read(self, name: str) -> bytes | None:
        with typed(f"cannot read {name}"), suppress(FileNotFoundError):
            return obstore.get(self._storage, name).bytes().to_bytes()
        return None

    def names(self, folder: str) -> list[str]:
        with typed(f"cannot list {folder}"):
            found = obstore.list_with_delimiter(self._storage, folder or None)
        paths = [*found["common_prefixes"], *(str(one["path"]) for one in found["objects"])]
        return sorted(path.rstrip("/").rpartition("/")[2] for path in paths)

    def modified(self, name: str) -> float | None:
        with typed(f"cannot read {name}"), suppress(FileNotFoundError):
            return obstore.head(self._storage, name)["last_modified"].timestamp()
        return None

    def now(self) -> float:
        here = time.monotonic()
        if self._looked is None or here - self._looked > CLOCK_SECONDS:
            probe = f"clock/{new_job_id()}"
            try:
                self.replace(probe, b"")
                self._ahead = (self.modified(probe) or 0.0) - time.monotonic()
            finally:  # a look that failed may have written it nevertheless, and nobody sweeps it
                with typed(f"cannot remove {probe}"), suppress(FileNotFoundError):
                    obstore.delete(self._storage, probe)
            self._looked = here
        return time.monotonic() + self._ahead

    def remove(self, name: str) -> None:
        with typed(f"cannot remove {name}"):
            paths = [one["path"] for part in obstore.list(self._storage, name) for one in part]
            for path in paths or [name]:
                with suppress(FileNotFoundError):
                    obstore.delete(self._storage, path)

    def exclusive(self, folder: str) -> nullcontext[None]:
        return nullcontext()

    def sweep(self, age: float) -> None:
        """Do nothing: an object storage shows nothing that is half written."""


@contextmanager
def typed(attempt: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError) as error:
        full = any(word in str(error) for word in FULL)
        message = f"{attempt}: {str(error).partition(chr(10))[0]}"  # the library's own structure follows
        raise (ResultStoreFull if full else StoreUnavailable)(message) from error
