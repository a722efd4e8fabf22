"""A pytest plugin: ``@pytest.mark.flat_memory(sizes=[...])`` runs a test at every size and compares the peaks."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import pytest

from mesbatch.testing.memory import GROWTH, assert_flat_memory

__tracebackhide__ = True  # pytest shows the lines of the user's test, and none of ours

MARKER = "flat_memory"
DESCRIPTION = f"{MARKER}(sizes, growth=1 MiB): the test takes a size, and its memory may not grow from size to size"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", DESCRIPTION)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Keep a marked test one test, and put the sizes into its name."""
    marker = metafunc.definition.get_closest_marker(MARKER)
    if marker is None:
        return
    sizes, _ = _arguments(**marker.kwargs)
    if "size" not in metafunc.fixturenames:
        raise pytest.UsageError(f"{metafunc.definition.nodeid}: a test marked {MARKER} takes an argument size")
    metafunc.parametrize("size", [sizes[0]], ids=[f"{sizes[0]}-{sizes[-1]}"])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    marker = pyfuncitem.get_closest_marker(MARKER)
    if marker is None:
        return (yield)
    test = pyfuncitem.obj
    sizes, growth = _arguments(**marker.kwargs)

    def at_every_size(**arguments: Any) -> None:
        assert_flat_memory(lambda size: test(**{**arguments, "size": size}), sizes, growth)

    pyfuncitem.obj = at_every_size
    try:
        return (yield)
    finally:
        pyfuncitem.obj = test


def _arguments(sizes: Sequence[int], growth: int = GROWTH) -> tuple[Sequence[int], int]:
    return sizes, growth
