"""Rows of a job's stream, checked against its own account, and resumed where the connection broke."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol, Self

import msgspec

from mesbatch.codec.checksum import Checksum
from mesbatch.codec.not_json import NOT_JSON
from mesbatch.errors import CorruptChunk, JobFailed, ReadInterrupted
from mesbatch.store.protocol import Store
from mesbatch.store.stored_lines import stored_lines

PATIENCE_SECONDS = 60.0  # of tries without a line; a restart of a web server takes less
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0


class Cut(Exception):
    """End of the lines before their last one: the rest is to be asked for again."""


@dataclass(frozen=True, slots=True)
class Records:
    """Rows of one domain, or query, from one ``records`` line.

    Attributes:
        domain: The name of the domain.
        rows: Objects, or arrays where the job has that shape.

    >>> Records("holds", [{"ID": 1}]).rows[0]["ID"]
    1
    """

    domain: str
    rows: list[Any]


class Lines(Protocol):
    def __iter__(self) -> Iterator[bytes]: ...
    def close(self) -> None: ...


class _StreamLine(msgspec.Struct):
    """Line of the stream, of any type; a `msgspec.Raw` is decoded later, or never.

    A line of a type that we do not know may have members of these names with any values.
    """

    type: str
    domain: Any = ""
    query: Any = ""  # the word of `result_blueprint`
    batch: Any = None
    count: Any = None
    checksum: Any = None
    data: msgspec.Raw = msgspec.Raw(b"null")
    rows: msgspec.Raw = msgspec.Raw(b"null")


class _Domain(msgspec.Struct):
    rows: int
    checksum: str


class _Complete(msgspec.Struct):
    total_records: int
    domains: dict[str, _Domain] = {}  # msgspec copies it
    queries: dict[str, _Domain] = {}


class JobStream:
    """`Records` of a job from its first one on, also while it runs. Holds one line and its rows.

    Reaching the end without an exception means that every row came, once: counts and checksums are those of the job.
    ``meta`` and the first ``progress`` of an answer are no news: a server that never sends more is given up.

    Args:
        open_lines: A function that opens the lines from the n-th ``records`` line on. When they break off, it is called
            again for the rest.
        patience: Seconds without news before giving up; the time that the consumer takes does not count.
        on_progress: A function that gets the ``progress`` lines, whose ``percent`` may be None.

    Attributes:
        meta: The ``meta`` line.
        columns: The columns of each domain.
        warning: The ``warning`` line, if there was one.
        aggregation: The data of the ``aggregation`` line, if there was one.
        position: The number of ``records`` lines that came.

    Raises:
        JobFailed: the job ended without a result, or a part of its result is lost.
        CorruptChunk: the rows are not those that the job wrote.
        ReadInterrupted: the stream broke off, or a line was damaged, and no further try succeeded.

    >>> lines = [
    ...     b'{"type":"meta","job_id":"j"}', b'{"type":"domain_start","domain":"holds"}',
    ...     b'{"type":"records","domain":"holds","batch":0,"count":1,"data":[{"ID":1}]}',
    ...     b'{"type":"complete","total_records":1,"domains":{"holds":{"rows":1,"checksum":"8230d2f7"}}}',
    ... ]
    >>> from mesbatch.sink.stream import ByteStream
    >>> list(JobStream(lambda first: ByteStream((line for line in lines), None)))
    [Records(domain='holds', rows=[{'ID': 1}])]
    """

    def __init__(
        self,
        open_lines: Callable[[int], Lines],
        *,
        patience: float = PATIENCE_SECONDS,
        on_progress: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self.meta: dict[str, Any] = {}
        self.columns: dict[str, list[dict[str, Any]]] = {}
        self.warning: dict[str, Any] | None = None
        self.aggregation: dict[str, Any] | None = None
        self.position = 0  # records lines that came
        self._open, self._patience, self._on_progress = open_lines, patience, on_progress
        self._checksums: dict[str, Checksum] = {}
        self._counts: Counter[str] = Counter()
        self._batches: Counter[str] = Counter()
        self._records = self._follow()

    def __iter__(self) -> Iterator[Records]:
        return self._records

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop following; may be called twice."""
        self._records.close()

    def _follow(self) -> Generator[Records]:
        alive, pause = time.monotonic(), FIRST_PAUSE
        while True:
            try:
                with closing(self._open(self.position)) as lines:
                    living = {"records"}
                    for line in lines:
                        kind, records, last = self._take(line)
                        if kind in living:
                            alive, pause = time.monotonic(), FIRST_PAUSE
                        if kind == "progress":  # the first one greets; other lines come again with each new try
                            living.add(kind)
                        if records is not None:
                            yield records
                            alive = time.monotonic()
                        if last:
                            return
                raise Cut("the stream ended without its last line")
            except Cut as error:
                if time.monotonic() - alive > self._patience:
                    raise ReadInterrupted(
                        f"the stream broke off after {self._counts.total():,} rows, and nothing came for "
                        f"{self._patience:g} s: {error}"
                    ) from error
            time.sleep(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)

    def _take(self, line: bytes) -> tuple[str, Records | None, bool]:
        """Take a line; return its type, its records, if it has any, and True with the last line."""
        try:
            return self._taken(line)
        except (*NOT_JSON, KeyError, TypeError) as error:
            raise Cut(f"a line of {len(line):,} bytes is damaged: {error}") from error

    def _taken(self, line: bytes) -> tuple[str, Records | None, bool]:
        parsed = msgspec.json.decode(line, type=_StreamLine)
        if parsed.type == "records":
            return parsed.type, self._records_of(parsed), False
        members = msgspec.json.decode(line)  # every byte: what nobody asks for is passed over above
        match parsed.type:
            case "complete":
                self._check_all(msgspec.json.decode(line, type=_Complete))
                return parsed.type, None, True
            case "domain_end" | "query_end":
                self._check(parsed.domain or parsed.query, parsed.count, parsed.checksum)
                return parsed.type, None, False
            case "":
                raise Cut(f"a line of {len(line):,} bytes has no type")
            case "full_result":
                raise JobFailed("the result has the oldest layout, in one piece: read it with GET .../result")
            case "error":
                raise JobFailed(members.get("message") or "the job failed without a word")
            case kind:
                self._note(kind, parsed, members)
                return kind, None, False

    def _records_of(self, line: _StreamLine) -> Records:
        data = line.data if bytes(line.rows) == b"null" else line.rows
        rows = msgspec.json.decode(data, type=list[Any])
        if len(rows) != line.count:
            raise CorruptChunk(f"records line {self.position:,} has {len(rows):,} rows, and says {line.count}")
        name = line.domain or line.query
        if line.batch != self._batches[name]:
            raise CorruptChunk(f"batch {self._batches[name]:,} of {name!r} is missing: batch {line.batch} came")
        self._batches[name] += 1
        self._checksums.setdefault(name, Checksum()).update_list(bytes(data))
        self._counts[name] += len(rows)
        self.position += 1
        return Records(name, rows)

    def _note(self, kind: str, parsed: _StreamLine, members: dict[str, Any]) -> None:
        match kind:
            case "meta":
                self.meta = members
            case "domain_start" | "query_start":
                self.columns[parsed.domain or parsed.query] = members.get("columns") or []
            case "aggregation":
                self.aggregation = members["data"]
            case "warning":
                self.warning = members
            case "progress" if self._on_progress is not None:
                self._on_progress({"percent": None, **members})

    def _check_all(self, complete: _Complete) -> None:
        came = self._counts.total()
        if came != complete.total_records:
            raise CorruptChunk(f"{came:,} rows came, and the job wrote {complete.total_records:,}")
        for domain, account in (complete.domains | complete.queries).items():
            self._check(domain, account.rows, account.checksum)

    def _check(self, domain: str, rows: Any, checksum: Any) -> None:
        came, found = self._counts[domain], self._checksums.get(domain, Checksum()).hexdigest()
        if came != rows or checksum not in (None, found):
            raise CorruptChunk(
                f"{came:,} rows of {domain!r} came with the checksum {found}, and the job wrote {rows} with {checksum}"
            )


def follow_store(
    store: Store, job_id: str, *, on_progress: Callable[[dict[str, Any]], None] | None = None
) -> JobStream:
    """Follow a job in its store, without a web server between, from its first record to its end.

    Args:
        store: The store of the job.
        job_id: The job.
        on_progress: A function that gets the ``progress`` lines.

    Raises:
        JobNotFound: there is no such job; raised with the first record.

    >>> from tempfile import TemporaryDirectory
    >>> from mesbatch.store import DirectoryStore, ResultWriter, new_job_id
    >>> with TemporaryDirectory() as folder:
    ...     store, job_id = DirectoryStore(folder), new_job_id()
    ...     store.create(job_id, {"status": "started"})
    ...     writer = ResultWriter(store, store.acquire(job_id, "me"))
    ...     writer.start("holds", [{"name": "ID"}])
    ...     writer.publish("holds", b'[{"ID":1}]', rows=1, last_key=1)
    ...     writer.end("holds")
    ...     _ = writer.finish()
    ...     list(follow_store(store, job_id))
    [Records(domain='holds', rows=[{'ID': 1}])]
    """
    return JobStream(lambda first: stored_lines(store, job_id, from_=first), on_progress=on_progress)


def unbroken(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Pass on lines that came whole, and raise `Cut` for one that did not."""
    for line in lines:
        if not line.endswith(b"\n"):
            raise Cut(f"a line broke off after {len(line):,} bytes")
        yield line
