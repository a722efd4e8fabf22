"""Folders of an object store, such as S3, for the files of an output."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from io import BufferedReader, RawIOBase
from queue import Full, Queue
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

import obstore
from obstore.store import ObjectStore as Storage
from obstore.store import from_url

from mesbatch.errors import ExportError
from mesbatch.export.journal import READ_BYTES
from mesbatch.store.object import typed
from mesbatch.units import MiB

UPLOADED_AT_ONCE, PIECE_BYTES = 2, 8 * MiB  # 24 MiB are held; S3 takes 10,000 pieces: 78 GiB an object
PATIENCE = {"max_retries": 3, "retry_timeout": timedelta(seconds=30)}  # its own default waits three minutes


class ObjectPlace:
    """A folder *prefix* (empty, or ending with ``/``) of *storage*."""

    def __init__(self, storage: Storage, prefix: str, label: str) -> None:
        self._storage, self._prefix, self.label = storage, prefix, label

    @classmethod
    def from_url(cls, url: str) -> ObjectPlace:
        """Find the folder that *url* names; credentials are those of the environment.

        Raises:
            ExportError: the URL has no bucket, or the environment does not fit.
        """
        parts = urlsplit(url)
        if not parts.netloc:
            raise ExportError(f"{url} names no bucket: write {parts.scheme}://BUCKET/PATH")
        try:
            storage = from_url(f"{parts.scheme}://{parts.netloc}", retry_config=PATIENCE)  # type: ignore[call-overload]
        except Exception as error:
            raise ExportError(f"cannot use {url}: {str(error).partition(chr(10))[0]}") from error
        return cls(storage, parts.path.lstrip("/"), url)

    def names(self) -> list[str]:
        with _in_bucket(f"cannot list {self.label}"):
            found = obstore.list_with_delimiter(self._storage, self._prefix or None)["objects"]
        return [str(one["path"]).removeprefix(self._prefix) for one in found]

    def read(self, name: str) -> bytes | None:
        with typed(f"cannot read {self.label}{name}"), suppress(FileNotFoundError):
            return obstore.get(self._storage, self._prefix + name).bytes().to_bytes()
        return None

    def open(self, name: str) -> BinaryIO:
        with typed(f"cannot read {self.label}{name}"):
            reader = obstore.open_reader(self._storage, self._prefix + name, buffer_size=READ_BYTES)
        return cast("BinaryIO", BufferedReader(_RawObject(reader, f"{self.label}{name}"), READ_BYTES))

    def size(self, name: str) -> int | None:
        with typed(f"cannot read {self.label}{name}"), suppress(FileNotFoundError):
            return int(obstore.head(self._storage, self._prefix + name)["size"])
        return None

    def write(self, name: str, data: bytes) -> None:
        with _in_bucket(f"cannot write {self.label}{name}"):
            obstore.put(self._storage, self._prefix + name, data)

    def append(self, name: str, data: bytes) -> None:
        """Write the object again: a store of objects adds nothing to one."""
        self.write(name, (self.read(name) or b"") + data)

    def remove(self, name: str) -> None:
        with typed(f"cannot remove {self.label}{name}"), suppress(FileNotFoundError):
            obstore.delete(self._storage, self._prefix + name)

    def create(self, name: str) -> Upload:
        return Upload(self._storage, self._prefix + name, f"{self.label}{name}")


class _RawObject(RawIOBase):
    """An object as a file of Python's."""

    def __init__(self, reader: obstore.ReadableFile, label: str) -> None:
        self._reader, self._label = reader, label

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._reader.seek(offset, whence)

    def readinto(self, buffer: Any, /) -> int:
        with typed(f"cannot read {self._label}"):
            data = self._reader.read(len(buffer))
        buffer[: len(data)] = data.to_bytes()
        return len(data)


class Upload:
    """An object on its way, in pieces; nobody sees it before its end, and nothing stays of one that is dropped."""

    def __init__(self, storage: Storage, path: str, label: str) -> None:
        self._storage, self._path, self._label = storage, path, label
        self._waiting: list[bytes] = []
        self._nbytes = 0
        self._queue: Queue[bytes | BaseException | None] = Queue(1)
        self._thread = ThreadPoolExecutor(1, "mesbatch-upload")
        self._uploaded: Future[Any] | None = None

    def write(self, data: Any, /) -> int:
        piece = bytes(data)  # the writer may use its buffer again
        self._waiting.append(piece)
        self._nbytes += len(piece)
        if self._nbytes >= PIECE_BYTES:
            self._send(b"".join(self._waiting))
            self._waiting, self._nbytes = [], 0
        return len(piece)

    def flush(self) -> None:
        """Do nothing: pieces of an upload have a least size."""

    def keep(self) -> None:
        rest = b"".join(self._waiting)
        with _in_bucket(f"cannot write {self._label}"):
            if self._uploaded is None:
                obstore.put(self._storage, self._path, rest)
            else:
                self._send(rest)
                self._send(None)
                self._uploaded.result()
        self._thread.shutdown()

    def drop(self) -> None:
        if self._uploaded is not None:
            with suppress(Exception):
                self._send(_Dropped())
                self._uploaded.result()
        self._thread.shutdown()

    def _send(self, piece: bytes | BaseException | None) -> None:
        """Hand a piece to the thread, unless the upload has failed meanwhile."""
        if self._uploaded is None:
            self._uploaded = self._thread.submit(self._upload)
        while True:
            if self._uploaded.done():
                with _in_bucket(f"cannot write {self._label}"):
                    self._uploaded.result()
            with suppress(Full):
                self._queue.put(piece, timeout=0.1)
                return

    def _upload(self) -> None:
        obstore.put(self._storage, self._path, self._pieces(), chunk_size=PIECE_BYTES, max_concurrency=UPLOADED_AT_ONCE)

    def _pieces(self) -> Iterator[bytes]:
        while (piece := self._queue.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            if piece:
                yield piece


@contextmanager
def _in_bucket(attempt: str) -> Iterator[None]:
    """Raise our errors, also where there is no such bucket: all else that is missing is made."""
    try:
        with typed(attempt):
            yield
    except FileNotFoundError as error:
        raise ExportError(f"{attempt}: there is no such bucket") from error


class _Dropped(Exception):
    """The upload is given up."""
