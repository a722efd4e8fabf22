"""Translation between our account of a result and that of the first implementation, in both directions."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from mesbatch.codec.checksum import Checksum
from mesbatch.codec.not_json import NOT_JSON
from mesbatch.errors import ChunkLost, CorruptChunk
from mesbatch.store.account import Chunk, DomainAccount, Entry, ResultManifest


@dataclass(frozen=True)
class LegacyResult:
    """The manifest and the journal that a result of the first implementation would have if we had written it."""

    manifest: ResultManifest
    journal: list[Entry]


class _Domain(msgspec.Struct):
    chunks: int
    total: int


class _Meta(msgspec.Struct):
    profile: str
    domains: dict[str, _Domain]
    failed_domains: list[str] = []


class _WholeDomain(msgspec.Struct):
    data: msgspec.Raw


class _Whole(msgspec.Struct):
    results: dict[str, _WholeDomain]
    aggregation: msgspec.Raw = msgspec.Raw(b"null")
    failed_domains: list[str] = []


Document = TypeVar("Document")


def contract_meta(manifest: ResultManifest) -> bytes:
    """Return the account of *manifest* as the first implementation wrote it."""
    domains = {name: _Domain(domain.chunks, domain.rows) for name, domain in manifest.domains.items()}
    return msgspec.json.encode(_Meta(manifest.profile, domains, manifest.failed_domains))


def account_of_chunks(meta: bytes, read: Callable[[Chunk], bytes | None], aggregation: bytes | None) -> LegacyResult:
    """Make the account of a result in chunks; reads each of them once, since their numbers of rows stand nowhere.

    Raises:
        ChunkLost: a chunk is gone, or there are fewer rows than *meta* says.
        CorruptChunk: it is no such result.
    """
    expected = _decode(meta, _Meta)
    account = _Account()
    for name, domain in expected.domains.items():
        for number in range(domain.chunks):
            data = read(Chunk(0, name, number, 0, 0, 0))
            if data is None:
                raise ChunkLost(f"chunk {number} of {name!r} is gone")
            account.add(name, data)
        account.end(name, domain.total)
    return account.finish(expected.failed_domains, expected.profile, aggregation)


def account_of_whole(whole: bytes) -> LegacyResult:
    """Make the account of a result in one piece: each domain is one chunk.

    Raises:
        CorruptChunk: it is no such result.
    """
    decoded, account = _decode(whole, _Whole), _Account()
    for name, domain in decoded.results.items():
        account.add(name, bytes(domain.data))
        account.end(name, account.domains[name].rows)
    return account.finish(decoded.failed_domains, "", aggregation_of_whole(whole))


def rows_of_whole(whole: bytes) -> dict[str, bytes]:
    """Return the rows of each domain as a JSON array."""
    return {name: bytes(domain.data) for name, domain in _decode(whole, _Whole).results.items()}


def aggregation_of_whole(whole: bytes) -> bytes | None:
    aggregation = bytes(_decode(whole, _Whole).aggregation)
    return None if aggregation == b"null" else aggregation


class _Account:
    """The account of a result under construction, chunk by chunk."""

    def __init__(self) -> None:
        self.domains: dict[str, DomainAccount] = {}
        self._journal: list[Entry] = []

    def add(self, name: str, data: bytes) -> None:
        rows = _decode(data, list[msgspec.Raw])
        account = self.domains.get(name) or DomainAccount(_columns(rows))
        checksum = Checksum.after(account.checksum, rows=account.rows)
        checksum.update_list(data)
        chunk = Chunk(len(self._journal), name, account.chunks, len(rows), len(data), zlib.crc32(data))
        self.domains[name] = msgspec.structs.replace(
            account, chunks=account.chunks + 1, rows=account.rows + len(rows), checksum=checksum.hexdigest()
        )
        self._journal.append(Entry(chunk, dict(self.domains)))

    def end(self, name: str, total: int) -> None:
        account = self.domains.get(name) or DomainAccount([])
        if account.rows != total:
            raise ChunkLost(f"{name!r} has {account.rows:,} of {total:,} rows")
        self.domains[name] = msgspec.structs.replace(account, status="complete")

    def finish(self, failed_domains: list[str], profile: str, aggregation: bytes | None) -> LegacyResult:
        crc = None if aggregation is None else zlib.crc32(aggregation)
        chunks = [entry.chunk for entry in self._journal]
        manifest = ResultManifest(self.domains, chunks, failed_domains, [], profile, aggregation=crc)
        return LegacyResult(manifest, self._journal)


def _columns(rows: list[msgspec.Raw]) -> list[dict[str, str]]:
    return [{"name": name} for name in _decode(rows[0], dict[str, msgspec.Raw])] if rows else []


def _decode(data: bytes | msgspec.Raw, kind: type[Document]) -> Document:
    try:
        return msgspec.json.decode(data, type=kind)
    except NOT_JSON as error:
        raise CorruptChunk(f"a result of the first implementation cannot be read: {error}") from error
