"""`read_sql_iter`: the rows of any query, or of any number of keys, in batches that fit a budget."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from warnings import warn

from mesbatch.batch import Batch, Column
from mesbatch.errors import ConnectionLost, DatabaseBusy, DatabaseTimeout, ReadInterrupted, SnapshotTooOld
from mesbatch.events import BatchRead, FetchOverBudget, Hook, KeyRefused, PartFailed, PartRead, StrategyChosen
from mesbatch.keys.choose import Order, StrategyName
from mesbatch.keys.collect import Keys
from mesbatch.keys.resume import ResumePoint
from mesbatch.manifest import FailedKeys, Manifest
from mesbatch.read.fetch import Budget
from mesbatch.read.part import Fetched, Item, OnFailure
from mesbatch.read.request import Request, check_positive, check_request
from mesbatch.read.stream import ItemStream, Reading
from mesbatch.source.paramstyle import ParamStyle
from mesbatch.source.session import OnInvalidText, Params
from mesbatch.units import MiB

if TYPE_CHECKING:
    from mesbatch.arrow.reader import ArrowReader


def read_sql_iter(
    sql: Any,
    con: Any,
    params: Params = None,
    *,
    keys: Iterable[Any] | Keys | None = None,
    key: str | None = None,
    strategy: StrategyName = "auto",
    order: Order = "key",
    on_failure: OnFailure = "raise",
    max_bytes: int = 8 * MiB,
    batch_size: int | None = None,
    timeout: float | None = None,
    parallel: int = 1,
    consistent: bool = False,
    on_event: Hook | None = None,
    splittable: bool = False,
    paramstyle: ParamStyle | None = None,
    on_invalid_text: OnInvalidText = "raise",
    keyset: Sequence[str] = (),
    after: Sequence[Any] | None = None,
) -> BatchReader:
    """Read the result of a query in batches that hold at most *max_bytes* in memory, however large it is.

    A connection that you pass stays yours: it is never committed, rolled back or closed, and nothing is retried on
    it. Nothing is read before the first ``next()`` or the first look at ``columns``; arguments are checked at once.

    With *keys*, the rows come in ascending order of the key, each key whole in one batch unless it is larger than
    the budget.

    Args:
        sql: Text, a SQLAlchemy ``text()`` or a ``select()``. With *keys* it holds ``IN (:keys)`` once.
        con: A DB-API 2.0 connection (sqlite3, psycopg 3, oracledb, ...) or an apsw one, an oracledb pool, a SQLAlchemy
            engine or connection, a URL, a function that connects, or an object with ``batches()``, which yields batches
            and needs no *sql*.
        params: Values for the other binds of the statement, in your driver's own style.
        keys: The keys to read, in any order; repeated ones count once. Those of an iterator are never all in memory.
        key: The column of the result that holds the key, where that is not the filter's own.
        strategy: The way of keys into statements: ``in-list``, ``array``, ``look-up`` or ``temporary-table``. With
            ``auto`` the database and its indexes decide.
        order: ``key``, or ``any``: parts come as they are ready.
        on_failure: ``raise``, or ``partial``: go on without the keys that could not be read, and name them in the
            manifest.
        max_bytes: The whole allowance in bytes: the batch that you hold, the next one, and what the driver keeps.
        batch_size: The most rows of a batch; None leaves that to *max_bytes*.
        timeout: Seconds in all, without the time that you take between batches.
        parallel: The number of parts that are read at once.
        consistent: True reads all parts in one snapshot.
        on_event: A function that is called with each event of `mesbatch.events`, and stops the read by raising.
        splittable: True says that a statement which cannot be judged may be cut by key.
        paramstyle: DB-API's word for how the driver writes binds, asked for where neither we nor its module know it.
        on_invalid_text: The answer to a text that is no valid UTF-8. ``raise`` names its column and its row or key,
            ``replace`` puts U+FFFD in place of each wrong byte, ``base64`` gives all of the text's bytes in base64.
        keyset: Columns of the result of a read without keys, of which you swear that they are unique together: rows
            come ordered by them. Their values are int, date, datetime, UUID, Decimal or text that compares by code
            point.
        after: Values of these columns in the last row of an earlier read, after which this one goes on.

    Raises:
        UnknownSource: *con* is none of these.
        StatementError: *sql* is no query, or ``:keys`` stands in a wrong place.
        InvalidKey: a key that no row can have; raised before anything is read.
        KeysetBroken: (while reading) a column of *keyset* is NULL, or a row does not ascend.
        ValueError: a limit is not positive.

    >>> import sqlite3
    >>> con = sqlite3.connect(":memory:")
    >>> _ = con.execute("create table lots (id text, qty int)")
    >>> _ = con.execute("insert into lots values ('a', 1), ('b', 2), ('b', 3)")
    >>> for columns, rows in read_sql_iter("select * from lots where id in (:keys)", con, keys=["b", "x"]):
    ...     print(columns, rows)
    ('id', 'qty') [('b', 2), ('b', 3)]
    """
    check_positive("max_bytes", max_bytes)
    request = check_request(
        sql, con, params, keys,
        key=key, strategy=strategy, order=order, on_failure=on_failure, budget=Budget(max_bytes, parallel),
        batch_size=batch_size, timeout=timeout, parallel=parallel, consistent=consistent, splittable=splittable,
        paramstyle=paramstyle, on_invalid_text=on_invalid_text,
        keyset=(keyset,) if isinstance(keyset, str) else tuple(keyset),
        after=None if after is None else tuple(after),
    )  # fmt: skip
    return BatchReader(request, on_event)


class BatchReader(Iterator[Batch]):
    """The batches of one read: an iterator, and a context manager that closes cursor and connection.

    Reaching the end without an exception means that every row came.

    Attributes:
        manifest: The account of the read, a `Manifest`.

    >>> import sqlite3
    >>> with read_sql_iter("select 1 as qty", sqlite3.connect(":memory:")) as reader:
    ...     print(reader.columns, [batch.rows for batch in reader], reader.manifest.status)
    ('qty',) [[(1,)]] complete
    """

    def __init__(self, request: Request, on_event: Hook | None) -> None:
        self.manifest = Manifest()
        self._request, self._on_event = request, on_event
        self._reading = Reading(request, self.manifest)
        self._spent = 0.0  # seconds that the consumer waited for us
        self._ready: Batch | None = None
        self._closed = False

    @property
    def max_bytes(self) -> int:
        """The bytes that the reader may hold in all; may be set while it reads, and is looked at before each fetch."""
        return self._request.budget.max_bytes

    @max_bytes.setter
    def max_bytes(self, value: int) -> None:
        check_positive("max_bytes", value)
        self._request.budget.max_bytes = value

    @property
    def description(self) -> tuple[Column, ...]:
        """The columns as the database declares them; runs the query if nothing has yet.

        Empty where no SQL ran, for no keys.
        """
        if self._reading.description is None and self._ready is None:
            self._ready = self._advance()
        return self._reading.description or ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, also of a result without rows; runs the query if nothing has yet."""
        return tuple(column.name for column in self.description)

    @property
    def key_column(self) -> str | None:
        """The column by which rows of one key are neighbours, known once ``columns`` are; None where none is."""
        return self._reading.key.name if self._reading.key is not None else None

    def resume_point(self, value: Any) -> ResumePoint:
        """The place after the rows of *value*, a value of `key_column` that came: its key as it was asked for."""
        return self._reading.resume_point(value)

    @property
    def pads_key(self) -> bool:
        """True where the database gives the values of `key_column` padded with blanks, as those of a CHAR column."""
        return self._reading.pads_key

    @property
    def movable(self) -> bool:
        """True while another thread may read it: not on the caller's own connection, nor once the query runs."""
        source = self._request.source
        return source is not None and source.owned and self._reading.stream is None

    def arrow(self, schema: Any = None) -> ArrowReader:
        """The same read as Arrow record batches: iterate over them, or give this to pyarrow, polars, duckdb or pandas.

        Types come from what the database declares, or from *schema*, which names some or all of the columns with their
        types (a schema of any Arrow library, or a mapping). Where nobody declares one, the first batch decides. Without
        Python objects from oracledb, ADBC, objects with ``__arrow_c_stream__`` and, where ADBC is installed, URLs of
        PostgreSQL and SQLite; else from tuples. Call it before anything is read. Needs the extra ``arrow``.

        Raises (while reading):
            ColumnNameError: two columns share a name, or *schema* has a column that the result has not.
            SchemaChanged: a value does not fit its column's type; nothing is rounded or cut.
            UnencodableValue: a value has no Arrow type.
        """
        from mesbatch.arrow.reader import ArrowReader

        if self._reading.stream is None and not self._closed:
            self._reading = Reading(replace(self._request, columnar=True, schema=schema), self.manifest)
        return ArrowReader(self, schema)

    @property
    def arrow_schema(self) -> Any:
        """The schema of the record batches that the driver gives; None where it gives tuples."""
        return self._reading.schema

    @property
    def dialect(self) -> str:
        """The name of the database's kind, such as ``postgres``; empty where that is not known."""
        return self._reading.dialect

    def __next__(self) -> Batch:
        batch, self._ready = self._ready, None
        if batch is None:
            batch = self._advance()
        if batch is None:
            raise StopIteration
        return batch

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading and give everything back; may be called twice."""
        if not self._closed:
            self._closed = True
            self.manifest.leave("truncated")
            self._reading.close()

    def fail(self) -> None:
        """Stop reading since the rows cannot be used; the manifest says ``failed``."""
        self.manifest.leave("failed")
        self.close()

    def interrupt(self) -> None:
        """Make a read that blocks in another thread fail soon, and with it the query in the database."""
        self._reading.interrupt()

    def __del__(self) -> None:
        if getattr(self, "_closed", True):
            return
        if self._reading.stream is not None:
            warn("a BatchReader was neither read to its end nor closed: use it in a with statement", ResourceWarning, 2)
        self.close()  # where nothing was read, too: keys may lie on disk

    def _advance(self) -> Batch | None:
        """The next batch, or None at the end; whatever comes on the way is accounted for."""
        if self._closed:
            return None
        try:
            while (item := self._next_item()) is not None:
                if batch := self._account(item):
                    return batch
            self.manifest.finish()
        except BaseException as error:
            self.manifest.leave("failed")
            self.close()
            if isinstance(error, StopIteration):  # of a hook, or of a function that connects
                raise RuntimeError("StopIteration is not the end of this read, which failed") from error
            raise
        self.close()
        return None

    def _next_item(self) -> Item | None:
        timeout, started = self._request.timeout, monotonic()
        deadline = None if timeout is None else started + timeout - self._spent
        try:
            stream = self._reading.stream or self._open(deadline)
            item = stream.take(deadline)
            if item is not None and deadline is not None and monotonic() >= deadline:
                # No time is left for the other parts; or the rows came late from a driver that cannot be interrupted.
                raise item.error if isinstance(item, PartFailed) else TimeoutError
            return item
        except Exception as error:
            if deadline is not None and monotonic() >= deadline:
                raise DatabaseTimeout(f"the read took longer than timeout={timeout} s; {self._so_far()}") from error
            failure = self._explained(error)
            raise failure from failure.__cause__
        finally:
            self._spent += monotonic() - started

    def _open(self, deadline: float | None) -> ItemStream:
        stream, manifest = self._reading.open(deadline), self.manifest
        if self._on_event is not None and manifest.strategy is not None:
            self._on_event(StrategyChosen(manifest.strategy, manifest.keys, manifest.one_statement))
        return stream

    def _account(self, item: Item) -> Batch | None:
        """Count *item*, tell the hook, and make a batch of it where it is rows."""
        manifest, hook = self.manifest, self._on_event
        match item:
            case Fetched(rows, nbytes):
                manifest.rows += len(rows)
                manifest.nbytes += nbytes
                if hook is not None:
                    hook(BatchRead(len(rows), nbytes))
                    if nbytes > self.max_bytes:
                        hook(FetchOverBudget(len(rows), nbytes, self.max_bytes))
                assert self._reading.description is not None
                return Batch(tuple(column.name for column in self._reading.description), rows)
            case PartRead(keys=keys):
                manifest.parts_read += 1
                manifest.keys_read += keys
            case PartFailed(first, last, keys, error, keys_read):
                manifest.parts_planned += isinstance(item, KeyRefused)  # beside the part, which is read on
                manifest.keys_read += keys_read
                manifest.failed.append(FailedKeys(first, last, keys, f"{type(error).__name__}: {error}"))
        if hook is not None:
            hook(item)
        return None

    def _explained(self, error: Exception) -> Exception:
        """An interruption after rows were delivered is another thing than one before: nobody may take them for all."""
        if not self.manifest.rows:
            return error
        if isinstance(error, ConnectionLost | DatabaseBusy | SnapshotTooOld):
            interrupted = ReadInterrupted(f"{error}; {self._so_far()}")
            if error.for_client is not None:
                interrupted.hidden(f"{error.for_client}; {self._so_far()}")
            interrupted.__cause__ = error
            return interrupted
        error.add_note(self._so_far())
        return error

    def _so_far(self) -> str:
        return f"{self.manifest.rows:,} rows were delivered before"
