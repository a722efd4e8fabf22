"""A file of keys, one a line, as editors on any system write it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any

from mesbatch.errors import InvalidKey


def read_keys(path: str | PathLike[str], make: Callable[[str], Any] = str) -> Iterator[Any]:
    """The keys in a UTF-8 file, each through *make*; holds one line.

    Blank lines, blanks around a key, a byte order mark and Windows line ends are no part of a key.

    Raises (while reading):
        InvalidKey: a line is no UTF-8, or *make* refuses it; the message names the line.
    """
    number = 0
    try:
        with Path(path).open(encoding="utf-8-sig") as file:
            for line in file:
                number += 1
                if key := line.strip():
                    yield make(key)
    except UnicodeDecodeError as error:
        raise InvalidKey(f"{path}: near line {number + 1:,} is no UTF-8: {error}") from error
    except ValueError as error:
        if isinstance(error, InvalidKey):
            raise
        raise InvalidKey(f"{path}, line {number:,}: {error}") from error
