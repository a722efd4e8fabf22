"""A file of keys, one a line, as editors on any system write it; each key of the type of its column."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any

from mesbatch.errors import InvalidKey
from mesbatch.keys.examine import examine
from mesbatch.source.connect import find_source
from mesbatch.source.session import Params
from mesbatch.sql.keyed import KeyedStatement
from mesbatch.sql.query import check_reads


def read_keys(path: str | PathLike[str], make: Callable[[str], Any] = str) -> Iterator[Any]:
    """Read the keys of a UTF-8 file, each through *make*; holds one line.

    Blank lines, blanks around a key, a byte order mark and Windows line ends are not part of a key.

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
    except (ValueError, ArithmeticError) as error:
        if isinstance(error, InvalidKey):
            raise
        raise InvalidKey(f"{path}, line {number:,}: {error}") from error


class KeysFile:
    """The keys of a file as a collection: read again as often as it is asked for, as `read_keys` does.

    Keys of any type can be collected from it, those too that are only sorted in memory.
    """

    def __init__(self, path: str | PathLike[str], make: Callable[[str], Any] = str) -> None:
        self._path, self._make = path, make

    def __iter__(self) -> Iterator[Any]:
        return read_keys(self._path, self._make)

    def __len__(self) -> int:
        return sum(1 for _ in read_keys(self._path))


def key_maker(sql: str, con: Any, params: Params, key: str | None) -> Callable[[str], Any]:
    """Find the function that makes of a line a key of the type that the database describes; str where it is text."""
    session = find_source(con).open()
    try:
        text = check_reads(sql)
        statement = KeyedStatement.parse(text, params, session.driver.paramstyle)
        examined = examine(session, statement, key, splittable=True)
        return session.driver.keys.parser(examined.query) or str
    finally:
        session.close()
