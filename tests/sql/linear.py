"""The law that reading a text takes time in proportion to its length."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from time import process_time

import pytest

from mesbatch.errors import StatementError
from mesbatch.sql.judge import judge
from mesbatch.sql.query import find_order_by


def check_linear(write: Callable[[int], str], size: int) -> None:
    """Check that the text of 4 times *size* pieces takes less than eight times as long as the one of *size*."""
    for _ in range(5):  # a busy machine may take the processor away from one of them
        small, large = _seconds(write(size)), _seconds(write(4 * size))
        if large < 8 * small + 0.02:  # clocks are coarse; quadratic time would be sixteen times as much
            return
    pytest.fail(f"{small:.3f} s, and {large:.3f} s for four times the text")


def _seconds(sql: str) -> float:
    """Processor time of the fastest of a few runs."""

    def once() -> float:
        start = process_time()
        for ask in (lambda: judge(sql, ["k"]), lambda: find_order_by(sql)):
            with suppress(StatementError):
                ask()
        find_order_by.cache_clear()
        return process_time() - start

    return min(once() for _ in range(3))
