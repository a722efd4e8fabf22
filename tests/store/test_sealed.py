from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch.errors import CorruptChunk
from mesbatch.store.sealed import seal, unseal


@given(document=st.dictionaries(st.text(), st.integers(-(2**63), 2**63 - 1)))
def test_what_was_sealed_comes_out(document):
    assert unseal(seal(document), dict[str, int], "it") == document


@given(position=st.integers(0, 20), bit=st.integers(0, 7))
def test_any_bit_that_changes_is_seen(position, bit):
    sealed = bytearray(seal({"rows": 12345}))
    sealed[position] ^= 1 << bit
    with pytest.raises(CorruptChunk, match="it is damaged"):
        unseal(bytes(sealed), dict[str, int], "it")


def test_a_document_of_another_kind_is_corrupt_too():
    with pytest.raises(CorruptChunk, match=r"it is whole, but no .* of this version.*Expected `int`, got `str`"):
        unseal(seal({"rows": "many"}), dict[str, int], "it")
