"""The lineage of the made-up warehouse: the lots that a station saw, and the ancestors of each."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from mesbatch.demo.rows import DEFAULT_CIDS, container_ids

SEEDS_IN_ALL = 70_000 / DEFAULT_CIDS  # of the incident: 70,000 lots at the station, 114,000 with their ancestors
MOST_ANCESTORS = 5


def lineage(cids: int = DEFAULT_CIDS) -> Iterator[tuple[str, list[str]]]:
    """Make the seeds of a warehouse of *cids* lots, each with its 1 to 5 ancestors; lots share ancestors.

    The first lots are the seeds, the others the ancestors. Holds the ids of the ancestors.

    >>> dict(lineage(4))
    {'48810380001cba48': ['48810380001cba56'], '48810380001cba4f': ['48810380001cba56', '48810380001cba5d']}
    """
    count = seed_count(cids)
    ancestors = list(islice(container_ids(cids), count, None))
    for number, seed in enumerate(islice(container_ids(cids), count)):
        first = number * len(ancestors) // count
        many = min(1 + number % MOST_ANCESTORS, len(ancestors))
        yield seed, sorted({ancestors[(first + 7 * step) % len(ancestors)] for step in range(many)})


def seed_count(cids: int) -> int:
    """Count the seeds among *cids* lots: 70,000 of 114,000."""
    return max(1, min(cids - 1, int(cids * SEEDS_IN_ALL)))
