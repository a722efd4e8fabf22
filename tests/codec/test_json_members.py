"""Large JSON, decoded some members at a time, however it was cut into pieces."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch.codec import json_members as module
from mesbatch.codec.json_members import json_elements, json_members
from mesbatch.units import MiB

TEXTS = st.text(alphabet='ab"\\,:{}[] é\n', max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(autouse=True)
def short_slices(monkeypatch):
    monkeypatch.setattr(module, "SLICE_BYTES", 10)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@given(value=st.dictionaries(TEXTS, VALUES, max_size=6), size=st.integers(1, 40), indent=st.sampled_from([None, 1]))
def test_members_are_those_of_the_whole_object_however_it_is_cut(value, size, indent):
    data = json.dumps(value, indent=indent).encode()
    assert list(json_members(cut(data, size))) == list(value.items())


@given(value=st.lists(VALUES, max_size=6), size=st.integers(1, 40))
def test_elements_are_those_of_the_whole_array_however_it_is_cut(value, size):
    data = json.dumps(value, ensure_ascii=False).encode()
    assert list(json_elements(cut(b" " + data + b"\n", size))) == value


@given(value=st.dictionaries(TEXTS, VALUES, max_size=6), size=st.integers(1, 40), data=st.data())
def test_an_object_that_ends_too_early_is_an_error(value, size, data):
    whole = json.dumps(value).encode()
    end = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(ValueError, match=r"\w"):
        list(json_members(cut(whole[:end], size)))


@pytest.mark.parametrize(
    "wrong",
    [b"", b" ", b"[1]", b"{,}", b'{"a":1,}', b'{"a":1}x', b'{"a":1]', b'{"a":[1}', b'{"a" 1}', b'{"a":1,,"b":2}',
     b'{"aaaaaaaaaaaaaaaaaaaaaaaa":1,}', b'{"a":nan}', b'{"a":"\xff"}'],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 3, 99])
def test_what_is_no_object_is_an_error(wrong, size):
    with pytest.raises(ValueError, match=r"\w"):
        list(json_members(cut(wrong, size)))


@pytest.mark.limit_memory("5 MB")
def test_an_object_of_any_size_is_decoded_in_flat_memory(monkeypatch):
    monkeypatch.setattr(module, "SLICE_BYTES", 256 * 1024)
    members = 40_000

    def pieces():
        yield b"{"
        for number in range(members):
            yield b'%b"%08x":["%b"]' % (b"," if number else b"", number, b"x" * 500)
        yield b"}"

    assert sum(1 for _ in json_members(pieces())) == members  # of 20 MiB
    assert members * 500 > 19 * MiB
