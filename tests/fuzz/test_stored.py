"""Stored results whose bytes were damaged: the rows that were written, or an error of ours; never other rows."""

from __future__ import annotations

import json
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import strategies as st

from mesbatch.client import follow_store
from mesbatch.errors import CorruptChunk, InvalidJob, MesbatchError
from mesbatch.export.journal import OutputFiles
from mesbatch.export.place import LocalPlace
from mesbatch.jobs import JobSpec
from mesbatch.keys.resume import EncodedKey
from mesbatch.store import DirectoryStore, ResultManifest, ResultReader, read_keys, store_keys
from mesbatch.store.account import Entry, KeyColumn
from mesbatch.store.leases import StoredLease
from mesbatch.store.legacy import account_of_chunks, account_of_whole, rows_of_whole
from mesbatch.store.sealed import seal, unseal
from mesbatch.store.stored_rows import StoredRows
from tests.fuzz.budget import TIMEOUT, corpus, fuzz_briefly, fuzz_long
from tests.fuzz.damage import damaged, seeds
from tests.store.results import encode, new_job, publish, rows_of, writer_of

GOLDEN = Path(__file__).parents[1] / "store" / "golden"
DOMAINS = {"a": [rows_of(1, 2, 3), rows_of(4, 5)], "b": [rows_of(6, 7)]}
ROWS = {domain: [row for chunk in chunks for row in chunk] for domain, chunks in DOMAINS.items()}
KEYS = ["lot0001", "lot0002", "lot0004"]


class Stored:
    """A finished job in a directory, whose files can be damaged: it is read as it was written, or refused."""

    def __init__(self, folder):
        self.store = DirectoryStore(folder, ttl=1e9)
        self.job_id = new_job(self.store)
        self.keys = store_keys(self.store, self.job_id, KEYS)
        writer = writer_of(self.store, self.job_id)
        for domain, chunks in DOMAINS.items():
            for rows in chunks:
                publish(writer, domain, rows)
            writer.end(domain)
        writer.aggregate({"total": 7})
        writer.finish(profile="p")
        self.store.change(self.job_id, {"status": "finished"})
        self.files = {path: path.read_bytes() for path in sorted((folder / self.job_id).rglob("*")) if path.is_file()}

    def pages(self):
        reader = ResultReader(self.store, self.job_id)
        return {domain: json.loads(b"".join(reader.page(domain).data)) for domain in reader.manifest.domains}

    def followed(self):
        found = {}
        for records in follow_store(self.store, self.job_id):
            found.setdefault(records.domain, []).extend(records.rows)
        return found

    def check(self, place, seed):
        """Damage the file at *place*, read everything in every way, and put the file back."""
        path = list(self.files)[place % len(self.files)]
        path.write_bytes(damaged(self.files[path], seed))
        refused = 0
        try:
            for read, expected in (
                (self.pages, ROWS),
                (self.followed, ROWS),
                (lambda: ResultReader(self.store, self.job_id).aggregation(), b'{"total":7}'),
                (lambda: list(read_keys(self.store, self.keys)), KEYS),
                (lambda: [entry.chunk.rows for entry in self.store.journal(self.job_id, 0, 9)], [3, 2, 2]),
                (lambda: self.store.facts(self.job_id)["status"], "finished"),
            ):
                try:
                    found = read()
                except MesbatchError:
                    refused += 1
                else:
                    assert found == expected
        finally:
            path.write_bytes(self.files[path])
        return "refused" if refused else "whole"


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    return Stored(tmp_path_factory.mktemp("fuzz") / "jobs")


DAMAGED = {"place": st.integers(0, 100), "seed": seeds()}


def test_the_rows_are_read_where_nothing_is_damaged(stored):
    assert stored.pages() == stored.followed() == ROWS


def test_a_damaged_store_gives_no_other_rows(stored):
    endings = fuzz_briefly(stored.check, 150, **DAMAGED)
    assert endings["refused"] > 50, endings


@pytest.mark.long
@pytest.mark.timeout(TIMEOUT)
def test_minutes_of_damage_in_a_store_give_no_other_rows(stored):
    fuzz_long(stored.check, **DAMAGED)


# -- documents and rows whose checksum is right, or that never had one: any bytes are decoded or refused

MANIFEST = ResultManifest({}, [], [], [], "p")
KINDS = [ResultManifest, Entry, StoredLease, list[EncodedKey], dict[str, str]]
DOCUMENTS = [MANIFEST, KEYS, {"a": "b"}, StoredLease(1, "me", [])]
LEGACY = {
    name: json.loads((GOLDEN / f"redis_{name}.json").read_text(encoding="utf-8")) for name in ("chunked", "legacy")
}
CHUNKS = [one["value"].encode() for key, one in LEGACY["chunked"].items() if key.rpartition(":")[2].isdigit()]
META = next(one["value"].encode() for key, one in LEGACY["chunked"].items() if key.endswith("result:meta"))
WHOLE = next(one["value"].encode() for key, one in LEGACY["legacy"].items() if key.endswith(":result"))
COLUMNS = [{"name": "ID"}, {"name": "N", "decimals": "number"}]
SPEC = JobSpec(function="events", domains=("a", "b")).encode()
EXPORT = b'{"version":1}\n{"file":"part-00000","rows":1}\n'


def seal_again(data):
    return b"%08x%b" % (zlib.crc32(data), data)


def decode_all(data, folder):
    """Give *data* to each decoder that no checksum protects, or that somebody sealed again; each may refuse it."""
    for kind in KINDS:
        with suppress(CorruptChunk):
            unseal(data, kind, "it")
        with suppress(CorruptChunk):
            unseal(seal_again(data), kind, "it")
    with suppress(InvalidJob):
        JobSpec.decode(data)
    for shape in ("objects", "arrays"):
        for key in ("str", "int", "float", "Decimal", "bytes", "UUID", "date", "datetime"):
            with suppress(CorruptChunk):
                keys, row_at = StoredRows(COLUMNS, KeyColumn(0, key), shape).decode(data, "it")
                for position in range(len(keys)):
                    row_at(position)
    for read in (account_of_whole, rows_of_whole):
        with suppress(CorruptChunk):
            read(data)
    output = OutputFiles(LocalPlace(folder), None)
    for name, read in ((output.manifest, output.read_manifest), (output.journal, output.read_journal)):
        (folder / name).write_bytes(data)
        with suppress(MesbatchError):
            read()


def check_legacy(meta, chunk):
    """A legacy result has no checksums: rows are those that its bytes say, and as many as its account says, or none."""
    with suppress(MesbatchError):
        found = account_of_chunks(meta, lambda one: chunk, None)
        for entry in found.journal:
            assert entry.chunk.rows == len(json.loads(chunk))
        assert all(account.status == "complete" for account in found.manifest.domains.values())


SAMPLES = [*map(seal, DOCUMENTS), encode(ROWS["a"]), META, WHOLE, SPEC, EXPORT, *CHUNKS]
ANY = st.one_of(st.binary(max_size=200), st.builds(damaged, st.sampled_from(SAMPLES), seeds()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("export")


@pytest.mark.parametrize("data", [text.encode("latin-1") for text in corpus("stored")])
def test_kept_bytes_are_decoded_or_refused(data, folder):
    decode_all(data, folder)
    check_legacy(META, data)
    check_legacy(data, CHUNKS[0])


def test_any_bytes_are_decoded_or_refused(folder):
    fuzz_briefly(lambda data: decode_all(data, folder), 150, data=ANY)


LEGACIES = {"meta": st.builds(damaged, st.just(META), seeds()) | st.just(META), "chunk": ANY}


def test_a_damaged_legacy_result_is_read_as_it_is_or_refused():
    fuzz_briefly(check_legacy, 150, **LEGACIES)


@pytest.mark.long
@pytest.mark.timeout(2 * TIMEOUT)
def test_minutes_of_bytes_are_decoded_or_refused(folder):
    fuzz_long(lambda data: decode_all(data, folder), data=ANY)
    fuzz_long(check_legacy, **LEGACIES)
