"""Extents come back as they were written, or raise."""

from __future__ import annotations

import os
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch.errors import CorruptChunk
from mesbatch.group.spill.extents import GROUP_CODE, ExtentFile
from mesbatch.group.spill.unlinked import open_unlinked

PIECES = st.lists(st.tuples(st.integers(0, 5), st.binary(max_size=200)), min_size=1)


@pytest.fixture
def descriptor():
    return open_unlinked()


@pytest.fixture
def file(descriptor):
    file = ExtentFile(descriptor)
    yield file
    file.close()


def append(file, first, pieces):
    """Append *pieces*, pairs of a group and its bytes, and give the place of the extent."""
    groups = array(GROUP_CODE, [group for group, _ in pieces])
    return file.nbytes, file.append(first, 7, groups, [piece for _, piece in pieces])


@given(st.lists(PIECES))
def test_extents_come_back_by_their_places(written):
    file = ExtentFile(open_unlinked())
    try:
        places = [append(file, 10 * number, pieces) for number, pieces in enumerate(written)]
        file.flush()
        for number, (place, pieces) in enumerate(zip(places, written, strict=True)):
            extent = file.read(*place)
            assert (extent.first, extent.layout) == (10 * number, 7)
            assert list(zip(extent.groups, extent.pieces(), strict=True)) == pieces
            assert extent.payload() == b"".join(piece for _, piece in pieces)
            for group in range(-1, 7):
                wanted = [piece for other, piece in pieces if other == group]
                assert extent.pieces_of(10 * number + group) == wanted
    finally:
        file.close()


def fill(file):
    places = [append(file, number, [(0, bytes([65 + number]) * (number + 2)), (1, b"z")]) for number in range(3)]
    file.flush()
    return places


def read_all(file, places):
    return [file.read(*place).pieces() for place in places]


def test_a_flipped_bit_anywhere_is_corrupt(file, descriptor):
    places = fill(file)
    content = os.pread(descriptor, file.nbytes, 0)
    for position in range(len(content)):
        for bit in range(8):
            os.pwrite(descriptor, bytes([content[position] ^ 1 << bit]), position)
            with pytest.raises(CorruptChunk):
                read_all(file, places)
        os.pwrite(descriptor, content[position : position + 1], position)
    assert read_all(file, places) == [[b"AA", b"z"], [b"BBB", b"z"], [b"CCCC", b"z"]]


def test_a_truncation_anywhere_is_corrupt(file, descriptor):
    places = fill(file)
    for length in reversed(range(file.nbytes)):
        os.ftruncate(descriptor, length)
        with pytest.raises(CorruptChunk):
            read_all(file, places)


def test_a_file_of_zeros_is_corrupt(file, descriptor):
    places = fill(file)
    os.pwrite(descriptor, bytes(file.nbytes), 0)
    with pytest.raises(CorruptChunk, match="no extent of 49 bytes begins at byte 0"):
        file.read(*places[0])


def test_an_extent_does_not_pass_for_another_of_its_length(file, descriptor):
    first, second = append(file, 0, [(0, b"first")]), append(file, 0, [(0, b"other")])
    file.flush()
    os.pwrite(descriptor, os.pread(descriptor, first[1], second[0]), first[0])
    with pytest.raises(CorruptChunk, match=r"head .* checksum"):
        file.read(*first)


def test_a_payload_does_not_pass_for_another_of_its_length(file, descriptor):
    first, second = append(file, 0, [(0, b"first")]), append(file, 0, [(0, b"other")])
    file.flush()
    start = first[1] - len(b"first")
    os.pwrite(descriptor, os.pread(descriptor, 5, second[0] + start), first[0] + start)
    with pytest.raises(CorruptChunk, match="checksum"):
        file.read(*first).pieces()


def test_a_group_without_pieces_needs_no_payload(file, descriptor):
    place = append(file, 0, [(0, b"first"), (2, b"second")])
    file.flush()
    os.pwrite(descriptor, b"x", place[1] - 1)
    assert file.read(*place).pieces_of(1) == []
    with pytest.raises(CorruptChunk, match="checksum"):
        file.read(*place).pieces_of(0)


def test_closing_twice_is_harmless(file, descriptor):
    file.close()
    file.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


@pytest.mark.parametrize("at_once", [1, 7, 1_000])
def test_a_write_that_takes_a_part_is_gone_on_with(file, monkeypatch, at_once):
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, memoryview(data)[:at_once]))
    pieces = [(0, b"a" * 400), (1, b"b" * 300)]
    place = append(file, 3, pieces)
    file.flush()
    assert file.read(*place).pieces() == [b"a" * 400, b"b" * 300]
