"""Laws of the sizes at which the incident's pipeline can run."""

from __future__ import annotations

from hypothesis import given
from hypothesis.strategies import integers, lists, sampled_from

from mesbatch.demo.comparison import COMPARED, affordable_cids, available_memory, incident_bytes
from mesbatch.units import GiB, MiB

domains = lists(sampled_from(list(COMPARED)), min_size=1, unique=True)


@given(cids=integers(1, 10**6), domains=domains, available=integers(0, 64 * GiB))
def test_what_is_affordable_fits_into_the_available_memory(cids, domains, available):
    fitting = affordable_cids(cids, domains, available)

    assert 0 <= fitting <= cids
    assert incident_bytes(fitting, domains) <= max(available, 1)


@given(cids=integers(1, 10**6), domains=domains)
def test_nothing_is_scaled_down_where_nobody_tells_how_much_is_available(cids, domains):
    assert affordable_cids(cids, domains, None) == cids


def test_the_incident_itself_takes_about_four_gigabytes():
    assert 3.5 * GiB < incident_bytes(114_000, ["history"]) < 5.5 * GiB


def test_this_machine_has_memory_left():
    available = available_memory()

    assert available is None or available > 10 * MiB
