"""Numbers of four and eight bytes, which round what decimals and long whole numbers tell apart."""

from __future__ import annotations

import struct
from typing import Any


def is_exact_in_real(number: Any) -> bool:
    """Tell whether a real column can hold *number* itself.

    >>> is_exact_in_real(0.5), is_exact_in_real(0.1)
    (True, False)
    """
    try:
        return bool(struct.unpack("f", struct.pack("f", number))[0] == number)
    except OverflowError:
        return False


def is_exact_in_double(number: Any) -> bool:
    """Tell whether a column of double precision can hold *number* itself.

    >>> is_exact_in_double(2**53), is_exact_in_double(2**53 + 1)
    (True, False)
    """
    try:
        return bool(float(number) == number)
    except OverflowError:
        return False


def read_real(text: str) -> float:
    """Read *text* as a number that a real column can hold.

    Raises:
        ValueError: it is none; 0.1 as a double equals no value of such a column.
    """
    if not is_exact_in_real(number := float(text)):
        raise ValueError(f"{text} is no number of type real")
    return number
