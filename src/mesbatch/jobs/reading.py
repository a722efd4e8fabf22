"""The rows of one domain of a job on their way from the database into the store."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from mesbatch.batch import Batch, Row, find_column
from mesbatch.codec.rows import RowEncoder
from mesbatch.errors import InvalidJob, NotSplittable
from mesbatch.jobs.chunks import Cut, Cutter
from mesbatch.jobs.function import JobFunction, Work
from mesbatch.jobs.progress import KeysDone
from mesbatch.jobs.publishing import Publishing
from mesbatch.jobs.ranges import growing_ranges
from mesbatch.jobs.spec import JobSpec
from mesbatch.jobs.stop import Stop, Stopped
from mesbatch.keys.collect import Keys
from mesbatch.keys.resume import decode_key
from mesbatch.sink.ndjson import check_columns
from mesbatch.trace.read import TraceReader


class DomainReading:
    """Reads what is missing of *domain* with *function*, and publishes it; holds a chunk and a batch."""

    def __init__(
        self, domain: str, function: JobFunction, spec: JobSpec, keys: Keys, max_bytes: int,
        publishing: Publishing, stop: Stop,
    ) -> None:  # fmt: skip
        self._domain, self._function, self._spec, self._keys = domain, function, spec, keys
        self._max_bytes, self._publishing, self._stop = max_bytes, publishing, stop
        self._encoder: RowEncoder | None = None
        self._cutter: Cutter | None = None
        self._key: int | None = None  # the position of its column
        self._after: Any = None  # the last key that is published already
        self._held_places: tuple[Any, Any] = None, None  # the last whole key of the rows that are held, and the last
        self._done = KeysDone(keys)
        self._failed = publishing.missing(domain)
        self._complete = not self._failed

    def read(self) -> None:
        """Read to the end of the domain.

        Raises:
            Stopped: that was asked for. Before a shutdown the keys that are whole are published.
            InvalidJob: the function reads something else than this domain.
            NotSplittable: ``order="any"``, and the rows do not tell where a key ends.
            Whatever reading and storing raise.
        """
        try:
            for keys in self._ranges():
                self._read_range(keys)
        except Stopped:
            if self._stop.reason == "shutdown" and self._cutter is not None:
                self._publish_all(self._cutter.whole_keys(), lambda _: self._held_places[0])
            raise
        self._publishing.end(self._domain, complete=self._complete)

    def _ranges(self) -> Iterator[Keys | list[Any]]:
        """The keys that are to be read: all that are left, or lists of them that get longer."""
        account = self._publishing.domains.get(self._domain)
        keys = self._keys
        if account is not None and account.rows:
            if account.last_key is None or account.status != "reading":  # it had come to its end
                self._complete = self._complete and account.status in {"reading", "complete"}
                yield []  # for what the function counts
                return
            self._after = decode_key(account.last_key)
            keys = keys.above(self._after)
        if self._spec.order == "key" or not len(keys):
            yield keys
        else:
            yield from growing_ranges(keys)

    def _read_range(self, keys: Keys | list[Any]) -> None:
        self._stop.check()
        spec, domain = self._spec, self._domain
        work = Work(keys, (domain,), self._max_bytes, spec.on_failure, self._publishing.aggregate)
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
        if self._cutter is not None:  # a range ends a key, and only its own reader could tell where
            self._publish_all(self._cutter.rest(), lambda _: self._held_places[1])

    def _take(self, reader: TraceReader) -> None:
        manifest, seen = reader.manifests[self._domain], 0
        for _, batch in reader:
            cutter = self._begun(reader)
            assert self._encoder is not None
            check_columns(self._encoder, batch)
            nbytes, seen = manifest.nbytes - seen, manifest.nbytes
            self._miss(reader)
            place = partial(self._place, reader)
            self._publish_all(cutter.add(self._unpublished(batch.rows, place), nbytes), place)
            self._held_places = place(cutter.last_whole_row), place(cutter.last_row)
            del batch
            self._stop.check()

    def _begun(self, reader: TraceReader) -> Cutter:
        """How to cut and to write the rows, known from the first batch on."""
        if self._cutter is not None:
            return self._cutter
        spec, columns = self._spec, reader.descriptions[self._domain]
        self._encoder = RowEncoder(columns, shape=spec.shape, datetime_separator=spec.datetime_separator)
        key = reader.key_columns[self._domain]
        if key is None and spec.order == "any":
            raise NotSplittable(
                f"the rows of {self._domain!r} do not tell where a key ends, so they cannot be read in ranges of keys: "
                "use order='key'"
            )
        self._key = None if key is None else find_column(self._encoder.names, key)
        self._publishing.begin(self._domain, self._encoder.columns)
        self._cutter = Cutter(spec.batch_size, self._max_bytes // 2, self._key)
        return self._cutter

    def _account_for(self, reader: TraceReader) -> None:
        """The range has ended; a domain without rows has columns all the same."""
        manifest = reader.manifests[self._domain]
        self._miss(reader)
        self._failed += manifest.failed
        whole = manifest.status == "complete"
        self._complete = self._complete and whole
        known = self._domain in self._publishing.domains
        if self._cutter is None and not known and (whole or manifest.keys_read) and self._domain in reader.descriptions:
            self._begun(reader)

    def _miss(self, reader: TraceReader) -> None:
        if failed := reader.manifests[self._domain].failed:
            self._publishing.miss(self._domain, self._failed + failed)

    def _place(self, reader: TraceReader, row: Row | None) -> Any:
        """Return the key of *row* as it was asked for, while *reader* is open; None where rows tell no key."""
        if self._key is None or row is None:
            return None
        return reader.resume_point(self._domain, row[self._key]).key

    def _unpublished(self, rows: list[Row], place: Callable[[Row], Any]) -> list[Row]:
        """Drop the rows of keys that are published already.

        A CHAR column takes ``"a"`` and ``"a  "`` for one key, so what is asked for after the one brings its rows again.
        """
        if self._after is None or self._key is None:
            return rows
        first = bisect_right(rows, self._after, key=place)
        if first < len(rows):
            self._after = None
        return rows[first:]

    def _publish_all(self, cuts: Iterator[Cut], place: Callable[[Row], Any]) -> None:
        for cut in cuts:
            self._publish(cut, place(cut.rows[-1]))

    def _publish(self, cut: Cut, last_key: Any) -> None:
        assert self._encoder is not None
        data = self._encoder.encode_list(cut.rows)
        done = 0 if last_key is None else self._done.up_to(last_key)
        batch = Batch(self._encoder.names, cut.rows)
        self._publishing.publish(self._domain, batch, data, last_key, done, ends_key=cut.ends_key)
