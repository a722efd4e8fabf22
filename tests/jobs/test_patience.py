"""Patience with a store that does not answer, by a clock of the test."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mesbatch.errors import StoreUnavailable
from mesbatch.jobs import patience
from mesbatch.jobs.patience import LONGEST_PAUSE, PATIENCE_SECONDS, Patience
from mesbatch.jobs.stop import Stop


def test_a_silent_store_is_asked_for_a_minute_with_pauses_that_grow(monkeypatch):
    pauses, calls = [], []
    monkeypatch.setattr(patience, "time", SimpleNamespace(monotonic=lambda: sum(pauses), sleep=pauses.append))

    def act():
        calls.append(1)
        if len(calls) > 100:
            pytest.fail("it is asked without a pause")
        raise StoreUnavailable("a restart")

    with pytest.raises(StoreUnavailable):
        Patience(Stop())(act)
    assert pauses[:6] == [0.1, 0.2, 0.4, 0.8, 1.6, LONGEST_PAUSE]
    assert PATIENCE_SECONDS < sum(pauses) < PATIENCE_SECONDS + 2 * LONGEST_PAUSE
    assert len(calls) == len(pauses) + 1
