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

    Attributes:
        position: Its place among the chunks of a job, in the order of their publication, from 0.
        domain: The name of its domain.
        number: Its place among the chunks of its domain, from 0.
        rows: The number of its rows.
        size: Bytes.
        crc: CRC-32 of the bytes.
        token: The token of the lease under which it was published.
        overflow: True where it lies in the second store.

    >>> Chunk(position=0, domain="holds", number=0, rows=2, size=19, crc=0x5F0E2C1B).rows
    2
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

    Attributes:
        columns: The columns as `RowEncoder.columns` gives them.
        chunks: The number of chunks.
        rows: The number of rows.
        checksum: CRC-32 of all rows so far, joined by commas, as eight hexadecimal digits.
        last_key: The key of the last row, as it was asked for.
        ends_key: True where all rows of that key are there.
        status: The status of the read, as in `Manifest`.
        one_statement: The reason why one statement read all keys: where its rows end, nobody could go on.
        key: The column by whose keys the rows are ordered; None where they are not.
        order: The order that was asked for.
        resume: The way on for a domain that was read without keys: ``keyset`` is after *point*, ``restart`` is from the
            beginning.
        point: The values of the keyset in the last row.

    >>> DomainAccount([{"name": "ID"}], chunks=1, rows=2, status="complete").checksum
    '00000000'
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
    """An entry of the journal.

    Attributes:
        chunk: The chunk that was published.
        domains: The account of every domain that had begun by then.

    >>> entry = Entry(Chunk(0, "holds", 0, rows=2, size=19, crc=0), {"holds": DomainAccount([{"name": "ID"}], rows=2)})
    >>> entry.domains[entry.chunk.domain].rows
    2
    """

    chunk: Chunk
    domains: dict[str, DomainAccount]

    @property
    def ends_keys(self) -> bool:
        """True if a retry finds here all that it must know.

        No domain stops in the middle of a key; or it can never go on, and the retry must not read it again.
        """
        return all(domain.ends_key or domain.one_statement is not None for domain in self.domains.values())


class MissingKeys(msgspec.Struct, frozen=True):
    """A range of keys whose rows are not in the result.

    Attributes:
        domain: The name of the domain.
        first: The first key of the range.
        last: The last key of the range.
        count: The number of keys in it.

    >>> MissingKeys("holds", first="a1", last="a9", count=9).count
    9
    """

    domain: str
    first: EncodedKey | None
    last: EncodedKey | None
    count: int


class ResultManifest(msgspec.Struct, frozen=True):
    """The whole account of a result, published after everything else: without it there is no result.

    Attributes:
        domains: The account of each domain.
        chunks: All chunks, in the order of their publication.
        failed_domains: The domains of which keys are missing.
        missing_keys: The ranges of these keys.
        profile: The profile of the request.
        shape: ``objects`` or ``arrays``.
        elapsed_seconds: Seconds from the job's start to its end.
        aggregation: CRC-32 of the aggregation, if there is one.

    >>> manifest = ResultManifest({"holds": DomainAccount([{"name": "ID"}], rows=2)}, [], [], [])
    >>> manifest.total_records
    2
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
