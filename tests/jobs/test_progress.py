"""The numbers that a job shows while it runs."""

from __future__ import annotations

import pytest

from mesbatch.jobs.progress import DomainProgress, Progress


@pytest.mark.parametrize(
    ("keys", "domains", "percent"),
    [
        (8, [], 0.0),
        (8, [DomainProgress()], 0.0),
        (8, [DomainProgress(keys=6), DomainProgress()], 37.5),
        (3, [DomainProgress(keys=1)], 33.3),
        (8, [DomainProgress(keys=8, done=True), DomainProgress(keys=4)], 75.0),
        (0, [DomainProgress(rows=9), DomainProgress(rows=9, done=True)], 50.0),  # without keys
    ],
)
def test_the_percentage_is_that_of_the_keys_of_all_domains(keys, domains, percent):
    assert Progress(keys, {str(number): one for number, one in enumerate(domains)}).percent == percent
