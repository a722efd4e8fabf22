"""The value of a result of libpq that psycopg cannot load, named by its column and row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.pq import Format

from mesbatch.batch import Column, Row
from mesbatch.errors import UnencodableValue
from mesbatch.source.refusal import refuse


def is_of_loading(error: Exception) -> bool:
    """Tell if *error* is a loader's, rather than the server's or the connection's."""
    if isinstance(error, psycopg.DataError):
        return error.sqlstate is None
    return not isinstance(error, psycopg.Error)


def load_until_refused(transformer: Any, start: int, stop: int) -> list[Row]:
    """Load the rows of a result from *start* until *stop*, or until the first that cannot be loaded."""
    rows: list[Row] = []
    for number in range(start, stop):
        try:
            rows += transformer.load_rows(number, number + 1, tuple)
        except Exception as error:
            if not is_of_loading(error):
                raise
            break
    return rows


def refusal_of(transformer: Any, position: int, columns: Sequence[Column], row: int) -> UnencodableValue:
    """Name the first value that cannot be loaded of the result's row *position*, the *row*-th of all."""
    result = transformer.pgresult
    values: list[Any] = []
    refused: UnencodableValue | None = None
    for number, column in enumerate(columns):
        data = result.get_value(position, number)
        try:
            values.append(
                None if data is None else transformer.get_loader(result.ftype(number), Format.TEXT).load(data)
            )
        except Exception as error:  # noqa: BLE001  # a loader may raise anything
            values.append(data)
            refused = refused or refuse(column, row, data, error)
    if refused is None:
        raise RuntimeError(f"row {row:,} could not be loaded, and each of its values can")
    refused.row, refused.goes_on = tuple(values), True
    return refused
