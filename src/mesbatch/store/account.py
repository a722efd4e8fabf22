"""The account of a result: its chunks, its domains after each of them, and the manifest that comes last."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from mesbatch.codec.rows import Shape
from mesbatch.keys.choose import Order
from mesbatch.keys.resume import EncodedKey
from mesbatch.manifest import Status

Resume = Literal["keyset", "restart"]


class Chunk(msgspec.Struct, frozen=True, array_like=True):
    """One stored JSON array of rows: its place, and the size and checksum of its bytes.

    *position* counts the chunks of a job in the order of their publication, *number* those of its domain, both from 0;
    *size* is bytes; *crc* is the CRC-32 of them; *token* is that of the lease under which it was published.
    *overflow* says that it lies in the second store.
    """

    position: int
    domain: str
    number: int
    rows: int
    size: int
    crc: int
    token: int = 0
    overflow: bool = False


class KeyColumn(msgspec.Struct, frozen=True):
    """The column of a domain that holds the key: its position, the type of the keys that were asked for, as the name of
    a class of Python, and whether the database gives its values padded with blanks."""

    position: int
    type: str
    padded: bool = False


class DomainAccount(msgspec.Struct, frozen=True):
    """The account of one domain so far.

    *columns* are those of `RowEncoder.columns`. *checksum* is that of all rows so far, joined by commas. *last_key* is
    the key of the last row, as it was asked for; with *ends_key* all its rows are there. *one_statement* is the reason
    why one statement read all keys: where its rows end, nobody could go on. *key* is the column by whose keys the rows
    are ordered, None where they are not; *order* is the one that was asked for.

    *resume* says how a worker goes on with a domain that was read without keys: ``keyset`` is after *point*, the values
    of the keyset in the last row; ``restart`` is from the beginning.
    """

    columns: list[dict[str, Any]]
    chunks: int = 0
    rows: int = 0
    checksum: str = "00000000"
    last_key: EncodedKey | None = None
    ends_key: bool = True
    status: Status = "reading"
    one_statement: str | None = None
    key: KeyColumn | None = None
    order: Order = "key"
    resume: Resume | None = None
    point: list[EncodedKey] | None = None


class Entry(msgspec.Struct, frozen=True):
    """An entry of the journal: a *chunk* that was published, and every domain that had begun by then."""

    chunk: Chunk
    domains: dict[str, DomainAccount]

    @property
    def ends_keys(self) -> bool:
        """True if a retry finds here all that it must know.

        No domain stops in the middle of a key; or it can never go on, and the retry must not read it again.
        """
        return all(domain.ends_key or domain.one_statement is not None for domain in self.domains.values())


class MissingKeys(msgspec.Struct, frozen=True):
    """A range of keys whose rows are not in the result."""

    domain: str
    first: EncodedKey | None
    last: EncodedKey | None
    count: int


class ResultManifest(msgspec.Struct, frozen=True):
    """The whole account of a result, published after everything else: without it there is no result.

    *chunks* are in the order of their publication. *aggregation* is the CRC-32 of the aggregation, if there is one.
    """

    domains: dict[str, DomainAccount]
    chunks: list[Chunk]
    failed_domains: list[str]
    missing_keys: list[MissingKeys]
    profile: str = ""
    shape: Shape = "objects"
    elapsed_seconds: float = 0.0
    aggregation: int | None = None

    @property
    def total_records(self) -> int:
        return sum(domain.rows for domain in self.domains.values())
