"""The keys of a read: checked, distinct, ascending, and in memory only where they are few."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import suppress
from copy import copy
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from json import dumps
from operator import eq, lt
from typing import Any
from uuid import UUID

from mesbatch.errors import InvalidKey
from mesbatch.keys.moments import at_fixed_offset

MAX_KEY_LENGTH = 4_000  # characters or bytes: the longest VARCHAR2 that Oracle indexes, and beyond PostgreSQL's 2,704
SORTED_IN_MEMORY = 250_000  # keys: references to them take 2 MiB, as SQLite's cache does for any number of them
CHECKED_AT_ONCE = 10_000  # keys whose joined text is looked at in one go, at C speed: 0.2 MB of lot ids
TEXT_AT_ONCE = 500_000  # characters that SQLite takes as one JSON text, in a fifth of the time of so many rows
SCALARS = (str, int, bytes, float, Decimal, datetime, date, UUID)


def collect_keys(keys: Iterable[Any] | Keys, *, strip_blanks: bool = False) -> Keys:
    """Check *keys* and make them distinct and ascending.

    Keys that are collected already are given back as they are. A list, set or other sized collection of up to
    `SORTED_IN_MEMORY` keys is sorted into one new list (8 bytes a key: the keys themselves are shared). More keys, and
    those of any other iterable, are read once, `CHECKED_AT_ONCE` at a time, into a private temporary SQLite database,
    of which 2 MiB are in memory however many keys there are; it has no name in the file system and goes with its
    connection. Keys that SQLite does not keep or order as Python does (Decimal, datetime, an int of more than 64 bits)
    are always sorted in memory. *strip_blanks* takes trailing blanks off, for CHAR columns, which pay no heed to them.

    Raises:
        InvalidKey: a key is None, blank, too long, of another type than the others, or holds a NUL or half a surrogate
        pair; or it comes from an iterator and would have to be sorted in memory.

    >>> list(collect_keys(["b", "a", "b"]).slices(lambda: 10))
    [['a', 'b']]
    """
    if isinstance(keys, str | bytes):
        raise InvalidKey(f"keys must be a collection of keys, got one {type(keys).__name__}: {keys[:20]!r}")
    if isinstance(keys, Keys):
        return keys
    if isinstance(keys, Sized) and len(keys) <= SORTED_IN_MEMORY:
        return SortedKeys(_checked(keys, strip_blanks))
    try:
        return SpooledKeys(_checked(keys, strip_blanks))
    except _CannotSpool as error:
        if not isinstance(keys, Sized):
            raise InvalidKey(f"{error}: pass them as a list") from error.__cause__
    return SortedKeys(_checked(keys, strip_blanks))


class _CannotSpool(Exception):
    """SQLite cannot keep such keys, or would put them in another order than Python does."""


class SortedKeys:
    """Keys of a collection that the caller holds: one sorted list of references to them.

    *after* is the key above which they were taken from a longer list.
    """

    on_disk = False

    def __init__(self, checked: Iterable[list[Any]], after: Any = None) -> None:
        self.after = after
        ordered = [key for some in checked for key in some]
        ordered.sort()
        if any(map(eq, ordered, islice(ordered, 1, None))):
            ordered = [key for i, key in enumerate(ordered) if not i or key != ordered[i - 1]]
        self._keys = ordered
        self.key_type: type | None = type(ordered[0]) if ordered else None

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: Any) -> bool:
        return self.find(key) is not None

    def slices(self, size: Callable[[], int]) -> Iterator[list[Any]]:
        """Lists of at most ``size()`` keys, asked anew for each."""
        start = 0
        while some := self._keys[start : start + size()]:
            yield some
            start += len(some)

    def above(self, key: Any) -> SortedKeys:
        """Only the keys above *key*."""
        return SortedKeys([self._keys[bisect_right(self._keys, key) :]], key)

    def first(self) -> Any:
        """The lowest key."""
        return self._keys[0]

    def last(self) -> Any:
        """The highest key."""
        return self._keys[-1]

    def find(self, key: Any) -> Any:
        """The key that equals *key*, as it was asked for; None where there is none."""
        at = bisect_left(self._keys, key)
        return self._keys[at] if at < len(self._keys) and self._keys[at] == key else None

    def close(self) -> None:
        self._keys = []


# The cache is half of SQLite's usual 2 MB: keys are written and read in order.
BEGIN_SPOOL = (
    "PRAGMA journal_mode=OFF",
    "PRAGMA synchronous=OFF",
    "PRAGMA cache_size=-1000",
    "CREATE TABLE arrived (key)",
    "CREATE TABLE keys (key PRIMARY KEY) WITHOUT ROWID",
    "BEGIN",
)


class SpooledKeys:
    """Keys of an iterator or of a long list, sorted and made distinct on disk."""

    on_disk = True

    def __init__(self, checked: Iterable[list[Any]]) -> None:
        import sqlite3  # only keys on disk need it

        # An empty name is a temporary database that SQLite spills to an unlinked file; threads take turns with it.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self.key_type: type | None = None
        self.after: Any = None  # the key above which they are taken
        self._after: Any = None  # as it is stored
        try:
            for begin in BEGIN_SPOOL:
                self._database.execute(begin)
            self._knows_json = _knows_json(self._database)
            last = None
            for some in checked:
                self.key_type = type(some[0])
                # Keys that ascend, as those of a job that were stored, are neither sorted nor written twice.
                ascend = (last is None or last < some[0]) and all(map(lt, some, islice(some, 1, None)))
                last = some[-1] if ascend else last
                self._insert("keys" if ascend else "arrived", some)
            # Equal keys follow each other, and the first stays: DISTINCT costs 0.5 us a key more.
            self._database.execute("INSERT OR IGNORE INTO keys SELECT key FROM arrived ORDER BY key")
            self._database.execute("DROP TABLE arrived")
            self._database.execute("COMMIT")
        except OverflowError as error:
            self._database.close()
            raise _CannotSpool("int keys from an iterator must fit into 64 bits") from error
        except BaseException:
            self._database.close()
            raise

    def _insert(self, table: str, some: list[Any]) -> None:
        if type(some[0]) is str and self._knows_json and sum(map(len, some)) <= TEXT_AT_ONCE:
            text = dumps(some, ensure_ascii=False)
            self._database.execute(f"INSERT INTO {table} SELECT value FROM json_each(?)", (text,))
        else:
            write = _to_stored(type(some[0]))
            self._database.executemany(f"INSERT INTO {table} VALUES (?)", zip(map(write, some)))

    def __len__(self) -> int:
        return int(self._select("count(*)", self._after)[0])

    def __contains__(self, key: Any) -> bool:
        return self.find(key) is not None

    def find(self, key: Any) -> Any:
        if self.key_type is None:
            return None
        if isinstance(key, Decimal) and issubclass(self.key_type, int | float):
            key = self.key_type(key) if key == key.to_integral_value() or self.key_type is float else None
        stored = None if key is None else _to_stored(self.key_type)(key)
        found = self._database.execute(
            "SELECT key FROM keys WHERE key = ?1 AND (?2 IS NULL OR key > ?2)", (stored, self._after)
        ).fetchone()
        return None if found is None else _from_stored(self.key_type)(found[0])

    def slices(self, size: Callable[[], int]) -> Iterator[list[Any]]:
        if self.key_type is None:
            return
        read, last = _from_stored(self.key_type), self._after
        while some := self._select("key", last, "ORDER BY key LIMIT ?", size()):
            last = some[-1]
            yield some if read is _itself else list(map(read, some))

    def above(self, key: Any) -> SpooledKeys:
        """Only the keys above *key*, as long as these are not closed."""
        assert self.key_type is not None
        rest = copy(self)
        rest.after, rest._after = key, _to_stored(self.key_type)(key)
        return rest

    def first(self) -> Any:
        return self._end("min(key)")

    def last(self) -> Any:
        return self._end("max(key)")

    def _end(self, what: str) -> Any:
        assert self.key_type is not None
        return _from_stored(self.key_type)(self._select(what, self._after)[0])

    def _select(self, what: str, after: Any, order: str = "", *values: int) -> list[Any]:
        condition, bound = ("", ()) if after is None else ("WHERE key > ?", (after,))
        return [
            value
            for (value,) in self._database.execute(f"SELECT {what} FROM keys {condition} {order}", (*bound, *values))
        ]

    def close(self) -> None:
        self._database.close()


Keys = (
    SortedKeys | SpooledKeys
)  # distinct keys in ascending order (text by code point), to be read from any point, again


def flat(keys: Keys) -> Iterator[Any]:
    """Give out *keys* one by one."""
    for some in keys.slices(lambda: CHECKED_AT_ONCE):
        yield from some


def _checked(keys: Iterable[Any], strip_blanks: bool) -> Iterator[list[Any]]:
    """Lists of keys that are all of one type and all possible; *position* counts from the first key of all."""
    iterator, position, key_type = iter(keys), 0, None
    while some := list(islice(iterator, CHECKED_AT_ONCE)):
        types = {None if key is None else type(key) for key in some} if None in some else set(map(type, some))
        key_type = key_type or type(some[0])
        if types != {key_type} or not issubclass(key_type, SCALARS) or key_type is bool:
            _raise_for_type(some, position, key_type)
        if issubclass(key_type, str) and not _is_text(some):
            _raise_for_text(some, position)
        if issubclass(key_type, bytes) and max(map(len, some)) > MAX_KEY_LENGTH:
            _raise_for_text(some, position)
        if key_type in (float, Decimal) and any(key != key for key in some):
            raise InvalidKey(
                f"key {position:,} or one of the next {len(some):,} is not a number (NaN): no row can have it"
            )
        if issubclass(key_type, datetime):
            some = list(map(at_fixed_offset, some))
        yield [key.rstrip(" ") for key in some] if strip_blanks and issubclass(key_type, str) else some
        position += len(some)


def _is_text(some: list[str]) -> bool:
    joined = "".join(some)
    try:
        joined.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in joined and all(map(str.strip, some)) and max(map(len, some)) <= MAX_KEY_LENGTH


def _raise_for_type(some: list[Any], position: int, expected: type) -> None:
    for i, key in enumerate(some, position):
        if key is None:
            raise InvalidKey(f"key {i:,} is None: no row has it, since NULL equals nothing")
        if type(key) is bool or not isinstance(key, SCALARS):
            names = ", ".join(scalar.__name__ for scalar in SCALARS)
            raise InvalidKey(f"key {i:,} is a {type(key).__name__}; a key is one of {names}")
        if type(key) is not expected:
            raise InvalidKey(
                f"key {i:,} is a {type(key).__name__}, the keys before it are {expected.__name__}: {key!r:.40}"
            )


def _raise_for_text(some: list[Any], position: int) -> None:
    for i, key in enumerate(some, position):
        if len(key) > MAX_KEY_LENGTH:
            raise InvalidKey(f"key {i:,} has {len(key):,} characters, the limit is {MAX_KEY_LENGTH:,}")
        if not key.strip():
            raise InvalidKey(f"key {i:,} is blank: {key!r}")
        if "\0" in key:
            raise InvalidKey(f"key {i:,} holds a NUL character: {key!r:.40}")
        try:
            key.encode()
        except UnicodeEncodeError:
            raise InvalidKey(f"key {i:,} holds half a surrogate pair, which is no text: {key!r:.40}") from None


def _knows_json(database: Any) -> bool:
    """Return whether SQLite reads JSON, which before 3.38 was left to those who built it."""
    with suppress(database.OperationalError):
        database.execute("SELECT value FROM json_each('[]')")
        return True
    return False


def _to_stored(key_type: type) -> Callable[[Any], Any]:
    """The conversion of keys into values that SQLite orders as Python orders the keys."""
    if issubclass(key_type, str | int | bytes | float):
        return _itself
    if key_type is date:
        return date.isoformat
    if key_type is UUID:
        return lambda key: key.bytes
    raise _CannotSpool(f"keys of type {key_type.__name__} cannot come from an iterator")


def _from_stored(key_type: type) -> Callable[[Any], Any]:
    if key_type is date:
        return date.fromisoformat
    return (lambda stored: UUID(bytes=stored)) if key_type is UUID else _itself


def _itself(key: Any) -> Any:
    return key
