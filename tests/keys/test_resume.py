"""Places to go on from: every type of key comes back as it was, with its type."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesbatch.keys.resume import EncodedKey, ResumePoint, TypedKey, decode_key

KEYS = st.one_of(
    st.text(), st.integers(), st.floats(allow_nan=False), st.decimals(allow_nan=False), st.dates(),
    st.datetimes(timezones=st.sampled_from([None, UTC, timezone(timedelta(hours=-3, minutes=-30))])),
    st.uuids(), st.binary(),
)  # fmt: skip


@given(key=KEYS)
def test_a_key_comes_back_from_a_json_document_equal_and_of_its_type(key):
    stored = msgspec.json.encode(ResumePoint(key).encoded)
    found = ResumePoint.decode(msgspec.json.decode(stored, type=EncodedKey)).key
    assert found == key
    assert type(found) is type(key)


@pytest.mark.parametrize("key", [7, "a\t", date(2026, 1, 1), datetime(2026, 1, 1), Decimal("1.50"), UUID(int=1), b"a"])
def test_text_and_small_numbers_are_stored_as_they_are_and_others_with_their_type(key):
    encoded = ResumePoint(key).encoded
    assert (encoded == key) if isinstance(key, str | int) else (encoded.type == type(key).__name__.lower())


def test_a_type_that_no_key_has_is_refused_both_ways():
    with pytest.raises(TypeError, match="list"):
        _ = ResumePoint([1]).encoded
    with pytest.raises(ValueError, match="'complex'"):
        decode_key(TypedKey("complex", "1j"))
