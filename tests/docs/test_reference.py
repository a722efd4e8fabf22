"""Every public name stands in the reference, with its parameters as fields and an example."""

from __future__ import annotations

import inspect
import re
from enum import EnumMeta
from typing import Any, Protocol

import pytest

from tests.docs.manual import Documented, examples, public_names, reference

for extra in ("flask", "memray", "obstore", "prometheus_client", "pyarrow", "redis", "rq"):
    pytest.importorskip(extra, reason=f"{extra} is not installed")

# Constants and types, which their pages explain in words.
NOT_SHOWN = {"Decision", "ENDED", "Facts", "GiB", "JobStatus", "KiB", "MiB", "STATUSES", "TERMINAL"}


def documented() -> list[Documented]:
    """The names of the reference without errors, whose parameters are a message."""
    names = (one for one in reference() if one.name not in NOT_SHOWN)
    return [one for one in names if not (inspect.isclass(one.value) and issubclass(one.value, BaseException))]


def parameters(value: Any) -> list[str]:
    """The names that a caller of *value* may pass."""
    if not callable(value) or isinstance(value, EnumMeta) or Protocol in getattr(value, "__bases__", ()):
        return []
    return [name for name in inspect.signature(value).parameters if name not in {"self", "args", "kwargs"}]


@pytest.fixture(scope="module")
def names_in_examples():
    return set(re.findall(r"\w+", examples()))


def test_every_public_name_is_on_a_page():
    there = {id(one.value) for one in reference()}
    public = [(package, name) for package, name, value in public_names() if id(value) not in there]
    assert [f"{package}.{name}" for package, name in public if name not in NOT_SHOWN] == []


def test_no_name_is_documented_twice():
    names = [f"{one.value.__module__}.{one.name}" for one in reference() if hasattr(one.value, "__module__")]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []


@pytest.mark.parametrize("one", documented(), ids=lambda one: one.name)
def test_every_parameter_is_a_field(one):
    text = inspect.getdoc(one.value) or ""
    named = [] if one.made_by_us else parameters(one.value)
    assert [name for name in named if not re.search(rf"^ {{4}}{name}: \S", text, re.MULTILINE)] == []


@pytest.mark.parametrize("one", documented(), ids=lambda one: one.name)
def test_every_name_has_an_example(one, names_in_examples):
    assert ">>> " in (inspect.getdoc(one.value) or "") or one.name in names_in_examples
