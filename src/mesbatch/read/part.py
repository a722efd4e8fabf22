"""Reading the keys of one part, once each, however often the connection fails."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

from mesbatch.batch import Column, Row, find_column
from mesbatch.errors import (
    InvalidText,
    KeyColumnError,
    KeyMismatch,
    ReadInterrupted,
    RowTooLarge,
    SchemaChanged,
    UnencodableValue,
)
from mesbatch.events import KeyRefused, PartFailed, PartRead, PartRetried
from mesbatch.keys.resume import ResumePoint
from mesbatch.keys.strategy import Part, Strategy
from mesbatch.keys.walk import KeyWalk
from mesbatch.read.columnar import ArrowFetcher, is_columnar
from mesbatch.read.fetch import Budget, Fetcher, OnRefusal
from mesbatch.read.lane import Lane
from mesbatch.read.whole_keys import WholeKeys
from mesbatch.source.key_forms import KeyedQuery
from mesbatch.source.session import Rows, Session

PAUSES = (0.4, 4.0)  # seconds at most before the second and the third try; at least half, so that readers spread out

OnFailure = Literal["raise", "partial"]


class Fetched(NamedTuple):
    """Rows on their way to the consumer, and the bytes that they hold in memory, estimated."""

    rows: Any  # a list of tuples, or a record batch where the read is columnar
    nbytes: int


Cut = Callable[[Rows], WholeKeys]
Item = Fetched | PartRead | PartRetried | PartFailed


@dataclass(frozen=True)
class StatementReader:
    """The common part of all statements of a read: fetching, cutting and converting.

    *converters* make the values of a SQLAlchemy statement's types; *on_rows* hears of each statement before its rows
    are fetched.
    """

    budget: Budget
    batch_size: int | None
    converters: Callable[[tuple[Column, ...]], Sequence[Callable[[Any], Any] | None] | None] | None
    on_rows: Callable[[Rows], None]

    def fetch(
        self,
        session: Session,
        start: Callable[[Session], Rows],
        cut: Cut | None = None,
        on_refusal: OnRefusal | None = None,
    ) -> Generator[Fetched]:
        """Run a statement and give out its rows, through *cut* where its keys are to be whole.

        *on_refusal* hears of rows that cannot be given; without it they raise.
        """
        session.share = lambda: self.budget.share
        with closing(start(session)) as rows:
            self.on_rows(rows)
            fetcher = self._fetcher(rows, on_refusal, bounded=session.driver.bounded_values)
            whole = cut(rows) if cut is not None else None
            converters = self.converters(rows.columns) if self.converters is not None else None
            due = 0  # bytes that were fetched and not given out
            for fetched, nbytes in fetcher.batches():
                due += nbytes
                if ready := fetched if whole is None else whole.cut(fetched, nbytes):
                    held = 0 if whole is None else whole.held_bytes
                    yield Fetched(_converted(ready, converters), due - held)
                    due = held
                del fetched, ready
            if whole is not None and (ready := whole.rest()):
                yield Fetched(_converted(ready, converters), due)

    def _fetcher(self, rows: Rows, on_refusal: OnRefusal | None, *, bounded: bool) -> Fetcher | ArrowFetcher:
        if is_columnar(rows):
            return ArrowFetcher(rows, self.budget, self.batch_size)
        return Fetcher(rows, self.budget, self.batch_size, bounded=bounded, on_refusal=on_refusal)


def _whole_keys(rows: Rows) -> type[WholeKeys]:
    if not is_columnar(rows):
        return WholeKeys
    from mesbatch.read.whole_arrow_keys import WholeArrowKeys

    return WholeArrowKeys


def _converted(rows: list[Row], converters: Sequence[Callable[[Any], Any] | None] | None) -> list[Row]:
    if converters is None:
        return rows
    return [tuple(convert(value) if convert else value for convert, value in zip(converters, row)) for row in rows]


@dataclass(frozen=True)
class PartReader:
    """Reads the parts of a keyed read; *padded* says that the key's column pads its values with blanks."""

    statements: StatementReader
    strategy: Strategy
    query: KeyedQuery
    padded: bool
    on_failure: OnFailure

    def read(self, lane: Lane, part: Part) -> Generator[Item]:
        """The rows of *part*, whole keys at a time, and then what became of it.

        After a failure of the connection the keys that were not yet given out are read on another one: three tries in
        all.

        Raises:
            ReadInterrupted: the failure came in the middle of a key that was too large to hold back, or of rows in no
                order of keys; they cannot be read again without doubling some.
        """
        rest, refused = part, dict[Any, UnencodableValue]()
        for attempt in range(1, len(PAUSES) + 2):
            progress = _Progress(refused)
            try:
                yield from self._read_once(lane.session(), rest, progress)
                rest = rest.after(ResumePoint(rest.last))
            except Exception as error:  # noqa: BLE001 - raised again, or kept in the manifest
                lane.spend()
                rest = progress.not_given_out(rest, error)
                if isinstance(error, InvalidText) and self.on_failure == "partial" and not lane.careful:
                    lane.careful = True  # the driver then looks at each text, and goes on
                    continue
                if rest.count and (attempt > len(PAUSES) or not lane.is_transient(error)):
                    before = {key: refusal for key, refusal in refused.items() if key < rest.first}
                    yield from _refusals(before)
                    yield self._give_up(rest, lane.translated(error), part.count - rest.count - len(before))
                    return
                failure = error
            if not rest.count:
                yield from _refusals(refused)
                yield PartRead(part.first, part.last, part.count - len(refused))
                return
            yield PartRetried(rest.first, rest.last, attempt, failure)
            from random import uniform  # only a failure needs it

            if lane.stopped.wait(PAUSES[attempt - 1] * uniform(0.5, 1.0)):
                return

    def _read_once(self, session: Session, part: Part, progress: _Progress) -> Generator[Fetched]:
        def start(session: Session) -> Rows:
            return self.strategy.start(session, self.query, part, self.statements.budget.max_bytes)

        def cut(rows: Rows) -> WholeKeys:
            walk = KeyWalk(part.lists(), type(part.first), padded=self.padded)
            share = self.statements.budget.share
            index = self._key_index(rows.columns)
            progress.keys = _whole_keys(rows)(index, share, walk, type(part.first), padded=self.padded)
            return progress.keys

        on_refusal = partial(progress.refuse, go_on=self.on_failure == "partial")
        for fetched in self.statements.fetch(session, start, cut if self.query.is_checked else None, on_refusal):
            progress.given_out = True
            yield fetched
            del fetched

    def _key_index(self, columns: tuple[Column, ...]) -> int:
        if self.query.position:
            return self.query.position - 1
        return find_column([column.name for column in columns], self.query.key.name if self.query.key else "")

    def _give_up(self, part: Part, error: Exception, keys_read: int) -> PartFailed:
        if self.on_failure == "partial" and not isinstance(
            error, RowTooLarge | KeyMismatch | KeyColumnError | SchemaChanged
        ):
            return PartFailed(part.first, part.last, part.count, error, keys_read)
        error.add_note(f"while reading keys {part.first!r} to {part.last!r} ({part.count:,} keys)")
        raise error


def _refusals(refused: dict[Any, UnencodableValue]) -> Iterator[KeyRefused]:
    return (KeyRefused(key, key, 1, refusal) for key, refusal in refused.items())


@dataclass
class _Progress:
    """The progress of one try of a part; *keys* is None where its rows come in no order of keys.

    *refused* are the keys of the part, in all tries, of which a row cannot be given.
    """

    refused: dict[Any, UnencodableValue]
    keys: WholeKeys | None = None
    given_out: bool = False

    def refuse(self, refusal: UnencodableValue, *, go_on: bool) -> None:
        """Leave out the key of a row that cannot be given, or raise *refusal* with that key unless it may *go_on*.

        Where rows come in no order of keys, others of the key may be out: it raises then, too.
        """
        if self.keys is None or refusal.row is None:
            raise refusal
        key = self.keys.key_of(refusal.row)
        if not (go_on and refusal.goes_on):
            raise type(refusal)(f"{refusal} (its key is {key!r})") from refusal
        self.keys.refuse(refusal.row)
        self.refused[key] = refusal

    def not_given_out(self, part: Part, error: Exception) -> Part:
        """The keys of *part* that may be read again."""
        if self.keys is not None and self.keys.open_key is not None:
            words = f"key {self.keys.open_key!r} was delivered in part when the read failed"
            raise ReadInterrupted(f"{words}: {error}").hidden(words) from error
        if self.keys is None and self.given_out:
            words = "rows in no order of keys were delivered when the read failed"
            raise ReadInterrupted(f"{words}: {error}").hidden(words) from error
        return part if self.keys is None or self.keys.resume is None else part.after(self.keys.resume)
