"""Rows of a finished domain by key: one pass over its chunks, which lie in the order of their keys."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from mesbatch.codec.rows import Shape
from mesbatch.errors import InvalidKey, InvalidPage, NotIndexed
from mesbatch.keys.collect import Keys, collect_keys, flat
from mesbatch.keys.resume import decode_key
from mesbatch.store.account import Chunk, DomainAccount, Entry
from mesbatch.store.stored_rows import StoredRows, Values, name_of_type

ReadChunk = Callable[[Chunk], bytes]


@dataclass
class KeyIndex:
    """The last key of each chunk of one domain, in the order of the chunks. Holds about 250 bytes a chunk.

    A chunk begins where the one before it ends, so that the last keys alone tell which chunks can hold a key: those
    from the first that ends with it, or above it. Whether the last key of a chunk goes on in the next one is not taken
    from the account, which says of chunks that were joined only that no worker may drop them.
    """

    chunks: list[Chunk] = field(default_factory=list)
    last_keys: list[Any] = field(default_factory=list)

    @classmethod
    def of(cls, domain: str, journal: Iterable[Entry]) -> Self:
        """Make the index of *domain* from the *journal* of its job."""
        index = cls()
        for entry in journal:
            if entry.chunk.domain == domain:
                index.add(entry.chunk, entry.domains[domain])
        return index

    def add(self, chunk: Chunk, account: DomainAccount) -> None:
        """Add a *chunk*, after which the domain has this *account*."""
        self.chunks.append(chunk)
        self.last_keys.append(None if account.last_key is None else decode_key(account.last_key))


class KeyedRows(Iterator[tuple[Any, Values]]):
    """Pairs of key and row, in the order of keys; made by `ResultReader.rows`.

    The key is the one that was asked for, and a row a tuple of the values that are stored. A key without rows gives
    nothing. Holds one chunk. Close it, or read it to its end.

    Attributes:
        columns: The names of a row's values.

    >>> rows = KeyedRows(("lot", "step"), (pair for pair in [("a1", ("a1", "mold"))]))
    >>> [(key, dict(zip(rows.columns, row, strict=True))) for key, row in rows]
    [('a1', {'lot': 'a1', 'step': 'mold'})]
    """

    def __init__(self, columns: tuple[str, ...], rows: Generator[tuple[Any, Values]]) -> None:
        self.columns = columns
        self._rows = rows

    def __next__(self) -> tuple[Any, Values]:
        return next(self._rows)

    def close(self) -> None:
        """Stop reading; may be called twice."""
        self._rows.close()


def keyed_rows(
    domain: str,
    account: DomainAccount | None,
    shape: Shape,
    index: KeyIndex,
    keys: Iterable[Any] | Keys,
    read: ReadChunk,
    failed: Collection[str] = (),
) -> KeyedRows:
    """Give out the rows of *domain* for *keys*, sorted as the chunks are, in one pass over those that *read* gives.

    *failed* are domains of which nothing could be read.

    Raises:
        InvalidPage: there is no such domain.
        InvalidKey: a key that no row can have, or of another type than the job's.
        NotIndexed: rows of this domain cannot be looked up by key; the message says why.
    """
    if account is None:
        if domain in failed:
            raise NotIndexed(f"the rows of {domain!r} cannot be looked up by key: nothing of it could be read")
        raise InvalidPage(f"there is no domain {domain!r} in this result")
    if (reason := why_not(account)) is not None:
        raise NotIndexed(f"the rows of {domain!r} cannot be looked up by key: {reason}")
    key = account.key
    if key is None:  # no rows
        return KeyedRows(tuple(str(column["name"]) for column in account.columns), _nothing())
    collected = _collected(keys, padded=key.padded)
    if collected.key_type is not None and name_of_type(collected.key_type) != key.type:
        raise InvalidKey(f"the keys of {domain!r} are of type {key.type}, got {collected.key_type.__name__}")
    decoder = StoredRows(account.columns, key, shape)
    return KeyedRows(decoder.columns, _look_up(collected, index, decoder, read, own=collected is not keys))


def why_not(account: DomainAccount) -> str | None:
    """Say why the rows of a domain cannot be looked up by key; None where they can."""
    if account.status == "reading":
        return "it has not ended"
    if account.status != "complete":
        return f"it is {account.status}, and nobody could tell a key without rows from one that is missing"
    if account.one_statement is not None:
        return f"one statement read all keys: {account.one_statement}"
    if account.order == "any":
        return "it was read with order='any'"
    if account.key is None and account.rows:
        return "its rows do not tell their key"
    return None


def _collected(keys: Iterable[Any] | Keys, *, padded: bool) -> Keys:
    if not padded:
        return collect_keys(keys)
    if isinstance(keys, Keys):  # without their blanks they may be in another order
        keys = flat(keys) if keys.on_disk else list(flat(keys))
    return collect_keys(keys, strip_blanks=True)


def _look_up(
    keys: Keys, index: KeyIndex, decoder: StoredRows, read: ReadChunk, *, own: bool
) -> Generator[tuple[Any, Values]]:
    try:
        wanted, at = flat(keys), 0
        sought = next(wanted, None)
        while sought is not None:
            at = bisect_left(index.last_keys, sought, at)  # chunks before it end below
            if at == len(index.chunks):
                return
            chunk, last = index.chunks[at], index.last_keys[at]
            found, row_at = decoder.decode(read(chunk), f"chunk {chunk.number} of {chunk.domain!r}")
            position = 0
            while sought is not None and sought <= last:
                position = bisect_left(found, sought, position)
                while position < len(found) and found[position] == sought:
                    yield sought, row_at(position)
                    position += 1
                if sought == last:
                    break  # the next chunk may have more of it
                sought = next(wanted, None)
            at += 1
            del found, row_at
    finally:
        if own:
            keys.close()


def _nothing() -> Generator[tuple[Any, Values]]:
    return
    yield
