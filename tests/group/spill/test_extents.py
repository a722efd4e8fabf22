"""Extents come back as they were written, or raise."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch.errors import CorruptChunk
from mesbatch.group.spill.extents import HEADER, NO_EXTENT, Extent, ExtentFile
from mesbatch.group.spill.unlinked import open_unlinked


@pytest.fixture
def descriptor():
    return open_unlinked()


@pytest.fixture
def file(descriptor):
    file = ExtentFile(descriptor)
    yield file
    file.close()


@given(st.lists(st.binary(max_size=200)), st.integers(1, 500))
def test_extents_come_back_by_offset_and_in_order(payloads, ahead):
    file = ExtentFile(open_unlinked())
    try:
        offsets = [file.append(number, 7, NO_EXTENT, payload) for number, payload in enumerate(payloads)]
        file.flush()
        expected = [
            Extent(offset, number, 7, NO_EXTENT, payload)
            for number, (offset, payload) in enumerate(zip(offsets, payloads, strict=True))
        ]
        assert [file.read(offset) for offset in offsets] == expected
        assert list(file.scan(0, file.nbytes, ahead)) == expected
    finally:
        file.close()


def fill(file):
    for number in range(3):
        file.append(number, 0, NO_EXTENT, bytes([65 + number]) * (number + 2))
    file.flush()


def test_a_flipped_bit_anywhere_is_corrupt(file, descriptor):
    fill(file)
    content = os.pread(descriptor, file.nbytes, 0)
    for position in range(len(content)):
        for bit in range(8):
            os.pwrite(descriptor, bytes([content[position] ^ 1 << bit]), position)
            with pytest.raises(CorruptChunk):
                list(file.scan(0, file.nbytes))
        os.pwrite(descriptor, content[position : position + 1], position)
    assert len(list(file.scan(0, file.nbytes))) == 3


def test_a_truncation_anywhere_is_corrupt(file, descriptor):
    fill(file)
    for length in reversed(range(file.nbytes)):
        os.ftruncate(descriptor, length)
        with pytest.raises(CorruptChunk):
            list(file.scan(0, file.nbytes))


def test_a_file_of_zeros_is_corrupt(file, descriptor):
    fill(file)
    os.pwrite(descriptor, bytes(file.nbytes), 0)
    with pytest.raises(CorruptChunk, match="no extent begins at byte 0"):
        file.read(0)


def test_an_extent_does_not_pass_for_another_of_its_length(file, descriptor):
    second = file.append(0, 0, NO_EXTENT, b"first")
    file.append(0, 0, NO_EXTENT, b"other")
    file.flush()
    os.pwrite(descriptor, os.pread(descriptor, second + HEADER.size + 5, file.nbytes // 2), 0)
    with pytest.raises(CorruptChunk, match="checksum"):
        file.read(0)


def test_closing_twice_is_harmless(file, descriptor):
    file.close()
    file.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
