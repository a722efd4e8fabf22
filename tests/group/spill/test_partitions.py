"""Pieces come back group by group in the order of their arrival, wherever runs, joins and splits put them."""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch.errors import CorruptChunk
from mesbatch.group.spill import partitions
from mesbatch.group.spill.extents import ExtentFile
from mesbatch.group.spill.partitions import Partitions
from mesbatch.group.spill.unlinked import open_unlinked

EXTENTS_MAX = 4
GROUPS = st.lists(st.integers(0, 40), min_size=1, max_size=120)


@pytest.fixture
def _small(monkeypatch):
    """Make a hundred pieces join and split as millions do."""
    monkeypatch.setattr(partitions, "GROUPS_SHIFT", 1)
    monkeypatch.setattr(partitions, "SPLIT_SHIFT", 2)
    monkeypatch.setattr(partitions, "PARTITIONS_MIN", 4)
    monkeypatch.setattr(partitions, "EXTENT_NBYTES", 40)


def numbered(keys):
    """Number keys as they are first seen: groups 0, 1, 2."""
    numbers = {}
    return [numbers.setdefault(key, len(numbers)) for key in keys]


@contextmanager
def added(groups, size, max_bytes):
    """Add a piece to each of *groups*, *size* at once and two of three times in another layout."""
    file = ExtentFile(open_unlinked())
    try:
        stored = Partitions(file, max_bytes)
        pieces = [f"{number:06}".encode() for number in range(len(groups))]
        for start in range(0, len(groups), size):
            part = slice(start, start + size)
            stored.add(groups[part], pieces[part], start // size // 2)
        yield stored
    finally:
        file.close()


def expected(groups):
    pieces = defaultdict(list)
    for number, group in enumerate(groups):
        pieces[group].append(f"{number:06}".encode())
    return pieces


@pytest.mark.usefixtures("_small")
@given(GROUPS.map(numbered), st.integers(1, 50), st.integers(0, 2_000), st.integers(1, 2_000))
def test_every_group_has_its_pieces_in_order(groups, size, max_bytes, nbytes):
    with added(groups, size, max_bytes) as stored:
        stored.settle(nbytes, extents=EXTENTS_MAX)
        assert {group: list(pieces_of(stored, group)) for group in groups} == expected(groups)


def pieces_of(stored, group):
    for extent in stored.extents_of(group):
        yield from extent.pieces_of(group)


@pytest.mark.usefixtures("_small")
@given(GROUPS.map(numbered), st.integers(1, 50), st.integers(0, 2_000), st.integers(1, 2_000))
def test_partitions_come_in_the_order_of_their_groups_and_share_none(groups, size, max_bytes, nbytes):
    found, seen = defaultdict(list), []
    with added(groups, size, max_bytes) as stored:
        stored.settle(nbytes, extents=EXTENTS_MAX)
        for numbers, extents in stored:
            here = set()
            for extent in extents:
                for group, piece in zip(extent.groups, extent.pieces(), strict=True):
                    found[extent.first + group].append(piece)
                    here.add(extent.first + group)
            assert sorted(here) == list(numbers)
            seen += sorted(here)
    assert seen == sorted(set(groups))
    assert found == expected(groups)


@pytest.mark.usefixtures("_small")
@given(GROUPS.map(numbered), st.integers(1, 50), st.integers(0, 2_000), st.integers(100, 2_000))
def test_a_partition_that_is_too_large_has_one_group(groups, size, max_bytes, nbytes):
    with added(groups, size, max_bytes) as stored:
        stored.settle(nbytes, extents=EXTENTS_MAX)
        for _, extents in stored:
            read = list(extents)
            if len(read) > EXTENTS_MAX or sum(len(extent.content) for extent in read) > nbytes:
                assert len({extent.first + group for extent in read for group in extent.groups}) == 1


@pytest.mark.usefixtures("_small")
def test_too_many_partitions_become_fewer():
    groups = numbered(range(200))
    with added(groups, 10, 100) as stored:
        assert len(list(stored)) <= 5
        assert {group: list(pieces_of(stored, group)) for group in groups} == expected(groups)


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize(("groups", "num_partitions"), [(8, 4), (9, 3)])
def test_partitions_are_joined_when_they_are_more_than_may_be(groups, num_partitions):
    with added(range(groups), groups, 0) as stored:
        assert len(list(stored)) == num_partitions


def test_extents_are_filled_and_have_a_piece_at_least():
    half, larger = bytes(partitions.EXTENT_NBYTES // 2), bytes(partitions.EXTENT_NBYTES + 1)
    assert list(partitions._cut([half, half, b"a", larger])) == [slice(0, 2), slice(2, 3), slice(3, 4)]


def test_pieces_wait_until_they_and_their_places_hold_more_than_may_wait():
    file = ExtentFile(open_unlinked())
    try:
        stored = Partitions(file, 10 * (len(b"abcd") + partitions.PIECE_NBYTES))
        for _ in range(2):
            nbytes = file.nbytes
            stored.add([0] * 10, [b"abcd"] * 10, 0)
            assert file.nbytes == nbytes
            stored.add([0], [b""], 0)
            assert file.nbytes > nbytes
    finally:
        file.close()


@pytest.mark.usefixtures("_small")
def test_damage_is_found_before_it_is_moved():
    descriptor = open_unlinked()
    with pytest.raises(CorruptChunk):
        settle_damaged(descriptor)


def settle_damaged(descriptor):
    file = ExtentFile(descriptor)
    try:
        stored = Partitions(file, 0)
        for _ in range(20):
            stored.add([0, 1], [b"first", b"second"], 0)
        os.pwrite(descriptor, b"x", file.nbytes - 1)
        stored.settle(10)
    finally:
        file.close()
