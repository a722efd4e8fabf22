"""From a checked request to a running stream of items: which statements, on which connections, in how many threads."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from mesbatch.batch import Column
from mesbatch.errors import SchemaChanged
from mesbatch.events import PartRead
from mesbatch.keys.choose import choose
from mesbatch.keys.collect import CHECKED_AT_ONCE, Keys, collect_keys
from mesbatch.keys.resume import ResumePoint, as_asked
from mesbatch.keys.strategy import LIST_SHAPES, InList, Part, Strategy
from mesbatch.manifest import Manifest
from mesbatch.read.deadline import interrupted_at
from mesbatch.read.lane import Lane
from mesbatch.read.measure import measure_deeply
from mesbatch.read.part import Fetched, Item, PartReader, StatementReader
from mesbatch.read.request import Request
from mesbatch.read.threads import Ahead, Inline
from mesbatch.source.buffering import RUNNING
from mesbatch.source.dbapi import DbapiDriver
from mesbatch.source.key_forms import KeyForms
from mesbatch.source.session import Params, Rows, Session, Source
from mesbatch.sql.keyed import KeyedStatement

FIRST_KEYS_PER_PART = 100  # with several connections, before it is known how many bytes a key has
WHOLE = Part([], None, None, 0)  # the one part of a read without keys

ItemStream = Inline[Item] | Ahead[Lane, Part, Item]


@dataclass
class Reading:
    """A read that runs: its stream, what it knows of the columns, and what must be closed after the stream."""

    request: Request
    manifest: Manifest
    description: tuple[Column, ...] | None = None
    key: Column | None = None  # whose values say where a key ends; None where rows come in no order of keys
    schema: Any = None  # of Arrow, where the driver gives record batches
    stream: ItemStream | None = None
    _key_type: type | None = None  # of the keys that were asked for
    _padded: bool = False  # the key's column gives its values padded with blanks
    _own_keys: Keys | None = field(init=False)  # to be closed here
    _lanes: list[Lane] = field(default_factory=list)
    _counted: bool = False  # among the reads that run
    _exporter: Lane | None = None  # holds the transaction whose snapshot the lanes share

    def __post_init__(self) -> None:
        self._own_keys = self.request.own_keys

    def open(self, deadline: float | None = None) -> ItemStream:
        """Connect and begin; what the database says of the statement is raised here."""
        self._counted = True
        RUNNING.begin()
        with interrupted_at(deadline, self.interrupt):
            try:
                self.stream = self._begin()
            except Exception as error:
                if not self._lanes:
                    raise
                failure = (self._exporter or self._lanes[0]).translated(error)
                raise failure from failure.__cause__
        return self.stream

    def _begin(self) -> ItemStream:
        request = self.request
        if request.source is None:
            return Inline(self._given_arrow() if hasattr(request.con, "__arrow_c_stream__") else self._given_batches())
        source = _with_wishes(request.source, request)
        return self._open_statement(source) if request.keys is None else self._open_keyed(source)

    @property
    def dialect(self) -> str:
        return self._lanes[0].dialect if self._lanes else ""

    def resume_point(self, value: Any) -> ResumePoint:
        """The place after the rows of *value*; see `BatchReader.resume_point`."""
        return ResumePoint(as_asked(value, self._key_type, padded=self._padded))

    @property
    def pads_key(self) -> bool:
        return self._padded

    def close(self) -> None:
        if self._counted:
            self._counted = False
            RUNNING.end()
        if self.stream is not None:
            self.stream.close()
        else:
            for lane in self._lanes:
                lane.close()
        if self._exporter is not None:
            self._exporter.close()
        if self._own_keys is not None:
            self._own_keys.close()

    def interrupt(self) -> None:
        """Make what blocks in another thread fail soon, and be tried no more."""
        for lane in (*self._lanes, self._exporter):
            if lane is not None:
                lane.interrupt()

    def _learn(self, columns: tuple[Column, ...]) -> None:
        """All statements of a read must have the same columns."""
        if self.description is None:
            self.description = columns
        elif [(column.name, column.type) for column in columns] != [
            (known.name, known.type) for known in self.description
        ]:
            raise SchemaChanged(f"the columns were {_names(self.description)} and are now {_names(columns)}")

    def _learn_rows(self, rows: Rows) -> None:
        self.schema = getattr(rows, "schema", None)
        self._learn(rows.columns)

    def _given_arrow(self) -> Generator[Item]:
        from mesbatch.source.adbc.rows import open_stream, stream_tuples

        self.manifest.parts_planned += 1
        given: Rows = (open_stream if self.request.columnar else stream_tuples)(self.request.con)
        session = Session(DbapiDriver(), self.request.con, owned=False)
        yield from self._statements().fetch(session, lambda _: given)
        yield PartRead(None, None, 0)

    def _given_batches(self) -> Generator[Item]:
        self.manifest.parts_planned += 1
        for columns, rows in self.request.con.batches():
            self._learn(tuple(Column(name) for name in columns))
            sample = rows[:: len(rows) // 8 + 1]
            yield Fetched(rows, measure_deeply(sample) * len(rows) // max(1, len(sample)))
        yield PartRead(None, None, 0)

    # -- one statement

    def _open_statement(self, source: Source) -> ItemStream:
        self._lanes = [Lane(source)]
        return self._run(self._read_statement, iter([self._planned(WHOLE)]))

    def _read_statement(self, lane: Lane, part: Part) -> Generator[Item]:
        request = self.request

        def start(session: Session) -> Rows:
            return session.execute(*self._ordered(session), request.budget.max_bytes)

        try:
            fetched = self._statements().fetch(lane.session(), start)
            yield from self._in_ascent(fetched, lane.session().driver.keys) if request.keyset else fetched
        except Exception as error:  # noqa: BLE001  # the driver's, whatever it is
            lane.spend()
            failure = lane.translated(error)
            raise failure from failure.__cause__
        yield PartRead(None, None, 0)

    def _ordered(self, session: Session) -> tuple[str, Params]:
        request = self.request
        if not request.keyset:
            return request.sql, request.params
        from mesbatch.sql.keyset import by_keyset  # only such a read needs it

        style, forms = request.paramstyle or session.driver.paramstyle, session.driver.keys
        after = None if request.after is None else forms.bound_place(request.after)
        return by_keyset(request.sql, request.params, request.keyset, after, style, forms.quoted)

    def _in_ascent(self, fetched: Generator[Fetched], forms: KeyForms) -> Generator[Fetched]:
        """Give on what was *fetched*, once it is known to ascend by the keyset."""
        from mesbatch.keys.ascent import Ascent

        with closing(fetched):
            item = next(fetched, None)  # the columns are known by then, also of no rows
            columns = self.description or ()
            ascent = Ascent(self.request.keyset, [column.name for column in columns], self.request.after)
            ascent.refuse({at for at, column in enumerate(columns) if forms.sorts_otherwise(column)})
            while item is not None:
                if rows := ascent.check(item.rows):
                    yield Fetched(rows, item.nbytes)
                del item, rows  # gone while the next ones are read
                item = next(fetched, None)

    def _statements(self) -> StatementReader:
        request = self.request
        return StatementReader(request.budget, request.batch_size, request.converters, self._learn_rows)

    # -- many keys

    def _open_keyed(self, source: Source) -> ItemStream:
        request = self.request
        assert request.keys is not None
        keys = request.keys
        if not isinstance(keys, Keys):
            keys = self._own_keys = collect_keys(keys)
        if not len(keys):
            return Inline(_nothing())
        self._connect(source)
        session = (self._exporter or self._lanes[0]).session()
        sql = session.driver.as_read(session, request.sql)
        paramstyle = request.paramstyle or session.driver.paramstyle
        statement = KeyedStatement.parse(sql, request.params, paramstyle)
        from mesbatch.keys.examine import examine  # it judges SQL, which only a keyed read needs

        examined = examine(session, statement, request.key, request.splittable)
        if keys.key_type is not None:
            session.driver.keys.check_type(examined.query, keys.key_type)
        if examined.padded:
            keys = self._strip(keys)
            if not len(keys):
                return Inline(_nothing(), self._lanes[0])
        whole = request.consistent and not source.owned
        strategy, query = choose(
            session, examined, keys, request.strategy, request.order, whole=whole, parallel=request.parallel
        )
        self._key_type, self._padded = keys.key_type, examined.padded
        self.key = query.key if query.is_checked else None
        self.manifest.keys, self.manifest.strategy = len(keys), strategy.name
        if examined.one_statement is not None:
            self.manifest.one_statement = str(examined.one_statement)
        reader = PartReader(self._statements(), strategy, query, examined.padded, request.on_failure)
        return self._run(reader.read, self._parts(strategy, keys))

    def _connect(self, source: Source) -> None:
        """The connections, prepared to see one snapshot where that was asked for."""
        request = self.request
        self._lanes = [Lane(source) for _ in range(request.parallel)]
        if not request.consistent or not source.owned:
            return
        driver = self._lanes[0].session().driver
        if driver.shares_snapshots:
            self._share_snapshot(source)
        elif request.parallel > 1:
            raise ValueError(
                f"consistent=True reads {driver.dialect} on one connection: parallel must be 1, got {request.parallel}"
            )
        else:
            self._lanes[0].close()
            self._lanes = [Lane(source, _begin_snapshot, repeatable=False)]

    def _share_snapshot(self, source: Source) -> None:
        exporter = self._exporter = self._lanes[0]
        snapshot = exporter.session().driver.begin_snapshot(exporter.session(), None)

        def join(session: Session) -> None:
            session.driver.begin_snapshot(session, snapshot)

        self._lanes = [Lane(source, join) for _ in range(self.request.parallel)]

    def _strip(self, keys: Keys) -> Keys:
        """The same keys for a column that pads with blanks: some may now be equal, or lie before where to go on."""
        flat = (key for some in keys.slices(lambda: CHECKED_AT_ONCE) for key in some)
        stripped = collect_keys(flat if keys.on_disk else list(flat), strip_blanks=True)
        if keys.after is not None:
            stripped = stripped.above(keys.after)
        if self._own_keys is not None:
            self._own_keys.close()
        self._own_keys = stripped
        return stripped

    def _parts(self, strategy: Strategy, keys: Keys) -> Iterator[Part]:
        """The keys, cut as the strategy wants; smaller with several connections, so that none waits for another."""
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

    def _run(self, read: Callable[[Lane, Part], Generator[Item]], parts: Iterator[Part]) -> ItemStream:
        """In threads of our own where that pays: fetches are round trips, or there are several connections."""
        lanes, first = self._lanes, self._lanes[0]
        driver = first.session().driver
        if not first.source.owned or not (driver.waits_for_fetch or len(lanes) > 1 or self.request.timeout):
            return Inline(_in_turn(read, parts, first), first)
        if not driver.moves_between_threads:
            first.close()  # its thread will open another
        self.request.budget.ahead = True
        return Ahead(read, parts, lanes, ordered=self.request.order == "key")


def _in_turn(read: Callable[[Lane, Part], Generator[Item]], parts: Iterator[Part], lane: Lane) -> Generator[Item]:
    for part in parts:
        yield from read(lane, part)


def _nothing() -> Generator[Item]:
    return
    yield


def _begin_snapshot(session: Session) -> None:
    session.driver.begin_snapshot(session, None)


def _with_wishes(source: Source, request: Request) -> Source:
    """The same source, whose sessions know what *request* wants of their values; record batches, if they can."""
    # Converters are for the driver's own values, and so is the look at a keyset.
    columnar = request.columnar and request.converters is None and not request.keyset
    # Parameters would need types there; and what hangs in ADBC's connect or prepare is out of a deadline's reach.
    plain = request.keys is None and not request.params and request.timeout is None
    instead = source.open_for_arrow if columnar and plain and request.on_invalid_text == "raise" else None

    def open_session() -> Session:
        session = (instead(request.sql, request.schema) if instead is not None else None) or source.open()
        session.columnar, session.schema, session.on_invalid_text = columnar, request.schema, request.on_invalid_text
        return session

    return replace(source, open=open_session)


def _names(columns: tuple[Column, ...]) -> str:
    return ", ".join(f"{column.name} {column.type or ''}".strip() for column in columns)
