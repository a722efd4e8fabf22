"""Bytes that a request holds."""

from __future__ import annotations

from mesbatch.admission import Cost
from mesbatch.admission.cost import BUFFER_BYTES
from mesbatch.units import MiB


def test_a_streamed_answer_holds_its_buffers_and_another_its_bytes():
    assert Cost("p", 5, 100 * MiB, streamed=True).held == BUFFER_BYTES
    assert Cost("p", 5, 100 * MiB).held == 100 * MiB
    assert Cost("p", 5).held is None
