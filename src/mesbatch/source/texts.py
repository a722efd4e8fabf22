"""Text of a database that may be no valid UTF-8: taken, replaced or refused, by what the caller wants."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from mesbatch.batch import Column, Row
from mesbatch.errors import UnencodableValue
from mesbatch.source.refusal import refuse
from mesbatch.source.session import OnInvalidText


class RawText(bytes):
    """The bytes of a text, which a blob has, too."""

    __slots__ = ()


def decode_text(data: bytes, on_invalid_text: OnInvalidText) -> str:
    """Decode *data*; where it is no UTF-8, as *on_invalid_text* says.

    Raises:
        UnicodeDecodeError: that is ``raise``.

    >>> decode_text(b"caf\\xe9", "replace"), decode_text(b"caf\\xe9", "base64"), decode_text(b"cafe", "base64")
    ('caf\\ufffd', 'Y2Fm6Q==', 'cafe')
    """
    try:
        return data.decode()
    except UnicodeDecodeError:
        match on_invalid_text:
            case "replace":
                return data.decode(errors="replace")
            case "base64":
                return base64.b64encode(data).decode()
        raise


def decode_row(raw: Row, columns: Sequence[Column], number: int, on_invalid_text: OnInvalidText) -> Row:
    """Decode the texts of *raw*, which are `RawText`; it is the *number*-th row.

    Raises:
        UnencodableValue: a text is no UTF-8, and is neither to be replaced nor written in base64.
    """
    values: list[Any] = []
    refused: UnencodableValue | None = None
    for column, value in zip(columns, raw):
        try:
            values.append(decode_text(value, on_invalid_text) if type(value) is RawText else value)
        except UnicodeDecodeError as error:
            values.append(bytes(value))
            refused = refused or refuse(column, number, value, error)
    if refused is not None:
        refused.row, refused.goes_on = tuple(values), True
        raise refused
    return tuple(values)
