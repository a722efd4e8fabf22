"""Numbers of four bytes, which round what doubles and decimals tell apart."""

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


def read_real(text: str) -> float:
    """Read *text* as a number that a real column can hold.

    Raises:
        ValueError: it is none; 0.1 as a double equals no value of such a column.
    """
    if not is_exact_in_real(number := float(text)):
        raise ValueError(f"{text} is no number of type real")
    return number
