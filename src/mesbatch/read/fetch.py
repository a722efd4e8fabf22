"""Fetching by bytes: how many rows make a batch, learned from the description first and from the rows after."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import itemgetter

from mesbatch.batch import Column, Row
from mesbatch.errors import RowTooLarge, UnencodableValue
from mesbatch.read.measure import measure_deeply
from mesbatch.source.session import Rows
from mesbatch.units import KiB, MiB, format_bytes

FIRST_ROWS = 100  # declared widths are often far above real ones: fewer rows than this would only cost round trips
FIRST_LOB_ROWS = 10
PIECE_ROWS = 500  # rows between two looks at the budget
SAMPLED_ROWS = 4  # of a piece: measuring each value of four rows in 500 costs 2 % of reading them
BATCH_BYTES = 512 * KiB  # the consumer's and the next one fit into a processor's own cache: 1 MiB cost 5 % more
AHEAD_BATCH_BYTES = 1 * MiB  # where a thread hands them over, whose wake-up takes longer: half of it cost 40 % more
FULL = 7 / 8  # of a batch: beyond it, ever smaller pieces would cost more to measure than they are worth
VALUE_BYTES = 50  # an object's head, or a small value
LOBS = {"clob", "nclob", "blob", "bytea", "long", "long raw", "json", "jsonb", "xml"}
TEXTS = LOBS | {"text", "varchar", "character varying", "bpchar", "raw", None}
UNBOUNDED = 8_000  # a declared width from here on promises nothing


OnRefusal = Callable[[UnencodableValue], None]


@dataclass(slots=True)
class Budget:
    """The bytes that one reader may hold in all, shared by its fetchers; *max_bytes* may be set while they run.

    A batch aims at one share of it, and at `BATCH_BYTES` where that is less, or at `AHEAD_BATCH_BYTES` where threads
    read *ahead*. Reading with one connection makes three shares: the batch that the consumer holds, the one being
    filled, and what the driver keeps; every further connection adds a batch and a driver.
    """

    max_bytes: int
    connections: int = 1
    ahead: bool = False

    @property
    def share(self) -> int:
        return max(1, self.max_bytes // (2 * self.connections + 1))  # with 0 nothing would be read

    @property
    def batch_bytes(self) -> int:
        return min(self.share, AHEAD_BATCH_BYTES if self.ahead else BATCH_BYTES)


class Fetcher:
    """The rows of one statement, in lists of about the budget's share.

    *on_refusal* hears of a row that cannot be given, after the rows before it; it raises unless reading is to go on.
    """

    def __init__(
        self,
        rows: Rows,
        budget: Budget,
        batch_size: int | None,
        *,
        bounded: bool = False,
        on_refusal: OnRefusal | None = None,
    ) -> None:
        self._rows, self._budget, self._batch_size = rows, budget, batch_size
        self._on_refusal = on_refusal
        self._refusal: UnencodableValue | None = None  # of the row after those that were fetched
        self._watched = [] if bounded else [i for i, column in enumerate(rows.columns) if _can_be_huge(column)]
        self._row_bytes: float | None = None
        self._first_rows = _first_rows(rows.columns, budget.batch_bytes)

    def batches(self) -> Iterator[tuple[list[Row], int]]:
        """Lists of rows with the bytes that they hold, estimated.

        Raises:
            RowTooLarge: one row alone is larger than the whole budget.
        """
        while True:
            rows: list[Row] = []
            nbytes = 0
            while nbytes < FULL * self._budget.batch_bytes and (wanted := self._wanted(len(rows), nbytes)):
                if not (piece := self._next_piece(wanted)):
                    break
                nbytes += self._measure(piece)
                if rows:
                    rows += piece
                else:
                    rows = piece
                del piece  # or it would live on, beside its rows, until the next fetch is done
            if rows:
                yield rows, nbytes
                del rows
            elif self._refusal is None:
                return
            self._tell_refusal()

    def _next_piece(self, wanted: int) -> list[Row]:
        """Fetch rows; none at the end, and where the next row cannot be given."""
        try:
            return self._rows.fetch(wanted)
        except UnencodableValue as refusal:
            if self._on_refusal is None or refusal.row is None:
                raise
            self._refusal = refusal
            return []

    def _tell_refusal(self) -> None:
        refusal, self._refusal = self._refusal, None
        if refusal is not None and self._on_refusal is not None:
            self._on_refusal(refusal)

    def _wanted(self, have: int, nbytes: int) -> int:
        """Rows of the next piece: what still fits by what is known of their size, and 0 where the batch is full."""
        room = self._budget.batch_bytes - nbytes
        fitting = self._first_rows if self._row_bytes is None else max(1, int(room / self._row_bytes))
        if self._batch_size is not None:
            fitting = min(fitting, self._batch_size - have)
        return min(fitting, PIECE_ROWS)

    def _measure(self, rows: list[Row]) -> int:
        """The bytes of *rows*: small columns from samples, those that can be huge from every value."""
        sample = rows[:: -(-len(rows) // SAMPLED_ROWS)]
        nbytes = measure_deeply(sample) * len(rows) // len(sample)
        for i in self._watched:
            nbytes += _total_length(rows, i) - _total_length(sample, i) * len(rows) // len(sample)
        if nbytes > self._budget.share:
            self._check_each(rows)
        self._row_bytes = max(1.0, nbytes / len(rows))
        return nbytes

    def _check_each(self, rows: list[Row]) -> None:
        limit = self._budget.max_bytes
        for row in rows:
            if (size := measure_deeply([row])) > limit:
                raise RowTooLarge(
                    f"one row holds {format_bytes(size)}, max_bytes is {format_bytes(limit)}: raise it, or leave "
                    "out or stream its large columns"
                )


def _first_rows(columns: tuple[Column, ...], share: int) -> int:
    """Rows of the first fetch, before any is seen: by the declared widths where all of them bind."""
    if any(column.type in LOBS for column in columns):
        return FIRST_LOB_ROWS
    if any(map(_can_be_huge, columns)):
        return FIRST_ROWS
    return max(FIRST_ROWS, share // max(1, sum(VALUE_BYTES + (column.width or 0) for column in columns)))


def _can_be_huge(column: Column) -> bool:
    unbounded = column.width is None or column.width >= UNBOUNDED
    return unbounded and (column.type in TEXTS or (column.type or "").endswith("[]"))


def _total_length(rows: list[Row], column: int) -> int:
    """The length of all texts and bytes in a column; anything else counts as nothing."""
    try:
        return sum(map(len, filter(None, map(itemgetter(column), rows))))
    except TypeError:  # numbers, or a mixture: the rare and slow way
        return sum(len(row[column]) for row in rows if isinstance(row[column], str | bytes))
