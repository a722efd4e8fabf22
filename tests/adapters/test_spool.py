"""Answers that go to disk first, because their client could not tell a cut one from a whole one."""

from __future__ import annotations

import pytest

from mesbatch.adapters.http import spool
from mesbatch.adapters.http.spool import PIECE_BYTES, spooled
from mesbatch.errors import AnswerTooLarge
from mesbatch.sink.stream import ByteStream


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES, 3 * PIECE_BYTES + 1])
def test_a_spooled_answer_has_its_length_and_every_byte(size):
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    length, body = spooled(ByteStream((data[at : at + 7_000] for at in range(0, size, 7_000)), None))
    with body:
        pieces = list(body)
    assert (length, b"".join(pieces)) == (size, data)
    assert max(map(len, pieces), default=0) <= PIECE_BYTES  # it is never in memory as a whole


def test_an_answer_that_is_larger_than_the_disk_may_hold_is_an_error(monkeypatch):
    monkeypatch.setattr(spool, "SPOOL_BYTES", 10)
    length, body = spooled(ByteStream((b"12345" for _ in range(2)), None))
    body.close()
    assert length == 10
    with pytest.raises(AnswerTooLarge):
        spooled(ByteStream((b"12345" for _ in range(3)), None))
