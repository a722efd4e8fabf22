"""Jobs in a directory: the default where there is no server."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import compress
from pathlib import Path

from mesbatch.errors import ResultStoreFull, StoreError, StoreRefused, StoreUnavailable
from mesbatch.group.spill.unlinked import distrust
from mesbatch.store.protocol import LEASE_SECONDS, TTL_SECONDS
from mesbatch.store.write_once import WriteOnceStore

UNFINISHED = ".unfinished"  # a folder of files that are being written; no job has this name
SYNCED_AT_ONCE = 8  # files: on ext4 64 small ones take a tenth of the time that they take one by one, and 16 no less
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class DirectoryStore(WriteOnceStore):
    """Jobs below the directory *path*, which is made, for this user only, when it is not there.

    Everything is written beside its place, synced, and then linked into it, so that it is there whole or not at all,
    also after ``kill -9`` or a power cut. Holds one chunk. All processes that use it must share one file system with
    working ``flock``, and should run as one user.

    Args:
        path: The directory.
        ttl: Seconds that a job stays after its last sign of life.
        lease_seconds: Seconds without a sign of life after which another worker may take a job over.

    Raises:
        StoreRefused: *path* is a symbolic link, belongs to another user (but root), or anybody may write to it.
        StoreUnavailable: it is no directory, or cannot be made.

    >>> from tempfile import TemporaryDirectory
    >>> from mesbatch.store import new_job_id
    >>> with TemporaryDirectory() as folder:
    ...     store, job_id = DirectoryStore(folder, ttl=60.0), new_job_id()
    ...     store.create(job_id, {"status": "queued"})
    ...     store.facts(job_id)["status"]
    'queued'
    """

    def __init__(
        self, path: str | os.PathLike[str], *, ttl: float = TTL_SECONDS, lease_seconds: float = LEASE_SECONDS
    ) -> None:
        self.path = Path(path)
        super().__init__(DirectoryObjects(self.path), ttl=ttl, lease_seconds=lease_seconds)


class DirectoryObjects:
    """Objects as files below *root*."""

    def __init__(self, root: Path) -> None:
        self.root = root
        with _typed(f"cannot keep jobs in {root}"):
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            _refuse_others(root)
            (root / UNFINISHED).mkdir(mode=0o700, exist_ok=True)

    def create(self, name: str, data: bytes) -> bool:
        return self.create_all([(name, data)])[0]

    def create_all(self, objects: Sequence[tuple[str, bytes]]) -> list[bool]:
        with _typed(f"cannot write {objects[0][0]}"), self._written(*(data for _, data in objects)) as written:
            return self._linked(list(zip(written, (self.root / name for name, _ in objects))))

    def replace(self, name: str, data: bytes) -> None:
        with _typed(f"cannot write {name}"), self._written(data) as (written,):
            _in_folder(lambda path: os.replace(written, path), self.root / name)  # noqa: PTH105

    def copy_all(self, sources: Sequence[tuple[str, str]]) -> list[bool]:
        with _typed(f"cannot write {sources[0][1]}"):
            links = [(self.root / source, self.root / name) for source, name in sources]
            there = [source.exists() for source, _ in links]
            self._linked(list(compress(links, there)))
            return there

    def read(self, name: str) -> bytes | None:
        with _typed(f"cannot read {name}"):
            try:
                return (self.root / name).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def names(self, folder: str) -> list[str]:
        with _typed(f"cannot list {folder}"):
            try:
                return sorted(os.listdir(self.root / folder))  # noqa: PTH208
            except FileNotFoundError:
                return []

    def modified(self, name: str) -> float | None:
        with _typed(f"cannot read {name}"):
            try:
                return (self.root / name).stat().st_mtime
            except FileNotFoundError:
                return None

    def now(self) -> float:
        """Return the time by the file system's clock, which may be another machine's."""
        probe = self.root / UNFINISHED / f"clock-{os.getpid()}"
        with _typed("cannot read the clock"):
            probe.touch()
            return probe.stat().st_mtime

    def remove(self, name: str) -> None:
        path = self.root / name
        with _typed(f"cannot remove {name}"), suppress(FileNotFoundError):
            if path.is_dir():
                gone = self._beside()
                path.rename(gone)  # at once for everybody, and then in peace
                shutil.rmtree(gone)
            else:
                path.unlink()

    @contextmanager
    def exclusive(self, folder: str) -> Iterator[None]:
        descriptor = None
        try:
            with _typed(f"cannot lock {folder}"), suppress(FileNotFoundError):  # then there is nothing to protect
                descriptor = os.open(self.root / folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def sweep(self, age: float) -> None:
        before = time.time() - age
        for path in (self.root / UNFINISHED).iterdir():
            with _typed(f"cannot remove {path.name}"), suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _linked(self, links: Sequence[tuple[Path, Path]]) -> list[bool]:
        """Give each file its name, the second, in one folder that is synced once; False where there is one already."""
        made = []
        for file, path in links:
            try:
                _in_folder(partial(os.link, file), path)
            except FileExistsError:
                made.append(False)
            else:
                made.append(True)
        if any(made):
            _sync(links[0][1])
        return made

    @contextmanager
    def _written(self, *pieces: bytes) -> Iterator[list[Path]]:
        """Write each of *pieces* into a synced file of its own, which is gone after the block."""
        with ExitStack() as gone, ExitStack() as opened:
            paths, files = [self._beside() for _ in pieces], list[int]()
            for path, data in zip(paths, pieces):
                gone.callback(path.unlink, missing_ok=True)
                file = opened.enter_context(path.open("xb"))
                file.write(data)
                file.flush()
                files.append(file.fileno())
            _sync_files(files)
            opened.close()
            yield paths

    def _beside(self) -> Path:
        return self.root / UNFINISHED / secrets.token_hex(16)


def _refuse_others(root: Path) -> None:
    status = root.lstat()
    if stat.S_ISLNK(status.st_mode):
        raise StoreRefused(f"refused to keep jobs in {root}: it is a symbolic link")
    refusal = distrust(status, os.geteuid())
    if refusal is None and status.st_mode & stat.S_IWOTH:  # the sticky bit would not help: we read these files
        refusal = f"anybody may write to it (mode {stat.S_IMODE(status.st_mode):o})"
    if refusal is not None:
        raise StoreRefused(f"refused to keep jobs in {root}: {refusal}")


def _in_folder(write: Callable[[Path], None], path: Path) -> None:
    """Write to *path*; its folders are made when that fails, not each time."""
    try:
        write(path)
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sync(path.parent)
        write(path)


def _sync_files(descriptors: Sequence[int]) -> None:
    """Sync files, several at once: what waits together goes to the disk with one commit of the file system."""
    if len(descriptors) == 1:
        os.fsync(descriptors[0])
        return
    with ThreadPoolExecutor(min(SYNCED_AT_ONCE, len(descriptors))) as pool:
        list(pool.map(_sync_file, descriptors))


def _sync_file(descriptor: int) -> None:
    os.fsync(descriptor)


def _sync(path: Path) -> None:
    """Make the name of *path* last through a power cut."""
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _typed(attempt: str) -> Iterator[None]:
    try:
        yield
    except StoreError:
        raise
    except OSError as error:
        kind = ResultStoreFull if error.errno in FULL else StoreUnavailable
        raise kind(error.errno, f"{attempt}: {error.strerror}") from error
