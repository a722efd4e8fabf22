"""Help for your own tests: proof that memory stays flat, made-up batches, and sources that fail at the n-th call."""

from typing import TYPE_CHECKING, Any

from mesbatch.testing.connections import FaultyConnect, FaultyConnection, FaultyCursor
from mesbatch.testing.faults import Faults, FaultySource, InjectedFault, each_fault

if TYPE_CHECKING:
    from mesbatch.testing.memory import assert_flat_memory, measure_peak

__all__ = [
    "Faults",
    "FaultyConnect",
    "FaultyConnection",
    "FaultyCursor",
    "FaultySource",
    "InjectedFault",
    "assert_flat_memory",
    "each_fault",
    "measure_peak",
]


def __getattr__(name: str) -> Any:
    """Import memray only for its users: faults need nothing but mesbatch."""
    if name not in {"assert_flat_memory", "measure_peak"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mesbatch.testing import memory

    return getattr(memory, name)


def __dir__() -> list[str]:
    """List the names that are imported on use, too."""
    return sorted({*globals(), *__all__})
