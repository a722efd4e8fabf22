"""SQLite through ADBC: its columns have the type of the first rows, and what is of another type is changed to it.

An integer among texts becomes text, a real one with 7 digits. So each row comes with one column more that tells the
storage classes of its values, a letter each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from mesbatch.arrow.forms import is_bytes, is_text
from mesbatch.batch import Column
from mesbatch.errors import SchemaChanged

ROWS = 4_096
ROW_BYTES = 2_048  # batches are counted in rows: up to this width they keep to their share
WORDS = {"i": "an integer", "r": "a real", "t": "a text", "b": "a blob", "n": "null"}
MOST_EXACT = 2**53  # integers up to here are exact in a double
_RENAMED = re.compile(r":\d+$")
_MISMATCH = "Type mismatch in column "


def options(max_bytes: int) -> dict[str, str]:
    """Give the options of a statement whose batches keep to a share of *max_bytes*."""
    return {"adbc.sqlite.query.batch_rows": str(max(1, min(ROWS, max_bytes // 3 // ROW_BYTES)))}


def names_of(read: Callable[[str], pa.Schema], sql: str) -> list[str]:
    """Ask for the names of the columns of *sql*: *read* gives the schema of a statement that it begins.

    As part of another statement, which gives no rows, SQLite renames repeated ones: only then *sql* itself is begun.
    """
    names: list[str] = read(f"SELECT * FROM (\n{sql}\n) LIMIT 0").names
    return read(sql).names if any(map(_RENAMED.search, names)) else names


def with_classes(sql: str, count: int) -> str:
    """Add to the *count* columns of *sql* the storage classes of their values, a letter each."""
    names = [f"c{number}" for number in range(count)]
    classes = " || ".join(f"substr(typeof({name}), 1, 1)" for name in names)
    return f"WITH mesbatch_rows({', '.join(names)}) AS (\n{sql}\n) SELECT *, {classes} AS classes FROM mesbatch_rows"


class ClassChecks:
    """Checks that a column's values are of the storage class that its Arrow type stands for.

    With *exact* an integer is none among reals; otherwise it is one where a double holds it.
    """

    def __init__(self, columns: Sequence[Column], *, exact: bool) -> None:
        self._columns, self._exact = columns, exact
        self._rows = 0

    def explained(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Give *batches*; the driver's word that a later one has a value of another class becomes an error of ours."""
        try:
            yield from batches
        except OSError as error:
            number, _, rest = str(error).partition(_MISMATCH)[2].partition(":")
            if not number.isdigit() or int(number) >= len(self._columns):
                raise
            column = self._columns[int(number)]
            raise SchemaChanged(
                f"column {column.name!r}, after row {self._rows:,}: the first rows have another type than a later one "
                f"({rest.strip()}); {_WAY_OUT}"
            ) from error

    def check(self, batch: pa.RecordBatch) -> list[pa.Array]:
        """Give the columns of *batch* without the classes.

        Raises:
            SchemaChanged: a value is of another class than its column.
        """
        arrays: list[pa.Array]
        *arrays, classes = batch.columns
        for pattern in pc.unique(classes).to_pylist():
            for place, letter in enumerate(pattern):
                if letter != "n" and letter not in self._letters(arrays[place]):
                    self._refuse(place, letter, arrays[place], classes.to_pylist())
        self._rows += batch.num_rows
        return arrays

    def _letters(self, array: pa.Array) -> str:
        if is_text(array.type):
            return "t"
        if is_bytes(array.type):
            return "b"
        if pa.types.is_integer(array.type):
            return "i"
        largest = pc.max(pc.abs(array)).as_py() or 0
        return "r" if self._exact or largest > MOST_EXACT else "ri"

    def _refuse(self, place: int, letter: str, array: pa.Array, classes: list[str]) -> None:
        row = self._rows + next(number for number, of_row in enumerate(classes, 1) if of_row[place] == letter)
        raise SchemaChanged(
            f"column {self._columns[place].name!r} of row {row:,}: {WORDS[letter]} among values that make the column "
            f"{array.type}; {_WAY_OUT}"
        )


_WAY_OUT = "ADBC would change it: read the database by its URL or by sqlite3"
