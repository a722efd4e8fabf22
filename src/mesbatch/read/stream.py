"""From a checked request to a running stream of items: which statements, on which connections, in how many threads."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

from mesbatch.batch import Column, measure_rows
from mesbatch.errors import SchemaChanged
from mesbatch.events import PartRead
from mesbatch.manifest import Manifest
from mesbatch.read.ahead import Ahead
from mesbatch.read.inline import Inline
from mesbatch.read.lane import Lane
from mesbatch.read.part import Fetched, Item, PartReader, StatementReader
from mesbatch.read.request import Request
from mesbatch.source.choose import choose, examine
from mesbatch.source.keys import CHECKED_AT_ONCE, KeyList, Keys, KeySpool, collect_keys
from mesbatch.source.session import Rows, Session, Source
from mesbatch.source.statement import KeyedStatement
from mesbatch.source.strategy import LIST_SHAPES, InList, Part, Strategy

FIRST_KEYS_PER_PART = 100  # with several connections, before it is known how many bytes a key has
WHOLE = Part([], None, None, 0)  # the one part of a read without keys

Stream = Inline[Item] | Ahead[Lane, Part, Item]


@dataclass
class Reading:
    """A read that runs: its stream, what it knows of the columns, and what must be closed after the stream."""

    request: Request
    manifest: Manifest
    description: tuple[Column, ...] | None = None
    stream: Stream | None = None
    _own_keys: Keys | None = None
    _lanes: list[Lane] = field(default_factory=list)
    _exporter: Session | None = None

    def open(self) -> None:
        """Connect and begin; what the database says of the statement is raised here."""
        request = self.request
        if request.source is None:
            self.stream = Inline(self._given_batches())
        elif request.keys is None:
            self.stream = self._open_statement(request.source)
        else:
            self.stream = self._open_keyed(request.source)

    def close(self) -> None:
        if self.stream is not None:
            self.stream.close()
        if self._exporter is not None:
            self._exporter.close()
        if self._own_keys is not None:
            self._own_keys.close()

    def interrupt(self) -> None:
        """Make a fetch that blocks in another thread fail soon."""
        for lane in self._lanes:
            lane.interrupt()

    def _learn(self, columns: tuple[Column, ...]) -> None:
        """All statements of a read must have the same columns."""
        if self.description is None:
            self.description = columns
        elif [(column.name, column.type) for column in columns] != [
            (known.name, known.type) for known in self.description
        ]:
            raise SchemaChanged(f"the columns were {_names(self.description)} and are now {_names(columns)}")

    def _given_batches(self) -> Generator[Item]:
        self.manifest.parts_planned += 1
        for columns, rows in self.request.con.batches():
            self._learn(tuple(Column(name) for name in columns))
            sample = rows[:: len(rows) // 8 + 1]
            yield Fetched(rows, measure_rows(sample) * len(rows) // max(1, len(sample)))
        yield PartRead(None, None, 0)

    # -- one statement

    def _open_statement(self, source: Source) -> Stream:
        lane = Lane(source)
        lane.session()
        return self._run(self._read_statement, iter([self._planned(WHOLE)]), [lane])

    def _read_statement(self, lane: Lane, part: Part) -> Generator[Item]:
        request = self.request

        def start(session: Session) -> Rows:
            return session.execute(request.sql, request.params, request.budget.max_bytes)

        try:
            yield from self._statements().fetch(lane.session(), start)
        except Exception as error:
            lane.spend()
            raise lane.translated(error) from error.__cause__
        yield PartRead(None, None, 0)

    def _statements(self) -> StatementReader:
        request = self.request
        return StatementReader(request.budget, request.batch_size, request.converters, self._learn)

    # -- many keys

    def _open_keyed(self, source: Source) -> Stream:
        request = self.request
        assert request.keys is not None
        keys = request.keys
        if not isinstance(keys, KeyList | KeySpool):
            keys = self._own_keys = collect_keys(keys)
        if not len(keys):
            return Inline(_nothing())
        lanes = self._connections(source)
        session = self._exporter or lanes[0].session()
        try:
            statement = KeyedStatement.parse(request.sql, request.params, session.driver.paramstyle)
            query = examine(session, statement, request.key, request.splittable)
            if query.padded:
                keys = self._own_keys = _stripped(keys)
            whole = request.consistent and not source.owned
            strategy, chosen = choose(session, query, keys, request.strategy, request.order, whole=whole)
        except Exception as error:
            lanes[0].close()
            raise lanes[0].translated(error) from error.__cause__
        self.manifest.keys = len(keys)
        reader = PartReader(self._statements(), strategy, chosen, request.order, query.padded, request.on_failure)
        return self._run(reader.read, self._parts(strategy, keys), lanes)

    def _connections(self, source: Source) -> list[Lane]:
        """The connections, prepared to see one snapshot where that was asked for."""
        request = self.request
        if not request.consistent or not source.owned:
            return [Lane(source) for _ in range(request.parallel)]
        first = Lane(source)
        driver = first.session().driver
        if not driver.shares_snapshots:
            if request.parallel > 1:
                raise ValueError(
                    f"consistent=True reads {driver.name} on one connection: parallel must be 1, got {request.parallel}"
                )
            return [Lane(source, _begin_snapshot, repeatable=False)]
        self._exporter = first.session()
        snapshot = driver.begin_snapshot(self._exporter, None)

        def join(session: Session) -> None:
            session.driver.begin_snapshot(session, snapshot)

        return [Lane(source, join) for _ in range(request.parallel)]

    def _parts(self, strategy: Strategy, keys: Keys) -> Iterator[Part]:
        """The keys, cut as the strategy wants them; smaller with several connections, so that none waits for another."""
        if strategy.keys_per_part is None:
            first = next(keys.slices(lambda: 1))[0]
            yield self._planned(Part(keys, first, keys.last(), len(keys)))
            return
        most = strategy.keys_per_part

        def size() -> int:
            return (
                most
                if self.request.parallel == 1
                else self._keys_of_one_batch(most, shaped=isinstance(strategy, InList))
            )

        for some in keys.slices(size):
            yield self._planned(Part(some, some[0], some[-1], len(some)))

    def _keys_of_one_batch(self, most: int, *, shaped: bool) -> int:
        manifest = self.manifest
        if not manifest.nbytes or not manifest.keys_read:
            return min(most, FIRST_KEYS_PER_PART)
        keys = max(1, self.request.budget.share * manifest.keys_read // manifest.nbytes)
        return max(shape for shape in LIST_SHAPES if shape <= min(keys, most)) if shaped else min(keys, most)

    # -- threads

    def _planned(self, part: Part) -> Part:
        self.manifest.parts_planned += 1
        return part

    def _run(self, read: Callable[[Lane, Part], Generator[Item]], parts: Iterator[Part], lanes: list[Lane]) -> Stream:
        """In threads of our own where that pays: the database works elsewhere, or there are several connections."""
        self._lanes = lanes
        first = lanes[0]
        driver = first.session().driver
        if not first.source.owned or not (driver.remote or len(lanes) > 1 or self.request.timeout):
            return Inline(_in_turn(read, parts, first), first)
        if not driver.moves_between_threads:
            first.close()  # its thread will open another
        return Ahead(read, parts, lanes, ordered=self.request.order == "key")


def _in_turn(read: Callable[[Lane, Part], Generator[Item]], parts: Iterator[Part], lane: Lane) -> Generator[Item]:
    for part in parts:
        yield from read(lane, part)


def _nothing() -> Generator[Item]:
    return
    yield


def _begin_snapshot(session: Session) -> None:
    session.driver.begin_snapshot(session, None)


def _stripped(keys: Keys) -> Keys:
    """The same keys for a column that pads with blanks: some may now be equal."""
    flat = (key for some in keys.slices(lambda: CHECKED_AT_ONCE) for key in some)
    stripped = collect_keys(list(flat) if isinstance(keys, KeyList) else flat, strip_blanks=True)
    return stripped


def _names(columns: tuple[Column, ...]) -> str:
    return ", ".join(f"{column.name} {column.type or ''}".strip() for column in columns)
