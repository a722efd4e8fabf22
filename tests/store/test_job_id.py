"""Ids of jobs are ours, and an error shows the beginning of what is none."""

from __future__ import annotations

import pytest

from mesbatch.errors import InvalidJobId
from mesbatch.store.job_id import check_job_id


@pytest.mark.parametrize(
    ("length", "shown"), [(58, f"'{'x' * 58}' is no"), (59, f"'{'x' * 59}... (61 characters) is no")]
)
def test_of_a_long_text_the_beginning_is_shown(length, shown):
    with pytest.raises(InvalidJobId) as caught:
        check_job_id("x" * length)
    assert str(caught.value).startswith(shown)
