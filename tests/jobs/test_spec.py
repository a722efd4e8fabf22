from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch.errors import InvalidJob
from mesbatch.jobs import JobSpec, Work
from mesbatch.jobs.function import check_call
from mesbatch.trace.read import TraceReader

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def spec(**more):
    return JobSpec(**{"function": "events", "domains": ("history",), **more})


@given(st.dictionaries(st.text(), JSON), st.text() | st.none())
def test_a_spec_comes_back_from_json_as_it_went_in(arguments, owner):
    one = spec(arguments=arguments, owner=owner, settings={"zone": "UTC"})
    assert JobSpec.decode(one.encode()) == one


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"arguments": {"since": datetime(2026, 2, 25)}}, "arguments.since is a datetime"),
        ({"arguments": {"a": [1, {"b": {1, 2}}]}}, r"arguments.a\[1\].b is a set"),
        ({"arguments": {"a": float("nan")}}, "arguments.a is nan"),
        ({"arguments": {1: 2}}, "the name 1"),
        ({"settings": {"a": b"x"}}, "settings.a is a bytes"),
        ({"domains": ()}, "got none"),
        ({"domains": ("a", "a")}, "got a, a"),
        ({"timeout": 0}, "timeout must be above 0, got 0"),
        ({"timeout": float("nan")}, "timeout must be above 0, got nan"),
        ({"max_bytes": -1}, "max_bytes must be above 0, got -1"),
        ({"batch_size": 0}, "batch_size must be above 0"),
        ({"shards": 0}, "shards must be above 0"),
    ],
)
def test_a_spec_that_no_worker_could_do_is_refused(more, words):
    with pytest.raises(InvalidJob, match=words):
        spec(**more)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x80\x04\x95", b"{", b"[]", b"1", b'"events"', b"\xff\xfe", b'{"function":1,"domains":["a"]}',
        b'{"function":"events"}', b'{"function":"events","domains":["a"],"order":"random"}',
        b'{"function":"events","domains":["a"],"max_bytes":"8"}', b'{"function":"events","domains":[],"x":1}',
    ],
)  # fmt: skip
def test_bytes_that_are_no_spec_are_refused(data):
    with pytest.raises(InvalidJob):
        JobSpec.decode(data)


def test_a_spec_is_small(tmp_path):
    with pytest.raises(InvalidJob, match=r"bytes of JSON, the limit is 65,536"):
        spec(arguments={"ids": ["x" * 100] * 700}).encode()
    with pytest.raises(InvalidJob, match="the limit is 65,536"):
        JobSpec.decode(b" " * 70_000)


def events(work: Work, station: str, days: int = 7, *, tags: list[str] | None = None) -> TraceReader: ...


@pytest.mark.parametrize(
    "arguments", [{"station": "WB_1"}, {"station": "WB_1", "days": 3, "tags": ["a"]}, {"station": "WB_1", "tags": None}]
)
def test_arguments_that_fit_the_signature_are_allowed(arguments):
    assert check_call({"events": events}, spec(arguments=arguments)) is events


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"function": "os.system"}, "the function 'os.system' is not allowed; allowed are events"),
        ({"function": "__import__"}, "not allowed"),
        ({"arguments": {}}, "missing a required argument: 'station'"),
        ({"arguments": {"station": "a", "colour": 1}}, "unexpected keyword argument 'colour'"),
        ({"arguments": {"station": "a", "work": 1}}, "multiple values for argument 'work'"),
        ({"arguments": {"station": 7}}, "argument station of events does not fit: Expected `str`, got `int`"),
        ({"arguments": {"station": "a", "tags": [1]}}, "argument tags of events does not fit"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(more, words):
    with pytest.raises(InvalidJob, match=words):
        check_call({"events": events}, spec(**more))
