"""The rows of one domain of a job on their way from the database into the store."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

from mesbatch.batch import Batch, Row, find_column
from mesbatch.codec.rows import RowEncoder
from mesbatch.errors import InvalidJob, NotResumable, NotSplittable
from mesbatch.jobs.chunks import Chunker, ChunkRows
from mesbatch.jobs.function import JobFunction
from mesbatch.jobs.progress import KeysDone
from mesbatch.jobs.publishing import Publishing
from mesbatch.jobs.ranges import growing_ranges
from mesbatch.jobs.spec import JobSpec
from mesbatch.jobs.stop import Stop, Stopped
from mesbatch.keys.collect import Keys
from mesbatch.keys.resume import decode_key
from mesbatch.sink.ndjson import check_columns
from mesbatch.store.account import KeyColumn, Resume
from mesbatch.store.stored_rows import name_of_type
from mesbatch.trace.read import TraceReader


class DomainReading:
    """A read of the missing rows of *domain* with *function*, which publishes them; holds a chunk and a batch."""

    def __init__(
        self, domain: str, function: JobFunction, spec: JobSpec, keys: Keys | None, max_bytes: int,
        publishing: Publishing, stop: Stop,
    ) -> None:  # fmt: skip
        self._domain, self._function, self._spec, self._keys = domain, function, spec, keys
        self._max_bytes, self._publishing, self._stop = max_bytes, publishing, stop
        self._encoder: RowEncoder | None = None
        self._chunker: Chunker | None = None
        self._key: int | None = None  # the position of its column
        self._reader: TraceReader | None = None  # the last one that gave rows
        self._after: Any = None  # the last key that is published already
        self._done = None if keys is None else KeysDone(keys)
        self._keyset = False
        self._point: tuple[Any, ...] | None = None  # of a keyset, after which to go on
        self._failed = publishing.missing(domain)
        self._complete = not self._failed

    def read(self) -> None:
        """Read to the end of the domain.

        Raises:
            Stopped: that was asked for. If the job is to go on later, the keys that are whole are published.
            InvalidJob: the function reads something else than this domain, or a shard cannot read a part of its keys.
            NotResumable: a worker before this one published some rows that one statement gave.
            NotSplittable: ``order="any"``, and the rows do not tell where a key ends.
            Whatever reading and storing raise.
        """
        try:
            if self._keys is None:
                self._read_without_keys()
            else:
                for keys in self._ranges(self._keys):
                    self._read_range(keys)
        except Stopped:
            if self._stop.gives_back and self._chunker is not None:
                self._publish_all(self._chunker.whole_keys())
            raise
        if self._chunker is not None:
            self._publish_all(self._chunker.rest())
        self._publishing.end(self._domain, complete=self._complete)

    def _read_without_keys(self) -> None:
        """Read what is missing: all of it, or the rows after the point of a keyset."""
        account = self._publishing.domains.get(self._domain)
        if account is not None and (account.status != "reading" or (account.rows and account.point is None)):
            self._complete = self._complete and account.status in {"reading", "complete"}
            work = self._publishing.work(None, (self._domain,), self._max_bytes)
            self._function(work, **self._spec.arguments).close()  # it had come to its end: only counts are to be made
            return
        if account is not None and account.point is not None:
            self._point = tuple(map(decode_key, account.point))
        self._read_range(None)

    def _ranges(self, keys: Keys) -> Iterator[Keys | list[Any]]:
        """Give out the keys that are to be read: all that are left, or lists of them that get longer."""
        account = self._publishing.domains.get(self._domain)
        if account is not None and account.rows:
            if account.one_statement is not None and not account.ends_key:
                raise NotResumable(
                    f"a worker stopped after {account.rows:,} rows of {self._domain!r}, where no other can go on: "
                    f"{account.one_statement}"
                )
            if account.last_key is None or account.status != "reading":  # it had come to its end
                self._complete = self._complete and account.status in {"reading", "complete"}
                yield []  # so that the function makes its counts
                return
            self._after = decode_key(account.last_key)
            keys = keys.above(self._after)
        if self._spec.order == "key" or not len(keys):
            yield keys
        else:
            yield from growing_ranges(keys)

    def _read_range(self, keys: Keys | list[Any] | None) -> None:
        self._stop.check()
        spec, domain = self._spec, self._domain
        work = self._publishing.work(keys, (domain,), self._max_bytes, self._point)
        with self._function(work, **spec.arguments) as reader, self._stop.interrupting(reader):
            if tuple(reader.domains) != (domain,):
                raise InvalidJob(f"{spec.function} reads {', '.join(reader.domains)}, not {domain} as it was asked for")
            try:
                self._take(reader)
            except Exception as error:
                if self._stop.asked:
                    raise Stopped from error
                raise
            self._stop.check()  # an interruption is but a failed key to a reader that tolerates these
            self._account_for(reader)

    def _take(self, reader: TraceReader) -> None:
        manifest, seen = reader.manifests[self._domain], 0
        for _, batch in reader:
            chunker, self._reader = self._begun(reader), reader
            assert self._encoder is not None
            check_columns(self._encoder, batch)
            self._check_after(reader, batch.rows[0])
            nbytes, seen = manifest.nbytes - seen, manifest.nbytes
            self._miss(reader)
            self._publish_all(chunker.add(self._unpublished(batch.rows), nbytes))
            del batch
            self._stop.check()

    def _check_after(self, reader: TraceReader, first: Row) -> None:
        """Refuse to publish rows twice that a function read again, as it paid no heed to ``work.after``."""
        if self._point is not None and self._keyset and not reader.keyset_point(self._domain, first) > self._point:
            raise InvalidJob(
                f"{self._spec.function} read {self._domain!r} from the beginning, and a part of it is published: it "
                "must pass after=work.after"
            )
        self._point = None

    def _begun(self, reader: TraceReader) -> Chunker:
        """Return the chunker; the first batch makes it, since the columns are known by then."""
        if self._chunker is not None:
            return self._chunker
        spec, columns = self._spec, reader.descriptions[self._domain]
        self._encoder = RowEncoder(columns, shape=spec.shape, datetime_separator=spec.datetime_separator)
        key = reader.key_columns[self._domain]
        if key is None and spec.order == "any":
            raise NotSplittable(
                f"the rows of {self._domain!r} do not tell where a key ends, so they cannot be read in ranges of keys: "
                "use order='key'"
            )
        self._key = None if key is None else find_column(self._encoder.names, key)
        reason = reader.manifests[self._domain].one_statement if key is None else None
        if reason is not None and self._publishing.is_shard:
            raise InvalidJob(
                f"a job that reads {self._domain!r} cannot have shards, because one statement reads all keys: {reason}"
            )
        resume: Resume | None = None
        if self._keys is None:
            self._keyset = bool(reader.keysets[self._domain])
            resume = "keyset" if self._keyset else "restart"
        self._publishing.begin(self._domain, self._encoder.columns, reason, self._key_column(reader), resume)
        self._chunker = Chunker(spec.batch_size, self._max_bytes // 2, self._key, each_row=self._keyset)
        return self._chunker

    def _key_column(self, reader: TraceReader) -> KeyColumn | None:
        key_type = None if self._keys is None else self._keys.key_type
        if self._key is None or key_type is None:
            return None
        return KeyColumn(self._key, name_of_type(key_type), reader.pads_key(self._domain))

    def _account_for(self, reader: TraceReader) -> None:
        """Account for a range that has ended; a domain without rows has columns all the same."""
        manifest = reader.manifests[self._domain]
        self._miss(reader)
        self._failed += manifest.failed
        whole = manifest.status == "complete"
        self._complete = self._complete and whole
        if self._chunker is not None or self._domain in self._publishing.domains:
            return
        if (whole or manifest.keys_read) and self._domain in reader.descriptions:
            self._begun(reader)

    def _miss(self, reader: TraceReader) -> None:
        if failed := reader.manifests[self._domain].failed:
            self._publishing.miss(self._domain, self._failed + failed)

    def _key_of(self, row: Row) -> Any:
        """Return the key of *row* as it was asked for; None where rows tell no key."""
        if self._key is None or self._reader is None:
            return None
        return self._reader.resume_point(self._domain, row[self._key]).key

    def _unpublished(self, rows: list[Row]) -> list[Row]:
        """Drop the rows of keys that are published already.

        A CHAR column takes ``"a"`` and ``"a  "`` for one key: a read of the keys after the first one gives its rows
        again if the second one is among them.
        """
        if self._after is None or self._key is None:
            return rows
        first = bisect_right(rows, self._after, key=self._key_of)
        if first < len(rows):
            self._after = None
        return rows[first:]

    def _publish_all(self, chunks: Iterator[ChunkRows]) -> None:
        for chunk in chunks:
            self._publish(chunk)

    def _publish(self, chunk: ChunkRows) -> None:
        assert self._encoder is not None
        data, last_key = self._encoder.encode_list(chunk.rows), self._key_of(chunk.rows[-1])
        done = 0 if last_key is None or self._done is None else self._done.up_to(last_key)
        batch, point = Batch(self._encoder.names, chunk.rows), None
        if self._keyset and self._reader is not None:
            point = self._reader.keyset_point(self._domain, chunk.rows[-1])
        self._publishing.publish(self._domain, batch, data, last_key, done, ends_key=chunk.ends_key, point=point)
