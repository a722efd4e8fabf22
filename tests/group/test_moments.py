"""Keys in the hour that comes twice: Python takes two of one zone for equal, and they are an hour apart."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from mesbatch import Batch, group_by_key, iter_groups
from mesbatch.group.fold import fold_by_key
from mesbatch.sink.ndjson_by_key import ndjson_by_key

TWICE = [datetime(2025, 10, 26, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=fold) for fold in (0, 1)]
ROWS = [(TWICE[0], 1), (TWICE[0], 2), (TWICE[1], 3), (None, 4)]


@pytest.fixture(params=[4, 1], ids=["one batch", "a row a batch"])
def batches(request):
    return [Batch(("AT", "N"), ROWS[at : at + request.param]) for at in range(0, 4, request.param)]


def test_they_are_two_neighbouring_groups(batches):
    assert [[n for _, n in rows] for _, rows in iter_groups(batches, "AT")] == [[1, 2], [3], [4]]
    assert [n for _, n in fold_by_key(batches, "AT", lambda n, batch: n + batch.num_rows, int)] == [2, 1, 1]


@pytest.mark.parametrize("max_bytes", [2**20, 1], ids=["in memory", "on disk"])
def test_they_are_two_groups_of_a_mapping(batches, max_bytes):
    with group_by_key(batches, "AT", max_bytes=max_bytes) as groups:
        assert [[n for _, n in rows] for rows in groups.values()] == [[1, 2], [3], [4]]
        assert [[n for _, n in groups[at]] for at in (*TWICE, None)] == [[1, 2], [3], [4]]
        assert [n for _, n in groups.iter_rows(TWICE[1])] == [3]
        assert TWICE[1] in groups


def test_they_are_two_lines(batches):
    lines = b"".join(ndjson_by_key(batches, "AT")).splitlines()
    assert [line.partition(b',"rows"')[0] for line in lines] == [
        b'{"key":"2025-10-26T02:30:00+02:00"', b'{"key":"2025-10-26T02:30:00+01:00"', b'{"key":null'
    ]  # fmt: skip
