"""Rows of a read that no job stores, kept on disk until its end, so that a function may conclude from them."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from mesbatch.batch import Batch, find_column
from mesbatch.codec.rows import RowEncoder
from mesbatch.errors import CorruptChunk, SpillError
from mesbatch.group.spill.unlinked import open_unlinked
from mesbatch.keys.collect import Keys
from mesbatch.keys.resume import encode_key
from mesbatch.store.account import Chunk, DomainAccount, KeyColumn
from mesbatch.store.keyed_rows import KeyedRows, KeyIndex, keyed_rows
from mesbatch.store.stored_rows import name_of_type
from mesbatch.trace.ndjson import BATCH_SIZE
from mesbatch.trace.read import TraceReader


@dataclass
class _Domain:
    """One domain: its encoder, its account so far, and the last keys of its chunks."""

    encoder: RowEncoder
    account: DomainAccount
    index: KeyIndex = field(default_factory=KeyIndex)


class KeptRows:
    """The rows of *keys* that passed, in chunks in a temporary file without a name, for `rows` to look up.

    Holds a chunk, and 250 bytes for each. `close` gives the file back.

    Raises:
        SpillError: no file can be made, or written.
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._file = os.fdopen(open_unlinked(), "w+b", buffering=0)
        self._offsets: list[int] = []
        self._end = 0
        self._domains: dict[str, _Domain] = {}
        self._failed: list[str] = []

    def add(self, reader: TraceReader, domain: str, batch: Batch) -> None:
        """Keep the rows of *batch*, which *reader* gave for *domain*."""
        kept = self._begun(reader, domain)
        for first in range(0, batch.num_rows, BATCH_SIZE):
            self._write(reader, domain, kept, batch.rows[first : first + BATCH_SIZE])

    def end(self, reader: TraceReader) -> None:
        """Learn which domains of *reader* are whole, once it has come to its end."""
        for domain, manifest in reader.manifests.items():
            if domain not in self._domains and domain not in reader.descriptions:
                self._failed.append(domain)
                continue
            kept = self._begun(reader, domain)
            status: Literal["complete", "partial"] = "complete" if manifest.status == "complete" else "partial"
            kept.account = msgspec.structs.replace(kept.account, status=status)

    def rows(self, domain: str, keys: Iterable[Any] | Keys) -> KeyedRows:
        """Return the rows of *domain* for *keys*, as `ResultReader.rows` does."""
        kept = self._domains.get(domain)
        account, index = (None, KeyIndex()) if kept is None else (kept.account, kept.index)
        return keyed_rows(domain, account, "arrays", index, keys, self._read, failed=self._failed)

    def close(self) -> None:
        """Give the file back; may be called twice."""
        self._file.close()

    def _begun(self, reader: TraceReader, domain: str) -> _Domain:
        if domain not in self._domains:
            encoder = RowEncoder(reader.descriptions[domain], shape="arrays")
            name, kind = reader.key_columns[domain], self._keys.key_type
            key = None
            if name is not None and kind is not None:
                key = KeyColumn(find_column(encoder.names, name), name_of_type(kind), reader.pads_key(domain))
            reason = None if name is not None else reader.manifests[domain].one_statement
            self._domains[domain] = _Domain(encoder, DomainAccount(encoder.columns, one_statement=reason, key=key))
        return self._domains[domain]

    def _write(self, reader: TraceReader, domain: str, kept: _Domain, rows: list[Any]) -> None:
        data, before, last = kept.encoder.encode_list(rows), kept.account, None
        if before.key is not None:
            last = encode_key(reader.resume_point(domain, rows[-1][before.key.position]).key)
        chunk = Chunk(len(self._offsets), domain, before.chunks, len(rows), len(data), zlib.crc32(data))
        self._offsets.append(self._end)
        self._append(data)
        kept.account = msgspec.structs.replace(
            before, chunks=before.chunks + 1, rows=before.rows + len(rows), last_key=last
        )
        kept.index.add(chunk, kept.account)

    def _append(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                count = self._file.write(rest)
                self._end, rest = self._end + count, rest[count:]
        except OSError as error:
            raise SpillError(error.errno, f"rows cannot be kept on disk until the end: {error.strerror}") from error

    def _read(self, chunk: Chunk) -> bytes:
        data = os.pread(self._file.fileno(), chunk.size, self._offsets[chunk.position])
        if zlib.crc32(data) != chunk.crc:
            raise CorruptChunk(f"rows of {chunk.domain!r} that were kept on disk are damaged")
        return data
