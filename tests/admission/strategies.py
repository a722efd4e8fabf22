"""Costs and loads of every kind, for the laws of admission."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from mesbatch.admission import Cost, Load, Pressure
from mesbatch.admission.policy import MAX_ANSWER_BYTES
from mesbatch.admission.trace_table import TRACE_PROFILES
from mesbatch.units import GiB, MiB

profiles = st.sampled_from(sorted(TRACE_PROFILES))
keys = st.one_of(st.integers(0, 200_000), st.sampled_from([0, 10_000, 10_001, 20_000, 20_001, 50_000, 50_001, 114_000]))
sizes = st.one_of(
    st.integers(0, 4 * GiB), st.sampled_from([0, 8 * MiB, 8 * MiB + 1, MAX_ANSWER_BYTES, MAX_ANSWER_BYTES + 1])
)
pressures = st.sampled_from(Pressure)


def costs(**fixed: st.SearchStrategy[Any]) -> st.SearchStrategy[Cost]:
    """Draw any cost; *fixed* are strategies for some of its fields."""
    fields = {"keys": st.none() | keys, "nbytes": st.none() | sizes, "buffers": sizes, "streamed": st.booleans()}
    return st.builds(Cost, profiles, **(fields | fixed))


def loads() -> st.SearchStrategy[Load]:
    return st.builds(Load, st.booleans(), pressures, st.none() | sizes, st.none() | sizes, sizes)


@st.composite
def costlier(draw: st.DrawFn, cost: Cost) -> Cost:
    """Draw a cost that is nowhere smaller than *cost*; unknown is not small."""
    more_keys = None if cost.keys is None else draw(st.none() | st.integers(cost.keys, 10**6))
    more_buffers = draw(st.integers(cost.buffers, 8 * GiB))
    more_bytes = cost.nbytes if cost.nbytes is None else draw(st.integers(cost.nbytes, 8 * GiB))
    return replace(cost, keys=more_keys, nbytes=more_bytes, buffers=more_buffers)


@st.composite
def busier(draw: st.DrawFn, load: Load) -> Load:
    """Draw a load that is nowhere lighter than *load*."""
    return replace(
        load,
        pressure=draw(st.sampled_from([level for level in Pressure if level >= load.pressure])),
        headroom=draw(_at_most(load.headroom)),
        memory_limit=draw(_at_most(load.memory_limit)),
        promised=draw(st.integers(load.promised, 8 * GiB)),
    )


def _at_most(nbytes: int | None) -> st.SearchStrategy[int | None]:
    return st.none() | sizes if nbytes is None else st.integers(0, nbytes)
