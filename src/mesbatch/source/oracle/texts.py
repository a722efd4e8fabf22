"""Oracle's texts that are no UTF-8: the driver fails on them without a word of column or row."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mesbatch.batch import Row
from mesbatch.errors import MesbatchError, UnencodableValue
from mesbatch.source.session import Rows
from mesbatch.source.texts import RawText, decode_row

ESCAPE = "surrogateescape"  # half a surrogate pair for each byte that is no UTF-8
FETCH_ROWS = 500

Find = Callable[[Exception], UnencodableValue | None]


def in_base64(text: str | None) -> str | None:
    """Give *text*, or its bytes in base64 where some of them are escaped.

    >>> in_base64("caf\\udce9"), in_base64("cafe")
    ('Y2Fm6Q==', 'cafe')
    """
    if text is None or _is_valid(text):
        return text
    return base64.b64encode(text.encode(errors=ESCAPE)).decode()


class CheckedTexts:
    """*rows* whose texts came escaped; one that is no UTF-8 is refused, and reading goes on after its row."""

    def __init__(self, rows: Rows) -> None:
        self.columns, self.close = rows.columns, rows.close
        self._rows = rows
        self._waiting: list[Row] = []
        self._taken = 0

    def fetch(self, size: int) -> list[Row]:
        """Take at most *size* rows.

        Raises:
            UnencodableValue: the text of the next row is no UTF-8.
        """
        fetched, self._waiting = self._waiting or self._rows.fetch(size), []
        for position, row in enumerate(fetched):
            if not all(_is_valid(value) for value in row if type(value) is str):
                self._waiting = fetched[position:] if position else fetched[1:]
                if position:
                    return self._count(fetched[:position])
                self._taken += 1
                return [decode_row(tuple(map(_raw, row)), self.columns, self._taken, "raise")]
        return self._count(fetched)

    def _count(self, rows: list[Row]) -> list[Row]:
        self._taken += len(rows)
        return rows


class NamedFailures:
    """*rows* of a driver that fails on a value without naming it: *find* reads them once more until that value."""

    def __init__(self, rows: Rows, find: Find) -> None:
        self.columns, self.close = rows.columns, rows.close
        self._rows, self._find = rows, find

    def fetch(self, size: int) -> list[Row]:
        """Take at most *size* rows.

        Raises:
            UnencodableValue: the driver failed on a value.
        """
        with naming(self._find):
            return self._rows.fetch(size)


@contextmanager
def naming(find: Find) -> Iterator[None]:
    """Raise what *find* finds for a value that the driver fails on."""
    try:
        yield
    except ValueError as error:  # UnicodeDecodeError is one
        refusal = None if isinstance(error, MesbatchError) else find(error)
        if refusal is None:
            raise
        raise refusal from error


def find_refusal(rows: Rows) -> UnencodableValue | None:
    """Read *rows* up to the first that is refused."""
    try:
        for _ in _until_the_end(rows):
            pass
    except UnencodableValue as refusal:
        refusal.goes_on = False  # these rows are a second reading of the statement
        return refusal
    finally:
        rows.close()
    return None


def _until_the_end(rows: Rows) -> Iterator[list[Row]]:
    while some := rows.fetch(FETCH_ROWS):
        yield some


def _is_valid(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _raw(value: Any) -> Any:
    return RawText(value.encode(errors=ESCAPE)) if type(value) is str else value
