"""Several named queries over one list of keys, read side by side; the dashboard calls that a trace."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from threading import Event as Flag
from typing import Any, Protocol, Self
from warnings import warn

from mesbatch.batch import Batch, Column, Row, find_column
from mesbatch.events import Event
from mesbatch.keys.collect import Keys, collect_keys
from mesbatch.keys.moments import at_fixed_offset
from mesbatch.keys.resume import ResumePoint
from mesbatch.manifest import FailedKeys, Manifest
from mesbatch.read.part import OnFailure
from mesbatch.read.reader import BatchReader, read_sql_iter
from mesbatch.read.request import check_positive
from mesbatch.read.threads import Ahead, Inline
from mesbatch.renamed import Renamed
from mesbatch.source.connect import find_source
from mesbatch.trace.query import Query as Query
from mesbatch.trace.query import check_keyed
from mesbatch.units import MiB

_Items = Inline[tuple[str, Batch]] | Ahead["_Worker", str, tuple[str, Batch]]


class Aggregation(Protocol):
    """Counts that are made of the batches as they pass, so that no rows are kept."""

    def add(self, domain: str, batch: Batch) -> None: ...

    def result(self) -> dict[str, Any]: ...


class Trace:
    """Named queries that are read with one list of keys.

    Args:
        queries: The query of each domain, by the domain's name.

    >>> import sqlite3
    >>> con = sqlite3.connect(":memory:")
    >>> _ = con.executescript("create table holds (id text, reason text); insert into holds values ('a', 'dust')")
    >>> trace = Trace({"holds": Query("select * from holds where id in (:keys)")})
    >>> [(domain, batch.rows) for domain, batch in trace.read(con, ["a", "b"])]
    [('holds', [('a', 'dust')])]
    """

    def __init__(self, queries: Mapping[str, Query]) -> None:
        self.queries = dict(queries)

    def read(
        self,
        con: Any,
        keys: Iterable[Any] | Keys | None,
        domains: Sequence[str] | None = None,
        *,
        after: Sequence[Any] | None = None,
        on_failure: OnFailure = "raise",
        aggregation: Aggregation | None = None,
        domains_at_once: int = 1,
        parallel: int = 1,
        max_bytes: int = 8 * MiB,
        batch_size: int | None = None,
        timeout: float | None = None,
        on_event: Callable[[str, Event], None] | None = None,
    ) -> TraceReader:
        """Read *domains* (all of them, if None), *domains_at_once* side by side, within *max_bytes* in all.

        *keys* None reads queries without keys; one with a keyset begins *after* the values of its columns.
        With ``on_failure="partial"`` a domain that fails ends, named in its manifest, and the others go on; with
        ``"raise"`` its failure ends the read. *timeout* is for each domain, and *on_event* gets the domain beside the
        event. The other options are those of `read_sql_iter`.

        Raises:
            ValueError: an unknown domain, or *domains_at_once* above 1 on the caller's own connection.
            InvalidKey, StatementError, UnknownSource: as `read_sql_iter`, for every domain before any is read.
        """
        chosen = tuple(self.queries if domains is None else domains)
        if unknown := [domain for domain in chosen if domain not in self.queries]:
            raise ValueError(f"unknown domain {', '.join(map(repr, unknown))}; known are {', '.join(self.queries)}")
        if domains_at_once < 1 or (domains_at_once > 1 and not find_source(con).owned):
            raise ValueError(
                f"domains_at_once={domains_at_once}: it must be 1 on the caller's own connection, and never below; "
                "pass an engine, a pool, a URL or a function that connects"
            )
        at_once = max(1, min(domains_at_once, len(chosen)))
        check_keyed(self.queries, chosen, keyed=keys is not None, going_on=after is not None)
        collected = None if keys is None else collect_keys(keys)
        own = None if isinstance(keys, Keys) else collected

        def reader(domain: str) -> BatchReader:
            query = self.queries[domain]
            return read_sql_iter(
                query.sql, con, query.params, keys=None if query.separator else collected,
                key=None if query.separator else query.key, strategy=query.strategy, splittable=query.splittable,
                on_failure=on_failure,
                max_bytes=max_bytes // at_once, batch_size=batch_size, timeout=timeout,
                parallel=1 if query.separator else parallel,
                on_event=None if on_event is None else partial(on_event, domain),
                keyset=query.keyset, after=after,
            )  # fmt: skip

        try:
            readers = {domain: reader(domain) for domain in chosen}
        except BaseException:
            if own is not None:
                own.close()
            raise
        return TraceReader(self.queries, readers, collected, on_failure, aggregation, at_once, own)


class TraceReader(Iterator[tuple[str, Batch]]):
    """The batches of a trace, each with its domain; those of two domains may alternate. Made by `Trace.read`.

    Attributes:
        manifests: The account of each domain.
        descriptions: The columns of each domain, from its first batch on, or its end.
        key_columns: The column by which the rows of a domain are in order of keys; None if they are not.
        keysets: The columns by which the rows of a domain are ordered without keys, if any.
        aggregation: The counts, after the end.

    >>> import sqlite3
    >>> con = sqlite3.connect(":memory:")
    >>> _ = con.executescript("create table holds (id text, reason text); insert into holds values ('a', 'dust')")
    >>> with Trace({"holds": Query("select * from holds where id in (:keys)")}).read(con, ["a", "b"]) as reader:
    ...     print([(domain, batch.num_rows) for domain, batch in reader], reader.manifests["holds"].keys)
    [('holds', 1)] 2
    """

    cid_count = Renamed("key_count")

    def __init__(
        self,
        queries: Mapping[str, Query],
        readers: dict[str, BatchReader],
        keys: Keys | None,
        on_failure: OnFailure,
        aggregation: Aggregation | None,
        at_once: int,
        own_keys: Keys | None,
    ) -> None:
        self.domains = tuple(readers)
        self.key_count = None if keys is None else len(keys)
        self.keysets = {domain: tuple(queries[domain].keyset) for domain in readers}
        self.manifests: dict[str, Manifest] = {domain: reader.manifest for domain, reader in readers.items()}
        self.descriptions: dict[str, tuple[Column, ...]] = {}
        self.key_columns: dict[str, str | None] = {}
        self.aggregation: dict[str, Any] | None = None
        self._work = _Domains(
            queries, readers, keys, self.key_count, on_failure, self.descriptions, self.key_columns, own_keys
        )
        self._counting, self._at_once = aggregation, at_once
        self._stream: _Items | None = None
        self._closed = False

    @property
    def max_bytes(self) -> int:
        """The bytes that the trace may hold in all; may be set while it reads, as that of a `BatchReader`."""
        return self._at_once * min((reader.max_bytes for reader in self._work.readers.values()), default=1)

    @max_bytes.setter
    def max_bytes(self, value: int) -> None:
        check_positive("max_bytes", value)
        for reader in self._work.readers.values():
            reader.max_bytes = max(1, value // self._at_once)

    def resume_point(self, domain: str, value: Any) -> ResumePoint:
        """The place after the rows of *value* in *domain*, as that of a `BatchReader`."""
        return self._work.readers[domain].resume_point(value)

    def keyset_point(self, domain: str, row: Row) -> tuple[Any, ...]:
        """The values of the keyset of *domain* in *row*, after which another read goes on."""
        columns = [column.name for column in self.descriptions[domain]]
        return tuple(at_fixed_offset(row[find_column(columns, name)]) for name in self.keysets[domain])

    def pads_key(self, domain: str) -> bool:
        """Tell whether the keys of *domain* come padded with blanks, as `BatchReader.pads_key`."""
        return self._work.readers[domain].pads_key

    @property
    def dialects(self) -> dict[str, str]:
        """The kind of each domain's database, known as its columns are; see `BatchReader.dialect`."""
        return {domain: reader.dialect for domain, reader in self._work.readers.items()}

    @property
    def movable(self) -> bool:
        """True while another thread may read it, as that of a `BatchReader`."""
        return self._stream is None and all(reader.movable for reader in self._work.readers.values())

    def __next__(self) -> tuple[str, Batch]:
        try:
            item = self._take()
        except BaseException as error:
            self.close()
            if isinstance(error, StopIteration):  # of an aggregation
                raise RuntimeError("StopIteration is not the end of this trace, which failed") from error
            raise
        if item is None:
            self.close()
            raise StopIteration
        return item

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop all domains and give everything back; may be called twice."""
        self._closed = True
        if self._stream is not None:
            self._stream.close()
        self._work.close()

    def interrupt(self) -> None:
        """Make a read that blocks in another thread fail soon, and with it the query in the database."""
        for reader in self._work.readers.values():
            reader.interrupt()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True) and self._stream is not None:
            warn("a TraceReader was neither read to its end nor closed: use it in a with statement", ResourceWarning, 2)
            self.close()

    def _take(self) -> tuple[str, Batch] | None:
        if self._closed:
            return None
        if self._stream is None:
            self._stream = self._work.begin(self._at_once)
        item = self._stream.take()
        if self._counting is not None:
            if item is None:
                self.aggregation = self._counting.result()
            else:
                self._counting.add(*item)
        return item


@dataclass(frozen=True)
class _Domains:
    """The state that the threads of a trace share; without the `TraceReader`, so that it can be collected meanwhile."""

    queries: Mapping[str, Query]
    readers: dict[str, BatchReader]
    keys: Keys | None
    key_count: int | None
    on_failure: OnFailure
    descriptions: dict[str, tuple[Column, ...]]
    key_columns: dict[str, str | None]
    own_keys: Keys | None  # None if the caller collected them, and closes them

    def begin(self, at_once: int) -> _Items:
        if at_once == 1:
            return Inline(self._read_in_turn())
        workers = [_Worker(self.readers.values()) for _ in range(at_once)]
        return Ahead(lambda _, domain: self._read(domain), iter(self.readers), workers, ordered=False)

    def close(self) -> None:
        for reader in self.readers.values():
            reader.close()
        if self.own_keys is not None:
            self.own_keys.close()

    def _read_in_turn(self) -> Generator[tuple[str, Batch]]:
        for domain in self.readers:
            yield from self._read(domain)

    def _read(self, domain: str) -> Generator[tuple[str, Batch]]:
        reader, query = self.readers[domain], self.queries[domain]
        try:
            with reader:
                self.descriptions[domain] = reader.description
                self.key_columns[domain] = None if query.separator else reader.key_column
                wanted = _rows_with_any(self.keys, query, reader.columns)
                for batch in reader:
                    if query.separator is None:
                        yield domain, batch
                    else:
                        reader.manifest.rows -= len(batch.rows)
                        for kept in wanted(batch):
                            reader.manifest.rows += len(kept.rows)
                            yield domain, kept
                            del kept
                    del batch
        except Exception as error:
            if self.on_failure == "raise":
                error.add_note(f"while reading domain {domain!r}")
                raise
            missing = (self.key_count or 0) - reader.manifest.keys_read
            reader.manifest.failed.append(FailedKeys(None, None, missing, f"{type(error).__name__}: {error}"))


class _Worker:
    """A thread that reads one domain after the other."""

    def __init__(self, readers: Iterable[BatchReader]) -> None:
        self.stopped = Flag()
        self._readers = readers

    def interrupt(self) -> None:
        for reader in self._readers:
            reader.interrupt()

    def close(self) -> None:
        """The readers close themselves."""


def _rows_with_any(keys: Keys | None, query: Query, columns: Sequence[str]) -> Callable[[Batch], Iterator[Batch]]:
    """Make a function that keeps the rows with a key that was asked for, in batches no longer than the one it gets.

    It looks each key up in the sorted ones, so that nothing more is held.
    """
    if query.separator is None or keys is None:
        return lambda batch: iter([batch])
    index, separator = find_column(columns, query.key or ""), query.separator

    def found(row: Row) -> list[str]:
        """List the keys of *row* that were asked for, each once."""
        there = dict.fromkeys(key.strip() for key in (row[index] or "").split(separator))
        return [key for key in there if key in keys]

    def kept(batch: Batch) -> Iterator[Row]:
        for row in batch.rows:
            if query.per_key:
                yield from ((*row[:index], key, *row[index + 1 :]) for key in found(row))
            elif found(row):
                yield row

    def wanted(batch: Batch) -> Iterator[Batch]:
        rows = kept(batch)
        while some := list(islice(rows, len(batch.rows))):
            yield Batch(batch.columns, some)

    return wanted
