"""Columns may not change, and an iterator is closed by its maker."""

from __future__ import annotations

import pytest

from mesbatch.batch import Batch, open_batches
from mesbatch.errors import SchemaChanged


class Source:
    """Batches whose every pass is a generator of its own, as those of a source with a cursor."""

    def __init__(self):
        self.open_passes = 0

    def __iter__(self):
        self.open_passes += 1
        try:
            yield Batch(("ID",), [(1,)])
            yield Batch(("ID",), [(2,)])
        finally:
            self.open_passes -= 1


def test_columns_that_change_are_refused():
    with open_batches([Batch(("A", "B"), []), Batch(("B", "A"), [])]) as opened:
        assert next(opened).rows == []
        with pytest.raises(SchemaChanged, match="A, B, a later one B, A"):
            next(opened)


def test_an_iterator_made_here_is_closed_on_an_error():
    source = Source()
    with pytest.raises(ZeroDivisionError), open_batches(source) as opened:  # noqa: PT012
        next(opened)
        assert source.open_passes == 1
        raise ZeroDivisionError
    assert source.open_passes == 0


def test_an_iterator_of_the_caller_stays_open():
    iterator = iter(Source())
    with open_batches(iterator) as opened:
        next(opened)
    assert next(iterator).rows == [(2,)]
